"""Fields of pages: which step of a chain finds what, and what is proof of what."""

from __future__ import annotations

from typing import Any

import pytest

from marketing.crawl import discovery, walls
from marketing.crawl.fields import CHAINS, depth, digest, extract
from marketing.crawl.reading import kept
from marketing.crawl.sight import Sight
from marketing.web.client import Page, Unreachable

URL = "https://rival.example/blog/"


def sight(html: str, **how: Any) -> Sight:
    return Sight(
        html.encode(), URL, {"content-type": "text/html; charset=utf-8"}, **how
    )


def found(html: str, name: str, **how: Any) -> tuple[Any, Any]:
    told = extract(sight(html, **how))[name]
    return told["value"], told["step"]


TITLES = [
    ("<title>A</title>", ("A", "title")),
    (
        '<svg><title>Logo</title></svg><meta property="og:title" content="B">',
        ("B", "og:title"),
    ),
    ('<meta name="twitter:title" content="C">', ("C", "twitter:title")),
    (
        '<script type="application/ld+json">{"@type":"Article","headline":"D"}',
        ("D", "json-ld"),
    ),
    ("<title> </title><h1>E</h1>", ("E", "h1")),
    ("<p>nothing</p>", (None, None)),
]
H1 = [
    ("<header><h1>Site</h1></header><h1>A</h1>", ("A", "h1")),
    ("<article><header><h1>A</h1></header></article>", ("A", "h1")),
    ("<h1 hidden>No</h1><h1 style='display: none'>No</h1><h1>A</h1>", ("A", "h1")),
    ("<div aria-hidden=true><h1>No</h1></div><h1>A</h1>", ("A", "h1")),
    ("<nav><h1>Site</h1></nav>", ("Site", "any h1")),
    ("<b role=heading aria-level=1>R</b>", ("R", "role=heading")),
    ("<meta property=og:title content=O>", ("O", "og:title (derived)")),
]
DESCRIPTIONS = [
    ("<META NAME=DESCRIPTION CONTENT=A>", ("A", "meta")),
    ("<meta property=og:description content=B>", ("B", "og:description")),
    ("<meta name=twitter:description content=C>", ("C", "twitter:description")),
    ("<p hidden>No</p><p>First</p>", ("First", "first paragraph (derived)")),
    ("<p>Menu</p><main><p>Main</p></main>", ("Main", "first paragraph (derived)")),
]
KEYWORDS = [
    ("<meta name=keywords content='a, b;a,,'>", (["a", "b"], "meta")),
    (
        '<script type="application/ld+json">{"@type":"Article","keywords":["c",1]}',
        (["c"], "json-ld"),
    ),
    ("<meta property=article:tag content=d>", (["d"], "article:tag")),
]


@pytest.mark.parametrize(
    ("name", "html", "wanted"),
    [
        *(("title", *one) for one in TITLES),
        *(("h1", *one) for one in H1),
        *(("description", *one) for one in DESCRIPTIONS),
        *(("keywords", *one) for one in KEYWORDS),
    ],
)
def test_each_step_of_a_chain_is_named(name: str, html: str, wanted: Any) -> None:
    assert found(html, name) == wanted


def test_a_broken_block_of_data_does_not_lose_the_others() -> None:
    html = """<script type="application/ld+json">{"@type": "Article",</script>
    <script type="application/ld+json">[{"@type": ["Thing", "BlogPosting"],
    "headline": "Found", "description": {"no": "text"}}]</script>"""
    assert found(html, "title") == ("Found", "json-ld")
    assert found(html, "description") == (None, None)


def test_posts_by_their_chain() -> None:
    data = """<script type="application/ld+json">{"@type": "ItemList",
    "itemListElement": [{"item": {"@type": "BlogPosting", "name": "One", "url": "/1"}},
    {"@type": "BlogPosting", "headline": "Two", "url": "/2"}]}</script>"""
    heads = "<article><h2><a href=/3>Three</a></h2></article>"
    links = """<a href="/blog/four">Four</a><a href="/blog">All</a>
    <nav><a href="/blog/five">No</a></nav><a href="https://x.example/blog/six">No</a>
    <a href="http://[">Broken</a><a href="mailto:a@b.example">No</a>"""

    def titles(html: str) -> tuple[list[str], str]:
        value, step = found(html, "posts")
        return [one["title"] for one in value], step

    assert titles(data + heads + links) == (["One", "Two"], "json-ld")
    assert titles(heads + links) == (["Three"], "article headings")
    assert titles(links) == (["Four"], "links to the blog")
    assert found("<p>none</p>", "posts") == (None, None)


def test_no_more_is_kept_than_agreed() -> None:
    heads = "".join(f"<h2>Heading {n}</h2>" for n in range(99))
    value, _step = found(heads + "<title>" + "word " * 300 + "</title>", "h2")
    assert len(value) == 50
    title, _step = found("<title>" + "word " * 300 + "</title>", "title")
    assert len(title) <= 500 and title.endswith("word")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (
            "<title>Žluť</title>".encode("windows-1250"),
            "text/html; charset=windows-1250",
        ),
        (
            b"<meta charset=windows-1250>" + "<title>Žluť</title>".encode("cp1250"),
            "text/html",
        ),
        ("<title>Žluť</title>".encode(), "text/html; charset=nonsense"),
        (b"\xef\xbb\xbf" + "<title>Žluť</title>".encode(), "text/html"),
        ("<title>Žluť</title>".encode("utf-16"), "text/html"),
    ],
)
def test_a_page_is_decoded_as_it_says(body: bytes, kind: str) -> None:
    told = extract(Sight(body, URL, {"content-type": kind}))
    assert told["title"]["value"] == "Žluť"


def test_what_the_browser_gave_is_no_longer_in_the_pages_own_encoding() -> None:
    html = "<meta charset=windows-1250><title>Žluť</title>"
    assert found(html, "title", is_rendered=True) == ("Žluť", "title")


TECH = [
    (
        "",
        {"x-powered-by": "Next.js"},
        ("Next.js", "uses", "header:x-powered-by: Next.js"),
    ),
    ("", {"cookies": "a csrftoken"}, ("Django", "uses", "cookie: csrftoken")),
    (
        "<meta name=Generator content='Ghost 6'>",
        {},
        ("Ghost", "uses", "generator: Ghost 6"),
    ),
    (
        "<script src='/_next/static/x.js?v=1'></script>",
        {},
        ("Next.js", "uses", "script: https://rival.example/_next/static/x.js"),
    ),
    ("<p>We like Kubernetes.</p>", {}, ("Kubernetes", "mentions", "text: Kubernetes")),
]


@pytest.mark.parametrize(("html", "headers", "wanted"), TECH)
def test_a_technology_comes_with_its_proof(
    html: str, headers: Any, wanted: Any
) -> None:
    told = extract(Sight(html.encode(), URL, headers))["tech"]["value"]
    assert [(one["name"], one["kind"], one["proof"]) for one in told] == [wanted]


def test_words_of_every_day_are_no_technologies() -> None:
    assert found("<p>We go on, react swiftly, and never rust.</p>", "tech") == (
        None,
        None,
    )


def test_of_cookies_the_names_are_kept_and_nothing_else() -> None:
    cookies = "a=secret; Expires=Thu, 01 Jan 2026 00:00:00 GMT, csrftoken=x; Path=/"
    page = Page(URL, URL, 200, {"set-cookie": cookies, "x-secret": "1"}, b"", 0.1)
    assert kept(page) == {"cookies": "a csrftoken"}


def test_a_deeper_step_is_deeper() -> None:
    steps = ["selector", *(step for step, _find in CHAINS["title"]), None]
    depths = [depth("title", step) for step in steps]
    assert depths == sorted(depths) and len(set(depths)) == len(steps)


def test_the_same_fields_have_the_same_digest_in_any_order() -> None:
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1})


@pytest.mark.parametrize(
    ("html", "wall"),
    [
        ("<title>Just a moment...</title>", True),
        ("<title>Attention Required! | Cloudflare</title><p>Sorry</p>", True),
        ("<div class=px-captcha></div><p>Press and hold</p>", True),
        ("<p>Please enable JavaScript and cookies to continue</p>", True),
        ("<title>How to pass a security check</title>" + "<p>word " * 200, False),
        ("<script src=//x/g-recaptcha.js></script>" + "<p>A contact form " * 99, False),
        ("<title>Altair</title><h1>Agents for shops</h1>", False),
    ],
)
def test_walls_that_answer_200(html: str, wall: bool) -> None:
    assert bool(walls.of_page(sight(html))) is wall


def pages(**told: str) -> tuple[Any, list[str]]:
    asked: list[str] = []

    def get(url: str) -> Page:
        asked.append(url)
        name = url.removeprefix("https://rival.example/")
        if name not in told:
            raise Unreachable("It is not there.")
        return Page(url, url, 200, {}, told[name].encode(), 0.1)

    return get, asked


RSS = """<rss version="2.0"><channel><item><title>One</title><link>/blog/one</link>
</item></channel></rss>"""
URLSET = "<urlset><url><loc>https://rival.example/blog/two</loc></url></urlset>"


def test_the_feed_comes_before_the_sitemap_and_the_known_one_first() -> None:
    html = '<link rel="alternate" type="application/atom+xml" href="/own.xml">'
    get, asked = pages(**{"own.xml": RSS, "sitemap.xml": URLSET})
    source = discovery.find(sight(html), get, [])
    assert source and (source.kind, source.posts[0]["title"]) == ("feed", "One")
    assert asked == ["https://rival.example/own.xml"]
    get, asked = pages(**{"old.xml": RSS})
    known = "https://rival.example/old.xml"
    assert discovery.find(sight("<p>"), get, [], known) and asked == [known]


def test_a_maze_of_sitemaps_is_left_soon() -> None:
    def get(url: str) -> Page:
        asked.append(url)
        inner = f"<sitemap><loc>{url}x</loc></sitemap>" * 3
        return Page(
            url, url, 200, {}, f"<sitemapindex>{inner}</sitemapindex>".encode(), 0
        )

    asked: list[str] = []
    assert discovery.find(sight("<p>"), get, ["https://rival.example/a"]) is None
    assert len([url for url in asked if "/a" in url]) == discovery.MOST_SITEMAPS + 1


def test_a_sitemap_names_posts_by_their_addresses() -> None:
    get, _asked = pages(**{"sitemap.xml": URLSET})
    source = discovery.find(sight("<p>"), get, [])
    assert source and source.told["posts"]["step"] == "sitemap"
    assert source.posts == [{"title": "two", "url": "https://rival.example/blog/two"}]
