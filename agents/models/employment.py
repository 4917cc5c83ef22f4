"""Whether an agent works: idle, paused, or gone for good, and who said so."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents import bindings, decisions
from agents.models.colleagues import Colleagues
from agents.models.hours import ActiveHours
from paperclip import audit
from paperclip.exceptions import Conflict
from paperclip.models import Company
from paperclip.models.spender import SPENT

if TYPE_CHECKING:
    from agents.models.agent import Agent
    from agents.models.attempt import AttemptQuerySet
    from agents.models.base import RunQuerySet
    from agents.models.key import ApiKeyQuerySet
    from paperclip.actors import Actor


class Employment(ActiveHours, Colleagues):
    if TYPE_CHECKING:
        runs: RunQuerySet
        attempts: AttemptQuerySet
        api_keys: ApiKeyQuerySet

    class Status(models.TextChoices):
        IDLE = "idle", _("idle")
        PAUSED = "paused", _("paused")
        ERROR = "error", _("error")
        PENDING = "pending_approval", _("pending approval")
        TERMINATED = "terminated", _("terminated")

    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.IDLE
    )
    pause_reason = models.CharField(max_length=32, null=True, blank=True)  # noqa: DJ001
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def is_invokable(self) -> bool:
        active = self.company.status == Company.Status.ACTIVE
        return active and self.status in (self.Status.IDLE, self.Status.ERROR)

    @transaction.atomic
    def pause(self, *, by: Actor, reason: str = "manual") -> None:
        """Nothing of it runs until resume: its runs are cancelled, queued ones too.
        Paused for its budget, it is not resumed with that any more."""
        by.must_be_operator(self.company_id, "pause an agent")
        may = Q(status__in=[self.Status.IDLE, self.Status.ERROR])
        if reason != SPENT:
            may |= Q(status=self.Status.PAUSED, pause_reason=SPENT)
        mine = type(self)._default_manager.filter(may, pk=self.pk)
        if mine.update(
            status=self.Status.PAUSED,
            pause_reason=reason,
            paused_at=now(),
            updated_at=now(),
        ):
            audit.record(by, "agent.paused", self, reason=reason)
            self.runs.open().cancel(by=by, why=f"{self.name} was paused.")
        self.refresh_from_db()
        if self.status != self.Status.PAUSED:
            raise Conflict(f"{self.name} is {self.status} and cannot be paused.")

    @transaction.atomic
    def resume(self, *, by: Actor) -> None:
        """Wakes start it again. What was cancelled by the pause stays cancelled."""
        by.must_be_operator(self.company_id, "resume an agent")
        mine = type(self)._default_manager.filter(pk=self.pk, status=self.Status.PAUSED)
        if not mine.update(
            status=self.Status.IDLE,
            pause_reason=None,
            paused_at=None,
            next_heartbeat_at=self.alarm_after(now()),
            updated_at=now(),
        ):
            self.refresh_from_db()
            raise Conflict(f"{self.name} is {self.status}, not paused.")
        self.refresh_from_db()
        self.attempts.filter(issue_id=None).reopen()
        audit.record(by, "agent.resumed", self)

    @transaction.atomic
    def terminate(self, *, by: Actor) -> None:
        """For good: its runs are cancelled and its keys stop working."""
        by.must_be_operator(self.company_id, "terminate an agent")
        agent = cast("Agent", self)
        decisions.withdraw_hire(agent, by=by)
        # The status first: nothing can start between the cancels and it.
        type(self)._default_manager.filter(pk=self.pk).update(
            status=self.Status.TERMINATED, next_heartbeat_at=None, updated_at=now()
        )
        self.runs.open().cancel(by=by, why=f"{self.name} was terminated.")
        self.api_keys.filter(revoked_at=None).update(revoked_at=now())
        bindings.release_all(agent, by=by)
        self.refresh_from_db()
        audit.record(by, "agent.terminated", self)
