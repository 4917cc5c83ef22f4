"""Whether mail from a domain is believed to be from there: SPF, DKIM and DMARC, looked
up before the first mail of a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import dns.exception
import dns.resolver

from marketing.jobs.base import Blocked
from marketing.web.guard import LOOPBACK

if TYPE_CHECKING:
    from marketing.models import Mailbox

SECONDS = 10.0
# Where most providers put their key, when nobody says under which name ours is.
SELECTORS = ("google", "selector1", "selector2", "default", "dkim", "mail", "s1", "k1")
SPF = re.compile(r"v=spf1(?: |$)", re.IGNORECASE)
DMARC = re.compile(r"v\s*=\s*DMARC1\s*(?:;|$)", re.IGNORECASE)
# The texts at a name; none when there are none. Unanswered when nobody answers.
Texts = Callable[[str], list[str]]


class Unanswered(Exception):
    """The name servers do not answer."""


def texts(name: str) -> list[str]:
    try:
        found = dns.resolver.resolve(name, "TXT", lifetime=SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise Unanswered(f"{name}: {error}") from None
    return [b"".join(row.strings).decode("utf-8", "replace") for row in found]


def missing(box: Mailbox, look: Texts = texts) -> list[str]:
    """What the domain of the mailbox lacks, each in a sentence that says what to do."""
    domain, found = box.domain, []
    spf = [one for one in look(domain) if SPF.match(one)]
    if len(spf) != 1:
        found.append(
            f"{domain} has {'no' if not spf else 'more than one'} SPF record (TXT"
            " v=spf1 …): its mail server has to be named there, once."
        )
    names = [box.dkim_selector] if box.dkim_selector else SELECTORS
    if not has_key(look, [f"{name}._domainkey.{domain}" for name in names]):
        found.append(
            f"There is no DKIM key at {' or '.join(names)}._domainkey.{domain}: publish"
            " it, and name its selector in the mailbox."
        )
    if (policies := policies_of(look, domain)) != 1:
        found.append(
            f"_dmarc.{domain} has {'no' if not policies else 'more than one'} DMARC"
            " record (TXT v=DMARC1; p=…): publish one."
        )
    return found


def has_key(look: Texts, names: list[str]) -> bool:
    """Whether there is a key at one of them. Unanswered when it may be at one that
    nobody answers for."""
    unknown = None
    for name in names:
        try:
            if any(map(is_key, look(name))):
                return True
        except Unanswered as no:
            unknown = no
    if unknown is not None:
        raise unknown
    return False


def is_key(text: str) -> bool:
    """An empty one was withdrawn."""
    pairs = (one.partition("=") for one in text.split(";"))
    tags = {name.strip(): value.strip() for name, _, value in pairs}
    return tags.get("v", "DKIM1") == "DKIM1" and bool(tags.get("p"))


def policies_of(look: Texts, domain: str) -> int:
    """How many there are, of the domain or else of the next one above that has some:
    it holds for those beneath."""
    while "." in domain:
        if found := [one for one in look(f"_dmarc.{domain}") if DMARC.match(one)]:
            return len(found)
        domain = domain.partition(".")[2]
    return 0


def must_be_believed(box: Mailbox, look: Texts = texts) -> None:
    """Blocked with all that the domain lacks. A rehearsal's mail stays on this machine:
    nobody has to believe it."""
    if box.company.rehearsal and box.smtp_host in LOOPBACK:
        return
    try:
        lacks = missing(box, look)
    except Unanswered as no:
        raise Blocked(
            f"Nobody can say now whether mail from {box.domain} is believed, so none is"
            f" sent; it is looked up again at the next run. No answer about {no}"
        ) from None
    if lacks:
        raise Blocked("No mail is sent: it would count as spam. " + " ".join(lacks))
