from __future__ import annotations

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.run import Run
from paperclip.models import Scoped, ScopedQuerySet


class CostEvent(Scoped):
    """What one model call used and cost. A ledger: rows are added, never changed."""

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="costs")
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="costs")
    issue_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    goal_id = models.UUIDField(null=True)
    billing_code = models.CharField(max_length=64, null=True)  # noqa: DJ001
    provider = models.CharField(max_length=60)
    biller = models.CharField(max_length=60)
    billing_type = models.CharField(max_length=24, default="metered_api")
    model = models.CharField(max_length=200)
    input_tokens = models.PositiveIntegerField(default=0)
    cached_input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    # Millionths of a dollar. Null: nobody told us the price, which is not nothing.
    cost_micros = models.PositiveBigIntegerField(null=True)
    # The provider did not say how much it was (a broken stream): counted by us.
    estimated = models.BooleanField(default=False)
    occurred_at = models.DateTimeField(default=now)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("cost event")
        ordering = ["-occurred_at", "-id"]
        indexes = [
            models.Index(fields=["company", "occurred_at"], name="costs_of_company"),
            models.Index(fields=["agent", "occurred_at"], name="costs_of_agent"),
            models.Index(fields=["run"], name="costs_of_run"),
            models.Index(fields=["issue_id"], name="costs_of_issue"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.input_tokens} in, {self.output_tokens} out"
