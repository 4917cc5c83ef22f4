"""What becomes of the work of a person who leaves a company, or only looks on now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from issues.models import Issue

if TYPE_CHECKING:
    from paperclip.models import Company, User


def hand_over(company: Company, user: User) -> None:
    """Their open issues, and the reviews that wait for them, fall to an owner."""
    theirs = Issue.objects.open().filter(company=company, assignee_user=user)
    for issue in theirs.order_by("pk"):
        issue.fall_to_owner(user)
