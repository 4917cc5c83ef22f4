from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F
from django.utils.crypto import salted_hmac

from paperclip import roles
from paperclip.models.membership import Membership
from paperclip.roles import Role


class User(AbstractUser):
    """A person. What one may see and do in a company is its Membership's."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    # How often all sessions of this person were ended at once.
    sessions_ended = models.PositiveIntegerField(default=0, editable=False)

    def end_sessions(self) -> None:
        """Whoever is signed in as this person is nobody from the next request on, and
        no link that waits signs anybody in."""
        User.objects.filter(pk=self.pk).update(sessions_ended=F("sessions_ended") + 1)
        self.sign_in_links.filter(used_at=None).delete()

    def _get_session_auth_hash(self, secret: Any = None) -> str:
        """What a session is checked by: as Django does it, and how many were ended."""
        known: str = super()._get_session_auth_hash(secret)  # type: ignore[misc]
        if not self.sessions_ended:
            return known
        signed = f"{known} {self.sessions_ended}"
        return salted_hmac(
            "paperclip.sessions_ended", signed, secret=secret, algorithm="sha256"
        ).hexdigest()

    def may_found(self) -> bool:
        """Whether this person may found a company: one who works in one already, or
        the first of all."""
        return self.may_somewhere("found a company") or not Membership.objects.exists()

    def role_in(self, company_id: UUID) -> str | None:
        """This person's role there; the administrator of the instance is an owner
        everywhere."""
        if self.is_superuser:
            return Role.OWNER
        mine = Membership.objects.filter(user=self, company_id=company_id)
        return mine.values_list("role", flat=True).first()

    def may(self, company_id: UUID, act: str) -> bool:
        """Whether the table (paperclip.roles) lets this person do it there."""
        return roles.allows(self.role_in(company_id), act)

    def may_somewhere(self, act: str) -> bool:
        """Whether this person may do it in some company: what concerns all of them."""
        mine = Membership.objects.filter(user=self, role__in=roles.allowed(act))
        return self.is_superuser or mine.exists()
