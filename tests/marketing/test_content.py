"""The Content Engine: search engines told of what changed, once, and what each of their
answers means."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer

from issues.models import Evidence, Issue
from marketing import conduct, verification
from marketing.jobs.base import Work
from marketing.jobs.content import ContentEngine
from marketing.models import (
    Blob,
    Effect,
    HostCircuit,
    IndexNowSubmission,
    JobRun,
    OwnPage,
    Post,
    Site,
)
from marketing.models.job import ALERT
from tests.marketing import ownsite, scene
from tests.marketing.ownsite import KEY, OwnSite

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def own(httpserver: HTTPServer) -> OwnSite:
    site = OwnSite(httpserver)
    for path in ("/", "/a", "/b", "/c"):
        site.pages[path] = ownsite.OwnPage(f"This is what {path} says.")
    return site


@pytest.fixture
def site(own: OwnSite) -> Site:
    return scene.site(
        base_url=own.url("/"),
        indexnow_key=KEY,
        endpoints={"indexnow": own.url("/indexnow")},
    )


@pytest.fixture
def run(site: Site) -> Callable[..., JobRun]:
    def once(at: datetime = AT) -> JobRun:
        site.refresh_from_db()
        row = conduct.conduct(scene.work(site, "content", clock=lambda: at))
        row.refresh_from_db()
        if row.issue is not None:
            row.issue.refresh_from_db()
        return row

    return once


def states() -> dict[str, str]:
    rows = IndexNowSubmission.objects.order_by("created_at")
    return {row.url.rpartition("/")[2]: row.state for row in rows}


def outcome(row: JobRun) -> str:
    """What was seen last of its one claim."""
    receipt = Evidence.objects.filter(issue=row.issue).order_by("created_at").last()
    assert receipt is not None
    return str(receipt.outcome)


def test_the_second_run_tells_nothing(run, own) -> None:
    first = run()
    assert own.told == [["/", "/a", "/b", "/c"]]
    assert (first.status, first.issue.status) == ("ok", "done")
    assert first.counters["pages accepted"] == 4
    assert "accepted by the IndexNow endpoint" in first.issue.description
    assert "indexed" not in first.issue.description
    second = run(AT + timedelta(hours=1))
    assert len(own.told) == 1 and second.status == "noop"


def test_one_paragraph_is_exactly_that_page(run, own) -> None:
    run()
    own.pages["/b"].text = "Now /b says something else."
    row = run(AT + timedelta(hours=1))
    assert own.told[1:] == [["/b"]]
    assert row.counters == {"pages read": 4, "pages changed": 1, "pages accepted": 1}


def test_the_same_page_changes_again_and_is_told_again(run, own) -> None:
    for number in range(3):
        own.pages["/b"].text = f"This is edition {number}."
        run(AT + timedelta(hours=number))
    assert own.told[1:] == [["/b"], ["/b"]]


def test_another_date_or_menu_alone_is_the_same_page(run, own) -> None:
    run()
    own.pages["/b"].lastmod = "2026-11-19T10:00:00Z"
    own.pages["/c"].clutter = "Black Friday"
    run(AT + timedelta(hours=1))
    assert len(own.told) == 1
    page = OwnPage.objects.get(url__endswith="/b")
    assert page.lastmod == "2026-11-19T10:00:00Z"


def test_a_live_post_is_announced_when_it_was_accepted(run, own, site) -> None:
    fields = {"company": site.company, "state": "live"}
    live = Post.objects.create(keyword="a", slug="a", url=own.url("/a"), **fields)
    not_yet = Post.objects.create(keyword="z", slug="z", url=own.url("/z"), **fields)
    own.codes = [202]
    run()
    live.refresh_from_db()
    assert live.state == "live"
    own.pages["/b"].text = "Something new."
    row = run(AT + timedelta(hours=1))
    live.refresh_from_db()
    not_yet.refresh_from_db()
    assert (live.state, not_yet.state) == ("announced", "live")
    assert row.counters["posts announced"] == 1
    assert not OwnPage.objects.get(url=live.url).by_hand
    assert OwnPage.objects.get(url=own.url("/b")).by_hand


def test_a_page_that_is_gone_is_told_once(run, own) -> None:
    run()
    own.pages["/b"].status = 410
    del own.pages["/c"]
    run(AT + timedelta(hours=1))
    run(AT + timedelta(hours=2))
    assert own.told[1:] == [["/b", "/c"]]
    # One that never was there is no news.
    own.pages["/d"] = ownsite.OwnPage("New", status=200)
    own.pages["/d"].status = 404
    run(AT + timedelta(hours=3))
    assert len(own.told) == 2


def test_what_is_not_its_own_page_is_kept_back(run, own) -> None:
    own.pages["/a"].head = '<meta name="robots" content="noindex">'
    own.pages["/b"].head = f'<link rel="canonical" href="{own.url("/c")}">'
    own.pages["/c"].to = own.url("/")
    own.pages["/"].head = '<link rel="canonical" href="http://[broken">'
    row = run()
    assert own.told == [["/"]]
    assert "3 pages are kept from search engines" in row.issue.description
    own.pages["/a"].head = ""
    run(AT + timedelta(hours=1))
    assert own.told[1:] == [["/a"]]


def test_unchanged_pages_are_asked_for_by_their_etag(run, own) -> None:
    own.pages["/a"].etag = '"v1"'
    run()
    run(AT + timedelta(hours=1))
    asked = [r for r, _ in own.server.log if r.path == "/a"]
    assert asked[1].headers["If-None-Match"] == '"v1"'
    own.pages["/a"] = ownsite.OwnPage("Another text.", etag='"v2"')
    run(AT + timedelta(hours=2))
    assert own.told[1:] == [["/a"]]


def test_what_robots_kept_back_once_is_told_later(run, own) -> None:
    own.pages["/a"].etag = '"v1"'
    own.disallow = "/a"
    run()
    assert own.told == [["/", "/b", "/c"]]
    own.disallow = "/private"
    run(AT + timedelta(hours=1))
    own.codes = [500] * 3
    own.pages["/a"] = ownsite.OwnPage("Another text.", etag='"v2"')
    run(AT + timedelta(hours=2))
    # While it waits to be told, robots.txt keeps it back for an hour.
    own.disallow = "/"
    row = run(AT + timedelta(hours=3))
    assert row.status == "partial" and "robots.txt" in row.note
    own.disallow = "/private"
    told = len(own.told)
    run(AT + timedelta(hours=4))
    assert own.told[told:] == [["/a"]]


def test_a_sitemap_of_another_host_is_named(run, site, own) -> None:
    site.base_url = own.url("/").replace("localhost", "127.0.0.1")
    site.sitemap_url = own.url("/map.xml").replace("localhost", "127.0.0.1")
    site.save()
    own.part = site.sitemap_url.replace("map.xml", "pages.xml.gz")
    row = run()
    assert row.status == "partial" and "localhost" in row.note
    # The other host is ours, and still none that the key is good for.
    site.hosts = ["localhost"]
    site.save()
    row = run(AT + timedelta(hours=1))
    assert "4 pages are on localhost" in row.issue.description
    assert own.told == [] and OwnPage.objects.count() == 4


# --- what the answers mean ------------------------------------------------------------


def test_202_is_nothing_to_report_until_the_key_is_validated(run, own) -> None:
    own.codes = [202]
    first = run()
    assert set(states().values()) == {"accepted_key_pending"}
    assert first.issue.status == "in_review" and outcome(first) == "unable"
    assert "pages accepted" not in first.counters
    run(AT + timedelta(hours=1))
    assert len(own.told) == 1  # not sent again
    own.pages["/a"].text = "Something new."
    run(AT + timedelta(hours=2))
    assert own.told[1:] == [["/a"]] and set(states().values()) == {"accepted"}
    run(AT + timedelta(hours=3))
    first.issue.refresh_from_db()
    assert (outcome(first), first.issue.status) == ("passed", "done")


def test_400_is_our_fault_and_never_sent_again(run, own) -> None:
    own.codes = [400]
    row = run()
    assert (row.status, outcome(row)) == ("partial", "failed")
    assert set(states().values()) == {"rejected"}
    payload = IndexNowSubmission.objects.first().payload_sha256
    kept = json.loads(Blob.objects.get(sha256=payload).body)
    assert len(kept["urlList"]) == 4
    run(AT + timedelta(hours=1))
    assert len(own.told) == 1


def test_403_stops_the_host_and_is_an_alert(run, own) -> None:
    own.codes = [403]
    row = run()
    assert row.status == "blocked" and f"{KEY}.txt" in row.note
    assert Issue.objects.get(origin_kind=ALERT).status == "todo"
    assert set(states().values()) == {"pending"}
    run(AT + timedelta(minutes=30))
    assert len(own.told) == 1
    # The next tick looks for the key again, and then sends them.
    run(AT + timedelta(hours=1))
    assert len(own.told) == 2 and set(states().values()) == {"accepted"}
    assert Issue.objects.get(origin_kind=ALERT).status == "done"


def test_422_is_halved_until_what_offends_is_alone(run, own) -> None:
    own.refuses = {"/b"}
    row = run()
    assert own.told == [
        ["/", "/a", "/b", "/c"], ["/", "/a"], ["/b", "/c"], ["/b"], ["/c"],
    ]  # fmt: skip
    found = states()
    assert found.pop("b") == "quarantined" and set(found.values()) == {"accepted"}
    assert "it is not sent again" in row.issue.description
    assert (outcome(row), row.counters["pages accepted"]) == ("passed", 3)
    own.refuses = set()
    run(AT + timedelta(hours=1))
    assert len(own.told) == 5


def test_422_for_everything_is_the_key_and_quarantines_nothing(run, own) -> None:
    own.refuses = set(own.pages)
    row = run()
    assert row.status == "blocked" and "do not match" in row.note
    assert set(states().values()) == {"pending"}
    own.refuses = set()
    run(AT + timedelta(hours=1))
    assert set(states().values()) == {"accepted"}


@pytest.mark.parametrize(
    ("said", "minutes"), [("600", 10), ("Fri, 20 Nov 2026 09:30:00 GMT", 30), ("", 60)]
)
def test_429_closes_the_host_for_as_long_as_it_asks(run, own, said, minutes) -> None:
    own.codes, own.retry_after = [429], said
    row = run()
    assert row.status == "partial"
    circuit = HostCircuit.objects.get(host="localhost", job="content")
    assert circuit.until == AT + timedelta(minutes=minutes)
    run(circuit.until - timedelta(seconds=1))
    assert len(own.told) == 1
    run(circuit.until + timedelta(seconds=1))
    assert len(own.told) == 2 and set(states().values()) == {"accepted"}
    circuit.refresh_from_db()
    assert (circuit.until, circuit.failures) == (None, 0)


def test_429_again_and_again_doubles_up_to_a_day(run, own) -> None:
    own.codes, at, rests = [429] * 7, AT, []
    for _ in range(7):
        run(at)
        until = HostCircuit.objects.get().until
        rests.append((until - at) / timedelta(hours=1))
        at = until + timedelta(seconds=1)
    assert rests == [1, 2, 4, 8, 16, 24, 24]


def test_a_server_in_trouble_is_asked_three_times(run, own) -> None:
    own.codes = [500, 503]
    assert run().status == "ok" and len(own.told) == 3
    own.pages["/a"].text = "Something new."
    own.codes = [500] * 3
    row = run(AT + timedelta(hours=1))
    assert (row.status, len(own.told)) == ("partial", 6)
    assert IndexNowSubmission.objects.filter(state="pending", code=500).count() == 1
    run(AT + timedelta(hours=2))
    assert own.told[6:] == [["/a"]]


def test_an_endpoint_that_is_away_loses_nothing(run, own, site) -> None:
    site.endpoints = {"indexnow": "http://127.0.0.1:1/indexnow"}
    site.save()
    row = run()
    assert row.status == "partial" and "does not answer" in row.note
    site.endpoints = {"indexnow": own.url("/indexnow")}
    site.save()
    run(AT + timedelta(hours=1))
    assert own.told == [["/", "/a", "/b", "/c"]]


# --- the key ------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [(404, "no"), (200, "another-key"), (503, "")])
def test_nothing_is_told_without_the_key_file(run, own, answer) -> None:
    own.key_file = [answer]
    row = run()
    assert (row.status, own.told) == ("blocked", [])
    assert f"{KEY}.txt" in row.note


def test_a_missing_key_is_named(run, site, own) -> None:
    site.indexnow_key = ""
    site.save()
    row = run()
    assert row.status == "blocked" and "“IndexNow key”" in row.note


def test_a_key_in_a_directory_is_good_for_what_is_under_it(run, site, own) -> None:
    own.server.expect_request("/sub/key.txt").respond_with_data(KEY)
    site.indexnow_key_url = own.url("/sub/key.txt")
    site.save()
    row = run()
    assert (row.status, own.told) == ("partial", [])
    assert "4 pages are not under" in row.note


def test_an_answer_that_was_changed_is_refuted(site, own) -> None:
    work = scene.work(site, "content", clock=lambda: AT)
    ContentEngine().run(work)
    (claim,) = work.job_run.issue.criteria.all()
    claim.settings = {**claim.settings, "pages": 400}
    claim.save()
    verification.look_at(work.job_run.issue)
    assert outcome(work.job_run) == "failed"


# --- what else may go wrong ---------------------------------------------------------


def test_without_a_sitemap_no_page_is_told(run, own) -> None:
    own.sitemap_status = 500
    row = run()
    assert (row.status, own.told, own.reads) == ("partial", [], [])
    assert "sitemap" in row.note


def test_a_part_of_the_sitemap_that_is_away_makes_no_page_gone(run, own) -> None:
    run()
    own.server.expect_oneshot_request("/pages.xml.gz").respond_with_data("", 500)
    own.pages["/c"].status = 404
    row = run(AT + timedelta(hours=1))
    assert row.status == "partial" and len(own.told) == 1


def test_a_page_in_trouble_is_not_gone(run, own) -> None:
    run()
    own.pages["/a"].status = 503
    row = run(AT + timedelta(hours=1))
    assert row.status == "partial" and len(own.told) == 1
    assert OwnPage.objects.get(url__endswith="/a").was_live


def test_a_dry_run_touches_nothing(site, own) -> None:
    row = JobRun.objects.start(site.company, "content", by=scene.SYSTEM, dry=True)
    conduct.conduct(Work(row, site))
    row.refresh_from_db()
    assert "4 pages would be told" in " ".join(row.lines)
    assert own.told == [] and not OwnPage.objects.exists()
    assert not IndexNowSubmission.objects.exists() and not Effect.objects.exists()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("step", range(1, 11))
def test_a_run_that_is_killed_anywhere_ends_the_same(site, own, step) -> None:
    """Killed before its nth step, and begun again."""
    work, steps = scene.work(site, "content", clock=lambda: AT), []
    go_on = work.is_live

    def live() -> bool:
        steps.append(1)
        if len(steps) == step:
            raise Killed
        return go_on()

    work.is_live = live
    try:
        conduct.conduct(work)
    except Killed:
        work.job_run.refresh_from_db()
        work.is_live = go_on
        conduct.conduct(work)
    assert own.told == [["/", "/a", "/b", "/c"]]
    work.job_run.issue.refresh_from_db()
    assert work.job_run.issue.status == "done"
    assert work.job_run.issue.criteria.count() == 1


def test_one_that_was_killed_after_its_request_does_not_repeat_it(site, own) -> None:
    work = scene.work(site, "content", clock=lambda: AT)
    ContentEngine().run(work)
    # As if it had been killed between the answer and the rows.
    IndexNowSubmission.objects.update(state="pending", code=None, job_run=None)
    work.job_run.issue.criteria.all().delete()
    conduct.conduct(work)
    assert len(own.told) == 1 and set(states().values()) == {"accepted"}
    assert work.job_run.issue.criteria.count() == 1
