"""What is taken from a page of a competitor. Each field is a chain of steps; the first
that finds something is named beside the value, so that it is seen when a page changes.

Everything here is a function of what was stored: read again later, it comes out the
same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from selectolax.lexbor import LexborNode, SelectolaxError

from marketing.crawl import tech
from marketing.crawl.posts import MOST as MOST_POSTS
from marketing.crawl.posts import posts_by_address, posts_in_articles, posts_of_data
from marketing.crawl.sight import Sight, cut, is_around, is_shown, texts
from marketing.words import squeezed

MOST_HEADINGS = 50

Value = str | list[Any] | None
Step = tuple[str, Callable[[Sight], Value]]


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
