from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models, transaction
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.base import NO_PROGRESS
from agents.models.run import Run
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from agents.faults import Fault
    from agents.models.agent import Agent
    from paperclip.actors import Actor


class AttemptQuerySet(ScopedQuerySet):
    def parked(self) -> Self:
        return self.exclude(parked_at=None)

    def blocking(self, agent: Agent, issue_id: UUID | None) -> Self:
        """The parked ones that keep this agent from this work: a fault of the agent as
        a whole, one of it at this issue, or an issue that goes round in circles, which
        keeps everybody off."""
        here = Q(agent=agent) & (Q(whole_agent=True) | Q(issue_id=issue_id))
        if issue_id is not None:
            here |= Q(issue_id=issue_id, cause=NO_PROGRESS)
        # One that comes to an end by itself (a budget's month) blocks until then.
        over = Q(next_at__isnull=False, next_at__lte=now())
        return self.parked().filter(here).exclude(over)

    def reopen(self) -> None:
        """Forget them: what they counted begins anew."""
        self.delete()

    @transaction.atomic
    def count_try(self, run: Run, fault: Fault, reason: str) -> Attempt:
        """One more try of this work has ended with this fault. Of two that count at
        once, the later one sees the other."""
        issue_id = None if fault.whole_agent else run.issue_id
        attempt: Attempt
        attempt, _made = self.get_or_create(
            agent_id=run.agent_id,
            issue_id=issue_id,
            cause=fault.cause,
            defaults={"company_id": run.company_id, "whole_agent": fault.whole_agent},
        )
        self.filter(pk=attempt.pk).update(
            tries=F("tries") + 1, run=run, reason=reason, updated_at=now()
        )
        attempt.refresh_from_db()
        return attempt


class Attempt(Scoped):
    """The ledger of what is tried again: one row for an agent, an issue and a cause,
    with how often it was tried. Parked, it is left alone until a person, or news, lets
    it go on; that row is the one alert people see of it."""

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="attempts")
    issue_id = models.UUIDField(null=True)
    cause = models.CharField(max_length=40)
    # Whatever it works on would end the same way: a wrong key, an unknown model.
    whole_agent = models.BooleanField(default=False)
    tries = models.PositiveSmallIntegerField(default=0)
    # When it is tried again, or, parked, when that ends by itself. Null: never.
    next_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    # In a sentence, what went wrong and what to do.
    reason = models.TextField(blank=True)
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="+")

    objects = AttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("attempt")
        ordering = ["-parked_at", "-updated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "issue_id", "cause"],
                nulls_distinct=False,
                name="one_attempt_per_work_and_cause",
            )
        ]
        indexes = [
            models.Index(
                fields=["issue_id"],
                condition=Q(parked_at__isnull=False),
                name="attempts_parked",
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent}: {self.cause}, {self.tries} times"

    @transaction.atomic
    def park(self, reason: str) -> None:
        """Leave it alone from now on. Said once: parked again, nothing happens."""
        mine = Attempt.objects.filter(pk=self.pk, parked_at=None)
        if mine.update(parked_at=now(), reason=reason, updated_at=now()):
            audit.record(
                SYSTEM,
                "attempt.parked",
                self,
                agentId=str(self.agent_id),
                issueId=str(self.issue_id) if self.issue_id else None,
                cause=self.cause,
                tries=self.tries,
            )
        self.refresh_from_db()

    @transaction.atomic
    def retry(self, *, by: Actor) -> None:
        """Try it again: the count begins anew and the agent is woken for it."""
        by.must_be_operator(self.company_id, "try it again")
        audit.record(by, "attempt.retried", self, agentId=str(self.agent_id))
        agent, issue_id = self.agent, self.issue_id
        if issue_id is None and self.run is not None:
            issue_id = self.run.issue_id  # at which the agent as a whole failed
        self.delete()
        if agent.is_invokable:
            agent.wake("on_demand", "manual", by=by, issue_id=issue_id, detail="manual")
