"""Competitor Spy end to end: six broken sites, a real Chromium, and what becomes of
it."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import psutil
import pytest
from django.utils.timezone import now
from werkzeug import Response

from issues.models import Evidence, Issue
from marketing import conduct, verification
from marketing.crawl import browser, fetching, reading
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
from marketing.web.client import Unreachable, Web
from paperclip import browsers
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, NotAllowed
from tests import make
from tests.long import long
from tests.marketing import rivals, scene
from tests.marketing.rivals import Rival, article, html, simple

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


def test_six_broken_sites_are_read_as_they_have_to_be(sites, chromium) -> None:
    ours = watching(sites)
    row = run(ours)
    wrong = []
    for rival in Competitor.objects.order_by("name"):
        pages = [(one.url, one.fields) for one in rival.pages_now()]
        told = sites[rival.name.lower()].compared(rival.status, pages)
        wrong += [(rival.name, *one) for one in told if one[1] != one[2]]
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
    # Seen from the other end of a busy machine, one may look shorter than it was.
    assert median(pauses) > 0.28


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


def test_the_browser_reaches_nothing_by_itself(chromium, httpserver) -> None:
    """Not even what route interception does not see: sockets and early connections."""
    taken: list[Any] = []
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                taken.append(listener.accept())
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    there = f"127.0.0.1:{port}"
    page = f"""<link rel=preconnect href=http://{there}><link rel=dns-prefetch
    href=http://localhost:{port}><script>new WebSocket('ws://{there}');
    fetch('http://{there}/a').catch(() => 0); navigator.sendBeacon('http://{there}/b');
    new RTCPeerConnection({{iceServers: [{{urls: 'stun:{there}'}}]}})
      .createDataChannel('x'); window.open('http://{there}/c');
    setTimeout(() => location = 'http://{there}/d', 50);</script><h1>Here</h1>"""
    httpserver.expect_request("/").respond_with_data(page, content_type="text/html")
    asked: list[str] = []

    def fetch(url: str) -> Any:
        asked.append(url)
        raise Unreachable("no")

    with Web("https://us.example", local=True, delay=0) as web:
        sent = web.get(httpserver.url_for("/"))
    with browser.Chromium("PaperclipBot/1.0", chromium) as running:
        assert "<h1>Here</h1>" in running.render(sent, fetch).html
        environment = [set(one.environ()) for one in running.processes()[:1]]
    listener.close()
    assert taken == [] and asked == [f"http://{there}/a"]
    assert not {name for one in environment for name in one if "PAPERCLIP" in name}


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


def test_pages_that_are_huge_drip_or_lead_in_circles_cost_only_themselves(
    sites, monkeypatch
) -> None:
    static(monkeypatch)
    monkeypatch.setattr(fetching, "MOST_SECONDS", 1.0)
    ours = watching(sites, "boreal")
    Competitor.objects.update(pages=["/huge", "/drip", "/loop", "/blog/", "/gone"])
    run(ours)
    said = {
        one.url.rpartition("/")[2]: one.said
        for one in PageSnapshot.objects.exclude(status="ok")
    }
    assert "larger than" in said["huge"] and "timed out" in said["drip"]
    assert "on and on" in said["loop"] and "404" in said["gone"]
    assert page_of("boreal", "/blog/").fields["h1"]["value"] == "Blog"


def test_a_site_has_its_budget_and_no_more(sites, monkeypatch) -> None:
    static(monkeypatch)
    monkeypatch.setattr(reading, "PAGES", 2)
    run(watching(sites, "cirrus"))
    assert PageSnapshot.objects.filter(status="ok").count() == 2
    monkeypatch.setattr(fetching, "BYTES", 400)
    row = run(Site.objects.get())
    assert row.status == "failed" and "larger than 400 bytes" in row.note
    monkeypatch.undo()
    static(monkeypatch)
    monkeypatch.setattr(fetching, "SECONDS", 0.0)
    row = run(Site.objects.get())
    assert row.status == "failed" and "90 seconds" in row.note


@pytest.mark.parametrize("status", [long(401), 403, long(429), 503])
def test_a_wall_keeps_what_was_read_before(sites, monkeypatch, status: int) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus dunaj")
    run(ours)
    read_at = Competitor.objects.get(name="Cirrus").read_at
    wall = html("No.", status, headers={"Retry-After": "3600"})
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


def test_a_second_run_changes_nothing(sites, monkeypatch) -> None:
    static(monkeypatch)
    ours = watching(sites, "altair boreal cirrus dunaj")

    def state() -> list[Any]:
        return [
            [*PageSnapshot.objects.order_by("url").values_list("pk", "url")],
            [*Blob.objects.order_by("sha256").values_list("sha256", flat=True)],
            [*ObservedTerm.objects.order_by("pk").values_list("pk", "place")],
            [
                *KeywordGap.objects.order_by("stem_key").values_list(
                    "pk", "score", "titles", "issue", "first_seen_at"
                )
            ],
            Issue.objects.filter(origin_kind="keyword_gap").count(),
        ]

    at = now()
    run(ours, clock=lambda: at)
    first = state()
    assert all(first[:4])
    run(ours, clock=lambda: at + timedelta(hours=3))
    again = state()
    assert [n for n, part in enumerate(again) if part != first[n]] == []


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


def test_bytes_that_were_changed_or_are_gone_prove_nothing(sites, monkeypatch) -> None:
    static(monkeypatch)
    monkeypatch.setattr(verification, "verify_run", lambda work: None)
    row = run(watching(sites, "cirrus"))
    monkeypatch.undo()
    blob = PageSnapshot.objects.filter(status="ok").first().blob
    packed = bytes(blob.packed)
    Blob.objects.filter(pk=blob.pk).update(sha256="0" * 64)
    assert outcome(row) == "unable"
    Blob.objects.filter(pk=blob.pk).update(sha256=blob.sha256, packed=packed[:40])
    assert outcome(row) == "failed"


def outcome(row: JobRun) -> str:
    verification.look_at(row.issue)
    looks = Evidence.objects.filter(issue=row.issue).order_by("-began_at")
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


def test_high_gaps_for_the_site_become_issues_of_dev(sites, monkeypatch) -> None:
    static(monkeypatch)
    ours = watching(sites, "cirrus dunaj")
    titles = ["agency", "company", "services", "consulting", "pricing"]
    for name in ("cirrus", "dunaj"):
        heads = "".join(f"<h2>AI agents for retail {one}</h2>" for one in titles)
        sites[name].pages["/"] = html(f"<title>Welcome</title>{heads}")
    run(ours)
    assert not Issue.objects.filter(origin_kind="keyword_gap").exists()
    dev = make.agent(ours.company, name="Dev", role="engineer")
    row = run(ours)
    found = list(Issue.objects.filter(origin_kind="keyword_gap"))
    whole = Issue.objects.get(origin_kind="keyword_gaps")
    assert whole.assignee_agent is None and whole.goal_id == row.issue.goal_id
    assert len(found) == 3 and row.counters["gaps handed over"] == 3
    for one in found:
        assert (one.assignee_agent, one.status) == (dev, "todo")
        assert (one.parent, one.goal) == (whole, whole.goal)
        assert one.created_by_agent_id == ours.agent_id
    run(ours)
    run(ours)
    issues = Issue.objects.filter(origin_kind="keyword_gap")
    gaps = [gap.issue_id for gap in KeywordGap.objects.exclude(issue=None)]
    assert issues.count() == len(set(gaps)) <= 6


def test_the_job_is_in_the_table() -> None:
    assert JOBS["spy"] == "marketing.jobs.spy.CompetitorSpy"
