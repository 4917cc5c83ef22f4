"""Competitor Spy end to end: six broken sites, a real Chromium, and what becomes of
it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psutil
import pytest
from django.utils.timezone import now
from werkzeug import Response

from issues.models import Evidence
from marketing import conduct, verification
from marketing.crawl import browser
from marketing.jobs import JOBS, spy
from marketing.jobs.base import Work
from marketing.models import (
    Blob,
    Competitor,
    HostCircuit,
    JobRun,
    KeywordGap,
    ObservedTerm,
    PageSnapshot,
    Site,
)
from marketing.web.client import Web
from paperclip import browsers
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, NotAllowed
from tests import make
from tests.marketing import rivals, scene
from tests.marketing.rivals import Rival, article, html

pytestmark = pytest.mark.django_db
Sites = dict[str, Rival]


@pytest.fixture(scope="module")
def chromium() -> str:
    found = browsers.find()
    assert found, "these tests need Chromium"
    return found


@pytest.fixture
def sites() -> Iterator[Sites]:
    with rivals.running() as found:
        yield found


def watching(sites: Sites, names: str = "", **fields: Any) -> Site:
    """Our site, with these competitors."""
    topics = ["AI agents for retail", "inventory forecasting"]
    ours = scene.site(topics=topics, brands=["Digiton"], **fields)
    for name in (names or "altair boreal cirrus dunaj eclipse fjord").split():
        Competitor.objects.add(
            ours.company, name.capitalize(), sites[name].url, by=SYSTEM
        )
    return ours


def run(site: Site, **fields: Any) -> JobRun:
    row = conduct.conduct(scene.work(site, "spy", **fields))
    row.refresh_from_db()
    return row


def static(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a browser: much quicker."""
    monkeypatch.setattr(browsers, "find", lambda: "")


def page_of(name: str, path: str = "/") -> PageSnapshot:
    rival = Competitor.objects.get(name=name.capitalize())
    return next(one for one in rival.pages_now() if one.url.endswith(path))


def simple(fields: dict[str, Any], name: str) -> list[Any]:
    told = fields[name]
    value = told["value"]
    if name == "tech" and value:
        value = [one["name"] for one in value]
    if name == "posts" and value:
        value = [[one["title"], one["url"]] for one in value]
    return [value, told["step"]]


def golden_of(rival: Rival, row: Competitor) -> list[tuple[str, Any, Any]]:
    """Each field with what it has to be, and what it is."""
    told = rival.golden()
    found: list[tuple[str, Any, Any]] = [("status", told["status"], row.status)]
    if told["status"] != "ok":
        return found
    pages = row.pages_now()
    home = next(one for one in pages if one.url == rival.url)
    for name, wanted in told["home"].items():
        found.append((name, wanted, simple(home.fields, name)))
    posts = [simple(p.fields, "posts") for p in pages if p.fields.get("posts")]
    best = told["posts"] if told["posts"] in posts else posts
    found.append(("posts", told["posts"], best))
    return found


def test_six_broken_sites_are_read_as_they_have_to_be(sites, chromium) -> None:
    ours = watching(sites)
    row = run(ours)
    wrong = [
        (rival.name, *one)
        for rival in Competitor.objects.order_by("name")
        for one in golden_of(sites[rival.name.lower()], rival)
        if one[1] != one[2]
    ]
    assert wrong == []
    assert row.status == "partial" and "Eclipse: blocked" in row.note
    assert "Fjord: skipped" in row.note
    assert "4 of 6 sites were read." in row.lines
    row.issue.refresh_from_db()
    assert row.issue.status == "done", row.issue.description
    looked = Evidence.objects.filter(issue=row.issue)
    assert [one.outcome for one in looked] == ["passed"] * 4
    politely(sites)


def politely(sites: Sites) -> None:
    """What the sites have seen of it."""
    for rival in sites.values():
        for hit in rival.hits:
            assert hit.agent == "PaperclipBot/1.0 (+http://127.0.0.1:1/)"
    assert sites["tracker"].hits == []
    assert sites["fjord"].paths == ["/robots.txt"]
    assert "/blog/inventory-forecasting" not in sites["altair"].paths
    assert "/logo.png" not in sites["altair"].paths
    assert "/worker.js" not in sites["altair"].paths
    assert sites["eclipse"].paths[:2] == ["/robots.txt", "/"]
    times = [hit.at for hit in sites["boreal"].hits if hit.path != "/robots.txt"]
    pauses = [b - a for a, b in pairwise(times)]
    assert pauses and min(pauses) > 0.28


def test_what_is_not_there_is_null_and_says_why(sites, monkeypatch) -> None:
    static(monkeypatch)
    run(watching(sites, "dunaj"))
    told = page_of("dunaj").fields["keywords"]
    assert told["value"] is None
    assert told["reason"] == "The page has none of: meta, json-ld, article:tag."


def test_without_a_browser_it_reads_what_is_sent_and_says_so(
    sites, monkeypatch
) -> None:
    static(monkeypatch)
    row = run(watching(sites, "altair boreal"))
    assert row.status == "partial"
    assert "without a browser: There is no browser on this machine." in row.note
    assert any("of them without a browser" in line for line in row.lines)
    home = page_of("altair")
    assert (home.how, home.fields["title"]["value"]) == ("static", "Loading")
    assert sites["tracker"].hits == []


def test_a_browser_that_is_killed_is_done_without_for_that_page(
    sites, chromium
) -> None:
    page = (
        "<title>Crash</title><h1>Read all the same</h1><script src=/slow.js></script>"
    )
    killed: list[int] = []

    def slow(request: Any) -> Response:
        if not killed:
            killed.extend(kill_browser())
        return Response("", mimetype="text/javascript")

    sites["altair"].pages.clear()
    sites["altair"].pages |= {"/": html(page), "/slow.js": slow, "/x": article("Next")}
    ours = watching(sites, "altair")
    Competitor.objects.update(pages=["/x"])
    row = run(ours)
    home, other = page_of("altair"), page_of("altair", "/x")
    assert killed and (home.how, other.how) == ("static", "browser")
    assert home.said.startswith("Read without a browser: The browser broke off")
    assert home.fields["h1"]["value"] == "Read all the same"
    assert row.status == "partial" and "The browser crashed" in row.note


def kill_browser() -> list[int]:
    found = [
        one
        for one in psutil.Process().children(recursive=True)
        if any(arg.startswith("--paperclip-crawl=") for arg in one.cmdline())
    ]
    for one in found:
        one.send_signal(signal.SIGKILL)
    return [one.pid for one in found]


def test_a_page_that_never_comes_to_rest_is_ended(chromium, monkeypatch, httpserver):
    monkeypatch.setattr(browser, "SECONDS", 1.5)
    monkeypatch.setattr(browser, "GRACE", 1.5)
    page = "<h1>Here</h1><script>onload = () => { for (;;); }</script>"
    httpserver.expect_request("/").respond_with_data(page, content_type="text/html")
    with Web("https://us.example", local=True, delay=0) as web:
        sent = web.get(httpserver.url_for("/"))
    with browser.Chromium("PaperclipBot/1.0", chromium) as running:
        for _time in range(browser.MOST_CRASHES):
            with pytest.raises(browser.Broken, match="held the browser up"):
                running.render(sent, lambda url: sent)
        assert not running.works and running.processes() == []


@pytest.mark.parametrize("status", [401, 403, 429, 503])
def test_a_wall_keeps_what_was_read_before(sites, monkeypatch, status: int) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus dunaj")
    run(ours)
    read_at = Competitor.objects.get(name="Cirrus").read_at
    wall = html("No.", status, **{"Retry-After": "3600"})
    sites["cirrus"].pages["/"] = wall
    row = run(ours)
    cirrus = Competitor.objects.get(name="Cirrus")
    assert (cirrus.status, cirrus.read_at) == ("blocked", read_at)
    assert cirrus.said == f"It answers {status}."
    assert page_of("cirrus").fields["title"]["value"].startswith("Cirrus")
    assert row.status == "partial" and "1 of 2 sites were read." in row.lines
    # It is left alone for as long as it asked.
    hits = len(sites["cirrus"].hits)
    row = run(ours)
    assert len(sites["cirrus"].hits) == hits and "left alone until" in row.note
    HostCircuit.objects.update(until=now() - timedelta(seconds=1))
    sites["cirrus"].pages["/"] = article("Back")
    run(ours)
    assert Competitor.objects.get(name="Cirrus").status == "ok"


def test_of_no_site_read_it_is_a_failure(sites, monkeypatch) -> None:
    static(monkeypatch)
    row = run(watching(sites, "eclipse fjord"))
    assert row.status == "failed" and "0 of 2 sites" in row.note
    row = run(scene.site())
    assert row.status == "blocked" and "“Competitors” is empty" in row.note


def test_what_changed_and_what_drifted_is_told(sites, monkeypatch) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus")
    run(ours)
    sites["cirrus"].pages["/"] = html(
        "<meta property='og:title' content='Another title'><h2>Demand planning</h2>"
        "<a href='/journal/agents'>x</a>" + "<p>Words and words.</p>" * 60
    )
    row = run(ours)
    home = page_of("cirrus")
    changes = {one["field"]: (one["was"], one["now"]) for one in home.changes()}
    assert changes["title"] == ("Cirrus: Inventory forecasting", "Another title")
    assert changes["keywords"][1] is None
    assert "title: og:title, before title" in home.drift()
    assert "posts: gone, before article headings" in home.drift()
    drift = "Selector drift at Cirrus, /: title: og:title, before title."
    assert drift in row.lines and row.counters["pages changed"] == 1


def test_the_operators_selector_comes_first(sites, monkeypatch) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus")
    cirrus = Competitor.objects.get()
    cirrus.change(by=SYSTEM, selectors={"title": "article h3", "h1": "][", "h2": "b"})
    row = run(ours)
    told = page_of("cirrus").fields
    assert simple(told, "title") == ["AI agents for retail, tried", "selector"]
    # One that is none, or finds nothing, leaves the chain as it is.
    assert simple(told, "h1") == ["Cirrus", "any h1"]
    assert simple(told, "h2") == [["Inventory forecasting pays"], "h2"]
    row.issue.refresh_from_db()
    assert row.issue.status == "done"


def test_a_lie_about_a_page_is_refuted(sites, monkeypatch) -> None:
    static(monkeypatch)
    honest = spy.claim

    def lies(work: Work, rival: Competitor, pages: list[PageSnapshot]) -> None:
        pages[0].fields["title"]["value"] = "What it does not say"
        honest(work, rival, pages)

    monkeypatch.setattr(spy, "claim", lies)
    row = run(watching(sites, "cirrus"))
    row.issue.refresh_from_db()
    assert row.issue.status == "in_review"
    (receipt,) = Evidence.objects.filter(issue=row.issue)
    assert receipt.outcome == "failed" and "does not say" in receipt.said


def outcome(row: JobRun) -> str:
    verification.look_at(row.issue)
    looks = Evidence.objects.filter(issue=row.issue).order_by("-checked_at")
    return str(looks.first().outcome)


def test_a_run_that_was_killed_goes_on_where_it_was(sites, monkeypatch) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus dunaj")
    work = scene.work(ours, "spy")
    real = spy.one_site

    def dies(work: Work, rival: Competitor, chromium: Any) -> Any:
        if rival.name == "Dunaj":
            raise KeyboardInterrupt
        return real(work, rival, chromium)

    monkeypatch.setattr(spy, "one_site", dies)
    with pytest.raises(KeyboardInterrupt):
        conduct.conduct(work)
    monkeypatch.setattr(spy, "one_site", real)
    hits = len(sites["cirrus"].hits)
    row = conduct.conduct(work)
    assert len(sites["cirrus"].hits) == hits
    assert "2 of 2 sites were read." in row.lines


def test_a_dry_run_looks_and_keeps_nothing(sites, monkeypatch) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus dunaj")
    row = JobRun.objects.start(ours.company, "spy", by=SYSTEM, dry=True)
    row = conduct.conduct(Work(job_run=row, site=ours))
    assert row.counters["gaps"] > 0 and "2 of 2 sites were read." in row.lines
    for model in (PageSnapshot, Blob, ObservedTerm, KeywordGap):
        assert not model.objects.exists()
    assert {one.status for one in Competitor.objects.all()} == {""}


def test_only_people_with_the_right_add_a_domain_to_go_to() -> None:
    company = scene.site().company
    viewer = Actor.of_user(make.operator(company, "viewer"))
    cmo = Actor.of_agent(make.agent(company))
    for nobody in (viewer, cmo):
        with pytest.raises(NotAllowed):
            Competitor.objects.add(company, "X", "https://x.example", by=nobody)
    admin = Actor.of_user(make.operator(company))
    for bad in ("x.example", "ftp://x.example", "http://u:p@x.example", "http://[", ""):
        with pytest.raises(Invalid, match="is no address"):
            Competitor.objects.add(company, "X", bad, by=admin)
    row = Competitor.objects.add(company, "X", "HTTPS://X.example", by=admin)
    assert row.base_url == "https://x.example/"
    again = Competitor.objects.add(company, "Y", "https://x.example/", by=admin)
    assert again.pk == row.pk
    with pytest.raises(Invalid, match="selector is for one of"):
        row.change(by=admin, selectors={"price": "b"})
    with pytest.raises(Invalid, match="no status to change"):
        row.change(by=admin, status="ok")
    row.change(by=admin, is_on=False)
    assert not Competitor.objects.get().is_on


def test_a_private_address_is_not_read_by_a_real_company(sites, monkeypatch) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus", company=make.company())
    row = run(ours)
    assert row.status == "failed" and sites["cirrus"].hits == []


def test_the_job_is_in_the_table() -> None:
    assert JOBS["spy"] == "marketing.jobs.spy.CompetitorSpy"
