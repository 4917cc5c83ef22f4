"""Review in its simple form: work that an agent calls done goes to its reviewer.

While an issue is under review its assignee is the reviewer and `executor_agent` is who
did the work. Approval merges its branch. The first refusal sends it back with a fix to
do, the next ones to the executor's manager, and what four reviews refused is a person's
to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.models import Agent
from issues import repositories
from issues.models.base import CLOSED, Status
from issues.models.checkout import Checkout
from issues.models.relation import Relation
from issues.models.thread import Thread
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid, NotAllowed
from paperclip.models import Activity, Membership

if TYPE_CHECKING:
    from paperclip.actors import Actor

FIX = "review_fix"
# After so many refusals its manager gets it, and after so many a person.
TO_MANAGER, TO_PERSON = 2, 4
NAMING = {"assignee_agent", "assignee_user"}
STEERED = NAMING | {"status"}


class Review(Checkout, Thread):
    # What the thread is told of the outcome, below the reviewer's own words.
    _remark = ""

    class Meta:
        abstract = True

    @property
    def is_under_review(self) -> bool:
        return self.executor_agent_id is not None

    @property
    def review(self) -> dict[str, Any] | None:
        """The review under way, as clients of the API are told; None without one."""
        if not self.is_under_review:
            return None
        kind = "user" if self.assignee_user_id else "agent"
        reviewer = {"agentId": self.assignee_agent_id, "userId": self.assignee_user_id}
        worker = {"agentId": self.executor_agent_id, "userId": None}
        return {
            "status": "pending",
            "currentStageType": "review",
            "currentParticipant": {"type": kind, **reviewer},
            "returnAssignee": {"type": "agent", **worker},
            "failedReviews": self.failed_reviews,
        }

    def approved_by(self) -> str:
        """Who approved it the last time it was done; empty when nobody but its own
        worker says that it is."""
        if self.status != Status.DONE:
            return ""
        acts = Activity.objects.filter(entity_type="issue", entity_id=str(self.pk))
        moves = acts.filter(
            action__in=["issue.review_decided", "issue.review_requested"]
        )
        last = moves.first()
        if last is None or last.details.get("outcome") != "approved":
            return ""
        return str(last.actor_name)

    def reviewer_of(self, worker: Agent | None) -> Agent | None:
        """Who looks at this work of the agent's; None when nobody does. A fix is
        looked at with the issue it belongs to."""
        reviewer = worker.reviewer if worker and self.origin_kind != FIX else None
        gone = reviewer is None or reviewer.status == Agent.Status.TERMINATED
        return None if gone else reviewer

    def _route(self, fields: dict[str, Any], *, by: Actor, comment: str) -> bool:
        """Turn what was asked into what the review makes of it; whether it did."""
        if not self.is_under_review:
            return self._to_reviewer(fields, by=by)
        if by.agent is not None and by.agent.pk == self.executor_agent_id:
            if STEERED & set(fields):
                raise NotAllowed(
                    f"{self.identifier} is being reviewed by {self.assignee}: wait for"
                    " the outcome, or comment.",
                    code="own_work",
                )
            return False
        if NAMING & set(fields):
            self._handed_on(fields)
            return False
        if fields.get("status", Status.IN_REVIEW) == Status.IN_REVIEW:
            return False
        return self._decide(fields, by=by, comment=comment.strip())

    def _to_reviewer(self, fields: dict[str, Any], *, by: Actor) -> bool:
        asked = fields.get("status") in (Status.DONE, Status.IN_REVIEW)
        if by.agent is None or not asked or NAMING & set(fields) or self.is_closed:
            return False
        if self.assignee_agent_id not in (None, by.agent.pk):
            return False
        reviewer = self.reviewer_of(by.agent)
        if reviewer is None:
            return False
        self._give_to_reviewer(by.agent, reviewer, by=by)
        fields["status"] = Status.IN_REVIEW
        return True

    def _give_to_reviewer(self, worker: Agent, reviewer: Agent, *, by: Actor) -> None:
        self.executor_agent, self.assignee_agent = worker, reviewer
        audit.record(
            by,
            "issue.review_requested",
            self,
            identifier=self.identifier,
            reviewerAgentId=str(reviewer.pk),
        )

    def _handed_on(self, fields: dict[str, Any]) -> None:
        """Somebody named who has it next: another reviewer, or the executor again."""
        if fields.get("assignee_agent") == self.executor_agent:
            self.executor_agent = None
            if fields.get("status", self.status) == Status.IN_REVIEW:
                fields["status"] = Status.TODO

    def _decide(self, fields: dict[str, Any], *, by: Actor, comment: str) -> bool:
        asked = fields["status"]
        if by.agent is not None:
            if asked == Status.IN_PROGRESS and not comment:
                return False  # the reviewer begins
            if not comment:
                raise Invalid("A review needs a comment: say what you looked at.")
            if asked == Status.CANCELLED:
                raise Invalid("A review approves (done) or asks for changes (todo).")
        worker, self.executor_agent = self.executor_agent, None
        self.assignee_agent = worker
        if asked in CLOSED:
            self._record_decision("approved" if asked == Status.DONE else asked, by=by)
            if asked == Status.DONE and (contradicts := self._merge(by=by)):
                fields["status"] = self._send_back(worker, contradicts)
            return True
        if not comment:  # a person took it back, without a word
            return False
        self.failed_reviews += 1
        self._record_decision("changes_requested", by=by)
        fields["status"] = self._send_back(worker, comment)
        return True

    def _merge(self, *, by: Actor) -> str:
        """Make the approved branch part of the project; why that cannot be, if so."""
        issue: Any = self
        files = repositories.merge(issue, by=by).conflicts
        if not files:
            return ""
        return (
            f"{by.name} approved it, but others have changed the same places meanwhile:"
            f" {', '.join(files)}. Merge the default branch into this one, keep what"
            " both want, and hand it over again."
        )

    def _record_decision(self, outcome: str, *, by: Actor) -> None:
        audit.record(
            by,
            "issue.review_decided",
            self,
            identifier=self.identifier,
            outcome=outcome,
            failedReviews=self.failed_reviews,
        )

    def _send_back(self, worker: Agent | None, comment: str) -> str:
        """To whom the refused work goes; the status it has there."""
        manager = worker.reports_to if worker else None
        if worker is None or self.failed_reviews >= TO_PERSON:
            return self._to_person()
        if self.failed_reviews >= TO_MANAGER and manager is not None:
            self.assignee_agent = manager
            self._remark = (
                f"{self.failed_reviews} reviews failed. {manager} decides how it goes"
                f" on; giving it back is assigning it to {worker}."
            )
            return Status.TODO
        self._file_fix(worker, comment)
        return Status.BLOCKED

    def _to_person(self) -> str:
        owners = self.company.memberships.filter(role=Membership.Role.OWNER)
        self.assignee_agent = None
        self.assignee_user = owners.select_related("user")[0].user
        self._remark = (
            f"{self.failed_reviews} reviews failed. A person decides how it goes on."
        )
        return Status.IN_REVIEW

    def _file_fix(self, worker: Agent, comment: str) -> None:
        issues: Any = type(self)._default_manager
        fix = issues.file(
            self.company,
            by=SYSTEM,
            title=f"Fix: {self.title}"[:300],
            description=f"The review of {self.identifier} asks for changes:\n\n"
            + "\n".join(f"> {line}" for line in comment.splitlines()),
            status=Status.TODO,
            priority=self.priority,
            parent=self,
            assignee_agent=worker,
            origin_kind=FIX,
            origin_id=str(self.pk),
        )
        edges = Relation.objects.filter(blocked_id=self.pk).select_related("blocker")
        self.block_on([*(edge.blocker for edge in edges), fix], by=SYSTEM)

    def return_to_review(self, *, by: Actor) -> None:
        """The last fix is done: the reviewer looks again. The caller holds the row."""
        worker = self.assignee_agent
        reviewer = self.reviewer_of(worker)
        left = Relation.objects.filter(blocked_id=self.pk).unresolved()
        if self.status != Status.BLOCKED or reviewer is None or left.exists():
            return
        assert worker is not None  # noqa: S101 (it has a reviewer)
        self.status = Status.IN_REVIEW
        self._give_to_reviewer(worker, reviewer, by=by)
        self.save()
