"""Mail about what needs a person: one digest of all that came up, never a storm."""

from __future__ import annotations

import logging
from datetime import timedelta
from smtplib import SMTPException
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.models import Approval
from issues.models import Issue
from paperclip.models import Company

if TYPE_CHECKING:
    from datetime import datetime

log = logging.getLogger(__name__)

# What comes up is gathered for a while; between two mails of a company is so much time.
GATHER, BETWEEN = timedelta(minutes=1), timedelta(minutes=15)
SHOWN = 30


def is_on() -> bool:
    """Whether a mail server is named."""
    return bool(settings.EMAIL_URL)


def mail_waiting(at: datetime) -> int:
    """Send the digests that are due. How many mails went out."""
    if not is_on():
        return 0
    fresh = Approval.objects.filter(
        status="pending", mailed_at=None, created_at__lte=at - GATHER
    )
    # What a rehearsal invents is nobody's business.
    due = Company.objects.filter(
        pk__in=fresh.values("company"), status="active", rehearsal=False
    )
    lately = Approval.objects.filter(mailed_at__gt=at - BETWEEN).values("company")
    return sum(mail_one(company, at) for company in due.exclude(pk__in=lately))


def mail_one(company: Company, at: datetime) -> int:
    """Send the company's digest to each of its people who may decide. Of two that do
    it at once, one finds something."""
    mine = Approval.objects.filter(company=company, status="pending")
    new = list(mine.filter(mailed_at=None).values_list("pk", flat=True))
    taken = Approval.objects.filter(pk__in=new, mailed_at=None)
    if not taken.update(mailed_at=at):
        return 0
    text, subject = digest(company, set(new)), subject_of(company, len(new))
    sent = send(subject, text, addresses(company))
    if not sent:
        # Nobody was told: it is tried again.
        Approval.objects.filter(pk__in=new).update(mailed_at=None)
    return sent


def addresses(company: Company) -> list[str]:
    active = company.memberships.working().exclude(user__email="")
    return sorted(set(active.values_list("user__email", flat=True)))


def send(subject: str, text: str, to: list[str]) -> int:
    """A mail to each, so that nobody reads the addresses; how many were taken."""
    if not to:
        return 0
    sent, by = 0, settings.MAIL_FROM
    try:
        with get_connection() as server:
            for address in to:
                mail = EmailMessage(subject, text, by, [address], connection=server)
                sent += post(mail)
    except (OSError, SMTPException) as error:
        log.warning("the mail server does not take mail: %s", error)
    return sent


def post(message: EmailMessage) -> int:
    try:
        return message.send()
    except SMTPException as error:
        log.warning("a mail was refused: %s", error)
        return 0


def subject_of(company: Company, count: int) -> str:
    said = ngettext(
        "%(n)s decision waits for you at %(company)s",
        "%(n)s decisions wait for you at %(company)s",
        count,
    )
    flat = " ".join(str(company).split())
    return said % {"n": count, "company": flat}


def digest(company: Company, new: set[UUID]) -> str:
    """All that waits, the new first; titles alone, and where to decide."""
    pending = Approval.objects.filter(company=company, status="pending")
    rows = sorted(pending[:SHOWN], key=lambda each: each.pk not in new)
    lines: list[Any] = [_("What waits for a decision:"), ""]
    for each in rows:
        mark = _("new") if each.pk in new else _("still")
        until = f"{each.expires_at:%Y-%m-%d %H:%M} UTC"
        title = " ".join(f"{each}".split())
        lines.append(f"- [{mark}] {title} ({_('until')} {until})")
        lines.append(f"  {settings.URL}/approvals/{each.pk}")
    waiting = Issue.objects.open().filter(company=company, assignee_user__isnull=False)
    if count := waiting.count():
        said = ngettext(
            "%(n)s issue waits for a person.", "%(n)s issues wait for a person.", count
        )
        lines += ["", said % {"n": count}, f"  {settings.URL}/"]
    return "\n".join(map(str, lines)) + "\n"
