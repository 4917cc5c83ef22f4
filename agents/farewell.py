"""What ends of a person who leaves their last company."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.timezone import now

from agents.models import ApiKey

if TYPE_CHECKING:
    from paperclip.models import Company, User


def revoke_keys(company: Company, user: User) -> None:
    """No program acts as this person any more."""
    ApiKey.objects.filter(user=user, revoked_at=None).update(revoked_at=now())
