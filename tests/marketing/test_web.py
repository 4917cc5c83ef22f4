"""Reading the web: closed hosts, no private address, limits, robots, documents."""

from __future__ import annotations

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from marketing.web.addresses import normal
from marketing.web.client import NotAllowed, Unreachable, Web
from marketing.web.document import Document
from marketing.web.robots import Robots
from marketing.words import identity, jaccard, shingles, stem_key


def client(server: HTTPServer, **how: object) -> Web:
    values = {"hosts": {server.host}, "local": True, "delay": 0.0, **how}
    return Web("https://us.example", **values)  # type: ignore[arg-type]


def test_only_the_named_hosts_are_asked(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data(
        "", status=302, headers={"Location": "http://elsewhere.example/"}
    )
    with client(httpserver) as web:
        with pytest.raises(NotAllowed, match=r"elsewhere\.example"):
            web.get(httpserver.url_for("/a"))
        with pytest.raises(NotAllowed):
            web.get("http://other.example/")


def test_a_private_address_is_refused_also_by_its_name(
    httpserver: HTTPServer, settings
) -> None:
    name = f"http://localhost:{httpserver.port}/"
    httpserver.expect_request("/").respond_with_data("here")
    with Web("https://us.example", hosts=None) as web:
        web.delay = 0
        for url in (name, "http://169.254.169.254/latest/", "http://[::1]/"):
            with pytest.raises(Unreachable, match="private network"):
                web.get(url)
        settings.LOCAL_HOSTS = [f"localhost:{httpserver.port}"]
        assert web.get(name).text == "here"


def test_a_large_page_and_a_loop_end(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/big").respond_with_data("x" * 2000)
    httpserver.expect_request("/loop").respond_with_data(
        "", status=302, headers={"Location": "/loop"}
    )
    with client(httpserver) as web:
        with pytest.raises(Unreachable, match="larger than 1000"):
            web.get(httpserver.url_for("/big"), most=1000)
        with pytest.raises(Unreachable, match="on and on"):
            web.get(httpserver.url_for("/loop"))


def test_it_says_who_it_is_and_waits(httpserver: HTTPServer) -> None:
    pauses: list[float] = []
    httpserver.expect_request("/").respond_with_data("ok")
    with client(httpserver, delay=5.0, sleep=pauses.append) as web:
        web.get(httpserver.url_for("/"))
        web.get(httpserver.url_for("/"))
    assert len(pauses) == 1 and 4 < pauses[0] <= 5
    request, _ = httpserver.log[0]
    assert request.headers["User-Agent"] == "PaperclipBot/1.0 (+https://us.example)"


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (Response("User-agent: *\nDisallow: /x"), False),
        (Response("User-agent: *\nDisallow: /x*\nAllow: /x/y$"), True),
        (Response("", status=404), True),
        (Response("", status=503), False),
    ],
)
def test_robots(httpserver: HTTPServer, answer: Response, allowed: bool) -> None:
    httpserver.expect_request("/robots.txt").respond_with_response(answer)
    with client(httpserver) as web:
        assert Robots(web).may_read(httpserver.url_for("/x/y")) is allowed


def test_a_document_is_read_whatever_its_case_and_faults() -> None:
    html = """<TITLE> A  title </TITLE><META NAME="Description" CONTENT="Said.">
    <script type="application/ld+json">{"@type": "Broken",</script>
    <script type="application/ld+json">{"@graph": [{"@type": "BlogPosting"}]}</script>
    <meta name=robots content="NoIndex, follow"><h1>Head</h1>
    <link rel=Canonical href="/b?utm_source=x#top">"""
    page = Document(html, "https://us.example/a")
    assert (page.title, page.meta("description")) == ("A title", "Said.")
    assert [thing["@type"] for thing in page.structured] == ["BlogPosting"]
    assert (page.is_noindex, page.headings) == (True, ["Head"])
    assert page.canonical == "https://us.example/b"


def test_spellings_are_one() -> None:
    assert (
        normal("HTTP://Ex.com:80/a/../b?b=1&a=2&gclid=3") == "http://ex.com/b?a=2&b=1"
    )

    assert stem_key("shipping agents") == stem_key("Agent, shipped")


def test_addresses_lose_their_disguise() -> None:
    ways = ["E.va+pr@GoogleMail.com", "eva@gmail.com", " e.v.a@gmail.com "]
    assert {identity(one) for one in ways} == {"eva@gmail.com"}
    assert identity("ana@bücher.example") == "ana@xn--bcher-kva.example"
    assert identity("nobody") == identity("@x.example") == ""


def test_another_name_is_the_same_text() -> None:
    text = "Our agents at {} answer 24 questions of your shop every single day of it."
    one, other = (
        shingles(text.format(name), masked=["Digiton", "Rival"])
        for name in ("Digiton", "Rival")
    )
    assert jaccard(one, other) == 1.0
