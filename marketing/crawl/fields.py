"""What is taken from a page of a competitor. Each field is a chain of steps; the first
that finds something is named beside the value, so that it is seen when a page changes.

Everything here is a function of what was stored: read again later, it comes out the
same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import feedparser
from selectolax.lexbor import LexborNode, SelectolaxError
from w3lib.encoding import html_to_unicode

from marketing.crawl import tech
from marketing.web.addresses import absolute, netloc_of
from marketing.web.document import Document, squeezed

MOST_HEADINGS, MOST_POSTS, LONGEST = 50, 50, 500
# The browser marks what it does not show, before the page is stored.
HIDDEN = "data-paperclip-hidden"
UNSEEN = {"template", "noscript", "script", "style"}
AROUND = {"header", "footer"}
BLOG = ("blog", "articles", "insights", "news", "resources", "posts")
ARTICLES = {"BlogPosting", "Article", "NewsArticle", "TechArticle"}

Value = str | list[Any] | None
Step = tuple[str, Callable[["Sight"], Value]]


@dataclass(frozen=True)
class Sight:
    """A document as it was stored: its bytes, where they are from, what was sent with
    them. `selectors` replace the first step of a field."""

    body: bytes
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    # As the browser had it, and not as it was sent.
    is_rendered: bool = False
    selectors: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def html(self) -> str:
        if self.is_rendered:
            return self.body.decode("utf-8", "replace")
        _encoding, text = html_to_unicode(self.headers.get("content-type"), self.body)
        return str(text)

    @cached_property
    def page(self) -> Document:
        return Document(self.html, self.url)

    def nodes(self, css: str) -> list[LexborNode]:
        return list(self.page.tree.css(css))

    def data(self, *names: str) -> Any:
        """The first of these in its JSON-LD; articles before anything else."""
        told = sorted(self.page.structured, key=lambda one: not is_article(one))
        for thing in told:
            for name in names:
                if thing.get(name):
                    return thing[name]
        return None


def extract(sight: Sight) -> dict[str, dict[str, Any]]:
    """Every field of an HTML page: {name: {value, step, reason}}. What is not there is
    null, with the reason."""
    return {name: one_of(sight, name, chain) for name, chain in CHAINS.items()}


def one_of(sight: Sight, name: str, chain: list[Step]) -> dict[str, Any]:
    css = sight.selectors.get(name)
    if css and (found := by_selector(sight, name, css)):
        return {"value": found, "step": "selector", "selector": css}
    for step, find in chain:
        if found := find(sight):
            return {"value": found, "step": step}
    tried = ", ".join(step for step, _find in chain)
    return {"value": None, "step": None, "reason": f"The page has none of: {tried}."}


def by_selector(sight: Sight, name: str, css: str) -> Value:
    """What the operator's own selector finds; nothing when it is none."""
    try:
        found = texts(sight.nodes(css))
    except (SelectolaxError, ValueError):
        return None
    if name == "posts":
        return [{"title": text, "url": ""} for text in found][:MOST_POSTS]
    return found if name in LISTS else (found[0] if found else None)


def digest(fields: Mapping[str, Any]) -> str:
    told = json.dumps(fields, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()


def depth(name: str, step: str | None) -> int:
    """How far down its chain a field was found; beyond the end when it was not."""
    if step == "selector":
        return -1
    steps = [one for one, _find in CHAINS[name]]
    return steps.index(step) if step in steps else len(steps)


# --- finding -----------------------------------------------------------------------


def texts(nodes: Iterable[LexborNode]) -> list[str]:
    found = (squeezed(node.text(separator=" ")) for node in nodes)
    return [cut(text) for text in found if text]


def cut(text: str) -> str:
    """No more of it than is kept, and no half words."""
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition(" ")[0]


def is_shown(node: LexborNode) -> bool:
    """Whether a reader sees it, as far as the page itself says so."""
    at: LexborNode | None = node
    while at is not None and at.tag not in ("html", None):
        told = at.attributes
        style = (told.get("style") or "").replace(" ", "").lower()
        if at.tag in UNSEEN or "hidden" in told or HIDDEN in told:
            return False
        if "display:none" in style or "visibility:hidden" in style:
            return False
        if (told.get("aria-hidden") or "").lower() == "true":
            return False
        at = at.parent
    return True


def is_around(node: LexborNode) -> bool:
    """Whether it stands in what is around every page. The header of an article is
    part of the article."""
    above, at = set(), node.parent
    while at is not None:
        above.add(at.tag)
        at = at.parent
    return "nav" in above or bool(above & AROUND and not above & {"article", "main"})


def meta(name: str) -> Callable[[Sight], Value]:
    return lambda sight: cut(sight.page.meta(name))


def data(*names: str) -> Callable[[Sight], Value]:
    def find(sight: Sight) -> Value:
        found = sight.data(*names)
        return cut(squeezed(found)) if isinstance(found, str) else None

    return find


def first(css: str, *wanted: Callable[[LexborNode], bool]) -> Callable[[Sight], Value]:
    def find(sight: Sight) -> Value:
        nodes = (n for n in sight.nodes(css) if all(ask(n) for ask in wanted))
        return next(iter(texts(nodes)), None)

    return find


def outside(node: LexborNode) -> bool:
    return not is_around(node)


def title_of(sight: Sight) -> Value:
    # A page may carry drawings with titles of their own.
    nodes = [n for n in sight.nodes("title") if n.parent and n.parent.tag != "svg"]
    return next(iter(texts(nodes)), None)


def subheadings(sight: Sight) -> Value:
    return texts(n for n in sight.nodes("h2") if is_shown(n))[:MOST_HEADINGS]


def meta_keywords(sight: Sight) -> Value:
    return split(sight.page.meta("keywords"))


def data_keywords(sight: Sight) -> Value:
    found = sight.data("keywords")
    if isinstance(found, list):
        return split(",".join(one for one in found if isinstance(one, str)))
    return split(found) if isinstance(found, str) else None


def tags(sight: Sight) -> Value:
    nodes = sight.nodes('meta[property="article:tag" i]')
    return split(",".join(node.attributes.get("content") or "" for node in nodes))


def split(told: str) -> list[str]:
    found = (squeezed(one)[:100] for one in told.replace(";", ",").split(","))
    return list(dict.fromkeys(one for one in found if one))[:MOST_HEADINGS]


# --- posts -------------------------------------------------------------------------


def posts_of_feed(body: bytes, url: str) -> list[dict[str, str]]:
    """The entries of an RSS or Atom feed."""
    entries = feedparser.parse(body, sanitize_html=False).entries
    told = ((one.get("title", ""), one.get("link", "")) for one in entries)
    return posts(told, url)


def posts_of_data(sight: Sight) -> Value:
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
    return posts(found, sight.url) if len(found) > 1 else None


def posts_in_articles(sight: Sight) -> Value:
    nodes = sight.nodes("article h2 a, article h3 a, h2 article a, h3 article a")
    return links(nodes, sight.url)


def posts_by_address(sight: Sight) -> Value:
    nodes = [n for n in sight.nodes("a[href]") if is_shown(n) and not is_around(n)]
    here = netloc_of(sight.url)
    at = [n for n in nodes if is_post(absolute(sight.url, href(n)), here)]
    return links(at, sight.url)


def links(nodes: Iterable[LexborNode], url: str) -> list[dict[str, str]]:
    told = ((squeezed(n.text(separator=" ")), href(n)) for n in nodes)
    return posts(told, url)


def posts(told: Iterable[tuple[str, str]], base: str) -> list[dict[str, str]]:
    """Titles with their addresses, each address once."""
    found: dict[str, dict[str, str]] = {}
    for name, at in told:
        url = absolute(base, at).partition("#")[0]
        title = cut(squeezed(name))
        if title and url not in found:
            found[url or title] = {"title": title, "url": url}
    return list(found.values())[:MOST_POSTS]


def is_post(url: str, host: str) -> bool:
    """Whether an address of this host is that of something below its blog."""
    if not url or netloc_of(url) != host:
        return False
    parts = [one for one in urlsplit(url).path.split("/") if one]
    return any(one.lower() in BLOG and parts[-1] != one for one in parts)


def is_article(thing: Mapping[str, Any]) -> bool:
    kind = thing.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(one, str) and one in ARTICLES for one in kinds)


def href(node: LexborNode) -> str:
    return (node.attributes.get("href") or "").strip()


def technologies(sight: Sight) -> Value:
    return tech.found_in(sight.page, sight.headers)


IN_TEXT, ANYWHERE = first("main p, article p", is_shown), first("p", is_shown)
CHAINS: dict[str, list[Step]] = {
    "title": [
        ("title", title_of),
        ("og:title", meta("og:title")),
        ("twitter:title", meta("twitter:title")),
        ("json-ld", data("headline")),
        ("h1", first("h1")),
    ],
    "description": [
        ("meta", meta("description")),
        ("og:description", meta("og:description")),
        ("twitter:description", meta("twitter:description")),
        ("json-ld", data("description")),
        ("first paragraph (derived)", lambda s: IN_TEXT(s) or ANYWHERE(s)),
    ],
    "h1": [
        ("h1", first("h1", is_shown, outside)),
        ("any h1", first("h1")),
        ("role=heading", first('[role="heading"][aria-level="1"]')),
        ("og:title (derived)", meta("og:title")),
    ],
    "h2": [("h2", subheadings)],
    "keywords": [
        ("meta", meta_keywords),
        ("json-ld", data_keywords),
        ("article:tag", tags),
    ],
    "posts": [
        ("json-ld", posts_of_data),
        ("article headings", posts_in_articles),
        ("links to the blog", posts_by_address),
    ],
    "tech": [("rules", technologies)],
}
LISTS = {"h2", "keywords", "posts", "tech"}
