"""A recent piece of somebody we want to write to: really fetched, with its date."""

from __future__ import annotations

from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from marketing.web.client import Unreachable, Web
from marketing.web.document import Document
from marketing.web.robots import Robots

if TYPE_CHECKING:
    from marketing.models import Contact, Site

# Older ones are no reason to write; so many are looked at for a date.
RECENT, MOST = timedelta(days=90), 5
FEWEST_WORDS = 40
LINKS = "article h2 a, article h3 a, article a, h2 a, h3 a, main li a"


class NoArticle(Exception):
    """There is none that a mail could be about; the text says why."""


@dataclass(frozen=True)
class Article:
    url: str
    title: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Entry:
    url: str
    at: datetime | None = None
    author: str = ""


def hosts_of(contact: Contact) -> set[str]:
    """The hosts a look at their pieces may go to."""
    urls = (contact.feed_url, contact.outlet_url)
    found = {(urlsplit(url).hostname or "").lower() for url in urls if url} - {""}
    return found | {f"www.{h}" for h in found if not h.startswith("www.")}


def recent(site: Site, contact: Contact, at: datetime) -> Article:
    """The newest piece of theirs, of the person's own where the feed says who wrote.
    NoArticle when none can be read that is surely of the last 90 days."""
    hosts = hosts_of(contact)
    if not hosts:
        raise NoArticle("no address of their pages is known")
    with Web.of(site, hosts) as web:
        robots = Robots(web)
        entries = listed(web, robots, contact)
        fresh = [one for one in entries if one.at is None or is_recent(one.at, at)]
        name = contact.name.casefold()
        fresh.sort(key=lambda one: not (name and name in one.author.casefold()))
        for entry in fresh[:MOST]:
            found = fetched(web, robots, entry, at)
            if found is not None:
                return found
    raise NoArticle(f"none of the {len(entries)} pieces listed there is recent")


def listed(web: Web, robots: Robots, contact: Contact) -> list[Entry]:
    url = contact.feed_url or contact.outlet_url
    if not robots.may_read(url):
        raise NoArticle(f"{url} is not for programs to read")
    try:
        page = web.get(url)
    except Unreachable as no:
        raise NoArticle(str(no)) from None
    if not page.is_ok:
        raise NoArticle(f"{url} answers {page.status}")
    if contact.feed_url:
        return of_feed(page.body, page.url)
    return of_page(Document(page.text, page.url))


def of_feed(body: bytes, url: str) -> list[Entry]:
    import feedparser

    found = []
    for entry in feedparser.parse(body).entries:
        when = entry.get("published_parsed") or entry.get("updated_parsed")
        link = urljoin(url, str(entry.get("link") or ""))
        at = datetime.fromtimestamp(timegm(when), UTC) if when else None
        found.append(Entry(link, at, str(entry.get("author") or "")))
    found.sort(key=lambda one: one.at or datetime.min.replace(tzinfo=UTC), reverse=True)
    return found


def of_page(page: Document) -> list[Entry]:
    """The links to pieces on a newsroom's page, as they stand there."""
    found: dict[str, Entry] = {}
    for node in page.tree.css(LINKS):
        url = urljoin(page.url, node.attributes.get("href") or "").partition("#")[0]
        deep = len(urlsplit(url).path.strip("/")) > 1
        if deep and urlsplit(url).hostname == urlsplit(page.url).hostname:
            found.setdefault(url, Entry(url))
    return list(found.values())


def fetched(web: Web, robots: Robots, entry: Entry, at: datetime) -> Article | None:
    try:
        if not entry.url or not robots.may_read(entry.url):
            return None
        page = web.get(entry.url)
    except Unreachable:
        return None
    document = Document(page.text, page.url)
    title = (document.meta("og:title") or document.title)[:300]
    when = entry.at or date_of(document)
    words = document.main_text.split()
    if not page.is_ok or not title or when is None or not is_recent(when, at):
        return None
    if len(words) < FEWEST_WORDS:
        return None
    return Article(page.url[:500], title, " ".join(words[:800]), when)


def date_of(page: Document) -> datetime | None:
    """When it says that it was published; None when it does not."""
    told: list[Any] = [one.get("datePublished") for one in page.structured]
    told += [page.meta("article:published_time"), page.meta("datePublished")]
    node = page.tree.css_first("time[datetime]")
    told.append(node.attributes.get("datetime") if node else None)
    for text in told:
        if found := moment(str(text or "")):
            return found
    return None


def moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def is_recent(when: datetime, at: datetime) -> bool:
    return at - RECENT <= when <= at + timedelta(days=1)
