"""The posts that a feed or a page names: titles with their addresses."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

import feedparser
from selectolax.lexbor import LexborNode

from marketing.crawl.sight import Sight, cut, href, is_around, is_article, is_shown
from marketing.web.addresses import absolute, netloc_of
from marketing.words import squeezed

MOST = 50
BLOG = ("blog", "articles", "insights", "news", "resources", "posts")

Posts = list[dict[str, str]]


def posts_of_feed(body: bytes, url: str) -> Posts:
    """The entries of an RSS or Atom feed."""
    entries = feedparser.parse(body, sanitize_html=False).entries
    told = ((one.get("title", ""), one.get("link", "")) for one in entries)
    return each_once(told, url)


def posts_of_data(sight: Sight) -> Posts | None:
    found: list[tuple[str, str]] = []
    for thing in sight.page.structured:
        items = thing.get("itemListElement")
        for one in [thing, *(items if isinstance(items, list) else [])]:
            inner = one.get("item") if isinstance(one, dict) else None
            told = inner if isinstance(inner, dict) else one
            if isinstance(told, dict) and is_article(told):
                name = told.get("headline") or told.get("name") or ""
                found.append((str(name), str(told.get("url") or "")))
    # The one article that a page is, is no list of posts.
    return each_once(found, sight.url) if len(found) > 1 else None


def posts_in_articles(sight: Sight) -> Posts | None:
    nodes = sight.nodes("article h2 a, article h3 a, h2 article a, h3 article a")
    return links(nodes, sight.url)


def posts_by_address(sight: Sight) -> Posts | None:
    nodes = [n for n in sight.nodes("a[href]") if is_shown(n) and not is_around(n)]
    here = netloc_of(sight.url)
    at = [n for n in nodes if is_post(absolute(sight.url, href(n)), here)]
    return links(at, sight.url)


def links(nodes: Iterable[LexborNode], url: str) -> Posts:
    told = ((squeezed(n.text(separator=" ")), href(n)) for n in nodes)
    return each_once(told, url)


def each_once(told: Iterable[tuple[str, str]], base: str) -> Posts:
    """Titles with their addresses, each address once."""
    found: dict[str, dict[str, str]] = {}
    for name, at in told:
        url = absolute(base, at).partition("#")[0]
        title = cut(squeezed(name))
        if title and url not in found:
            found[url or title] = {"title": title, "url": url}
    return list(found.values())[:MOST]


def is_post(url: str, host: str) -> bool:
    """Whether an address of this host is that of something below its blog."""
    if not url or netloc_of(url) != host:
        return False
    parts = [one for one in urlsplit(url).path.split("/") if one]
    return any(one.lower() in BLOG and parts[-1] != one for one in parts)
