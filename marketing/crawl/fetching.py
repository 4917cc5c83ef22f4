"""What is asked of a competitor's site: within its robots.txt and the budget it has,
and its own pages only."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from tld import get_fld

from marketing.crawl import again
from marketing.web.addresses import host_of, netloc_of, with_www
from marketing.web.client import SECONDS as MOST_SECONDS
from marketing.web.client import NotAllowed, Page, Unreachable, Web
from marketing.web.robots import Robots

if TYPE_CHECKING:
    from marketing.models import Competitor, PageSnapshot, Site

BYTES, SECONDS, ASSET_SECONDS, NOT_MODIFIED = 5_000_000, 90.0, 5.0, 304


class Spent(Unreachable):
    """The budget of the site is used up."""


class Fetching:
    """The documents of one site and what its pages need, until its budget is used up.

    Each call raises `Spent` then, `NotAllowed` for what robots.txt or the owner of
    the address forbids, and `Unreachable` for what does not answer.
    """

    def __init__(self, site: Site, rival: Competitor) -> None:
        self.home = rival.base_url
        self.web = Web.of(site, with_www(netloc_of(self.home)))
        # What belongs to a page is asked for with it, as by any browser.
        self.assets = Web.of(site, None, seconds=ASSET_SECONDS)
        self.assets.delay = 0
        self.robots, self.others = Robots(self.web), Robots(self.assets)
        self.bytes, self.until = 0, time.monotonic() + SECONDS
        self.before = again.Before(rival)
        # The documents that are what they were, and whether a page asked for data.
        self.unchanged: dict[str, PageSnapshot] = {}
        self.data = False

    def __enter__(self) -> Self:
        with ExitStack() as both:
            both.enter_context(self.web)
            both.enter_context(self.assets)
            self._both = both.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._both.close()

    def document(self, url: str) -> Page:
        """A feed or a sitemap, from here if it is what it was."""
        was = self.before.document(url)
        page = self.page(url, was)
        if page.status != NOT_MODIFIED or was is None or was.blob is None:
            return page
        self.unchanged[url] = was
        return replace(
            page, status=was.http_status or 200, headers=was.headers, body=was.blob.body
        )

    def page(self, url: str, was: PageSnapshot | None = None) -> Page:
        """A document of the site, within its robots and its budget; without its bytes
        when it still is what it was."""
        if not self.robots.may_read(url):
            raise NotAllowed(f"robots.txt asks not to read {url}.")
        left = self.until - time.monotonic()
        wait = self.web.delays.get(host_of(url), 0.0)
        if left <= wait or self.bytes >= BYTES:
            raise Spent("The site has had its 90 seconds or 5 MB.")
        self.web.seconds = min(MOST_SECONDS, left)
        page = self.web.get(url, most=BYTES - self.bytes, **again.asking(was))
        self.bytes += len(page.body)
        if not self.robots.may_read(page.url):
            raise NotAllowed(f"robots.txt asks not to read {page.url}.")
        return page

    def asset(self, url: str) -> Page:
        """What a page needs: of the same site only, and within the same budget."""
        self._must_be_of_site(url)
        if self.bytes >= BYTES or time.monotonic() > self.until:
            raise Spent("The site has had its 90 seconds or 5 MB.")
        is_home = netloc_of(url) == netloc_of(self.home)
        robots = self.robots if is_home else self.others
        if not robots.may_read(url):
            raise NotAllowed(f"robots.txt asks not to read {url}.")
        page = self.assets.get(url, most=BYTES - self.bytes)
        self._must_be_of_site(page.url)
        self.bytes += len(page.body)
        self.data |= again.is_data(page.headers)
        return page

    def _must_be_of_site(self, url: str) -> None:
        if site_of(url) != site_of(self.home):
            raise NotAllowed(f"{url} is somebody else's.")

    def is_theirs(self, url: str) -> bool:
        try:
            self.web.must_be_allowed(url)
        except NotAllowed:
            return False
        return True


def site_of(url: str) -> str:
    """What belongs to one owner: the registered domain; for an address in numbers, and
    for what is no domain, with its port."""
    name = get_fld(url, fail_silently=True)
    return str(name) if name else netloc_of(url)
