from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import models, transaction
from django.utils.timezone import now

from paperclip import audit, tokens
from paperclip.exceptions import NotAllowed
from paperclip.models.user import User

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models.membership import Membership

LIFETIME = timedelta(minutes=15)


class SignInLink(models.Model):
    """A link that signs one person in, once. Only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="sign_in_links"
    )
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"sign-in link of {self.user}"

    @classmethod
    def issue(cls, user: User) -> str:
        """The token of a new link, good once within 15 minutes."""
        token = tokens.new("sign")
        cls.objects.create(
            user=user, digest=tokens.digest(token), expires_at=now() + LIFETIME
        )
        return token

    @classmethod
    @transaction.atomic
    def give(cls, member: Membership, *, by: Actor) -> str:
        """The token of a new link for somebody who cannot get in any more. It opens all
        that they may open, so NotAllowed unless whoever gives it is an owner of each
        company they work at; a link of the administrator only the administrator
        gives."""
        act, user = "give a new sign-in link", member.user
        by.must_be_operator(member.company_id, act)
        theirs = user.memberships.values_list("company_id", flat=True)
        everywhere = all(by.user and by.user.may(pk, act) for pk in theirs)
        above = user.is_superuser and not (by.user and by.user.is_superuser)
        if by.run is not None or not everywhere or above:
            raise NotAllowed(
                f"{user} works at a company that is not yours, or is above you: a link"
                " would open that as well. They get one from who runs the machine:"
                f" python3 manage.py sign_in {user}"
            )
        audit.record(by, "membership.link_given", member, userId=str(user.pk))
        return cls.issue(user)

    @classmethod
    def holder_of(cls, token: str) -> User | None:
        """Whom the link would sign in, without using it up."""
        fresh = cls.objects.filter(
            digest=tokens.digest(token), used_at=None, expires_at__gt=now()
        )
        link = fresh.select_related("user").first()
        return link.user if link else None

    @classmethod
    def redeem(cls, token: str) -> User | None:
        """Whom the link signs in; None when it is unknown, used or too old."""
        fresh = cls.objects.filter(
            digest=tokens.digest(token), used_at=None, expires_at__gt=now()
        )
        # The UPDATE is the check: of two clicks, one signs in.
        if not fresh.update(used_at=now()):
            return None
        return cls.objects.select_related("user").get(digest=tokens.digest(token)).user
