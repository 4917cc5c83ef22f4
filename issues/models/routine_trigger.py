from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from issues import cron, hook_secrets, webhooks
from issues.models.authors import Edited
from paperclip import tokens
from paperclip.exceptions import Invalid
from paperclip.models import Company, Instance, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.routine import Routine
    from issues.models.routine_revision import RoutineRevision
    from issues.models.routine_run import RoutineRun
    from paperclip.actors import Actor

SCHEDULE, WEBHOOK, API = "schedule", "webhook", "api"
# What can be said of a trigger of each kind, besides its label and whether it is on.
SETTINGS = {
    SCHEDULE: {"cron_expression", "time_zone"},
    WEBHOOK: {"signing_mode", "replay_window_sec"},
    API: set(),
}
WIRE = {
    "cron_expression": "cronExpression",
    "time_zone": "timezone",
    "signing_mode": "signingMode",
    "replay_window_sec": "replayWindowSec",
}


class RoutineTriggerQuerySet(ScopedQuerySet):
    def due(self, at: datetime) -> Self:
        """The schedules whose time has come, the longest due first. While everything
        is stopped, or their company is, they wait, and catch up by their policy when
        it works again."""
        if Instance.objects.is_stopped():
            return self.none()
        return self.filter(
            kind=SCHEDULE,
            enabled=True,
            next_run_at__lte=at,
            routine__status="active",
            company__status=Company.Status.ACTIVE,
        ).order_by("next_run_at", "id")

    @transaction.atomic
    def add(
        self, routine: Routine, *, by: Actor, kind: str, **fields: Any
    ) -> tuple[RoutineTrigger, str, RoutineRevision]:
        """A new trigger, its secret (shown this one time; empty without one) and the
        revision. Invalid for a schedule that makes no sense, a setting of another kind,
        and a schedule of a routine that has to be asked for values."""
        routine.hold(by=by)
        trigger = RoutineTrigger(routine=routine, company_id=routine.company_id)
        trigger.kind = kind
        trigger.name_creator(by)
        bound = fields.pop("company_secret", None)
        trigger._set({**trigger._defaults(), **fields}, by=by)
        if bound is not None:
            hook_secrets.bind(trigger, bound, by=by)
        secret = trigger.secret_if_none()
        trigger.save(force_insert=True)
        summary = f"Created {kind} trigger"
        return trigger, secret, routine.revise(summary, by=by)

    def restore(
        self, routine: Routine, told: list[dict[str, Any]], *, by: Actor
    ) -> list[tuple[RoutineTrigger, str]]:
        """Make the triggers of a routine what a snapshot says; those that have a new
        secret, with it. The caller holds the routine."""
        ours = self.filter(routine=routine)
        for trigger in ours.exclude(pk__in=[one["id"] for one in told]):
            hook_secrets.bind(trigger, None, by=by)
            trigger.delete()
        there = {str(trigger.pk): trigger for trigger in ours}
        made = []
        for one in told:
            trigger = there.get(one["id"]) or RoutineTrigger(
                pk=one["id"],
                company_id=routine.company_id,
                kind=one["kind"],
                public_id=one["publicId"],
                created_by_agent=by.agent,
                created_by_user=by.user,
            )
            trigger.routine = routine
            names = {"label": "label", "enabled": "enabled", **WIRE}
            trigger._set({name: one[key] for name, key in names.items()}, by=by)
            if trigger.signing_mode == "none":
                hook_secrets.bind(trigger, None, by=by)
            secret = trigger.secret_if_none()
            trigger.save()
            made += [(trigger, secret)] if secret else []
        return made


class RoutineTrigger(Edited):
    """What fires a routine: a schedule, a call from outside, or a call of the API."""

    class Kind(models.TextChoices):
        SCHEDULE = SCHEDULE, _("schedule")
        WEBHOOK = WEBHOOK, _("webhook")
        API = API, _("API")

    routine = models.ForeignKey(
        "issues.Routine", models.CASCADE, related_name="triggers"
    )
    kind = models.CharField(max_length=16, choices=Kind.choices)
    label = models.CharField(_("label"), max_length=120, null=True, blank=True)  # noqa: DJ001
    enabled = models.BooleanField(_("enabled"), default=True)
    cron_expression = models.CharField(max_length=120, null=True)  # noqa: DJ001
    time_zone = models.CharField(max_length=64, null=True)  # noqa: DJ001
    # The alarm. Whoever moves it has the slot.
    next_run_at = models.DateTimeField(null=True)
    last_fired_at = models.DateTimeField(null=True)
    last_result = models.TextField(null=True)  # noqa: DJ001
    public_id = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001
    signing_mode = models.CharField(max_length=16, null=True)  # noqa: DJ001
    replay_window_sec = models.PositiveIntegerField(null=True)
    # Enclosed (see webhooks); empty when calls are not signed.
    secret = models.TextField(blank=True, default="", editable=False)
    last_rotated_at = models.DateTimeField(null=True)

    objects = RoutineTriggerQuerySet.as_manager()

    class Meta:
        verbose_name = _("trigger")
        ordering = ["created_at"]
        indexes = [
            models.Index(
                fields=["next_run_at"],
                condition=Q(kind="schedule", enabled=True),
                name="routine_alarms",
            )
        ]

    def __str__(self) -> str:
        if self.kind == SCHEDULE:
            return cron.in_words(*self.schedule)
        return self.label or str(self.Kind(self.kind).label)

    @property
    def webhook_url(self) -> str:
        """Where a webhook is called."""
        return f"{settings.URL}/api/routine-triggers/public/{self.public_id}/fire"

    @property
    def schedule(self) -> cron.Schedule:
        """When it rings, as far as it says so."""
        return cron.Schedule(self.cron_expression or "", self.time_zone or "UTC")

    def next_times(self, n: int = 3) -> list[datetime]:
        """Its next times, as clocks in its zone show them."""
        is_on = self.enabled and self.kind == SCHEDULE
        if not is_on or cron.problem_of(self.schedule.expression):
            return []
        return cron.next_times(*self.schedule, now(), n)

    def slots_until(self, at: datetime) -> list[datetime]:
        """The slots that have come due and were not taken up."""
        assert self.next_run_at is not None  # noqa: S101 (it is due)
        return cron.due_since(*self.schedule, self.next_run_at, at)

    def set_alarm(self, after: datetime) -> None:
        """When it rings next; the caller saves."""
        self.next_run_at = None
        if self.kind == SCHEDULE and self.enabled:
            self.next_run_at = cron.following(*self.schedule, after)

    # --- verbs -------------------------------------------------------------------

    def claim(self, at: datetime) -> bool:
        """Move the alarm on from the slot it rings for. Of many callers one does."""
        mine = RoutineTrigger.objects.filter(
            pk=self.pk,
            enabled=True,
            next_run_at=self.next_run_at,
            cron_expression=self.cron_expression,
            time_zone=self.time_zone,
        )
        after = cron.following(*self.schedule, at)
        return bool(mine.update(next_run_at=after, updated_at=now()))

    def note(self, run: RoutineRun, *, fired: bool = True) -> None:
        """What its last firing came to, or why it did not fire."""
        self.last_result = run.result
        if fired:
            self.last_fired_at = run.triggered_at
        self.save(update_fields=["last_fired_at", "last_result", "updated_at"])

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> tuple[str, RoutineRevision]:
        """Change it. A new secret when it has to be signed from now on (else empty),
        and the revision. Its next time is counted from now."""
        self.routine.hold(by=by)
        self.refresh_from_db(fields=["secret", "signing_mode", "enabled"])
        bound = fields.pop("company_secret", ...)
        self._set(fields, by=by)
        if self.signing_mode == "none" and bound is ...:
            bound = None  # nothing is verified any more
        if bound is not ...:
            hook_secrets.bind(self, bound, by=by)
        secret = self.secret_if_none()
        self.save()
        revision = self.routine.revise(f"Changed {self.kind} trigger", by=by)
        return secret, revision

    @transaction.atomic
    def remove(self, *, by: Actor) -> None:
        self.routine.hold(by=by)
        hook_secrets.bind(self, None, by=by)
        self.delete()
        self.routine.revise(f"Removed {self.kind} trigger", by=by)

    @transaction.atomic
    def rotate_secret(self, *, by: Actor) -> tuple[str, RoutineRevision]:
        """A new secret, shown this one time; the old one stops working. Invalid for
        what has none."""
        self.routine.hold(by=by)
        if self.kind != WEBHOOK or self.signing_mode == "none":
            raise Invalid("Only a webhook with a signature has a secret to rotate.")
        if bound := webhooks.bound_to(self):
            raise Invalid(f"It uses the secret {bound.secret}: rotate that one.")
        secret = self._new_secret()
        self.name_editor(by)
        self.save()
        return secret, self.routine.revise("Rotated the webhook's secret", by=by)

    # --- what may be said of one -----------------------------------------------------

    def _defaults(self) -> dict[str, Any]:
        if self.kind == WEBHOOK:
            self.public_id = secrets.token_urlsafe(18)
            return {"signing_mode": "bearer", "replay_window_sec": webhooks.WINDOW}
        return {"time_zone": "UTC"} if self.kind == SCHEDULE else {}

    def _set(self, fields: dict[str, Any], *, by: Actor) -> None:
        for name, value in fields.items():
            if name in WIRE and name not in SETTINGS[self.kind] and value is not None:
                raise Invalid(f"A trigger of the kind {self.kind} has no {WIRE[name]}.")
            setattr(self, name, value)
        self.name_editor(by)
        if self.kind == SCHEDULE:
            cron.check(self.cron_expression or "", self.time_zone or "")
        if self.kind == WEBHOOK:
            self._must_be_signable(by)
        if self.enabled:
            self.routine.must_need_no_answers(self.kind)
        self.set_alarm(now())

    def _must_be_signable(self, by: Actor) -> None:
        if self.signing_mode not in webhooks.SIGNING:
            known = ", ".join(webhooks.SIGNING)
            raise Invalid(f"signingMode is one of {known}.")
        if self.signing_mode == "none":
            # Whoever knows the address may then start work: an operator's decision.
            by.must_be_operator(self.company_id, "open a webhook without a signature")
        low, high = webhooks.SHORTEST_WINDOW, webhooks.LONGEST_WINDOW
        if not low <= (self.replay_window_sec or 0) <= high:
            raise Invalid(f"replayWindowSec is {low} to {high} seconds.")

    def secret_if_none(self) -> str:
        """A new secret for a webhook that has to be signed and has none; the caller
        saves."""
        if self.kind != WEBHOOK or self.signing_mode == "none" or self.secret:
            return ""
        return "" if webhooks.bound_to(self) else self._new_secret()

    def _new_secret(self) -> str:
        secret = tokens.new("pcw")
        self.secret, self.last_rotated_at = webhooks.enclosed(secret, self.pk), now()
        return secret
