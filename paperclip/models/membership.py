from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import models, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from paperclip import audit, roles
from paperclip.exceptions import Conflict, Invalid, Missing, NotAllowed
from paperclip.models.company import Company
from paperclip.roles import Role

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models.user import User

# What else ends, by dotted names, so that the floors above are named and not imported:
# in the company that somebody leaves, and with the last company that somebody leaves.
LEFT_COMPANY = ("issues.farewell.hand_over",)
LEFT_LAST = ("agents.farewell.revoke_keys",)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def working(self) -> MembershipQuerySet:
        """Those who may do more than look on."""
        return self.exclude(role=Role.VIEWER).filter(user__is_active=True)

    def owners(self) -> MembershipQuerySet:
        return self.filter(role=Role.OWNER, user__is_active=True)


class Membership(models.Model):
    """A person's place in a company."""

    Role = Role

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    company = models.ForeignKey(Company, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("membership")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "user"], name="one_membership_per_company"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.role} of {self.company}"

    @transaction.atomic
    def change_role(self, role: str, *, by: Actor) -> None:
        """Give this person another role. NotAllowed for one above one's own, and for
        an owner's or to an owner by anybody but an owner; Conflict for the last owner.
        A viewer has no work: what was theirs falls to an owner."""
        self._hold()
        if role not in Role.values:
            raise Invalid(f"A role is one of: {', '.join(Role.values)}.")
        must_manage(by, self.company, "change a role", self.role, role)
        if role == self.role:
            return
        if self.role == Role.OWNER:
            self._must_not_be_last()
        was, self.role = self.role, role
        self.save(update_fields=["role"])
        told = {"userId": str(self.user_id), "was": was, "role": role}
        audit.record(by, "membership.role_changed", self, **told)
        if role == Role.VIEWER:
            self._part(LEFT_COMPANY)

    @transaction.atomic
    def end(self, *, by: Actor) -> None:
        """Leave the company, or remove somebody from it, from this moment on. Their
        open work falls to an owner; of somebody left without a company every session
        and key ends. Conflict for the last owner; NotAllowed as for `change_role`."""
        self._hold()
        if by.is_person and by.id == str(self.user_id):
            act = "membership.left"
        else:
            must_manage(by, self.company, "remove a member", self.role)
            act = "membership.removed"
        if self.role == Role.OWNER:
            self._must_not_be_last()
        told = {"userId": str(self.user_id), "role": self.role}
        audit.record(by, act, self, **told)
        Membership.objects.filter(pk=self.pk).delete()
        self._part(LEFT_COMPANY)
        if not self.user.is_superuser and not self.user.memberships.exists():
            self.user.end_sessions()
            self._part(LEFT_LAST)

    def _hold(self) -> None:
        """Everybody's place here, in one order: of two owners who send each other off
        the second finds out."""
        rows = Membership.objects.select_for_update().order_by("pk")
        held = {row.pk: row for row in rows.filter(company_id=self.company_id)}
        if self.pk not in held:
            raise Missing("Membership not found")
        self.role = held[self.pk].role

    def _must_not_be_last(self) -> None:
        others = Membership.objects.owners().filter(company_id=self.company_id)
        if not others.exclude(pk=self.pk).exists():
            raise Conflict(
                f"{self.user} is the last owner of {self.company}: make somebody else"
                " an owner first.",
                code="last_owner",
            )

    def _part(self, names: tuple[str, ...]) -> None:
        for name in names:
            import_string(name)(self.company, self.user)


def must_manage(by: Actor, company: Company, act: str, *given: str) -> None:
    """Refuse with 403 who may not do this to people with these roles: nobody gives or
    takes a role above their own, and only owners decide about owners."""
    by.must_be_operator(company.pk, act)
    if by.kind == "system":
        return
    if not by.is_person:
        raise NotAllowed(f"Only a person can {act}, and no run with a person's key.")
    if Role.OWNER in given:
        by.must_be_operator(company.pk, "decide about owners")


def heir_of(company: Company) -> User | None:
    """Who has what is nobody's: an owner, or whoever else may decide there."""
    working = company.memberships.working().select_related("user")
    heir = working.owners().order_by("created_at").first() or working.first()
    return heir.user if heir else None


def may_give(role: str | None) -> list[Role]:
    """The roles that somebody with this one gives to others, the least first."""
    if not roles.allows(role, "invite people"):
        return []
    return [each for each in roles.TABLE if not roles.is_above(each, str(role))]
