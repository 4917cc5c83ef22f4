"""Our own site and an IndexNow endpoint, on loopback: with a sitemap index, a gzipped
part, robots, pages and a key file."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

KEY = "0123456789abcdef"
NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
PAGE = """<!doctype html><html lang="en"><head><title>{title}</title>{head}</head>
<body><nav>Menu {clutter}</nav><main><article><h1>{title}</h1>
<p>{text} It is long enough to be the text of a page, and not what stands around it.</p>
<p>Agents of ours answer what customers ask, file what they find, and say what they
did, so that a person can look at it afterwards and decide whether it was good.</p>
</article></main></body></html>"""


@dataclass
class OwnPage:
    text: str
    lastmod: str = "2026-11-01"
    head: str = ""
    status: int = 200
    clutter: str = ""
    to: str = ""
    etag: str = ""


@dataclass
class OwnSite:
    """`codes` are what IndexNow answers, one after the other, and then 200; `refuses`
    the pages that it answers 422 for; `told` what it was told."""

    server: HTTPServer
    pages: dict[str, OwnPage] = field(default_factory=dict)
    codes: list[int] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    retry_after: str = ""
    disallow: str = "/private"
    # Where the index says its part is, if not here.
    part: str = ""
    told: list[list[str]] = field(default_factory=list)
    # The key file at each request, and at all later ones: (status, text).
    key_file: list[tuple[int, str]] = field(default_factory=lambda: [(200, KEY + "\n")])
    sitemap_status: int = 200
    reads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server.expect_request("/robots.txt").respond_with_handler(self.robots)
        self.server.expect_request(f"/{KEY}.txt").respond_with_handler(self.key)
        self.server.expect_request("/indexnow").respond_with_handler(self.indexnow)
        self.server.expect_request("/map.xml").respond_with_handler(self.index)
        self.server.expect_request("/pages.xml.gz").respond_with_handler(self.packed)
        self.server.expect_request("/none").respond_with_data("", status=404)
        for path in ("/", "/a", "/b", "/c", "/d"):
            self.server.expect_request(path).respond_with_handler(self.page)

    def url(self, path: str) -> str:
        return str(self.server.url_for(path))

    def robots(self, request: Request) -> Response:
        at = self.url("/map.xml")
        said = f"User-agent: *\nDisallow: {self.disallow}\nSitemap: {at}\n"
        return Response(said, content_type="text/plain")

    def index(self, request: Request) -> Response:
        at = self.part or self.url("/pages.xml.gz")
        part = f"<sitemap><loc>{at}</loc></sitemap>"
        body = f"<sitemapindex {NS}>{part}</sitemapindex>"
        return Response(body, status=self.sitemap_status, content_type="text/xml")

    def packed(self, request: Request) -> Response:
        rows = "".join(
            f"<url><loc>{self.url(path)}</loc><lastmod>{one.lastmod}</lastmod></url>"
            for path, one in self.pages.items()
            if one.status == 200
        )
        body = gzip.compress(f"<urlset {NS}>{rows}</urlset>".encode())
        return Response(body, content_type="application/gzip")

    def page(self, request: Request) -> Response:
        one = self.pages.get(request.path)
        self.reads.append(request.path)
        if one is None:
            return Response("not here", status=404)
        if one.etag and request.headers.get("If-None-Match") == one.etag:
            return Response(status=304)
        headers = {"ETag": one.etag} if one.etag else {}
        if one.to:
            headers["Location"] = one.to
        title = f"Page {request.path}"
        body = PAGE.format(
            title=title, text=one.text, head=one.head, clutter=one.clutter
        )
        status = 302 if one.to else one.status
        return Response(body, status=status, headers=headers, content_type="text/html")

    def key(self, request: Request) -> Response:
        first = self.key_file[0]
        if len(self.key_file) > 1:
            self.key_file.pop(0)
        return Response(first[1], status=first[0], content_type="text/plain")

    def indexnow(self, request: Request) -> Response:
        assert request.content_type == "application/json; charset=utf-8"
        asked: dict[str, Any] = json.loads(request.get_data())
        assert asked["key"] == KEY
        urls = [url.removeprefix(self.url("").rstrip("/")) for url in asked["urlList"]]
        assert urls == sorted(set(urls))
        self.told.append(urls)
        code = self.codes.pop(0) if self.codes else 200
        if code == 200 and self.refuses & set(urls):
            code = 422
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return Response(f'{{"code": {code}}}\0', status=code, headers=headers)
