"""Review in its simple form: work that an agent calls done goes to its reviewer.

While an issue is under review its assignee is the reviewer and `executor_agent` is who
did the work. Approval merges its branch. The first refusal sends it back with a fix to
do, the next ones to the executor's manager, and what four reviews refused is a person's
to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from agents.models import Agent
from issues import repositories
from issues.models.base import CLOSED, Status
from issues.models.checkout import Checkout
from issues.models.fix import FIX, file_fix
from issues.models.relation import Relation
from issues.models.thread import Thread
from issues.models.work_product import OURS, WorkProduct
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity, Membership

if TYPE_CHECKING:
    from paperclip.actors import Actor

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
        return employed(reviewer)

    # --- what was asked, and what becomes of it ------------------------------------

    def _route(self, fields: dict[str, Any], *, by: Actor, comment: str) -> bool:
        """Turn what was asked into what the review makes of it; whether it did."""
        self._drop_what_is_already_so(fields)
        if not self.is_under_review:
            return self._to_reviewer(fields, by=by)
        if STEERED & set(fields):
            self._must_be_its_judge(by)
        if NAMING & set(fields):
            self._handed_on(fields)
            return False
        if fields.get("status", Status.IN_REVIEW) == Status.IN_REVIEW:
            return False
        return self._decide(fields, by=by, comment=comment.strip())

    def _drop_what_is_already_so(self, fields: dict[str, Any]) -> None:
        """Naming the present assignee again names nobody."""
        if not NAMING & set(fields):
            return
        if all(fields.get(name) == getattr(self, name) for name in NAMING):
            for name in NAMING & set(fields):
                del fields[name]

    def _must_be_its_judge(self, by: Actor) -> None:
        """The reviewer, a manager of who did the work, or a person: nobody else, and
        never the one who did it."""
        judge, worker = by.agent, self.executor_agent
        if judge is None or worker is None:
            return
        may = judge.pk == self.assignee_agent_id or judge in worker.chain_of_command()
        if judge.pk == worker.pk or not may:
            raise NotAllowed(
                f"{self.identifier} is being reviewed by {self.assignee}: wait for the"
                " outcome, or comment.",
                code="own_work" if judge.pk == worker.pk else "not_yours",
            )

    def _to_reviewer(self, fields: dict[str, Any], *, by: Actor) -> bool:
        asked = fields.get("status") in (Status.DONE, Status.IN_REVIEW)
        if by.agent is None or not asked or NAMING & set(fields) or self.is_closed:
            return False
        if self.assignee_agent_id not in (None, by.agent.pk):
            return False
        reviewer = self.reviewer_of(by.agent)
        if reviewer is not None:
            self._give_to_reviewer(by.agent, reviewer, by=by)
        elif fields["status"] == Status.DONE and self._own_branch_of(by.agent):
            # Nothing gets into a project that nobody but its author has looked at.
            self.executor_agent = by.agent
            self._to_person(f"{by.agent} has no reviewer. A person looks at its branch")
        else:
            return False
        fields["status"] = Status.IN_REVIEW
        return True

    def _own_branch_of(self, agent: Agent) -> bool:
        """Whether the issue has a branch of the agent's making that is not merged."""
        ours = WorkProduct.objects.filter(type=WorkProduct.Type.BRANCH, provider=OURS)
        branch = ours.filter(issue_id=self.pk).first()
        if branch is None or self.origin_kind == FIX:
            return False
        facts = branch.metadata or {}
        if facts.get("merged", {}).get("branchCommit") == facts.get("commit"):
            return False
        return agent.runs.filter(pk=branch.created_by_run_id).exists()

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
        self.assignee_agent, self.assignee_user = worker, None
        if asked in CLOSED:
            self._record_decision("approved" if asked == Status.DONE else asked, by=by)
            return True
        if not comment:  # a person took it back, without a word
            return False
        self._record_decision("changes_requested", by=by)
        fields["status"] = self._send_back(worker, comment)
        return True

    def _record_decision(self, outcome: str, *, by: Actor) -> None:
        audit.record(
            by,
            "issue.review_decided",
            self,
            identifier=self.identifier,
            outcome=outcome,
            failedReviews=self.failed_reviews + (outcome == "changes_requested"),
        )

    # --- approved --------------------------------------------------------------------

    def _merged(self, asked: str, *, by: Actor, routed: bool) -> str:
        """The status it really gets: done work is part of its project then, and what
        contradicts the project goes back. Conflict when that was no review's outcome
        but a person's wish."""
        done = asked == Status.DONE != self.status and self.origin_kind != FIX
        if not done or (by.agent and self._own_branch_of(by.agent)):
            return asked
        issue: Any = self
        files = repositories.merge(issue, by=by).conflicts
        if not files:
            return asked
        said = (
            f"{by.name} approved it, but others have changed the same places meanwhile:"
            f" {', '.join(files)}. Merge the default branch into this one, keep what"
            " both want, and hand it over again."
        )
        if self.assignee_agent is None or (by.user is not None and not routed):
            raise Conflict(said, code="merge_conflict")
        return self._send_back(self.assignee_agent, said)

    # --- refused ---------------------------------------------------------------------

    def _send_back(self, worker: Agent | None, comment: str) -> str:
        """To whom the refused work goes; the status it has there."""
        self.failed_reviews += 1
        manager = employed(worker.reports_to if worker else None)
        failed = f"{self.failed_reviews} reviews failed."
        if employed(worker) is None:
            failed = f"{worker} does not work here any more."
        elif self.failed_reviews < TO_MANAGER or (
            self.failed_reviews < TO_PERSON and manager is None
        ):
            file_fix(self, worker, comment)
            return Status.BLOCKED
        if manager is None or self.failed_reviews >= TO_PERSON:
            return self._to_person(f"{failed} A person decides how it goes on")
        self.assignee_agent = manager
        self._remark = (
            f"{failed} {manager} decides how it goes on; giving it back is assigning it"
            f" to {worker}."
        )
        return Status.TODO

    def _to_person(self, why: str) -> str:
        """Let the owner have it, or whoever else may decide here."""
        members = self.company.memberships.exclude(role=Membership.Role.VIEWER)
        members = members.filter(user__is_active=True).select_related("user")
        owners = members.filter(role=Membership.Role.OWNER)
        decides = owners.first() or members.first()
        self.assignee_agent = None
        self.assignee_user = decides.user if decides else None
        self._remark = f"{why}: {self.assignee}."
        return Status.IN_REVIEW

    def return_to_review(self, fix: Review, *, by: Actor) -> None:
        """A fix is closed: when it was the last, the reviewer looks again, also when a
        person found it unnecessary. The caller holds the row."""
        edges = Relation.objects.filter(blocked_id=self.pk)
        if fix.status == Status.CANCELLED:
            edges.filter(blocker_id=fix.pk).delete()
        worker = self.assignee_agent
        reviewer = self.reviewer_of(worker)
        if self.status != Status.BLOCKED or worker is None or reviewer is None:
            return
        if not edges.unresolved().exists():
            self.status = Status.IN_REVIEW
            self._give_to_reviewer(worker, reviewer, by=by)
            self.save()

    @transaction.atomic
    def leave_to_person(self) -> None:
        """Its assignee does not work here any more: somebody decides who does it."""
        rows = type(self)._default_manager.select_for_update(no_key=True)
        self.refresh_from_db(from_queryset=rows)
        gone = self.assignee_agent
        if gone is None or employed(gone) is not None or self.is_closed:
            return
        self.checkout_run = None
        self.status = self._to_person(
            f"{gone} does not work here any more. A person decides how it goes on"
        )
        self.save()
        self._post(self._remark, by=SYSTEM)
        audit.record(SYSTEM, "issue.updated", self, identifier=self.identifier)


def employed(agent: Agent | None) -> Agent | None:
    """The agent, unless it was dismissed."""
    gone = agent is None or agent.status == Agent.Status.TERMINATED
    return None if gone else agent
