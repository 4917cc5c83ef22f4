"""The lock of an issue: one column, `checkout_run`. It counts while that run lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.timezone import now

from agents.models import Agent, Run
from issues.models.base import CLOSED, Status
from issues.models.relation import Relation
from issues.models.waiting import Waiting
from issues.models.wakes import Wake, send_wakes
from paperclip import audit
from paperclip.exceptions import Conflict, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from paperclip.actors import Actor

# What a lost race is explained by.
DECISIVE = ["status", "assignee_agent_id", "assignee_user_id", "checkout_run_id"]


class Checkout(Waiting):
    class Meta:
        abstract = True

    def live_holder(self) -> Run | None:
        """The run that holds this issue now. A run that has ended holds nothing."""
        if self.checkout_run_id is None:
            return None
        live = Run.objects.live().filter(pk=self.checkout_run_id)
        return live.select_related("agent").first()

    @transaction.atomic
    def check_out(
        self,
        agent: Agent,
        run: Run | None,
        expected: Collection[str],
        *,
        by: Actor,
    ) -> None:
        """Give the issue to this run of the agent. Of many callers one gets it.

        Conflict for the others, and when the status is not an expected one; Invalid
        while a blocker is unfinished. The run that holds it already, and the assignee
        whose last run is dead, get it whatever they expected. An operator needs no run
        and then only assigns.
        """
        self._must_be_open_to(agent, by=by)
        before = self.checkout_run_id
        if not self._take(agent, run, expected):
            held = self._look_again()
            if run is not None and held == run.pk:
                self.refresh_from_db()
                return  # it had it all along
            if held is None:
                self.must_be_unblocked()
            raise self._taken(run, held)
        # The row is ours until the commit, and this reads what is committed by now.
        self.refresh_from_db()
        self.must_be_unblocked()
        adopted = before is not None and before != self.checkout_run_id
        audit.record(
            by,
            "issue.checkout_lock_adopted" if adopted else "issue.checked_out",
            self,
            identifier=self.identifier,
            **({"previousRunId": str(before)} if adopted else {}),
        )
        send_wakes([Wake(agent, "assignment", "issue_checked_out", self)], by=by)

    def _must_be_open_to(self, agent: Agent, *, by: Actor) -> None:
        by.must_write(self.company_id, "check out")
        if by.agent is not None and by.agent.pk != agent.pk:
            raise NotAllowed("Agent can only checkout as itself")
        if agent.company_id != self.company_id or not agent.is_invokable:
            raise Conflict(f"{agent} cannot work now: it is {agent.status}.")
        if self.project is not None and self.project.paused_at:
            raise Conflict(f"The project {self.project} is paused.")

    def _take(self, agent: Agent, run: Run | None, expected: Collection[str]) -> bool:
        """The one conditional UPDATE; everything it depends on is in its WHERE."""
        holder = Run.objects.filter(pk=OuterRef("checkout_run"))
        # Not "no live one": a holder that started after this statement did is not dead.
        free = Q(checkout_run=None) | Exists(holder.dead())
        # A closed issue is opened again first, by somebody who means to.
        wanted = [status for status in expected if status not in CLOSED]
        free_or_expected = Q(status__in=wanted) | Q(
            status=Status.IN_PROGRESS, assignee_agent=agent
        )
        blocked = Relation.objects.unresolved().filter(blocked=OuterRef("pk"))
        rows = type(self)._default_manager.filter(
            free,
            free_or_expected,
            Q(assignee_agent=None) | Q(assignee_agent=agent),
            ~Exists(blocked),
            pk=self.pk,
            assignee_user=None,
        )
        if run is not None:
            rows = rows.filter(
                Exists(Run.objects.live().filter(pk=run.pk, agent=agent))
            )
        moment = now()
        return bool(
            rows.update(
                status=Status.IN_PROGRESS,
                assignee_agent=agent,
                checkout_run=run,
                started_at=Coalesce("started_at", moment),
                completed_at=None,
                cancelled_at=None,
                updated_at=moment,
            )
        )

    def _look_again(self) -> UUID | None:
        """Read what a lost race is explained by, in one query; the live holder's id."""
        live = Run.objects.live().filter(pk=OuterRef("checkout_run"))
        row = type(self)._default_manager.annotate(live_run=Subquery(live.values("pk")))
        found = row.values(*DECISIVE, "live_run").get(pk=self.pk)
        held: UUID | None = found.pop("live_run")
        for name, value in found.items():
            setattr(self, name, value)
        return held

    def _taken(self, run: Run | None, held: UUID | None) -> Conflict:
        """The refusal, with all that a caller needs to decide what to do instead."""
        if run is not None and not run.is_live:
            reason, retry = "run_not_live", None
        elif held is not None:
            reason, retry = "held_by_live_run", 60
        elif self.assignee_user_id or self.assignee_agent_id:
            reason, retry = "assigned_to_other", None
        else:
            reason, retry = "status_not_expected", None
        holder = str(held) if held else None
        return Conflict(
            "Issue checkout conflict",
            code="checkout_conflict",
            reason=reason,
            issueId=str(self.pk),
            status=self.status,
            assigneeAgentId=str(self.assignee_agent_id)
            if self.assignee_agent_id
            else None,
            checkoutRunId=holder,
            executionRunId=holder,
            holderRunId=holder,
            holderIsLive=holder is not None,
            retryAfter=retry,
        )

    @transaction.atomic
    def release(self, *, by: Actor) -> None:
        """Give it back: to do again, with no assignee. Conflict when another live run
        holds it, or when it is another agent's."""
        self.refresh_from_db(
            from_queryset=type(self)._default_manager.select_for_update(no_key=True)
        )
        self.must_be_writable(by)
        if by.agent is not None and self.assignee_agent_id not in (None, by.agent.pk):
            raise Conflict(f"{self.identifier} is assigned to {self.assignee_agent}.")
        if self.is_closed:
            raise Conflict(f"{self.identifier} is {self.status}.")
        self.let_go(by=by)
        self.status, self.assignee_agent, self.assignee_user = Status.TODO, None, None
        self.executor_agent = None
        self.save()
        audit.record(by, "issue.released", self, identifier=self.identifier)

    def must_be_writable(self, by: Actor) -> None:
        """Refuse a writer whom a live run keeps out, or who cannot be told apart."""
        by.must_write(self.company_id, "change issues")
        if by.agent is None:
            return
        if by.run is None:
            raise NotAllowed(
                "An agent changes issues from within a run: send its id in the header"
                " X-Paperclip-Run-Id ($PAPERCLIP_RUN_ID).",
                code="cross_issue_influence_run_context_required",
            )
        holder = self.live_holder()
        if holder is not None and holder.pk != by.run_id:
            raise Conflict(
                f"{holder.agent} has {self.identifier} checked out. Comment instead,"
                " or wait for its run to end.",
                code="issue_write_assignee_run_lock",
                issueId=str(self.pk),
                assigneeAgentId=str(self.assignee_agent_id),
                actorAgentId=by.id,
            )

    def let_go(self, *, by: Actor) -> None:
        """Take the lock off (the caller saves). A live run that somebody else takes the
        issue from is cancelled: it would go on working on what is no longer its own."""
        holder = self.live_holder()
        if holder is not None and holder.pk != by.run_id and holder.issue_id == self.pk:
            holder.cancel(by=by, why=f"{by} took {self.identifier} away.")
        self.checkout_run = None

    def interrupt(self, *, by: Actor) -> None:
        """Cancel the runs about this issue that are running now."""
        by.must_be_operator(self.company_id, "interrupt a run")
        running = Run.objects.live().filter(issue_id=self.pk)
        running.cancel(by=by, why=f"{by} interrupted it.")
