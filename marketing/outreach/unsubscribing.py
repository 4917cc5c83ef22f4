"""No more mail, by one click (RFC 8058) or by a person's own: where that page is, and
whether people outside can reach it."""

from __future__ import annotations

import hashlib
import hmac
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from marketing.models import Message, Suppression
from marketing.web.client import Unreachable, Web
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from marketing.models import Site

OK = 200


def proof(nonce: str) -> str:
    """What only this installation answers."""
    key = f"unsubscribe-probe:{settings.SECRET_KEY}".encode()
    return hmac.new(key, nonce.encode(), hashlib.sha256).hexdigest()


def public_base(site: Site) -> str:
    """The address in front of /u/ that works from outside: https, and our own answer
    comes back from it. Empty otherwise: mails then name the mail address alone."""
    base = settings.PUBLIC_URL
    parts = urlsplit(base)
    if parts.scheme != "https" or not parts.hostname:
        return ""
    with Web.of(site, {parts.hostname}, delay=0.0) as web:
        return base if leads_here(web, base) else ""


def leads_here(web: Web, base: str) -> bool:
    """Whether it is this installation that answers there, and nobody before it."""
    nonce = token_urlsafe(16)
    url = f"{base}/u/probe/{nonce}"
    try:
        page = web.get(url, most=1000)
    except Unreachable:
        return False
    right = page.status == OK and page.url == url
    return right and page.text.strip() == proof(nonce)


def message_of(token: str) -> Message | None:
    found: Message | None = Message.objects.filter(unsubscribe_token=token).first()
    return found


@transaction.atomic
def unsubscribe(token: str) -> None:
    """Never write to them again. An unknown token changes nothing; the same again
    neither."""
    message = message_of(token)
    if message is None:
        return
    Suppression.objects.add(
        message.company,
        message.identity,
        Suppression.Reason.UNSUBSCRIBED,
        by=SYSTEM,
        said="By the link in the mail.",
    )
