"""The stages of a review: whose turn it is to look, and what was decided so far.

While an issue is under review its assignee is who looks at it and `executor_agent` is
who did the work.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.db import transaction

from agents.models import Agent
from issues.models import policy
from issues.models.base import Status
from issues.models.checkout import Checkout
from issues.models.decision import Decision
from issues.models.fix import FIX
from issues.models.thread import Thread
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import NotAllowed
from paperclip.models import User
from paperclip.models.membership import heir_of

if TYPE_CHECKING:
    from issues.models.policy import Policy, Stage
    from paperclip.actors import Actor

# What a person is asked where no stage says who.
PERSON: Stage = {"id": "person", "type": "approval", "approvalsNeeded": 1}


class Stages(Checkout, Thread):
    # What the thread is told of the outcome, below the reviewer's own words.
    _remark = ""
    decisions: Any

    class Meta:
        abstract = True

    @property
    def is_under_review(self) -> bool:
        return self.executor_agent_id is not None

    @property
    def review(self) -> dict[str, Any] | None:
        """Where it stands with its stages, as clients of the API are told; None without
        a policy of its own and a review under way."""
        if not (self.is_under_review or self.review_policy):
            return None
        rows = list(self.decisions.all())
        decided = [row for row in rows if row.outcome in Decision.DECIDED]
        last = decided[-1] if decided else None
        told = {
            "status": self._review_status(rows, last),
            "completedStageIds": self._completed(rows),
            "lastDecisionId": last.pk if last else None,
            "lastDecisionOutcome": last.outcome if last else None,
            "failedReviews": self.failed_reviews,
        }
        return {**told, **self._current(rows)}

    def _review_status(self, rows: list[Decision], last: Decision | None) -> str:
        if self.is_under_review:
            return "pending"
        stages = (self.review_policy or {}).get("stages", [])
        if stages and len(self._completed(rows)) == len(stages):
            return "completed"
        refused = last is not None and last.outcome == "changes_requested"
        return "changes_requested" if refused and not self.is_closed else "idle"

    def _completed(self, rows: list[Decision]) -> list[str]:
        good = [row for row in rows if row.outcome == "approved" and row.counts]
        count = Counter(row.stage_id for row in good)
        stages = (self.review_policy or {}).get("stages", [])
        return [s["id"] for s in stages if count[s["id"]] >= s["approvalsNeeded"]]

    def _current(self, rows: list[Decision]) -> dict[str, Any]:
        if not self.is_under_review:
            names = ("Id", "Index", "Type")
            nobody = {"currentParticipant": None, "returnAssignee": None}
            return {**{f"currentStage{name}": None for name in names}, **nobody}
        waiting = next((row for row in rows if row.outcome == "pending"), None)
        stages = (self.review_policy or {}).get("stages", [])
        ids = [stage["id"] for stage in stages]
        stage_id = waiting.stage_id if waiting else PERSON["id"]
        kind = "user" if self.assignee_user_id else "agent"
        who = {"agentId": self.assignee_agent_id, "userId": self.assignee_user_id}
        worker = {"agentId": self.executor_agent_id, "userId": None}
        return {
            "currentStageId": stage_id,
            "currentStageIndex": ids.index(stage_id) if stage_id in ids else 0,
            "currentStageType": waiting.stage_type if waiting else policy.REVIEW,
            "currentParticipant": {"type": kind, **who},
            "returnAssignee": {"type": "agent", **worker},
        }

    def approved_by(self) -> str:
        """Who approved it the last time it was done; empty when nobody but its own
        worker says that it is."""
        if self.status != Status.DONE:
            return ""
        last = self.decisions.last()
        approved = last is not None and last.outcome == "approved" and last.counts
        return str(last.decided_by) if approved else ""

    # --- whose turn it is ------------------------------------------------------------

    def reviewer_of(self, worker: Agent | None) -> Agent | None:
        """Who looks at this work of the agent's; None when nobody does. A fix is
        looked at with the issue it belongs to."""
        reviewer = worker.reviewer if worker and self.origin_kind != FIX else None
        return employed(reviewer)

    def policy_for(self, worker: Agent | None) -> Policy | None:
        if self.review_policy:
            own: Policy = self.review_policy
            return own
        reviewer = self.reviewer_of(worker)
        return policy.of_reviewer(reviewer) if reviewer else None

    def next_stage(self, worker: Agent | None) -> Stage | None:
        """The first stage that has not approved the work yet."""
        found = self.policy_for(worker)
        given = Counter(self._approvals().values_list("stage_id", flat=True))
        stages = found["stages"] if found else []
        return next((s for s in stages if given[s["id"]] < s["approvalsNeeded"]), None)

    def _approvals(self) -> Any:
        return Decision.objects.filter(issue_id=self.pk).counted()

    def _give_to_stage(self, worker: Agent, stage: Stage, *, by: Actor) -> None:
        """Put the work before the next of the stage; before a person when nobody of it
        can look."""
        mine = self._approvals().filter(stage_id=stage["id"])
        without = [worker.pk, *(row.decider_id for row in mine)]
        left = policy.those_left(stage, self.company, without)
        self.executor_agent = worker
        if not left:
            self._ask_person("Nobody of the next stage can look at it", stage)
            return
        who = left[0]
        self.assignee_agent = who if isinstance(who, Agent) else None
        self.assignee_user = who if isinstance(who, User) else None
        Decision.objects.ask(self, stage, who, worker)
        audit.record(
            by,
            "issue.review_requested",
            self,
            identifier=self.identifier,
            stageId=stage["id"],
            reviewerAgentId=str(who.pk) if isinstance(who, Agent) else None,
        )

    def _ask_person(self, why: str, stage: Stage = PERSON) -> None:
        """Let a person look at what `executor_agent` did."""
        worker = self.executor_agent
        assert worker is not None  # noqa: S101 (for the type checker)
        self._to_person(f"{why}. A person looks at it")
        Decision.objects.ask(self, stage, self.assignee_user, worker)

    def _to_person(self, why: str) -> str:
        """Let the owner have it, or whoever else may decide here."""
        self.assignee_agent, self.assignee_user = None, heir_of(self.company)
        self._remark = f"{why}: {self.assignee}."
        return Status.IN_REVIEW

    @transaction.atomic
    def fall_to_owner(self, gone: User) -> None:
        """The person who has it does not work here any more: an owner has it from now
        on, a review that waits for them included."""
        rows = type(self)._default_manager.select_for_update(no_key=True)
        self.refresh_from_db(from_queryset=rows)
        if self.assignee_user_id != gone.pk or self.is_closed:
            return
        self.assignee_user = heir_of(self.company)
        self.save()
        if (worker := self.executor_agent) is not None:
            stage = self.next_stage(worker) or PERSON
            Decision.objects.ask(self, stage, self.assignee_user, worker)
        said = f"{gone} does not work here any more: {self.assignee} has it now."
        self._post(said, by=SYSTEM)
        audit.record(SYSTEM, "issue.updated", self, identifier=self.identifier)

    def _return_to(self, worker: Agent | None) -> None:
        self.executor_agent, self.assignee_user = None, None
        self.assignee_agent = worker

    def _back_at_work(self) -> str:
        """The status of what its agent goes on with."""
        return Status.BLOCKED if self._is_held_up() else Status.IN_PROGRESS

    # --- the policy -------------------------------------------------------------------

    def _keep_policy(self, fields: dict[str, Any], *, by: Actor) -> bool:
        """Take over another policy; whether that has moved the issue. Taken off during
        a review, the issue is its worker's again."""
        if "review_policy" not in fields:
            return False
        written = fields.pop("review_policy")
        worker = self.executor_agent
        mine = by.agent and by.agent.pk in (
            self.assignee_agent_id,
            worker and worker.pk,
        )
        if mine:
            raise NotAllowed(
                f"{by.agent} does the work: somebody else says who looks at it.",
                code="own_work",
            )
        self.review_policy = policy.checked(written, self.company) if written else None
        if worker is None or "status" in fields:
            return False
        stage = self.next_stage(worker) if written else None
        if stage is not None:
            self._give_to_stage(worker, stage, by=by)
            return True
        Decision.objects.withdraw(self)
        self._return_to(worker)
        fields["status"] = self._back_at_work()
        return True


def employed(agent: Agent | None) -> Agent | None:
    """The agent, unless it was dismissed."""
    gone = agent is None or agent.status == Agent.Status.TERMINATED
    return None if gone else agent
