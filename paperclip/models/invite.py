from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from paperclip import audit, tokens
from paperclip.actors import Actor
from paperclip.exceptions import Conflict, Invalid, Missing
from paperclip.models.company import Company
from paperclip.models.membership import Membership, may_give, must_manage
from paperclip.models.scope import ScopedQuerySet
from paperclip.roles import Role

if TYPE_CHECKING:
    from paperclip.models.user import User

LIFETIME, LONGEST = timedelta(days=7), timedelta(days=30)
# The same for one that never was, is used up, withdrawn or too old.
GONE = "This invitation does not hold, or not any more. Ask for a new one."


class InviteQuerySet(ScopedQuerySet):
    def open(self) -> InviteQuerySet:
        """Those that somebody can still accept."""
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=now())

    @transaction.atomic
    def issue(
        self,
        company: Company,
        *,
        by: Actor,
        role: str = Role.OPERATOR,
        email: str = "",
        lifetime: timedelta = LIFETIME,
    ) -> tuple[Invite, str]:
        """An invitation and its token: shown this one time. NotAllowed for a role above
        the inviter's own; Invalid for a role that is none, or over 30 days."""
        if role not in Role.values:
            raise Invalid(f"A role is one of: {', '.join(Role.values)}.")
        must_manage(by, company, "invite people", role)
        if not timedelta(0) < lifetime <= LONGEST:
            raise Invalid(f"An invitation holds for 1 to {LONGEST.days} days.")
        token = tokens.new("inv")
        invite: Invite = self.create(
            company=company,
            role=role,
            email=email,
            digest=tokens.digest(token),
            expires_at=now() + lifetime,
            invited_by=by.user,
        )
        audit.record(by, "invite.created", invite, role=role)
        return invite, token

    def of_token(self, token: str) -> Invite:
        """What that token invites to. Missing, always in the same words, when there is
        nothing, or not any more: also when who invited may not do so any more."""
        found = self.open().filter(digest=tokens.digest(token))
        found = found.exclude(company__status=Company.Status.ARCHIVED)
        invite: Invite | None = found.select_related("company", "invited_by").first()
        if invite is None or not invite.is_backed:
            raise Missing(GONE)
        return invite


class Invite(models.Model):
    """A place in a company that waits for whoever has the token. Only its hash is
    kept."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    company = models.ForeignKey(Company, models.CASCADE, related_name="invites")
    role = models.CharField(max_length=16, choices=Role.choices)
    email = models.EmailField(blank=True)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    # Null: Paperclip itself did.
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = InviteQuerySet.as_manager()

    class Meta:
        verbose_name = _("invitation")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"invitation to {self.company} as {self.role}"

    @property
    def is_backed(self) -> bool:
        """Whether who invited may still give this role."""
        if self.invited_by is None:
            return True
        return self.role in may_give(self.invited_by.role_in(self.company_id))

    @property
    def status(self) -> str:
        if self.accepted_at:
            return "accepted"
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at <= now() else "pending"

    @transaction.atomic
    def revoke(self, *, by: Actor) -> None:
        """Nobody accepts it any more. Conflict when somebody has."""
        must_manage(by, self.company, "invite people", self.role)
        mine = Invite.objects.filter(pk=self.pk, accepted_at=None, revoked_at=None)
        if mine.update(revoked_at=now()):
            audit.record(by, "invite.revoked", self, role=self.role)
        self.refresh_from_db()
        if self.accepted_at:
            raise Conflict("It was accepted already: remove the member instead.")

    @transaction.atomic
    def accept(self, user: User) -> Membership:
        """This person's place in the company. Of two who accept it one does, the other
        gets Missing; Conflict for who is a member already, and it stays open."""
        mine = Invite.objects.open().filter(pk=self.pk)
        if not mine.update(accepted_at=now(), accepted_by=user):
            raise Missing(GONE)
        by = Actor.of_user(user)
        place, is_new = self.company.memberships.get_or_create(
            user=user, defaults={"role": self.role}
        )
        if not is_new:
            here = f"You are a member of {self.company} already."
            raise Conflict(here, code="member")
        told = {"userId": str(user.pk), "role": self.role}
        audit.record(by, "membership.created", place, inviteId=str(self.pk), **told)
        return place

    @transaction.atomic
    def accept_anew(self, username: str, password: str) -> Membership:
        """As `accept`, for a new person of that name. Invalid, with what is wrong with
        which, for a name that is taken or none, and for a password that is too weak."""
        user: Any = get_user_model()(username=username.strip(), email=self.email)
        wrong: dict[str, list[str]] = {}
        try:
            user.clean_fields(exclude=["password", "email"])
        except ValidationError as error:
            wrong["username"] = error.message_dict.get("username", error.messages)
        try:
            validate_password(password, user)
        except ValidationError as error:
            wrong["password"] = error.messages
        if wrong:
            text = " ".join(one for said in wrong.values() for one in said)
            raise Invalid(text, code="bad_account", **wrong)
        user.set_password(password)
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError:
            taken = str(_("Somebody has this name already: choose another one."))
            raise Invalid(taken, code="bad_account", username=[taken]) from None
        return self.accept(user)
