"""What a site asks of robots (RFC 9309)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from protego import Protego

from marketing.web.addresses import host_of, with_www
from marketing.web.client import AGENT, Page, Unreachable, Web

if TYPE_CHECKING:
    from marketing.models import Site

# RFC 9309, 2.5: at least so much of it is read.
LARGEST = 512 * 1024
SERVER_FAULT, CLIENT_FAULT = 500, 400


class Robots:
    """The robots.txt of each host, read once in a run: not there (4xx) allows
    everything, a server in trouble (5xx, no answer) nothing (RFC 9309, 2.3.1)."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._known: dict[str, Protego | None] = {}

    def answers(self, url: str) -> bool:
        """Whether the host says what it asks for: it may well ask for nothing."""
        return self._of(url) is not None

    def may_read(self, url: str) -> bool:
        rules = self._of(url)
        return rules is not None and bool(rules.can_fetch(url, AGENT))

    def delay(self, url: str) -> float:
        """The seconds between two requests that the host asks for."""
        rules = self._of(url)
        return float((rules and rules.crawl_delay(AGENT)) or 0.0)

    def sitemaps(self, url: str) -> list[str]:
        rules = self._of(url)
        return list(rules.sitemaps) if rules else []

    def _of(self, url: str) -> Protego | None:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._known:
            self._known[origin] = rules = self._read(f"{origin}/robots.txt")
            # From now on the client keeps to it by itself.
            asked = float((rules and rules.crawl_delay(AGENT)) or 0.0)
            self._web.delays[(parts.hostname or "").lower()] = asked
        return self._known[origin]

    def _read(self, url: str) -> Protego | None:
        try:
            page = self._web.get(url, most=2 * LARGEST)
        except Unreachable:
            return None
        if page.status >= SERVER_FAULT:
            return None
        if page.status >= CLIENT_FAULT:
            return Protego.parse("")
        return Protego.parse(page.body[:LARGEST].decode("utf-8", "replace"))


def page_at(site: Site, url: str) -> Page | None:
    """The page as it is now; None where its robots.txt does not let us read it, it
    cannot be had, or its answer is an error."""
    with Web.of(site, with_www(host_of(url))) as web:
        try:
            page = web.get(url) if Robots(web).may_read(url) else None
        except Unreachable:
            return None
    return page if page is not None and page.is_ok else None
