"""What a liar can do to each job, and that nobody is believed: every claim ends
unverified or refuted, or is not made at all. What is seen later may be verified later;
what was refuted stays so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketing import conduct, report, verification
from marketing.jobs import spy
from marketing.models import Competitor, Contact, JobRun, Mailbox, Site
from paperclip import browsers
from paperclip.actors import SYSTEM
from tests.marketing import (
    mailworld,
    ownsite,
    rivals,
    scene,
    searchers,
    test_backlinks,
    test_pr,
    test_ranks,
)
from tests.marketing.blogscene import AT, Blog
from tests.marketing.mailworld import Post, Script
from tests.marketing.ownsite import KEY, OwnSite

pytestmark = pytest.mark.django_db
US = '<a href="https://us.example/">Us</a>'
GONE = Response("<title>Error</title>Something went wrong", content_type="text/html")


@dataclass
class World:
    """Where a liar may sit."""

    server: HTTPServer
    smtp: tuple[Script, int]
    post: Post
    patch: pytest.MonkeyPatch


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    with mailworld.post() as one:
        yield one


@pytest.fixture
def world(
    httpserver: HTTPServer, post: Post, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    monkeypatch.setattr("marketing.jobs.blog.LOOKS", 3)
    monkeypatch.setattr(browsers, "find", lambda: "")
    with mailworld.scripted() as smtp:
        yield World(httpserver, smtp, post, monkeypatch)


# --- search engines that are told ---------------------------------------------------


def endpoint(world: World, later: tuple[int, str]) -> JobRun:
    """IndexNow says 200, and the key file that was there a moment ago is not."""
    own = OwnSite(world.server, {"/": ownsite.OwnPage("This is what it says.")})
    own.key_file = [(200, KEY), later]
    site = scene.site(
        base_url=own.url("/"),
        indexnow_key=KEY,
        endpoints={"indexnow": own.url("/indexnow")},
    )
    row = conduct.conduct(scene.work(site, "content", clock=lambda: AT))
    assert own.told == [["/"]]
    return row


# --- posts --------------------------------------------------------------------------


def publishing(world: World, hook: bool = False, **lies: Any) -> JobRun:
    blog = Blog.set_up(world.server)
    (blog.with_hook if hook else blog.with_vercel)()
    for name, value in lies.items():
        setattr(blog.deployer, name, value)
    blog.brief()
    blog.run()
    blog.approve()
    return blog.run(AT + timedelta(hours=2))


# --- mail ---------------------------------------------------------------------------


def sent_empty(world: World) -> JobRun:
    """The server took the mail, and Sent does not have it."""
    site = test_pr.scenery(world.server, world.smtp[1], world.post.imap)
    Mailbox.objects.update(sent_copy="server")
    test_pr.Model(world.server)
    test_pr.run(site, world.server)
    test_pr.approve_all(site)
    row = test_pr.run(site, world.server)
    assert len(world.smtp[0].letters) == 1
    return row


def sent_by_nobody(world: World) -> JobRun:
    """It is in Sent, and no server has said that it took it."""
    site = test_pr.scenery(world.server, 1, world.post.imap)
    old = now() - timedelta(minutes=20)
    one = mailworld.message(
        Mailbox.objects.get(), Contact.objects.get(), state="sending", sent_at=old
    )
    world.post.put("Sent", one.raw.encode())
    return test_pr.run(site, world.server)


# --- links --------------------------------------------------------------------------


def linking(world: World, later: Response | str) -> JobRun:
    """The job is shown a link, and whoever looks for themselves something else."""
    says: list[Any] = [US, later]
    world.server.expect_request("/robots.txt").respond_with_data("", status=404)

    def answer(request: Request) -> Response:
        said = says.pop(0)
        if isinstance(said, Response):
            return said
        return Response(said, content_type="text/html")

    world.server.expect_request("/list").respond_with_handler(answer)
    site = scene.site(base_url=test_backlinks.US)
    test_backlinks.linked(site, world.server.url_for("/list"))
    return test_backlinks.run(site)


def error_for_a_link(world: World) -> JobRun:
    """The page answers 200 with an error from the beginning."""
    site = scene.site(base_url=test_backlinks.US)
    world.server.expect_request("/robots.txt").respond_with_data("", status=404)
    world.server.expect_request("/list").respond_with_response(GONE)
    test_backlinks.linked(site, world.server.url_for("/list"))
    return test_backlinks.run(site)


# --- positions ----------------------------------------------------------------------


def ranked(world: World, **fields: Any) -> Site:
    base = world.server.url_for("").rstrip("/")
    places = {"gsc": "gsc", "google_token": "token", "serper": "serper"}
    places["dataforseo"] = "dfs"
    site = scene.site(
        base_url="https://us.example/",
        endpoints={name: f"{base}/{path}" for name, path in places.items()},
        **fields,
    )
    test_ranks.keyword(site, "ai agents")
    return site


def task_error(world: World) -> JobRun:
    """HTTP 200, and the error is inside."""
    site = ranked(world)
    test_ranks.vendor(site, "dataforseo")
    path = "/dfs/v3/serp/google/organic/live/advanced"
    answer = searchers.dataforseo([], code=40200)
    world.server.expect_request(path).respond_with_json(answer)
    return test_ranks.run(site)


def vendors_page(world: World) -> JobRun:
    site = ranked(world)
    test_ranks.vendor(site, "serper")
    world.server.expect_request("/serper/search").respond_with_response(GONE)
    return test_ranks.run(site)


def google(
    world: World, rows: Callable[[], list[Any]], of: str = "us.example"
) -> JobRun:
    site = ranked(world, gsc_property=f"sc-domain:{of}")
    test_ranks.with_secret(site, "gsc_credentials", searchers.CREDENTIALS)
    searchers.search_console(world.server, rows)
    return test_ranks.run(site)


def googles_page(world: World) -> JobRun:
    """Somebody in between answers for Search Console."""
    path = "/gsc/webmasters/v3/sites/sc-domain:them.example/searchAnalytics/query"
    world.server.expect_request(path).respond_with_response(GONE)
    return google(world, list, of="them.example")


def takes_it_back(world: World) -> JobRun:
    """Search Console says another position when it is asked again."""
    said = [4.0, 40.0]

    def rows() -> list[Any]:
        position = said.pop(0) if len(said) > 1 else said[0]
        return [
            searchers.row(f"2026-11-{n:02}", "ai agents", test_ranks.OURS, position, 9)
            for n in range(9, 20)
        ]

    return google(world, rows)


# --- competitors --------------------------------------------------------------------


def spied(pages: dict[str, Any]) -> JobRun:
    with rivals.running("cirrus") as sites:
        sites["cirrus"].pages.update(pages)
        ours = scene.site(topics=["AI agents for retail"])
        Competitor.objects.add(ours.company, "Cirrus", sites["cirrus"].url, by=SYSTEM)
        return conduct.conduct(scene.work(ours, "spy"))


def made_up(world: World) -> JobRun:
    """The job says of a page what is not in it."""
    honest = spy.claim

    def lies(work: Any, rival: Any, pages: list[Any]) -> None:
        pages[0].fields["title"]["value"] = "What it does not say"
        honest(work, rival, pages)

    world.patch.setattr(spy, "claim", lies)
    return spied({})


def page_of_errors(world: World) -> JobRun:
    page = rivals.html("<title>503 Service Unavailable</title><h1>Sorry</h1>")
    return spied(dict.fromkeys(("/", "/robots.txt", "/sitemap.xml"), page))


UNVERIFIED, REFUTED = ["unverified"], ["refuted"]
NOINDEX = '<meta name="robots" content="noindex">'
OUT = '<a href="/out?u=https%3A%2F%2Fus.example%2F">Us</a>'
Play = Callable[..., JobRun]
# Who lies and how; what is known of the claims of that run ([]: there are none), and a
# word of why.
LIARS: list[tuple[str, Play, dict[str, Any], list[str], str]] = [
    ("IndexNow: no key file", endpoint, {"later": (404, "")}, REFUTED, "404"),
    ("IndexNow: another key", endpoint, {"later": (200, "key")}, REFUTED, "hold the"),
    ("IndexNow: site away", endpoint, {"later": (503, "")}, UNVERIFIED, "503"),
    ("hook: PENDING", publishing, {"hook": True, "mode": "pending"}, UNVERIFIED, ""),
    ("alias: old build", publishing, {"mode": "stale"}, UNVERIFIED, "older build"),
    ("build: ERROR", publishing, {"mode": "error"}, REFUTED, "ERROR"),
    ("page: noindex", publishing, {"head": NOINDEX}, REFUTED, "noindex"),
    ("page: no data", publishing, {"without_data": True}, REFUTED, "structured"),
    ("page: another heading", publishing, {"h1": "Welcome"}, REFUTED, "heading"),
    ("SMTP: 250, Sent empty", sent_empty, {}, UNVERIFIED, "not in Sent"),
    ("Sent: without SMTP", sent_by_nobody, {}, UNVERIFIED, "no server"),
    ("link: nofollow", linking, {"later": f'<a rel="nofollow"{US[2:]}'}, REFUTED, ""),
    ("link: redirected", linking, {"later": OUT}, REFUTED, "No link"),
    ("link: 200, an error", linking, {"later": GONE}, REFUTED, "No link"),
    ("link: 503", linking, {"later": Response("", 503)}, UNVERIFIED, "503"),
    ("link: never there", error_for_a_link, {}, [], ""),
    ("vendor: 200, error inside", task_error, {}, [], "Payment Required"),
    ("vendor: 200, a page", vendors_page, {}, [], "could not be measured"),
    ("Search Console: a page", googles_page, {}, [], "no data"),
    ("Search Console: recants", takes_it_back, {}, REFUTED, "not 4.0"),
    ("rival: made up", made_up, {}, REFUTED, "does not say"),
    ("rival: 200, an error", page_of_errors, {}, [], "answers 200 with an error"),
]


@pytest.mark.parametrize(
    ("play", "how", "states", "why"),
    [liar[1:] for liar in LIARS],
    ids=[liar[0] for liar in LIARS],
)
def test_no_liar_is_believed(
    world: World, play: Play, how: dict[str, Any], states: list[str], why: str
) -> None:
    row = play(world, **how)
    row.refresh_from_db()
    told = report.claims_of(row.issue)
    said = [row.note, *(one.receipt.said for one in told if one.receipt)]
    assert [one.state for one in told] == states, said
    assert any(why in one for one in said), said
    row.issue.refresh_from_db()
    assert not states or row.issue.status == "in_review"


def test_what_nobody_could_see_may_be_seen_later_and_refuted_stays(
    world: World,
) -> None:
    for later, state in (((503, ""), "verified"), ((404, ""), "refuted")):
        world.server.clear()
        row = endpoint(world, later)
        world.server.clear()
        OwnSite(world.server)
        verification.verify_open(row.company_id, "content", AT)
        assert [one.state for one in report.claims_of(row.issue)] == [state]
