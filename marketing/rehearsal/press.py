"""Who writes about others: papers with a feed and a piece, directories, a list of
links."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

from werkzeug import Request, Response

from marketing.rehearsal.story import LINKER, OUTLETS, REGISTERS, Outlet, Register
from marketing.rehearsal.web import missing

# A piece is always a few days old.
AGE = timedelta(days=3)
PAGE = (
    '<!doctype html><html lang="{language}"><head><title>{title}</title></head><body>'
    "<main><article><h1>{title}</h1>{body}</article></main></body></html>"
)
TERMS = (
    "<p>Whoever runs a business may be listed here. A person submits it, with a name,"
    " an address and three lines that are true. Programs that fill in our form are"
    " turned away. Listings are free, and nobody can pay for a better place.</p>"
)


class Press:
    """`home` is the address of our site."""

    def __init__(self, home: str) -> None:
        self.home = home

    def answer(self, request: Request) -> Response:
        """/papers/SLUG/..., /directories/SLUG/... and /lists/SLUG."""
        base = request.host_url.rstrip("/")
        if request.path == "/robots.txt":
            return Response("User-agent: *\nAllow: /\n", mimetype="text/plain")
        room, _, rest = request.path.strip("/").partition("/")
        slug, _, what = rest.partition("/")
        if room == "papers" and slug in PAPERS:
            return paper(PAPERS[slug], what, f"{base}/papers/{slug}")
        if room == "directories" and slug in DIRECTORIES:
            return self.directory(DIRECTORIES[slug], what)
        if room == "lists" and slug == LINKER.slug:
            return page(LINKER.title, f"<p>{escape(LINKER.text)}</p>")
        return missing()

    def directory(self, one: Register, what: str) -> Response:
        if what == "terms":
            return page(f"Terms of {one.name}", TERMS)
        if what == "digiton" and one.listed:
            link = f'<p><a href="{escape(self.home)}">Digiton</a>, Lisbon.</p>'
            return page(f"Digiton at {one.name}", link)
        return missing() if what else page(one.name, TERMS)


PAPERS = {one.slug: one for one in OUTLETS}
DIRECTORIES = {one.slug: one for one in REGISTERS}


def paper(one: Outlet, what: str, base: str) -> Response:
    at = format_datetime(datetime.now(UTC) - AGE)
    piece = f"{base}/piece"
    if what == "feed.xml":
        item = (
            f"<item><title>{escape(one.title)}</title><link>{piece}</link>"
            f"<author>{escape(one.editor)}</author><pubDate>{at}</pubDate></item>"
        )
        told = f"<title>{escape(one.name)}</title>{item}"
        feed = (
            f'<?xml version="1.0"?><rss version="2.0"><channel>{told}</channel></rss>'
        )
        return Response(feed, mimetype="application/rss+xml")
    if what == "piece":
        return page(one.title, f"<p>{escape(one.text)}</p>", one.language)
    link = f'<h2><a href="{piece}">{escape(one.title)}</a></h2>'
    return missing() if what else page(one.name, link, one.language)


def page(title: str, body: str, language: str = "en") -> Response:
    told = PAGE.format(title=escape(title), body=body, language=language)
    return Response(told, content_type="text/html; charset=utf-8")
