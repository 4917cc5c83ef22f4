"""What leaves the building: written down before it happens, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from marketing.models.job import JobRun


class EffectQuerySet(ScopedQuerySet):
    def begin(
        self, job_run: JobRun, kind: str, key: str, **request: Any
    ) -> tuple[Effect, bool]:
        """The row of this effect, and whether it is to be done now: False when it was
        done, or nobody knows (`unknown`), which is reconciled and never repeated."""
        row, made = self.get_or_create(
            company_id=job_run.company_id,
            kind=kind,
            key=key[:300],
            defaults={"job_run": job_run, "request": request},
        )
        if made or row.state in (Effect.State.INTENDED, Effect.State.FAILED):
            return row, True
        return row, False


class Effect(Scoped):
    """One effect outside. `key` is what makes it the same one: a second with the same
    kind and key is not done."""

    class State(models.TextChoices):
        INTENDED = "intended", _("intended")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown")

    job_run = models.ForeignKey(
        "marketing.JobRun", models.SET_NULL, null=True, related_name="effects"
    )
    kind = models.CharField(max_length=24)
    key = models.CharField(max_length=300)
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.INTENDED
    )
    # No secrets: digests and masked names.
    request = models.JSONField(default=dict)
    outcome = models.JSONField(default=dict)
    ended_at = models.DateTimeField(null=True)

    objects = EffectQuerySet.as_manager()

    class Meta:
        verbose_name = _("effect")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "kind", "key"], name="an_effect_happens_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.state}"

    def conclude(self, state: str, **outcome: Any) -> None:
        """What came of it."""
        self.state, self.outcome, self.ended_at = state, outcome, now()
        self.save(update_fields=["state", "outcome", "ended_at", "updated_at"])
