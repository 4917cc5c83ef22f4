"""Sitemaps as they are found: indexes, gzip, text, broken ones and bombs."""

from __future__ import annotations

import gzip

import pytest
from pytest_httpserver import HTTPServer

from marketing.web import sitemap
from marketing.web.client import Web
from marketing.web.robots import Robots
from marketing.web.sitemap import Sitemap, Unreadable, parse, read_sitemap, unpacked
from tests.marketing.ownsite import NS


def urlset(*urls: str, lastmod: str = "") -> str:
    said = f"<lastmod>{lastmod}</lastmod>" if lastmod else ""
    rows = "".join(f"<url><loc>{url}</loc>{said}</url>" for url in urls)
    return f"<?xml version='1.0'?><urlset {NS}>{rows}</urlset>"


def index(*urls: str) -> str:
    rows = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f"<sitemapindex {NS}>{rows}</sitemapindex>"


def read(server: HTTPServer, known: str = "") -> Sitemap:
    with Web("https://us.example", {server.host}, local=True, delay=0.0) as web:
        base = server.url_for("/")
        return read_sitemap(web, Robots(web), base, known, hosts={server.host})


def serve(server: HTTPServer, path: str, body: str | bytes, **how: object) -> str:
    server.expect_request(path).respond_with_data(body, **how)  # type: ignore[arg-type]
    return str(server.url_for(path))


def test_an_index_with_a_gzipped_part(httpserver: HTTPServer) -> None:
    pages = [httpserver.url_for(path) for path in ("/a", "/b?x=1&amp;y=2")]
    part = gzip.compress(urlset(*pages, lastmod="2026-11-01").encode())
    serve(httpserver, "/p.xml.gz", part)
    serve(httpserver, "/q.xml", urlset(httpserver.url_for("/c")))
    both = [httpserver.url_for(path) for path in ("/p.xml.gz", "/q.xml")]
    at = serve(httpserver, "/index.xml", index(*both))
    serve(httpserver, "/robots.txt", f"Sitemap: {at}")
    found = read(httpserver)
    assert found.is_whole
    assert found.pages == {
        httpserver.url_for("/a"): "2026-11-01",
        httpserver.url_for("/b?x=1&y=2"): "2026-11-01",
        httpserver.url_for("/c"): "",
    }


def test_without_robots_the_usual_places(httpserver: HTTPServer) -> None:
    serve(httpserver, "/sitemap_index.xml", urlset(httpserver.url_for("/a")))
    assert list(read(httpserver).pages) == [httpserver.url_for("/a")]


def test_none_at_all_says_so(httpserver: HTTPServer) -> None:
    found = read(httpserver)
    assert not found.is_whole and not found.files and found.problems


def test_plain_text_and_no_namespace(httpserver: HTTPServer) -> None:
    url = httpserver.url_for("/a")
    at = serve(httpserver, "/map.txt", f"\ufeff{url}\r\n\r\n{url}2\n")
    assert list(read(httpserver, at).pages) == [url, f"{url}2"]
    body = f"<urlset><url><loc> {url} </loc></url></urlset>".encode()
    assert parse(body) == ("urlset", [(url, "")])


def test_pages_of_others_are_none_of_ours(httpserver: HTTPServer) -> None:
    strange = ["http://other.example/a", "javascript:alert(1)", "/relative", ""]
    strange += [f"http://{httpserver.host}:99999/", "http://[x/", "http://"]
    at = serve(httpserver, "/map.xml", urlset(*strange, httpserver.url_for("/a")))
    assert list(read(httpserver, at).pages) == [httpserver.url_for("/a")]
    at = serve(httpserver, "/index.xml", index("http://other.example/map.xml"))
    assert read(httpserver, at).pages == {}


def test_an_index_that_names_itself_ends(httpserver: HTTPServer) -> None:
    at = httpserver.url_for("/index.xml")
    deeper = [httpserver.url_for(f"/{n}.xml") for n in range(5)]
    serve(httpserver, "/index.xml", index(at, deeper[0]))
    for n in range(4):
        serve(httpserver, f"/{n}.xml", index(deeper[n + 1]))
    found = read(httpserver, at)
    assert len(found.files) == sitemap.DEEPEST
    assert "one sitemap too many" in found.problems[0]


def test_a_part_that_is_away_leaves_the_others(httpserver: HTTPServer) -> None:
    there = serve(httpserver, "/p.xml", urlset(httpserver.url_for("/a")))
    away = serve(httpserver, "/q.xml", "", status=503)
    found = read(httpserver, serve(httpserver, "/index.xml", index(away, there)))
    assert list(found.pages) == [httpserver.url_for("/a")]
    assert not found.is_whole and "503" in found.problems[0]


def test_a_bomb_of_gzip_is_capped(httpserver: HTTPServer) -> None:
    bomb = gzip.compress(b"<urlset>" + b" " * (sitemap.LARGEST + 10))
    assert len(bomb) < 100_000
    found = read(httpserver, serve(httpserver, "/map.xml.gz", bomb))
    assert found.pages == {} and "larger than" in found.problems[0]


def test_a_bomb_of_entities_does_not_go_off(httpserver: HTTPServer) -> None:
    lines = ['<!ENTITY e0 "lol">']
    for n in range(1, 12):
        lines.append(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">')
    url = httpserver.url_for("/a")
    rows = f"<url><loc>{url}</loc><lastmod>{{}}</lastmod></url>"
    bomb = (
        f"<!DOCTYPE urlset [{''.join(lines)}]><urlset>{rows.format('&e11;')}</urlset>"
    )
    with pytest.raises(Unreadable, match="amplification"):
        parse(bomb.encode())
    file = '<!DOCTYPE urlset [<!ENTITY file SYSTEM "file:///etc/hostname">]>'
    told = f"{file}<urlset>{rows.format('&file;')}</urlset>"
    assert parse(told.encode()) == ("urlset", [(url, "")])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<urlset><url>", "not XML"),
        (b"<html><body>Not found</body></html>", "It is a html"),
        (b"404 page not found", "neither XML nor"),
    ],
)
def test_what_is_no_sitemap_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        parse(body)


def test_a_packed_file_that_is_cut_off_or_broken_is_refused() -> None:
    packed = gzip.compress(urlset("http://us.example/a").encode())
    with pytest.raises(Unreadable, match="end is missing"):
        unpacked(packed[:-10])
    with pytest.raises(Unreadable, match="no gzip"):
        unpacked(b"\x1f\x8b" + b"x" * 50)


def test_too_many_addresses_are_refused() -> None:
    many = urlset(*["http://us.example/a"] * (sitemap.MOST_URLS + 1))
    with pytest.raises(Unreadable, match="more than 50000"):
        parse(many.encode())
