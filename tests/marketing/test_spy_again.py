"""A competitor's page that is what it was is not read again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from issues.models import Claim
from marketing import conduct
from marketing.models import Blob, Competitor, JobRun, PageSnapshot, Site
from paperclip import browsers
from paperclip.actors import SYSTEM
from tests.marketing import scene

pytestmark = pytest.mark.django_db
DAY = "Wed, 21 Oct 2026 07:28:00 GMT"
WORDS = "<p>Words about shops and agents.</p>" * 40


class Rival:
    """A site that says which state of a page it gives, and how often of each it gave
    the whole of it. The shell is made by a script from data that has no date."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/")
        feed = (
            "<rss version='2.0'><channel><title>R</title><item><title>Post</title>"
            f"<link>{self.url}blog/post</link></item></channel></rss>"
        )
        html, script = "text/html; charset=utf-8", "<script src='/app.js'></script>"
        rss = "<link rel='alternate' type='application/rss+xml' href='/feed'>"
        self.pages: dict[str, tuple[str, str, dict[str, str]]] = {
            "/": (f"<title>Home</title>{rss}{WORDS}{script}", html, {"ETag": '"1"'}),
            "/feed": (feed, "application/rss+xml", {"ETag": 'W/"f"'}),
            "/blog/post": (f"<h1>Post</h1>{WORDS}", html, {"Last-Modified": DAY}),
            "/shell": (
                f"<title>S</title>{WORDS}<script>fetch('/data.json')"
                ".then(r => r.json()).then(t => { document.title = t; })</script>",
                html,
                {"ETag": '"s"'},
            ),
            "/app.js": ("document.body.append('By a script.')", "text/javascript", {}),
            "/data.json": ('"Monday"', "application/json", {}),
        }
        self.whole: list[str] = []
        server.expect_request("/robots.txt").respond_with_data("", status=404)
        for path in self.pages:
            server.expect_request(path).respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        text, kind, mark = self.pages[request.path]
        known = (
            request.headers.get("If-None-Match"),
            request.headers.get("If-Modified-Since"),
        )
        if mark and set(mark.values()) & set(known):
            return Response(status=304, headers=mark)
        self.whole.append(request.path)
        return Response(text, 200, headers={"Content-Type": kind, **mark})

    def taken(self) -> list[str]:
        """What was given as a whole since the last time, of documents."""
        found, self.whole = sorted({*self.whole} & {*self.pages}), []
        return [one for one in found if not one.startswith(("/app", "/data"))]


@pytest.fixture
def rival(httpserver: HTTPServer) -> Iterator[Rival]:
    yield Rival(httpserver)


def watching(rival: Rival) -> Site:
    ours = scene.site(topics=["AI agents"])
    row = Competitor.objects.add(ours.company, "Rival", rival.url, by=SYSTEM)
    row.change(by=SYSTEM, pages=["/shell"])
    return ours


def run(site: Site) -> JobRun:
    row = conduct.conduct(scene.work(site, "spy"))
    row.refresh_from_db()
    assert row.status == "ok", row.note
    return row


def rows() -> dict[str, Any]:
    return {one.url.rpartition("/")[2]: one for one in PageSnapshot.objects.all()}


def test_what_the_site_says_is_the_same_is_taken_from_here(rival: Rival) -> None:
    assert browsers.find(), "this test needs Chromium"
    ours = watching(rival)
    run(ours)
    assert rival.taken() == ["/", "/blog/post", "/feed", "/shell"]
    before, blobs = rows(), Blob.objects.count()
    rival.pages["/data.json"] = ('"Tuesday"', "application/json", {})
    done = run(ours)
    # The shell's text comes from elsewhere: that it is the same says nothing.
    assert rival.taken() == ["/shell"]
    assert done.counters["pages unchanged"] == 3 and done.counters["pages read"] == 4
    after = rows()
    for name in ("", "feed", "post"):
        old, new = before[name], after[name]
        assert (old.pk, old.fields, old.text) == (new.pk, new.fields, new.text)
        assert new.last_seen_at > old.last_seen_at and new.job_run == done
        assert new.updated_at == old.updated_at
    titles = PageSnapshot.objects.filter(url__endswith="/shell").order_by("created_at")
    assert [one.fields["title"]["value"] for one in titles] == ["Monday", "Tuesday"]
    assert Blob.objects.count() == blobs + 1
    assert "By a script." in after[""].text
    # What was taken from here is proven like anything else.
    assert Claim.objects.filter(issue=done.issue).latest("created_at").is_good

    # Another page, and another way to read the one that stays.
    rival.pages["/"] = ("<title>New</title>" + WORDS, "text/html", {"ETag": '"2"'})
    Competitor.objects.get().change(by=SYSTEM, selectors={"h1": "p"})
    run(ours)
    assert rival.taken() == ["/", "/shell"]
    home = PageSnapshot.objects.filter(url=rival.url).order_by("-last_seen_at")
    assert [one.fields["title"]["value"] for one in home] == ["New", "Home"]
    assert rows()["post"].fields["h1"]["step"] == "selector"

    # Once a day a page is read whole, as its scripts may be others.
    PageSnapshot.objects.update(updated_at=now() - timedelta(days=2))
    run(ours)
    assert rival.taken() == ["/", "/blog/post", "/feed", "/shell"]


def test_what_was_read_without_a_browser_is_read_again_with_one(
    rival: Rival, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = watching(rival)
    with monkeypatch.context() as without:
        without.setattr(browsers, "find", lambda: "")
        conduct.conduct(scene.work(ours, "spy"))
        rival.taken()
        conduct.conduct(scene.work(ours, "spy"))
        # Its bytes say all that there is to be had without one.
        assert rival.taken() == []
    run(ours)
    assert rival.taken() == ["/", "/blog/post", "/shell"]
