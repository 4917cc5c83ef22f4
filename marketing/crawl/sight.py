"""A document of a competitor as it was stored, and what of it a reader sees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from selectolax.lexbor import LexborNode
from w3lib.encoding import html_to_unicode

from marketing.web.document import Document
from marketing.words import squeezed

LONGEST = 500
# The browser marks what it does not show, before the page is stored.
HIDDEN = "data-paperclip-hidden"
UNSEEN = {"template", "noscript", "script", "style"}
AROUND = {"header", "footer"}
ARTICLES = {"BlogPosting", "Article", "NewsArticle", "TechArticle"}


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


def is_article(thing: Mapping[str, Any]) -> bool:
    kind = thing.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(one, str) and one in ARTICLES for one in kinds)


def href(node: LexborNode) -> str:
    return (node.attributes.get("href") or "").strip()


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
