from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import counting
from agents.models.budget import subject_of
from agents.models.counter import BudgetCounter
from paperclip import audit, sql
from paperclip.actors import SYSTEM
from paperclip.exceptions import Missing
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from agents.models.grant import Scopes

# Which of the scopes has spent its budget, or was stopped for that and nobody has let
# it go on. A new month does not.
SHUT = """
SELECT i.scope_type, i.scope_id FROM agents_budgetincident i
WHERE i.scope_id = ANY({scopes}) AND i.threshold = 'hard' AND i.status <> 'resolved'
UNION
SELECT c.scope_type, c.scope_id FROM agents_budgetcounter c
WHERE c.scope_id = ANY({scopes}) AND c.reached = 2
  AND c.starts_at IN (%(ever)s, %(month)s)
"""
ASK_SHUT = SHUT.format(scopes="%(scopes)s")
# In the order in which they are looked at.
ORDER = ("company", "agent", "project", "issue")


class Shut(NamedTuple):
    scope_type: str
    scope_id: UUID

    def __str__(self) -> str:
        return (
            f"{self.scope_type.capitalize()} is paused because its budget hard-stop was"
            " reached."
        )


class BudgetIncidentQuerySet(ScopedQuerySet):
    def open(self) -> Self:
        return self.filter(status=BudgetIncident.Status.OPEN)

    def unresolved(self) -> Self:
        """The stops that hold."""
        hard = self.filter(threshold=BudgetIncident.Threshold.HARD)
        return hard.exclude(status=BudgetIncident.Status.RESOLVED)

    def shutting(self, scopes: Scopes) -> Shut | None:
        """The first of these scopes that may not start anything for its budget."""
        ever, month = counting.windows(now())
        rows = sql.planned(ASK_SHUT, scopes=scopes.ids, ever=ever, month=month)
        found = {row[0]: Shut(*row) for row in rows}
        return next((found[scope] for scope in ORDER if scope in found), None)

    @transaction.atomic
    def note(self, counter: BudgetCounter, threshold: str) -> BudgetIncident:
        """The incident of this mark in this window, made when it is new."""
        incident: BudgetIncident
        known = self.exclude(status=BudgetIncident.Status.RESOLVED)
        incident, is_new = known.get_or_create(
            counter=counter,
            threshold=threshold,
            defaults={
                "company_id": counter.company_id,
                "scope_type": counter.scope_type,
                "scope_id": counter.scope_id,
                "metric": counter.metric,
                "limit": counter.ceiling or 0,
                "observed": counter.spent,
            },
        )
        if is_new:
            audit.record(
                SYSTEM,
                f"budget.{threshold}_threshold_crossed",
                incident,
                scopeType=counter.scope_type,
                scopeId=str(counter.scope_id),
                metric=counter.metric,
                name=incident.name,
            )
        return incident


class BudgetIncident(Scoped):
    """A budget has passed a mark: it is nearly spent (soft), or spent (hard), and what
    it is for is stopped until somebody raises it or lets it go on."""

    class Threshold(models.TextChoices):
        SOFT = "soft", _("nearly spent")
        HARD = "hard", _("spent")

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        RESOLVED = "resolved", _("resolved")
        # A person decided that it stays stopped.
        DISMISSED = "dismissed", _("kept paused")

    counter = models.ForeignKey(BudgetCounter, models.CASCADE, related_name="incidents")
    scope_type = models.CharField(max_length=8)
    scope_id = models.UUIDField()
    metric = models.CharField(max_length=12)
    threshold = models.CharField(max_length=4, choices=Threshold.choices)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    # As it was when the mark was passed, in what is counted.
    limit = models.BigIntegerField()
    observed = models.BigIntegerField()
    # What asks a person for more.
    approval = models.ForeignKey(
        "agents.Approval", models.SET_NULL, null=True, related_name="incidents"
    )
    resolved_at = models.DateTimeField(null=True)

    objects = BudgetIncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget incident")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["counter", "threshold"],
                condition=~Q(status="resolved"),
                name="one_unresolved_incident_per_mark",
            )
        ]
        indexes = [
            models.Index(
                fields=["scope_id"],
                condition=Q(threshold="hard") & ~Q(status="resolved"),
                name="incidents_that_stop",
            )
        ]

    @property
    def name(self) -> str:
        """Of what its budget is for; empty when that is gone."""
        try:
            subject = subject_of(self.company, self.scope_type, self.scope_id)
        except Missing:
            return ""
        return str(getattr(subject, "identifier", subject))

    def __str__(self) -> str:
        return f"{self.get_threshold_display()}: {self.metric} of {self.scope_type}"
