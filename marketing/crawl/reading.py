"""A competitor's site, read within its budget: what was found, and what was not and
why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.utils.timezone import now

from marketing.crawl import again, discovery, walls
from marketing.crawl.browser import Broken, Chromium
from marketing.crawl.discovery import Source
from marketing.crawl.fetching import NOT_MODIFIED, Fetching, Spent
from marketing.crawl.fields import extract
from marketing.crawl.sight import Sight
from marketing.web.addresses import absolute
from marketing.web.client import Page, Unreachable, rest_of
from marketing.web.document import Document

if TYPE_CHECKING:
    from marketing.models import Competitor, PageSnapshot, Site

PAGES, LONGEST_TEXT = 15, 20_000
KEPT = (
    *("content-type", "server", "x-powered-by", "x-generator", "via", "x-vercel-id"),
    *again.VALIDATORS,
)
COOKIE = re.compile(r"(?:^|,\s*)([!#$%&'*+.^_`|~0-9A-Za-z-]+)=")


@dataclass
class Look:
    """One document as it was read; see PageSnapshot for what the columns mean."""

    url: str
    status: str
    sight: Sight | None = None
    fields: dict[str, dict[str, object]] = field(default_factory=dict)
    http_status: int | None = None
    how: str = ""
    said: str = ""
    text: str = ""
    seconds: float | None = None
    megabytes: float | None = None
    # The state that the site says it still is.
    same: PageSnapshot | None = None


@dataclass
class Reading:
    """What came of one site. `status` is ok, blocked, skipped or failed."""

    status: str = "failed"
    said: str = ""
    looks: list[Look] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # What the host asked for with its wall.
    rest: timedelta | None = None

    @property
    def read(self) -> list[Look]:
        return [one for one in self.looks if one.status == "ok"]


class Reader:
    """Reads one site."""

    def __init__(
        self, site: Site, rival: Competitor, chromium: Chromium, known: str = ""
    ) -> None:
        self.rival, self.chromium, self.known = rival, chromium, known
        self.home, self.fetching = rival.base_url, Fetching(site, rival)
        self.result = Reading()

    def read(self) -> Reading:
        """All of it, or as much as the budget is for. Never raises for what the site
        does."""
        with self.fetching:
            try:
                self._read()
            except Spent as no:
                self.result.notes.append(str(no))
                self.result.said = str(no)
            except Unreachable as no:
                self._end("failed", str(no))
        if self.result.status == "failed" and self.result.read:
            self.result.status = "ok"
        return self.result

    def _read(self) -> None:
        if not self.fetching.robots.answers(self.home):
            return self._end("skipped", "Its robots.txt is in trouble.")
        if not self.fetching.robots.may_read(self.home):
            return self._end("skipped", "Its robots.txt asks robots to stay away.")
        home = self._look(self.home)
        if home.status != "ok" or home.sight is None:
            return self._end(home.status, home.said)
        self.result.status = "ok"
        source = self._source(home.sight)
        for url in self._addresses(home.sight, source):
            if len(self.result.looks) - (source is not None) >= PAGES:
                self.result.notes.append(f"{PAGES} pages were read, and no more.")
                return None
            if self._look(url).status == "blocked":
                return self._end("blocked", self.result.looks[-1].said)
        return None

    def _end(self, status: str, said: str) -> None:
        self.result.status, self.result.said = status, said[:300]

    # --- what is read ----------------------------------------------------------------

    def _source(self, home: Sight) -> Source | None:
        named = self.fetching.robots.sitemaps(self.home)
        source = discovery.find(home, self.fetching.document, named, self.known)
        if source is not None:
            headers = kept(source.page)
            sight = Sight(source.page.body, source.page.url, headers)
            self.result.looks.append(
                Look(
                    source.page.url,
                    "ok",
                    sight,
                    source.told,
                    source.page.status,
                    "static",
                    seconds=source.page.seconds,
                    same=self.fetching.unchanged.get(source.page.asked),
                )
            )
        return source

    def _addresses(self, home: Sight, source: Source | None) -> Iterator[str]:
        """Pages to read, each once: the operator's, the blog's index, the posts."""
        told = [absolute(self.home, str(one)) for one in self.rival.pages]
        told.append(discovery.blog_index(home))
        told += [one["url"] for one in source.posts] if source else []
        known = {plain(self.home), plain(home.url)}
        yield from self._fresh(told, known)
        if source is None:
            posts = [
                str(one["url"])
                for look in list(self.result.read)
                for one in listed(look.fields.get("posts", {}).get("value"))
            ]
            yield from self._fresh(posts, known)

    def _fresh(self, told: list[str], known: set[str]) -> Iterator[str]:
        for url in told:
            if url and plain(url) not in known and self.fetching.is_theirs(url):
                known.add(plain(url))
                if self.fetching.robots.may_read(url):
                    yield url
                else:
                    self.result.notes.append(f"robots.txt: {urlsplit(url).path}")

    # --- how -------------------------------------------------------------------------

    def _look(self, url: str) -> Look:
        """Read one page and put it down."""
        try:
            look = self._page(url)
        except Spent:
            raise
        except Unreachable as no:
            look = Look(url, "failed", said=str(no)[:300])
        self.result.looks.append(look)
        return look

    def _page(self, url: str) -> Look:
        was = self.fetching.before.page(url, rendered=self.chromium.works)
        page = self.fetching.page(url, was)
        if page.status == NOT_MODIFIED and was is not None and page.url == was.url:
            return self._still(url, page, was)
        headers = kept(page)
        sight = Sight(page.body, page.url, headers, selectors=self.rival.selectors)
        look = Look(url, "ok", sight, {}, page.status, "static", seconds=page.seconds)
        wall = walls.of_status(page.status)
        if wall:
            self.result.rest = rest_of(page.headers.get("retry-after", ""), now())
            look.status, look.said = "blocked", wall
            return look
        if not page.is_ok or "html" not in headers.get("content-type", "html"):
            look.status, look.said = "failed", f"It answers {page.status}."
            return look
        self._render(page, look)
        if wall := walls.of_page(look.sight or sight):
            look.status, look.said = "blocked", wall
            return look
        self._take(look)
        return look

    def _still(self, url: str, page: Page, was: PageSnapshot) -> Look:
        """The page as it was stored: it counts as looked at."""
        body = was.blob.body if was.blob else b""
        look = Look(url, "ok", http_status=was.http_status, how=was.how, same=was)
        look.sight = Sight(
            body,
            was.url,
            was.headers,
            is_rendered=was.how == was.How.BROWSER,
            selectors=self.rival.selectors,
        )
        look.said, look.seconds = was.said, page.seconds
        self._take(look)
        return look

    def _render(self, page: Page, look: Look) -> None:
        """Through the browser, if there is one; as it was sent, if not."""
        if look.sight is None:
            return
        self.fetching.data = False
        try:
            seen = self.chromium.render(page, self.fetching.asset)
        except Broken as no:
            look.said = f"Read without a browser: {no}"[:300]
            return
        look.sight = Sight(
            seen.html.encode(),
            page.url,
            again.without(look.sight.headers)
            if self.fetching.data
            else look.sight.headers,
            is_rendered=True,
            selectors=self.rival.selectors,
        )
        look.how, look.megabytes = "browser", seen.megabytes
        look.seconds = round(page.seconds + seen.seconds, 3)

    def _take(self, look: Look) -> None:
        if look.sight is not None:
            look.fields = extract(look.sight)
            document: Document = look.sight.page
            look.text = document.main_text[:LONGEST_TEXT].replace("\x00", "")


def kept(page: Page) -> dict[str, str]:
    """Of the headers, what is looked at; of cookies, their names."""
    told = page.headers
    found = {name: told[name][:200] for name in KEPT if told.get(name)}
    if names := COOKIE.findall(told.get("set-cookie", "")):
        found["cookies"] = " ".join(sorted(set(names)))[:300]
    return found


def plain(url: str) -> str:
    return url.partition("#")[0].rstrip("/")


def listed(value: object) -> list[dict[str, str]]:
    return value if isinstance(value, list) else []
