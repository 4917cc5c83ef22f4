"""Receipts: what was looked at, by whom, when, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from issues.checkers.outcomes import FAILED, PASSED, UNABLE
from issues.models.criterion import Criterion
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.issue import Issue

ACCEPTED = "accepted"
# Who has looked, where that is not a person.
CHECKER = "Paperclip"


class EvidenceQuerySet(ScopedQuerySet):
    def of_others(self, issue: Issue, message_id: str) -> bool:
        """Whether this message is what another issue was proven with."""
        rows = self.filter(company_id=issue.company_id, outcome=Evidence.Outcome.PASSED)
        theirs = rows.exclude(issue=issue)
        return theirs.filter(proof=message_id[:300]).exists()


class Evidence(Scoped):
    """One look at one criterion. Written by checkers and by people who accept with
    their name, by nobody else, and never changed.

    `state` is a digest of all that the look depended on: of another state of the issue
    it says nothing.
    """

    class Outcome(models.TextChoices):
        PASSED = PASSED, _("verified")
        FAILED = FAILED, _("not so")
        UNABLE = UNABLE, _("could not be checked")
        ACCEPTED = ACCEPTED, _("accepted")

    GOOD = (Outcome.PASSED, Outcome.ACCEPTED)

    issue = models.ForeignKey("issues.Issue", models.CASCADE, related_name="evidence")
    # What was looked at stays told, also when the criterion is taken off.
    criterion = models.ForeignKey(
        Criterion, models.SET_NULL, null=True, related_name="evidence"
    )
    claim = models.ForeignKey(
        "issues.Claim", models.CASCADE, null=True, related_name="receipts"
    )
    title = models.CharField(max_length=200)
    type = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    said = models.TextField()
    facts = models.JSONField(default=dict)
    # What can prove one thing only, such as the id of a message.
    proof = models.CharField(max_length=300, default="", blank=True)
    state = models.CharField(max_length=64)
    by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    by_name = models.CharField(max_length=150, default=CHECKER)
    began_at = models.DateTimeField()

    objects = EvidenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["issue", "-created_at"], name="evidence_of_issue"),
            models.Index(
                fields=["company", "proof"],
                condition=~models.Q(proof=""),
                name="evidence_by_proof",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.get_outcome_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A receipt is written once.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("A receipt is kept.")

    @property
    def is_good(self) -> bool:
        return self.outcome in self.GOOD
