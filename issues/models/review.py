"""Review: work that an agent calls done goes to whoever looks at it, and what they say
decides.

Approval goes on to the next stage, and behind the last one merges its branch. The
first refusal of an agent's reviewer sends it back with a fix to do, the next ones to
the executor's manager; a stage of the issue's own policy sends it back to the executor.
What four reviews refused is a person's to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from issues import repositories
from issues.models import policy
from issues.models.base import CLOSED, Status
from issues.models.decision import Decision
from issues.models.fix import FIX, file_fix
from issues.models.relation import Relation
from issues.models.stages import PERSON, Stages, employed
from issues.models.work_product import OURS, WorkProduct
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed

if TYPE_CHECKING:
    from agents.models import Agent
    from paperclip.actors import Actor

# After so many refusals its manager gets it, and after so many a person.
TO_MANAGER, TO_PERSON = 2, 4
NAMING = {"assignee_agent", "assignee_user"}
STEERED = NAMING | {"status"}


class Review(Stages):
    class Meta:
        abstract = True

    # --- what was asked, and what becomes of it ------------------------------------

    def _route(self, fields: dict[str, Any], *, by: Actor, comment: str) -> bool:
        """Turn what was asked into what the review makes of it; whether it did."""
        self._drop_what_is_already_so(fields)
        if self.is_closed and fields.get("status", self.status) not in CLOSED:
            Decision.objects.filter(issue_id=self.pk).forget()
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
        judge, worker = by.doer, self.executor_agent
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
        doer = by.doer
        if doer is None or not asked or NAMING & set(fields) or self.is_closed:
            return False
        if self.assignee_agent_id not in (None, doer.pk):
            return False
        return self._hand_in(doer, fields, by=by)

    def _hand_in(
        self, worker: Agent, fields: dict[str, Any], *, by: Actor, seen: bool = False
    ) -> bool:
        """Put the work before its next stage; False when there is none. `seen`: the
        control plane has tried the branch itself."""
        if (stage := self.next_stage(worker)) is not None:
            self._give_to_stage(worker, stage, by=by)
        elif fields["status"] == Status.DONE and not (
            seen or self._approvals().exists() or not self._own_branch_of(worker)
        ):
            # Nothing gets into a project that nobody but its author has looked at.
            self.executor_agent = worker
            self._ask_person(f"{worker} has no reviewer, and there is its branch")
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

    def _handed_on(self, fields: dict[str, Any]) -> None:
        """Somebody named who has it next: another reviewer, or the executor again."""
        worker = self.executor_agent
        if fields.get("assignee_agent") == worker:
            Decision.objects.withdraw(self)
            self.executor_agent = None
            if fields.get("status", self.status) == Status.IN_REVIEW:
                fields["status"] = Status.TODO
        elif worker is not None:
            stage = self.next_stage(worker) or {"id": policy.REVIEW, "type": "review"}
            who = fields.get("assignee_agent") or fields.get("assignee_user")
            Decision.objects.ask(self, stage, who, worker)

    # --- decided ---------------------------------------------------------------------

    def _decide(self, fields: dict[str, Any], *, by: Actor, comment: str) -> bool:
        asked = fields["status"]
        if by.agent is not None and asked == Status.IN_PROGRESS and not comment:
            return False  # the reviewer begins
        self._must_be_decidable(asked, by=by, comment=comment)
        worker = self.executor_agent
        if asked == Status.DONE:
            self._record_decision("approved", by=by, comment=comment)
            if worker is not None and (stage := self.next_stage(worker)) is not None:
                self._give_to_stage(worker, stage, by=by)
                fields["status"] = Status.IN_REVIEW
                return True
            self._return_to(worker)
            return True
        self._return_to(worker)
        if asked in CLOSED:
            self._record_decision(asked, by=by, comment=comment)
            return True
        if not comment:  # a person took it back, without a word
            Decision.objects.withdraw(self)
            return False
        decided = self._record_decision("changes_requested", by=by, comment=comment)
        stage_id = decided.stage_id
        Decision.objects.filter(issue_id=self.pk, stage_id=stage_id).forget()
        fields["status"] = self._send_back(worker, comment)
        return True

    def _must_be_decidable(self, asked: str, *, by: Actor, comment: str) -> None:
        own = self.review_policy
        needs = own["commentRequired"] if own else by.agent is not None
        if own and asked != Status.CANCELLED:
            self._must_take_part(by)
        if needs and not comment and asked != Status.CANCELLED:
            raise Invalid("A review needs a comment: say what you looked at.")
        if by.agent is not None and asked == Status.CANCELLED:
            raise Invalid("A review approves (done) or asks for changes (todo).")

    def _must_take_part(self, by: Actor) -> None:
        """Only who was named decides a stage of the issue's own policy."""
        stage = self.next_stage(self.executor_agent)
        named = (
            {policy.key_of(one) for one in stage["participants"]} if stage else set()
        )
        named |= {str(self.assignee_agent_id), str(self.assignee_user_id)}
        who = by.agent or by.user
        if who is not None and str(who.pk) not in named:
            raise Invalid(
                f"This stage of {self.identifier} is {self.assignee}'s to decide. Who"
                " takes part says its execution policy.",
                code="not_a_participant",
            )

    def _record_decision(self, outcome: str, *, by: Actor, comment: str) -> Decision:
        rows = Decision.objects.filter(issue_id=self.pk, outcome="pending")
        decision = rows.first() or Decision(
            issue_id=self.pk,
            company_id=self.company_id,
            stage_id=policy.REVIEW,
            stage_type=policy.REVIEW,
            worker=self.executor_agent,
        )
        decision.decide(outcome, comment, by=by)
        audit.record(
            by,
            "issue.review_decided",
            self,
            identifier=self.identifier,
            outcome=outcome,
            stageId=decision.stage_id,
            failedReviews=self.failed_reviews + (outcome == "changes_requested"),
        )
        return decision

    # --- approved --------------------------------------------------------------------

    def _merged(self, asked: str, *, by: Actor, routed: bool) -> str:
        """The status it really gets: done work is part of its project then, and what
        contradicts the project goes back. Conflict when that was no review's outcome
        but a person's wish."""
        done = asked == Status.DONE != self.status and self.origin_kind != FIX
        doer = by.doer
        if not done or (doer and self._own_branch_of(doer)):
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
        Decision.objects.filter(issue_id=self.pk).forget()
        status = self._send_back(self.assignee_agent, said)
        if self.review_policy:  # else the fix says it
            self._remark = f"{said} {self._remark}".strip()
        return status

    # --- refused ---------------------------------------------------------------------

    def _send_back(self, worker: Agent | None, comment: str) -> str:
        """To whom the refused work goes; the status it has there."""
        self.failed_reviews += 1
        manager = employed(worker.reports_to if worker else None)
        failed = f"{self.failed_reviews} reviews failed."
        if employed(worker) is None:
            failed = f"{worker} does not work here any more."
        elif self.review_policy and self.failed_reviews < TO_PERSON:
            return self._back_at_work()
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

    def return_to_review(self, fix: Review, *, by: Actor) -> None:
        """A fix is closed: when it was the last, the work is handed in again, also when
        a person found it unnecessary. The caller holds the row."""
        edges = Relation.objects.filter(blocked_id=self.pk)
        if fix.status == Status.CANCELLED:
            edges.filter(blocker_id=fix.pk).delete()
        worker = self.assignee_agent
        if self.status != Status.BLOCKED or worker is None:
            return
        if edges.unresolved().exists() or self.next_stage(worker) is None:
            return
        self.status = Status.IN_REVIEW
        self._hand_in_again(worker, by=by)
        self.save()

    def _hand_in_again(self, worker: Agent, *, by: Actor) -> None:
        self._hand_in(worker, {"status": Status.IN_REVIEW}, by=by)

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
        if (worker := self.executor_agent) is not None:
            stage = self.next_stage(worker) or PERSON
            Decision.objects.ask(self, stage, self.assignee_user, worker)
        self._post(self._remark, by=SYSTEM)
        audit.record(SYSTEM, "issue.updated", self, identifier=self.identifier)
