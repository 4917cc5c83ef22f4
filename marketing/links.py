"""Whether a page links to us: what stands in its document, as engines read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from django.db import transaction

from marketing.models import Backlink, BacklinkLook, Blob
from marketing.web.addresses import absolute, host_of, normal
from marketing.web.client import Page, Unreachable, Web
from marketing.web.document import Document
from marketing.web.robots import Robots
from marketing.words import squeezed

if TYPE_CHECKING:
    from collections.abc import Collection

    from selectolax.lexbor import LexborNode

State = Backlink.State
FOUND = (State.LIVE, State.NOFOLLOW, State.SPONSORED)
GONE, SERVER_FAULT = (404, 410), 500
# Between the two looks that a link was missing at before it is lost.
APART = timedelta(hours=24)
# What has to be in a link's rel for it to count as paid, or not to count at all.
NOT_FOLLOWED = {"nofollow", "ugc"}


@dataclass(frozen=True)
class Seen:
    """What one look at a page found. `state` is live, nofollow, sponsored, missed,
    page_gone or unreadable."""

    state: str
    said: str
    rel: str = ""
    anchor: str = ""
    path: str = ""
    is_noindex: bool = False
    body: bytes = b""


def look(
    web: Web, robots: Robots, source: str, target: str, hosts: Collection[str]
) -> Seen:
    """Read the page, and look for a link to the target, or else to any of our hosts."""
    if not robots.may_read(source):
        return Seen(State.UNREADABLE, "Its robots.txt lets no program read it.")
    try:
        page = web.get(source)
    except Unreachable as no:
        return Seen(State.UNREADABLE, str(no)[:300])
    if page.status in GONE:
        return Seen(State.GONE, f"The page answers {page.status}.", body=page.body)
    if not page.is_ok:
        return Seen(State.UNREADABLE, f"The page answers {page.status}.")
    return read(page, target, hosts)


def read(page: Page, target: str, hosts: Collection[str]) -> Seen:
    """What the page says of us. Links in comments, scripts and other attributes are
    none, and neither is one by way of a redirect of theirs."""
    header = page.headers.get("x-robots-tag", "")
    document = Document(page.text, page.url, header)
    links = [
        (url, node)
        for node in document.tree.css("a[href]")
        if (url := absolute(base_of(document), node.attributes.get("href") or ""))
        and host_of(url) in hosts
    ]
    if not links:
        return Seen(State.MISSED, "No link to us is in the page.", body=page.body)
    exact = [one for one in links if normal(one[0]) == normal(target)]
    rated = [(rating(node), url, node) for url, node in exact or links]
    best, url, node = min(rated, key=lambda one: FOUND.index(State(one[0])))
    page_wide = f"{header},{document.meta('robots')}".lower()
    if "nofollow" in page_wide and best == State.LIVE:
        best = State.NOFOLLOW
    return Seen(
        best,
        f"It links to {url}."[:300],
        rel=(node.attributes.get("rel") or "")[:80],
        anchor=squeezed(node.text())[:200],
        path=path_of(node)[:500],
        is_noindex=document.is_noindex,
        body=page.body,
    )


def base_of(page: Document) -> str:
    node = page.tree.css_first("base[href]")
    return urljoin(page.url, (node.attributes.get("href") or "") if node else "")


def rating(node: LexborNode) -> str:
    rel = set((node.attributes.get("rel") or "").lower().split())
    if "sponsored" in rel:
        return State.SPONSORED
    return State.NOFOLLOW if rel & NOT_FOLLOWED else State.LIVE


def path_of(node: LexborNode) -> str:
    """Where it stands in the document: html > body > div:2 > a:1."""
    parts: list[str] = []
    at: LexborNode | None = node
    while at is not None and at.tag not in (None, "-undef", "html"):
        before, number = at.prev, 1
        while before is not None:
            number += before.tag == at.tag
            before = before.prev
        parts.append(f"{at.tag}:{number}")
        at = at.parent
    return " > ".join(["html", *reversed(parts)])


@transaction.atomic
def note(link: Backlink, seen: Seen, at: datetime) -> str:
    """Write the look down; the state after it. Lost is what was missing twice, a day
    apart; a page that could not be read says nothing of its link."""
    blob = (
        Blob.objects.keep(link.company_id, seen.body, "text/html")
        if seen.body
        else None
    )
    BacklinkLook.objects.create(
        company_id=link.company_id,
        backlink=link,
        state=seen.state,
        said=seen.said[:300],
        blob=blob,
    )
    link.checked_at = at
    if seen.state in FOUND:
        link.state, link.missed_at, link.seen_at = seen.state, None, at
        link.rel, link.anchor, link.dom_path = seen.rel, seen.anchor, seen.path
        link.is_noindex = seen.is_noindex
    elif seen.state != State.UNREADABLE:
        miss(link, seen, at)
    elif link.seen_at is None and link.missed_at is None:
        link.state = State.UNREADABLE
    link.save()
    return link.state


def miss(link: Backlink, seen: Seen, at: datetime) -> None:
    if link.seen_at is None and link.missed_at is None:
        # It never was there: it is still expected.
        link.state = State.GONE if seen.state == State.GONE else State.EXPECTED
        return
    if link.missed_at is None:
        link.missed_at, link.state = at, State.MISSED
    elif at - link.missed_at >= APART:
        link.state = State.GONE if seen.state == State.GONE else State.LOST
