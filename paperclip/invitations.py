"""Invitations on their way: the link, and the mail with it."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from issues import mailing
from paperclip.actors import Actor
from paperclip.models import Company, Invite
from paperclip.models.invite import LIFETIME
from paperclip.roles import NAMED, Role


def invite(
    company: Company,
    *,
    by: Actor,
    role: str = Role.OPERATOR,
    email: str = "",
    lifetime: timedelta = LIFETIME,
) -> tuple[Invite, str]:
    """As Invite.objects.issue; it is mailed where there is an address and a server."""
    made, token = Invite.objects.issue(
        company, by=by, role=role, email=email, lifetime=lifetime
    )
    if is_mailed(made):
        subject, text = words(made, token)
        transaction.on_commit(lambda: mailing.send(subject, text, [email]))
    return made, token


def is_mailed(invite: Invite) -> bool:
    return bool(invite.email) and mailing.is_on()


def link(token: str) -> str:
    """Where it is accepted."""
    return f"{settings.URL}/invite/{token}"


def words(invite: Invite, token: str) -> tuple[str, str]:
    # On one line: a name must not write headers of its own.
    flat = " ".join(str(invite.company).split())
    told = {
        "who": invite.invited_by or "Paperclip",
        "company": flat,
        "role": NAMED[Role(invite.role)],
        "url": link(token),
        "until": f"{invite.expires_at:%Y-%m-%d %H:%M} UTC",
    }
    subject = _("Your invitation to %(company)s") % told
    text = _(
        "%(who)s invites you to %(company)s, as %(role)s.\n\n%(url)s\n\n"
        "The link is good once, until %(until)s. Whoever has it can use it: keep it to"
        " yourself. If you expected no invitation, there is nothing to do.\n"
    )
    return subject, text % told
