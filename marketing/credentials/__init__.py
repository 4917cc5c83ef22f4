"""Whether what the jobs were given works: one table of what there is, each tried at the
same time as the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection
from django.utils.translation import gettext_lazy as _

from agents.scrubbers import values_of
from marketing.credentials import looks
from marketing.jobs.base import Blocked, Failed
from marketing.models import Mailbox, Site
from marketing.outreach.imap import NoFolder
from marketing.outreach.mail import Away, Shut
from marketing.publishing import Raced, Unreached
from marketing.web.client import Unreachable
from paperclip.exceptions import Refused
from paperclip.scrub import Scrubber

if TYPE_CHECKING:
    from paperclip.models import Company

WORKS, NOT_SET, BROKEN = "works", "not set", "broken"
# Seconds for all of them together, and how many are tried at once.
ALTOGETHER, AT_ONCE = 60.0, 8
REFUSALS = (
    *(Blocked, Failed, Refused, Unreachable, Raced, Unreached, OSError),
    *(Away, Shut, NoFolder),
)


@dataclass(frozen=True)
class Told:
    """What was found of one of them. `said` holds no secret; `todo` is what it unlocks
    and where it is set, or what does not work meanwhile."""

    name: str
    state: str
    said: str
    todo: str = ""


class Credential(NamedTuple):
    """`unlocks`: what works with it; `where` it is set. `look` says in a sentence that
    it works, or refuses."""

    name: str
    title: str
    unlocks: str
    where: str
    look: Callable[..., str]


PUBLISHING, POSITIONS = "Site, under Publishing", "Site, under Positions"
OF_SITE = [
    Credential(
        *("git", "Repository", "the Blog Publisher commits posts there"),
        *(PUBLISHING, looks.git),
    ),
    Credential(
        *("hook", "Deploy hook", "posts are deployed by a call, not by the push"),
        *(PUBLISHING, looks.hook),
    ),
    Credential(
        *("vercel", "Vercel", "a build that failed refutes its post at once"),
        *(PUBLISHING, looks.vercel),
    ),
    Credential(
        *("indexnow", "IndexNow", "search engines but Google hear of changed pages"),
        *("Site, under IndexNow", looks.key_file),
    ),
    Credential(
        *("gsc", "Search Console", "average positions on Google"),
        *(POSITIONS, looks.google),
    ),
    Credential(
        *("bing", "Bing Webmaster", "average positions on Bing"),
        *(POSITIONS, looks.bing_key),
    ),
    Credential(
        *("serp", "SERP vendor", "ranks on result pages, bought within a limit"),
        *(POSITIONS, looks.vendor),
    ),
    Credential(
        *("public", "Public address", "unsubscribing by one click"),
        *("PAPERCLIP_PUBLIC_URL in .env", looks.public),
    ),
]
OF_MAILBOX = [
    Credential("smtp", "Sending", "approved mails go out", "Mailboxes", looks.smtp),
    Credential(
        *("imap", "Reading", "mails are seen in Sent, answers and bounces are read"),
        *("Mailboxes", looks.inbox),
    ),
    Credential(
        *("dns", "Records", "mails from its domain are sent at all"),
        *("the name servers of its domain", looks.records),
    ),
]
NO_MAILBOX = Credential(
    *("mail", "Mailbox", "mails to people outside", "Mailboxes", looks.no_box)
)
WORDS = {WORKS: _("works"), NOT_SET: _("not set"), BROKEN: _("broken")}


def of(site: Site) -> Iterator[tuple[Credential, Site | Mailbox]]:
    """What there is to be tried, and of what it is."""
    yield from ((one, site) for one in OF_SITE)
    boxes = Mailbox.objects.filter(company=site.company_id).select_related("company")
    if not boxes:
        yield NO_MAILBOX, site
    for box in boxes.order_by("address"):
        yield from ((one, box) for one in OF_MAILBOX)


def tried(one: Credential, owner: Site | Mailbox, hide: Scrubber) -> Told:
    """One of them, as it is now."""
    title = f"{one.title} of {owner}" if isinstance(owner, Mailbox) else one.title
    try:
        return Told(one.name, WORKS, hide.text(f"{title}: {one.look(owner)}"))
    except looks.NotSet as no:
        todo = f"Set it in: {one.where}. It unlocks: {one.unlocks}."
        return Told(one.name, NOT_SET, f"{title}: “{no}” is not set", todo)
    except REFUSALS as no:
        said = hide.text(f"{title}: {str(no) or type(no).__name__}")
        todo = f"Put it right in: {one.where}. Until then not: {one.unlocks}."
        return Told(one.name, BROKEN, said, todo)


def examine(company: Company) -> list[Told]:
    """All of a company's, in order. Nothing when it has no site."""
    sites = Site.objects.select_related("company").filter(company=company)
    if (site := sites.first()) is None:
        return []
    asked, hide = list(of(site)), Scrubber(values_of(company.pk))
    pool = ThreadPoolExecutor(AT_ONCE)
    tries = [pool.submit(apart, partial(tried, *each, hide)) for each in asked]
    wait(tries, ALTOGETHER)
    pool.shutdown(wait=False, cancel_futures=True)
    found = []
    for (credential, _owner), one in zip(asked, tries, strict=True):
        if one.done() and not one.cancelled():
            found.append(one.result())
        else:
            said = f"{credential.title}: no answer in {ALTOGETHER:.0f} seconds"
            found.append(Told(credential.name, BROKEN, said, "Look at its server."))
    return found


def apart(do: Callable[[], Told]) -> Told:
    """On a connection of its own, which is closed."""
    try:
        return do()
    finally:
        connection.close()
