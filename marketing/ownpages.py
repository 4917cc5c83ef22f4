"""Our own pages, read again: which of them are another page than they were."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from agents.texts import storable
from marketing.models import IndexNowSubmission, OwnPage, Post
from marketing.models.page import gone_hash
from marketing.web.addresses import host_of, normal
from marketing.web.client import LARGEST, NotAllowed, Page, Unreachable
from marketing.web.document import Document
from marketing.web.sitemap import Sitemap

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.web.client import Web
    from marketing.web.robots import Robots

# Of a larger site the pages take turns.
MOST_READS = 300
ROBOTS = "is not to be read, says robots.txt"
OK, NOT_MODIFIED, GONE = 200, 304, (404, 410)


@dataclass
class OwnPages:
    """The pages of the site in this run. `due` holds the state of each page that may be
    told and was not yet; `kept_back` says why others may not."""

    work: Work
    web: Web
    robots: Robots
    sitemap: Sitemap
    due: dict[str, str] = field(default_factory=dict)
    kept_back: dict[str, str] = field(default_factory=dict)
    troubled: list[str] = field(default_factory=list)
    # On hosts of ours that the key is not good for.
    elsewhere: set[str] = field(default_factory=set)
    read: int = 0
    changed: int = 0

    @cached_property
    def known(self) -> dict[str, OwnPage]:
        rows = OwnPage.objects.filter(company=self.work.company)
        return {row.url: row for row in rows.defer("text")}

    @cached_property
    def queued(self) -> set[str]:
        """Pages that nobody could be told of yet: their state is looked at first."""
        rows = IndexNowSubmission.objects.filter(company=self.work.company).pending()
        return set(rows.values_list("url", flat=True))

    def in_order(self) -> list[str]:
        """The addresses to read: what waits to be told, what is new, what says that it
        changed, what is no longer named, and then the rest, the oldest first."""
        urls = {*self.sitemap.pages, *self.queued}
        if self.sitemap.is_whole:
            urls |= {url for url, row in self.known.items() if row.was_live}

        def rank(url: str) -> tuple[int, str, str]:
            row = self.known.get(url)
            if url in self.queued or row is None:
                return (0 if url in self.queued else 1), "", url
            said = self.sitemap.pages.get(url)
            read_at = row.read_at.isoformat() if row.read_at else ""
            if said is None or said != row.lastmod:
                return (3 if said is None else 2), read_at, url
            return 4, read_at, url

        return sorted(urls, key=rank)[:MOST_READS]

    def read_all(self) -> None:
        urls = self.in_order()
        for number, url in enumerate(urls, 1):
            self.work.at(f"Reads page {number} of {len(urls)} of our own.")
            if not self.robots.may_read(url):
                self.keep_back(url, ROBOTS)
                continue
            try:
                self.read_one(url)
            except NotAllowed:
                self.keep_back(url, "leads to another site")
            except Unreachable as no:
                self.troubled.append(str(no))

    @property
    def is_shut(self) -> bool:
        """Whether robots.txt forbids everything, as one does that cannot be read."""
        return bool(self.kept_back) and set(self.kept_back.values()) == {ROBOTS}

    def read_one(self, url: str) -> None:
        row = self.known.get(url) or OwnPage(company=self.work.company, url=url)
        # Of what was not told everything has to be seen: it may be noindex by now.
        asks = bool(row.etag) and row.status == OK and self.was_told(row)
        seen = {"If-None-Match": row.etag} if asks else {}
        page = self.web.get(url, most=LARGEST, **seen)
        self.read += 1
        if page.status in GONE:
            self.saw_gone(row, page.status)
        elif page.status == NOT_MODIFIED and asks:
            self.keep(row, was_live=True)
        elif page.is_ok:
            self.saw(row, page)
        else:
            self.troubled.append(f"{url} answers {page.status}.")

    def was_told(self, row: OwnPage) -> bool:
        rows = IndexNowSubmission.objects
        return rows.was_told(self.work.company.pk, row.url, row.content_hash)

    def saw(self, row: OwnPage, page: Page) -> None:
        told = document_of(page)
        new_hash = told.content_hash if told else page.sha256
        self.changed += new_hash != row.content_hash
        row.content_hash, row.status = new_hash, page.status
        row.title = storable(told.title)[:300] if told else ""
        row.text = storable(told.main_text) if told else ""
        row.language = told.language[:8] if told else ""
        row.etag = page.headers.get("etag", "")[:200]
        self.keep(row, was_live=True)
        if why := forbids(row.url, page, told):
            self.keep_back(row.url, why)
        else:
            self.tell(row.url, new_hash)

    def saw_gone(self, row: OwnPage, status: int) -> None:
        """One that was there and is not is told once; of others there is no word."""
        was_live, row.status, row.etag = row.was_live, status, ""
        if was_live or row.url in self.queued:
            self.changed += was_live
            self.keep(row, was_live=False)
            self.tell(row.url, gone_hash(row.content_hash))

    def keep(self, row: OwnPage, *, was_live: bool) -> None:
        row.was_live, row.read_at = was_live, self.work.clock()
        row.lastmod = self.sitemap.pages.get(row.url, row.lastmod)
        row.by_hand = row.url not in self.posts
        if not self.work.is_dry:
            row.save()

    @cached_property
    def posts(self) -> set[str]:
        rows = Post.objects.filter(company=self.work.company)
        return set(rows.exclude(url="").values_list("url", flat=True))

    def tell(self, url: str, content_hash: str) -> None:
        """Have it told, once. A host other than the site's has no key of ours."""
        site, company_id = self.work.site, self.work.company.pk
        submissions = IndexNowSubmission.objects
        if host_of(url) != site.host:
            self.elsewhere.add(url)
            return
        if self.work.is_dry:
            if not submissions.was_told(company_id, url, content_hash):
                self.due[url] = content_hash
        elif submissions.queue(company_id, site.host, url, content_hash):
            self.due[url] = content_hash

    def keep_back(self, url: str, why: str) -> None:
        self.kept_back[url] = why
        if not self.work.is_dry:
            rows = IndexNowSubmission.objects.filter(company=self.work.company, url=url)
            rows.pending().delete()


def document_of(page: Page) -> Document | None:
    """The page as HTML; None when it is something else."""
    kind = page.headers.get("content-type", "text/html")
    if "html" not in kind:
        return None
    return Document(page.text, page.url, page.headers.get("x-robots-tag", ""))


def forbids(url: str, page: Page, told: Document | None) -> str:
    """Why search engines are not told of this page; empty when they may be."""
    if normal(page.url) != normal(url):
        return f"leads to {page.url}"
    header = page.headers.get("x-robots-tag", "").lower()
    if (told and told.is_noindex) or "noindex" in header:
        return "is noindex"
    if told and normal(told.canonical) != normal(url):
        return f"says that {told.canonical} is the page"
    return ""
