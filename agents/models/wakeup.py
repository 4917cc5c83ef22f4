from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import Case, F, Func, IntegerField, JSONField, Q, Value, When
from django.db.models.expressions import CombinedExpression
from django.db.models.lookups import LessThan
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.attempt import Attempt
from agents.models.base import RunQuerySet
from agents.models.grant import Scopes
from agents.models.incident import BudgetIncident
from agents.models.queue import MOST_FACTS, ORDINARY, due, in_order, project_of
from agents.models.run import Run
from paperclip import doorbell
from paperclip.exceptions import Conflict
from paperclip.models import Instance, Scoped, ScopedQuerySet
from paperclip.models.spender import SPENT

if TYPE_CHECKING:
    from datetime import datetime

    from agents.models.agent import Agent
    from paperclip.actors import Actor

# Facts that are somebody else's doing: with them a parked issue may go on.
NEWS = {
    "issue_blockers_resolved",
    "issue_blocker_cancelled",
    "issue_children_completed",
    "approval_approved",
    "approval_rejected",
    "approval_revision_requested",
    "approval_commented",
    "approval_cancelled",
}


class WakeupQuerySet(ScopedQuerySet):
    def request(
        self,
        agent: Agent,
        source: str,
        reason: str,
        *,
        by: Actor,
        issue_id: UUID | None = None,
        comment_id: UUID | None = None,
        detail: str = "system",
        payload: dict[str, Any] | None = None,
        retry_of: Run | None = None,
        ready_at: datetime | None = None,
        counts: bool = True,
        rank: int = ORDINARY,
    ) -> Wakeup:
        """Ask for one run of the agent about the issue, or about nothing in particular.

        `retry_of` is an ended run whose work the new one goes on with; it is one
        attempt more, unless it does not count. `rank` is the issue's priority. Outside
        the agent's working hours it waits for them, unless a person asks. Answers the
        Wakeup that says what became of it: `queued` with a new run,
        `coalesced` into the run that is waiting already, or `skipped` and why.
        On-demand wakes of an agent that cannot run raise Conflict instead.
        """
        by.must_write(agent.company_id, "wake an agent")
        wakeup = Wakeup(
            company_id=agent.company_id,
            agent=agent,
            source=source,
            reason=reason,
            trigger_detail=detail,
            issue_id=issue_id,
            payload=payload or {},
            requested_by_type="agent" if by.run else by.kind,
            requested_by_id=by.id,
        )
        wakeup.project_id = project_of(issue_id)
        if refusal := self._refusal(wakeup):
            return wakeup.skip(refusal)
        facts = [wakeup.fact(by, comment_id)]
        attempt = retry_of.attempt + counts if retry_of else 1
        ready_at = wakeup.in_hours(ready_at)
        with transaction.atomic():
            return wakeup.merge(facts) or wakeup.queue(
                facts, retry_of, ready_at, attempt, rank
            )

    def _refusal(self, wakeup: Wakeup) -> str:
        """Why it starts nothing; Conflict when somebody waits for the answer. That a
        budget is spent is written down all the same."""
        with transaction.atomic():
            refusal = wakeup.refusal()
            waits = refusal and wakeup.source == Wakeup.Source.ON_DEMAND
            if waits and "scopeType" in wakeup.details:
                wakeup.skip(refusal)
        if waits:
            raise Conflict(refusal, **wakeup.details)
        return refusal


class Wakeup(Scoped):
    """One attempt to wake an agent and what became of it."""

    class Source(models.TextChoices):
        TIMER = "timer", _("timer")
        ASSIGNMENT = "assignment", _("assignment")
        ON_DEMAND = "on_demand", _("on demand")
        AUTOMATION = "automation", _("automation")
        APPROVAL = "approval", _("approval")

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        DEFERRED = "deferred_issue_execution", _("deferred")
        CLAIMED = "claimed", _("claimed")
        COALESCED = "coalesced", _("coalesced")
        SKIPPED = "skipped", _("skipped")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="wakeups")
    run = models.ForeignKey(Run, models.CASCADE, null=True, related_name="wakeups")
    issue_id = models.UUIDField(null=True)
    source = models.CharField(max_length=16, choices=Source.choices)
    trigger_detail = models.CharField(max_length=16, default="system")
    reason = models.CharField(max_length=200)
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=24, choices=Status.choices)
    # How many equal attempts this row stands for: repeated skips roll up into one.
    times = models.PositiveIntegerField(default=1)
    note = models.TextField(blank=True)
    requested_by_type = models.CharField(max_length=8)
    requested_by_id = models.CharField(max_length=64)

    objects = WakeupQuerySet.as_manager()

    class Meta:
        verbose_name = _("wakeup")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["agent", "-created_at"], name="wakeups_of_agent"),
            models.Index(
                fields=["agent"],
                condition=Q(status="skipped"),
                name="wakeups_skipped",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}: {self.reason} ({self.status})"

    # Of its issue; not kept.
    project_id: UUID | None = None

    @property
    def scopes(self) -> Scopes:
        return Scopes(self.company_id, self.agent_id, self.project_id, self.issue_id)

    def fact(self, by: Actor, comment_id: UUID | None) -> dict[str, Any]:
        """What the run is told of it."""
        return {
            "source": self.source,
            "reason": self.reason,
            "detail": self.trigger_detail,
            "by": by.name,
            "commentId": str(comment_id) if comment_id else None,
            "at": now().isoformat(),
        }

    def in_hours(self, ready_at: datetime | None) -> datetime | None:
        """When its run may start: in the agent's active hours, unless a person asks.
        None: now."""
        opens_at = None if self.is_a_persons else self.agent.opens_at(now())
        return max(opens_at, ready_at or opens_at) if opens_at else ready_at

    def refusal(self) -> str:
        """Why this wake may not start anything; empty when it may. What a program has
        to know of that is in `details` then."""
        agent = self.agent
        self.details = {"status": agent.status}
        if Instance.objects.is_stopped():
            return "Everything is stopped, in all companies. Resume it first."
        if agent.company.status != "active" and agent.company.pause_reason != SPENT:
            return f"{agent.company} is {agent.company.state}."
        if shut := BudgetIncident.objects.shutting(self.scopes):
            self.details = {
                "scopeType": shut.scope_type,
                "scopeId": str(shut.scope_id),
            }
            return str(shut)
        if not agent.is_invokable:
            return f"{agent} is {agent.status.replace('_', ' ')}."
        if self.source == self.Source.TIMER:
            if agent.runs.open().exists():
                return "The last run has not ended yet."
        elif not agent.wake_on_demand:
            return f"{agent} is only woken by its timer."
        return self._parked()

    def _parked(self) -> str:
        """Why the work is parked. A person's wake, and news of others' work, let it go
        on; a fault of the agent as a whole only a person can have mended."""
        parked = Attempt.objects.blocking(self.agent, self.issue_id)
        if self.requested_by_type == "user":
            parked.reopen()
        elif self.reason in NEWS:
            parked.filter(whole_agent=False).reopen()
        return self.agent.parked_at_work(self.issue_id)

    def skip(self, why: str) -> Wakeup:
        """Leave a record; equal skips in a row count up on one row."""
        last: Wakeup | None = Wakeup.objects.filter(agent=self.agent).first()
        same = (last is not None) and (last.status, last.reason, last.note) == (
            self.Status.SKIPPED,
            self.reason,
            why,
        )
        if last is not None and same:
            Wakeup.objects.filter(pk=last.pk).update(
                times=F("times") + 1, updated_at=now()
            )
            last.refresh_from_db()
            return last
        self.status, self.note = self.Status.SKIPPED, why
        self.save()
        return self

    def merge(self, facts: list[dict[str, Any]]) -> Wakeup | None:
        """Add the facts to the run that waits for this agent and issue, if one does."""
        waiting = Run.objects.filter(
            agent=self.agent, issue_id=self.issue_id, status=Run.Status.QUEUED
        )
        length = Func(
            F("wakes"), function="jsonb_array_length", output_field=IntegerField()
        )
        added = CombinedExpression(
            F("wakes"),
            "||",
            Value(facts, output_field=JSONField()),
            output_field=JSONField(),
        )
        # The UPDATE waits for a claim under way; a run that started meanwhile has read
        # its facts and does not match any more. A run that has enough of them is told
        # no more: this row still says so.
        enough = Case(
            When(LessThan(length, MOST_FACTS), then=added), default=F("wakes")
        )
        if not waiting.update(wakes=enough, updated_at=now()):
            return None
        self.run = waiting.first()
        if self.is_a_persons:
            self._hasten(waiting)
        self.status = self.Status.COALESCED
        self.save()
        return self

    @property
    def is_a_persons(self) -> bool:
        """Whether somebody waits for it: they know better than a time set before."""
        asked = self.source == self.Source.ON_DEMAND
        return self.requested_by_type == "user" or (
            asked and self.requested_by_type != "agent"
        )

    def _hasten(self, waiting: RunQuerySet) -> None:
        """Start now what was put off."""
        put_off = waiting.filter(ready_at__gt=now())
        if self.run and put_off.put_off(now()):
            Run.objects.filter(pk=self.run.pk).update(rung_at=now())
            self.run.refresh_from_db()
            self.run.changed()
            doorbell.ring("issues.tasks.heartbeat", str(self.run.pk))

    def queue(
        self,
        facts: list[dict[str, Any]],
        retry_of: Run | None,
        ready_at: datetime | None,
        attempt: int,
        rank: int,
    ) -> Wakeup:
        run = Run(
            company_id=self.company_id,
            agent=self.agent,
            issue_id=self.issue_id,
            project_id=self.project_id,
            invocation_source=self.source,
            trigger_detail=self.trigger_detail,
            wakes=in_order(Run.objects.owed(self.agent_id, self.issue_id), facts),
            retry_of=retry_of,
            account_id=retry_of.account_id if retry_of else None,
            attempt=attempt,
            ready_at=ready_at or now(),
            rank=rank,
            due_at=due(ready_at or now(), rank),
            rung_at=None if ready_at else now(),
        )
        try:
            with transaction.atomic():
                run.save(force_insert=True)
        except IntegrityError:
            # Somebody else queued one for the same agent and issue this very moment.
            merged = self.merge(facts)
            return merged or self.queue(facts, retry_of, ready_at, attempt, rank)
        self.run, self.status = run, self.Status.QUEUED
        self.save()
        run.changed()
        if ready_at is None:
            doorbell.ring("issues.tasks.heartbeat", str(run.pk))
        return self
