from __future__ import annotations

from uuid import UUID, uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models

from paperclip.models.company import Membership


class User(AbstractUser):
    """A person. What one may see and do in a company is its Membership's."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)

    def may_found(self) -> bool:
        """Whether this person may found a company: one who works in one already, or
        the first of all."""
        working = Membership.objects.exclude(role=Membership.Role.VIEWER)
        return working.filter(user=self).exists() or not Membership.objects.exists()

    def may_write(self, company_id: UUID) -> bool:
        """Whether this person is more than a viewer there."""
        return (
            Membership.objects.filter(user=self, company_id=company_id)
            .exclude(role=Membership.Role.VIEWER)
            .exists()
        )

    def has_role(self, *roles: str) -> bool:
        """Whether this person has one of these roles in some company, or is the
        administrator of the instance."""
        return (
            self.is_superuser
            or Membership.objects.filter(user=self, role__in=roles).exists()
        )
