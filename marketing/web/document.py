"""An HTML page as data: what stands in its head, its structured data, its main text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from marketing.web.addresses import joined
from marketing.words import squeezed


@dataclass(frozen=True)
class Document:
    """A page as it was received, at its address."""

    html: str
    url: str
    robots_header: str = ""

    @cached_property
    def tree(self) -> LexborHTMLParser:
        return LexborHTMLParser(self.html)

    @cached_property
    def title(self) -> str:
        node = self.tree.css_first("title")
        return squeezed(node.text()) if node else ""

    def meta(self, name: str) -> str:
        """The content of a meta tag by name or property, whatever its case."""
        for attribute in ("name", "property", "itemprop"):
            node = self.tree.css_first(f'meta[{attribute}="{name}" i]')
            if node and (content := squeezed(node.attributes.get("content") or "")):
                return content
        return ""

    @property
    def language(self) -> str:
        """What it says that it is written in; empty when it does not."""
        node = self.tree.css_first("html")
        return (node.attributes.get("lang") or "") if node else ""

    @cached_property
    def canonical(self) -> str:
        """The address that the page says is its own; its address when it says none,
        or nothing that is one."""
        node = self.tree.css_first('link[rel="canonical" i]')
        href = (node.attributes.get("href") or "") if node else ""
        return joined(self.url, href) or self.url

    @property
    def is_noindex(self) -> bool:
        told = f"{self.robots_header},{self.meta('robots')},{self.meta('googlebot')}"
        words = {word.strip().lower() for word in told.replace(":", ",").split(",")}
        return bool(words & {"noindex", "none"})

    @cached_property
    def headings(self) -> list[str]:
        """The text of each h1."""
        return [squeezed(node.text()) for node in self.tree.css("h1")]

    @cached_property
    def structured(self) -> list[dict[str, Any]]:
        """Its JSON-LD, each block by itself: a broken one does not lose the others."""
        found: list[dict[str, Any]] = []
        for node in self.tree.css('script[type="application/ld+json" i]'):
            try:
                told = json.loads(node.text(), strict=False)
            except ValueError:
                continue
            found += things(told)
        return found

    @cached_property
    def main_text(self) -> str:
        """The text without what stands around it on every page."""
        # It brings NumPy with it: a twelfth of every program's start.
        import trafilatura

        found = trafilatura.extract(
            self.html, url=self.url, include_comments=False, favor_recall=True
        )
        if found:
            return squeezed(found)
        body = self.tree.body
        return squeezed(body.text(separator=" ")) if body else ""

    @property
    def content_hash(self) -> str:
        """Of what a reader reads: title and main text."""
        return hashlib.sha256(f"{self.title}\n{self.main_text}".encode()).hexdigest()


def things(told: Any) -> list[dict[str, Any]]:
    if isinstance(told, list):
        return [thing for one in told for thing in things(one)]
    if not isinstance(told, dict):
        return []
    inner = things(told["@graph"]) if isinstance(told.get("@graph"), list) else []
    return [told, *inner] if "@type" in told or not inner else inner
