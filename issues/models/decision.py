"""What reviewers decided, and how long they took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.policy import Stage
    from issues.models.stages import Stages
    from paperclip.actors import Actor
    from paperclip.models import User


class DecisionQuerySet(ScopedQuerySet):
    def counted(self) -> Self:
        """Approvals that the work still stands on."""
        return self.filter(outcome=Decision.Outcome.APPROVED, counts=True)

    def decided(self) -> Self:
        return self.filter(outcome__in=Decision.DECIDED)

    def forget(self) -> None:
        """What was approved is another thing by now: it is looked at again."""
        self.filter(counts=True).update(counts=False, updated_at=now())

    def ask(
        self, issue: Stages, stage: Stage, who: Agent | User | None, worker: Agent
    ) -> Decision:
        """Note that a stage waits for somebody from now on, and nobody else."""
        self.withdraw(issue)
        is_agent = isinstance(who, Agent)
        row: Decision = self.create(
            issue_id=issue.pk,
            company_id=issue.company_id,
            stage_id=stage["id"],
            stage_type=stage["type"],
            worker=worker,
            asked_agent=who if is_agent else None,
            asked_user=None if is_agent else who,
        )
        return row

    def withdraw(self, issue: Stages) -> None:
        """Nobody is waited for any more."""
        waiting = self.filter(issue_id=issue.pk, outcome=Decision.Outcome.PENDING)
        waiting.update(outcome=Decision.Outcome.WITHDRAWN, updated_at=now())


class Decision(Scoped):
    """One stage of one review: who was asked when, and what they decided when."""

    class Outcome(models.TextChoices):
        PENDING = "pending", _("pending")
        APPROVED = "approved", _("approved")
        CHANGES_REQUESTED = "changes_requested", _("changes requested")
        CANCELLED = "cancelled", _("cancelled")
        WITHDRAWN = "withdrawn", _("withdrawn")

    DECIDED = (Outcome.APPROVED, Outcome.CHANGES_REQUESTED)

    issue = models.ForeignKey("issues.Issue", models.CASCADE, related_name="decisions")
    stage_id = models.CharField(max_length=64)
    stage_type = models.CharField(max_length=16)
    worker = models.ForeignKey(Agent, models.SET_NULL, null=True, related_name="+")
    asked_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="decisions"
    )
    asked_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    outcome = models.CharField(
        max_length=24, choices=Outcome.choices, default=Outcome.PENDING
    )
    # An approval of what was changed since does not.
    counts = models.BooleanField(default=True)
    decided_at = models.DateTimeField(null=True)
    by_agent = models.ForeignKey(Agent, models.SET_NULL, null=True, related_name="+")
    by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    run_id = models.UUIDField(null=True)
    body = models.TextField(blank=True)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("decision")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["issue"],
                condition=Q(outcome="pending"),
                name="one_pending_decision_per_issue",
            )
        ]
        indexes = [
            models.Index(fields=["issue", "created_at"], name="decisions_of_issue"),
            models.Index(
                fields=["company", "decided_at"],
                condition=Q(outcome__in=("approved", "changes_requested")),
                name="decisions_decided",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.stage_type}: {self.get_outcome_display()}"

    @property
    def decided_by(self) -> str:
        return str(self.by_agent or self.by_user or "")

    @property
    def decider_id(self) -> Any:
        return self.by_agent_id or self.by_user_id

    def decide(self, outcome: str, body: str, *, by: Actor) -> None:
        self.outcome, self.body, self.decided_at = outcome, body, now()
        self.by_agent, self.by_user, self.run_id = by.agent, by.user, by.run_id
        self.save()
