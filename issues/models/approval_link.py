from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models import Approval
from issues.models.issue import Issue
from paperclip import audit
from paperclip.exceptions import Missing
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from paperclip.actors import Actor


class ApprovalLinkQuerySet(ScopedQuerySet):
    def link(
        self, approval: Approval, issue_ids: Collection[UUID], *, by: Actor
    ) -> None:
        """Say which issues the approval is about. Missing (404) for one that is not
        its company's; linked already, nothing happens."""
        for pk in dict.fromkeys(issue_ids):
            issue = Issue.objects.filter(pk=pk, company=approval.company_id).first()
            if issue is None:
                raise Missing("Issue not found")
            _link, is_new = self.get_or_create(
                approval=approval, issue=issue, company_id=approval.company_id
            )
            if is_new:
                self._record(issue, approval, "approval_linked", by)

    def unlink(self, approval: Approval, issue: Issue, *, by: Actor) -> None:
        """Take the link away, if there is one."""
        if self.filter(approval=approval, issue=issue).delete()[0]:
            self._record(issue, approval, "approval_unlinked", by)

    def _record(self, issue: Issue, approval: Approval, act: str, by: Actor) -> None:
        audit.record(
            by,
            f"issue.{act}",
            issue,
            identifier=issue.identifier,
            approvalId=str(approval.pk),
        )


class ApprovalLink(Scoped):
    """An approval is about an issue. The first one is where who asked is told."""

    approval = models.ForeignKey(Approval, models.CASCADE, related_name="issue_links")
    issue = models.ForeignKey(
        "issues.Issue", models.CASCADE, related_name="approval_links"
    )

    objects = ApprovalLinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval link")
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["approval", "issue"], name="one_link_per_approval_and_issue"
            )
        ]

    def __str__(self) -> str:
        return f"{self.approval} for {self.issue}"
