"""Where a competitor keeps what it writes: its feed, else its sitemap, else the index
of its blog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from marketing.crawl.posts import BLOG, Posts, each_once, is_post, posts_of_feed
from marketing.crawl.sight import Sight, href
from marketing.web.addresses import absolute, netloc_of
from marketing.web.client import Page, Unreachable
from marketing.web.sitemap import PLACES, Unreadable, parse, unpacked

FEEDS = ("/feed", "/rss.xml", "/atom.xml", "/blog/feed", "/feed.xml")
# An index of sitemaps is followed so far: those that speak of a blog come first.
MOST_SITEMAPS = 4

Get = Callable[[str], Page]


@dataclass(frozen=True)
class Source:
    """A document that names posts: what it says is stored and can be read again."""

    kind: str
    page: Page
    posts: Posts

    @property
    def told(self) -> dict[str, dict[str, object]]:
        return told_by(self.kind, self.page.body, self.page.url)


def told_by(kind: str, body: bytes, url: str) -> dict[str, dict[str, object]]:
    """The one field of a feed or a sitemap."""
    found = READERS[kind](body, url)
    if found:
        return {"posts": {"value": found, "step": kind}}
    return {"posts": {"value": None, "step": None, "reason": f"The {kind} is empty."}}


def posts_of_sitemap(body: bytes, url: str) -> Posts:
    """The addresses below the blog, the newest first. A sitemap knows no titles: they
    are told by the last part of the address."""
    kind, entries = parse(unpacked(body))
    host = netloc_of(url)
    pages = entries if kind == "urlset" else []
    told = [(when, at) for at, when in pages if is_post(at, host)]
    told.sort(key=lambda one: one[0], reverse=True)
    return each_once(((spoken(at), at) for _when, at in told), url)


READERS = {"feed": posts_of_feed, "sitemap": posts_of_sitemap}


def find(home: Sight, get: Get, named: list[str], known: str = "") -> Source | None:
    """The first source that names posts. `get` reads an address, or says Unreachable;
    `named` are the sitemaps of robots.txt; `known` is where it was found last."""
    return feed(home, get, known) or sitemap(home, get, named)


def feed(home: Sight, get: Get, known: str = "") -> Source | None:
    """The feed that a page names in its head, or else one at a usual place."""
    heads = home.nodes('link[rel~="alternate" i][type$="xml" i][href]')
    named = [absolute(home.url, href(node)) for node in heads]
    common = [urljoin(home.url, path) for path in FEEDS]
    for url in dict.fromkeys([*named, known, *common]):
        if url and (found := source("feed", url, get)):
            return found
    return None


def source(kind: str, url: str, get: Get) -> Source | None:
    try:
        page = get(url)
        posts = READERS[kind](page.body, page.url) if page.is_ok else []
    except (Unreachable, Unreadable):
        return None
    return Source(kind, page, posts) if posts else None


def sitemap(home: Sight, get: Get, named: list[str]) -> Source | None:
    common = [urljoin(home.url, path) for path in PLACES]
    waiting = list(dict.fromkeys([*named, *common]))
    done: set[str] = set()
    while waiting and len(done) < MOST_SITEMAPS:
        url = waiting.pop(0)
        if url in done:
            continue
        done.add(url)
        further: list[str] = []
        if found := source("sitemap", url, noting(get, further)):
            return found
        waiting = [*sorted(further, key=is_of_pages), *waiting]
    return None


def noting(get: Get, further: list[str]) -> Get:
    """`get`, keeping which further sitemaps the one names."""

    def read(at: str) -> Page:
        page = get(at)
        if page.is_ok:
            kind, entries = parse(unpacked(page.body))
            if kind == "sitemapindex":
                further.extend(url for url, _when in entries)
        return page

    return read


def is_of_pages(url: str) -> bool:
    """Whether a sitemap does not look like one of posts."""
    return not any(word in url.lower() for word in ("post", *BLOG))


def blog_index(home: Sight) -> str:
    """The address of the blog that a page links to; empty without one."""
    here = netloc_of(home.url)
    for node in home.nodes("a[href]"):
        url = absolute(home.url, href(node)).partition("#")[0]
        parts = [one for one in urlsplit(url).path.lower().split("/") if one]
        if parts and parts[-1] in BLOG and netloc_of(url) == here:
            return url
    return ""


def spoken(url: str) -> str:
    """/blog/what-agents-cost as words."""
    last = [one for one in urlsplit(url).path.split("/") if one][-1]
    return last.rpartition(".")[0].replace("-", " ") or last.replace("-", " ")
