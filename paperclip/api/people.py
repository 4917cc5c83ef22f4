"""The people of a company over HTTP: members, their roles, and invitations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.views.decorators.debug import sensitive_variables
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import (
    BooleanField,
    CharField,
    ChoiceField,
    EmailField,
    SerializerMethodField,
    UUIDField,
)

from agents.api.shapes import DoneShape
from paperclip import invitations
from paperclip.api.forms import Form, Text, Whole
from paperclip.api.schema import doc
from paperclip.api.shapes import MembershipShape, Moment, Shape
from paperclip.api.views import Endpoint, is_uuid
from paperclip.exceptions import Invalid, Missing, NotAllowed
from paperclip.models import Invite, Membership
from paperclip.models.invite import LONGEST
from paperclip.pages import Pages
from paperclip.roles import Role

MEMBERS = Pages(("created_at", "id"), limit=500, maximum=1000)
INVITES = Pages(("-created_at", "-id"))


class MemberShape(MembershipShape):
    id = UUIDField()
    principalType = SerializerMethodField()
    principalId = UUIDField(source="user_id")
    status = SerializerMethodField()
    user = SerializerMethodField(help_text="The address is for who may invite people.")
    createdAt = Moment(source="created_at")

    def get_principalType(self, row: Membership) -> str:
        return "user"

    def get_status(self, row: Membership) -> str:
        return "active" if row.user.is_active else "suspended"

    def get_user(self, row: Membership) -> dict[str, Any]:
        user = row.user
        return {
            "id": str(user.pk),
            "name": user.get_full_name() or user.get_username(),
            "email": (user.email or None) if self.context.get("addresses") else None,
        }


class InviteShape(Shape):
    id = UUIDField()
    companyId = UUIDField(source="company_id")
    inviteType = SerializerMethodField()
    allowedJoinTypes = SerializerMethodField()
    membershipRole = CharField(source="role")
    email = CharField()
    status = CharField(help_text="pending, accepted, revoked or expired")
    invitedByUserId = UUIDField(source="invited_by_id", allow_null=True)
    expiresAt = Moment(source="expires_at")
    acceptedAt = Moment(source="accepted_at", allow_null=True)
    revokedAt = Moment(source="revoked_at", allow_null=True)
    createdAt = Moment(source="created_at")

    def get_inviteType(self, row: Invite) -> str:
        return "company_join"

    def get_allowedJoinTypes(self, row: Invite) -> str:
        return "human"


class NewInviteShape(InviteShape):
    token = CharField(help_text="In this answer and never again.")
    inviteUrl = CharField()
    mailed = BooleanField(help_text="Whether it is on its way to `email` as well.")


class OpenInviteShape(Shape):
    """What whoever has the token is told."""

    inviteType = CharField()
    allowedJoinTypes = CharField()
    companyId = UUIDField()
    companyName = CharField()
    membershipRole = CharField()
    expiresAt = Moment()


class InviteForm(Form):
    membershipRole = ChoiceField(Role.choices, source="role", required=False)
    email = EmailField(required=False, allow_blank=True)
    allowedJoinTypes = ChoiceField(["human"], required=False)
    expiresInDays = Whole(min_value=1, max_value=LONGEST.days, required=False)


class AcceptForm(Form):
    username = Text(max_length=150, required=False)
    password = Text(max_length=4096, trim_whitespace=False, required=False)


class RoleForm(Form):
    membershipRole = ChoiceField(Role.choices, source="role")


class Members(Endpoint):
    @doc("list_members", "The people here", gives=MemberShape, pages=MEMBERS)
    def get(self, request: Request, **path: str) -> Response:
        company, user = self.company(), self.actor.user
        rows = company.memberships.select_related("user")
        told = user is not None and user.may(company.pk, "invite people")
        return self.page(rows, MEMBERS, MemberShape, addresses=told)


class OneMember(Endpoint):
    def member(self) -> Membership:
        key = self.kwargs["member_id"]
        rows = self.company().memberships.select_related("user", "company")
        found = rows.filter(pk=key).first() if is_uuid(key) else None
        if found is None:
            raise Missing("Membership not found")
        return found

    @doc("change_member", "Give another role", takes=RoleForm, gives=MemberShape)
    def patch(self, request: Request, **path: str) -> Response:
        member = self.member()
        self.actor.must_be_operator(member.company_id, "change a role")
        member.change_role(self.read(RoleForm)["role"], by=self.actor)
        return Response(MemberShape(member, context={"addresses": True}).data)

    @doc("delete_member", "Remove a member, or leave", gives=DoneShape)
    def delete(self, request: Request, **path: str) -> Response:
        self.member().end(by=self.actor)
        return Response({"ok": True})


class Invites(Endpoint):
    secrets = ("token", "inviteUrl")

    @doc("list_invites", "Who is invited", gives=InviteShape, pages=INVITES)
    def get(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_be_operator(company.pk, "invite people")
        return self.page(company.invites.all(), INVITES, InviteShape)

    @doc(
        "create_invite",
        "Invite a person; the link is in this answer and never again",
        takes=InviteForm,
        gives=NewInviteShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_be_operator(company.pk, "invite people")
        said = self.read(InviteForm)
        said.pop("allowedJoinTypes", None)
        if days := said.pop("expiresInDays", None):
            said["lifetime"] = timedelta(days=days)
        invite, token = invitations.invite(company, by=self.actor, **said)
        shown = {
            "token": token,
            "inviteUrl": invitations.link(token),
            "mailed": invitations.is_mailed(invite),
        }
        return Response({**InviteShape(invite).data, **shown}, status=201)


class RevokeInvite(Endpoint):
    @doc("revoke_invite", "Withdraw an invitation", gives=InviteShape)
    def post(self, request: Request, **path: str) -> Response:
        invite = Invite.objects.get_for(self.actor, self.kwargs["invite_id"])
        invite.revoke(by=self.actor)
        return Response(InviteShape(invite).data)


class OneInvite(Endpoint):
    """For whoever has the token, signed in or not."""

    permission_classes = [AllowAny]

    @doc("get_invite", "What the token invites to", gives=OpenInviteShape)
    def get(self, request: Request, **path: str) -> Response:
        invite = Invite.objects.of_token(self.kwargs["token"])
        facts = {
            "inviteType": "company_join",
            "allowedJoinTypes": "human",
            "companyId": invite.company_id,
            "companyName": invite.company.name,
            "membershipRole": invite.role,
            "expiresAt": invite.expires_at,
        }
        return Response(OpenInviteShape(facts).data)


class AcceptInvite(Endpoint):
    """A second one finds the invitation used, so it needs no key; and no password is
    kept beside one."""

    permission_classes = [AllowAny]
    repeatable = True

    @sensitive_variables("said")
    @doc(
        "accept_invite",
        "Join: as who is signed in, or as a new person with username and password",
        takes=AcceptForm,
        gives=MemberShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        invite = Invite.objects.of_token(self.kwargs["token"])
        actor: Any = request.user
        said = self.read(AcceptForm)
        if actor is None:
            if not said.get("username") or not said.get("password"):
                raise Invalid(
                    "Sign in first, or choose a username and a password.",
                    code="bad_account",
                )
            place = invite.accept_anew(said["username"], said["password"])
        elif actor.is_person:
            place = invite.accept(actor.user)
        else:
            raise NotAllowed("An invitation is for a person.")
        return Response(MemberShape(place).data, status=201)
