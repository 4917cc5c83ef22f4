"""The Rank Monitor: what was measured, and what was not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from agents.models import Secret
from marketing import conduct, keys, verification
from marketing.jobs.base import Work
from marketing.jobs.ranks import RankMonitor
from marketing.models import (
    Blob,
    JobRun,
    Keyword,
    ProviderSpend,
    RankAlert,
    RankReading,
    Site,
)
from marketing.ranking import gsc
from marketing.words import stem_key
from paperclip.actors import SYSTEM
from tests.marketing import scene, searchers

pytestmark = pytest.mark.django_db
# 03:00 in Lisbon, the evening before in California.
AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
OURS = "https://www.us.example/agents"


def keyword(site: Site, text: str, **fields: Any) -> Keyword:
    return Keyword.objects.create(
        company=site.company, text=text, stem_key=stem_key(text), **fields
    )


def with_secret(site: Site, path: str, value: str) -> None:
    kept = Secret.objects.keep(site.company, by=SYSTEM, name=path, value=value)
    keys.bind(site, path, kept, by=SYSTEM)


@pytest.fixture
def site(httpserver: HTTPServer) -> Site:
    base = httpserver.url_for("").rstrip("/")
    return scene.site(
        base_url="https://us.example/",
        endpoints={
            "gsc": f"{base}/gsc",
            "google_token": f"{base}/token",
            "bing": f"{base}/bing",
            "serper": f"{base}/serper",
            "dataforseo": f"{base}/dfs",
        },
    )


@pytest.fixture
def google(site: Site, httpserver: HTTPServer) -> Any:
    """Search Console is set up; its rows, and what it was asked."""
    site.gsc_property = "sc-domain:us.example"
    site.save()
    with_secret(site, "gsc_credentials", searchers.CREDENTIALS)
    rows: list[Any] = []
    asked = searchers.search_console(httpserver, lambda: rows)
    return type("Google", (), {"rows": rows, "asked": asked})


def run(site: Site, at: datetime = AT) -> JobRun:
    site.refresh_from_db()
    work = scene.work(site, "ranks", clock=lambda: at)
    JobRun.objects.filter(pk=work.job_run.pk).update(tick_at=at)
    work.job_run.refresh_from_db()
    row = conduct.conduct(work)
    row.refresh_from_db()
    return row


def worked(site: Site) -> Work:
    """What the job has done, before anybody has looked at it."""
    work = scene.work(site, "ranks", clock=lambda: AT)
    site.refresh_from_db()
    RankMonitor().run(work)
    return work


def readings(**only: Any) -> list[RankReading]:
    return list(RankReading.objects.filter(**only).order_by("day"))


def test_without_anybody_to_ask_it_is_blocked_and_names_the_settings(site) -> None:
    keyword(site, "ai agents")
    row = run(site)
    assert row.status == "blocked"
    for name in ("Search Console property", "credentials", "Bing site"):
        assert name in row.note


def test_a_dry_run_asks_nobody_and_keeps_nothing(site, google) -> None:
    keyword(site, "ai agents")
    keyword(site, "for bing alone", engines=["bing"])
    row = JobRun.objects.start(site.company, "ranks", by=SYSTEM, dry=True)
    row = conduct.conduct(Work(row, Site.objects.of(site.company_id)))
    assert row.status == "ok"
    assert "Search Console would be asked for 1 keywords." in row.lines
    assert not google.asked and not RankReading.objects.exists()


def test_positions_are_of_their_days_and_a_missing_one_is_no_data(site, google) -> None:
    keyword(site, "ai agents")
    google.rows += [
        searchers.row("2026-11-15", "AI agents", OURS, 4.0, 30),
        searchers.row("2026-11-15", "ai agents", f"{OURS}/b", 10.0, 10),
        searchers.row("2026-11-15", "ai agents", OURS, 50.0, 90, device="MOBILE"),
        searchers.row("2026-11-15", "ai agents", OURS, 60.0, 90, country="usa"),
        searchers.row("2026-11-18", "ai agents", OURS, 3.0, 5),
    ]
    row = run(site)
    assert (row.status, row.note) == ("ok", "")
    by_day = {str(one.day): one for one in readings()}
    # Today in California is the 19th, so the last day there is of the 18th.
    assert sorted(by_day)[-1] == "2026-11-18" and len(by_day) == 10
    ranked = by_day["2026-11-15"]
    assert (ranked.status, ranked.position, ranked.impressions) == ("ranked", 5.5, 40)
    assert (ranked.url, ranked.also, ranked.is_final) == (OURS, [f"{OURS}/b"], True)
    empty = by_day["2026-11-16"]
    assert (empty.status, empty.position) == ("no_data", None)
    assert by_day["2026-11-18"].is_final is False
    row.issue.refresh_from_db()
    assert row.issue.status == "done" and "| verified |" in row.issue.description


def test_a_day_that_is_not_final_is_read_again_and_keeps_what_it_was(
    site, google
) -> None:
    keyword(site, "ai agents")
    google.rows.append(searchers.row("2026-11-18", "ai agents", OURS, 3.0, 5))
    run(site)
    google.rows[:] = [searchers.row("2026-11-18", "ai agents", OURS, 4.0, 9)]
    run(site, AT + timedelta(hours=6))
    # The last request is the verifier's.
    assert google.asked[-2]["startDate"] == "2026-11-17"
    (row,) = readings(day="2026-11-18")
    assert (row.position, row.revisions[0]["position"]) == (4.0, 3.0)
    run(site, AT + timedelta(hours=12))
    assert len(readings(day="2026-11-18")) == 1


def test_all_pages_of_an_answer_are_read(site, google, monkeypatch) -> None:
    monkeypatch.setattr(gsc, "ROWS", 2)
    for number in range(5):
        keyword(site, f"word {number}")
        google.rows.append(
            searchers.row("2026-11-15", f"word {number}", OURS, number + 1, 5)
        )
    run(site)
    assert [one["startRow"] for one in google.asked[:3]] == [0, 2, 4]
    assert len(readings(status="ranked")) == 5


def test_a_spent_quota_is_waited_for_a_quarter_of_an_hour(site, httpserver) -> None:
    keyword(site, "ai agents")
    site.gsc_property = "sc-domain:us.example"
    site.save()
    with_secret(site, "gsc_credentials", searchers.CREDENTIALS)
    httpserver.expect_request("/token").respond_with_json({"access_token": "t0k3n"})
    said = {"error": {"message": "Quota", "errors": [{"reason": "quotaExceeded"}]}}
    httpserver.expect_request(
        "/gsc/webmasters/v3/sites/sc-domain:us.example/searchAnalytics/query"
    ).respond_with_json(said, status=403)
    assert run(site).status == "partial"
    asked = len(httpserver.log)
    row = run(site, AT + timedelta(minutes=10))
    assert "left alone" in row.note and len(httpserver.log) == asked
    run(site, AT + timedelta(minutes=16))
    assert len(httpserver.log) > asked


def test_credentials_that_are_none_block_and_never_show(site) -> None:
    keyword(site, "ai agents")
    site.gsc_property = "sc-domain:us.example"
    site.save()
    with_secret(site, "gsc_credentials", '{"private_key": "not-a-key-at-all"}')
    row = run(site)
    assert "service account" in row.note and "not-a-key" not in row.note


def test_bing_is_weighted_by_impressions_and_has_its_own_series(
    site, httpserver
) -> None:
    keyword(site, "ai agents")
    site.bing_site = "https://us.example"
    site.save()
    with_secret(site, "bing_key", "b1ng-k3y-0000")
    day = int(datetime(2026, 11, 14, 7, tzinfo=UTC).timestamp() * 1000)
    told = [
        {"Query": "AI Agents", "Impressions": 30, "Clicks": 2, "Date": "",
         "AvgImpressionPosition": 4},
        {"Query": "ai agents", "Impressions": 10, "Clicks": 0,
         "AvgImpressionPosition": 8},
    ]  # fmt: skip
    for one in told:
        one["Date"] = f"/Date({day}-0700)/"
    httpserver.expect_request("/bing/GetQueryStats").respond_with_json({"d": told})
    row = run(site)
    (found,) = readings()
    assert (found.position, found.metric) == (5.0, "bing_avg_position")
    assert str(found.day) == "2026-11-14"
    assert "b1ng-k3y-0000" not in Blob.objects.get().body.decode()
    assert "Search Console was not asked" in row.issue.description


def test_a_key_in_an_address_is_not_told_when_bing_is_away(site) -> None:
    keyword(site, "ai agents")
    site.bing_site, site.endpoints = (
        "https://us.example",
        {"bing": "http://127.0.0.1:1/bing"},
    )
    site.save()
    with_secret(site, "bing_key", "b1ng-k3y-0000")
    row = run(site)
    assert row.status == "partial" and "does not answer" in row.note
    assert "b1ng-k3y" not in row.note


def vendor(site: Site, name: str, cents: int = 100) -> None:
    site.serp_vendor, site.serp_monthly_cents = name, cents
    site.save()
    with_secret(site, "serp_key", "login:s3rp-k3y")


def pages(httpserver: HTTPServer, found: dict[int, Any]) -> list[int]:
    asked: list[int] = []

    def answer(request: Request) -> Response:
        asked.append(number := request.get_json()["page"])
        body = found[number]
        if isinstance(body, int):
            return Response("no", status=body)
        return Response(json.dumps(body))

    httpserver.expect_request("/serper/search").respond_with_handler(answer)
    return asked


OTHERS = [f"https://other{n}.example/" for n in range(10)]


def test_a_rank_is_counted_over_all_pages_among_organic_results(
    site, httpserver
) -> None:
    keyword(site, "ai agents")
    vendor(site, "serper")
    second = [*OTHERS[:2], OURS, "https://blog.us.example/x", f"{OURS}/b"]
    asked = pages(
        httpserver,
        {1: searchers.serper_page(OTHERS), 2: searchers.serper_page(second)},
    )
    run(site)
    (row,) = readings()
    assert (row.status, row.position, row.url) == ("ranked", 13, OURS)
    assert (row.also, asked) == ([f"{OURS}/b"], [1, 2])
    # Next time where it was is looked at first.
    run(site, AT + timedelta(hours=6))
    assert asked == [1, 2, 2]


def test_not_found_and_unknown_are_two_things(site, httpserver) -> None:
    keyword(site, "ai agents")
    vendor(site, "serper")
    found: dict[int, Any] = {n: searchers.serper_page(OTHERS) for n in (1, 2)}
    pages(httpserver, found)
    run(site)
    found |= {1: 500, 2: 500}
    run(site, AT + timedelta(hours=6))
    told = [(one.status, one.position, one.depth) for one in readings()]
    assert told == [("not_found", None, 20), ("error", None, 20)]


def test_the_months_cents_are_never_overspent(site, httpserver) -> None:
    for number in range(9):
        keyword(site, f"word {number}")
    vendor(site, "serper", cents=1)  # ten requests
    asked = pages(httpserver, {n: searchers.serper_page(OTHERS) for n in (1, 2)})
    run(site)
    assert len(asked) == 10 and ProviderSpend.objects.get().micros == 10_000
    states = [one.status for one in readings()]
    assert states.count("not_found") == 5 and states.count("skipped_budget") == 4


@pytest.mark.parametrize(
    ("answer", "status", "position"),
    [
        (
            searchers.dataforseo(
                [("paid", OURS), ("organic", OTHERS[0]), ("people_also_ask", ""),
                 ("organic", OURS)]
            ),
            "ranked",
            2,
        ),
        (searchers.dataforseo([("organic", OTHERS[0])]), "not_found", None),
        (searchers.dataforseo([], code=40200), "error", None),
    ],
)  # fmt: skip
def test_dataforseo(site, httpserver, answer, status, position) -> None:
    keyword(site, "ai agents")
    vendor(site, "dataforseo")
    path = "/dfs/v3/serp/google/organic/live/advanced"
    httpserver.expect_request(path).respond_with_json(answer)
    run(site)
    (row,) = readings()
    assert (row.status, row.position) == (status, position)


def test_a_tick_that_was_killed_is_not_paid_for_twice(site, httpserver) -> None:
    keyword(site, "ai agents")
    vendor(site, "serper")
    asked = pages(httpserver, {1: searchers.serper_page([OURS])})
    run(site)
    work = scene.work(site, "ranks", clock=lambda: AT)
    JobRun.objects.exclude(pk=work.job_run.pk).update(tick_at=AT - timedelta(days=9))
    RankReading.objects.update(tick_at=AT)
    JobRun.objects.filter(pk=work.job_run.pk).update(tick_at=AT)
    work.job_run.refresh_from_db()
    conduct.conduct(work)
    assert asked == [1]


def ranked(row: Keyword, day: int, position: float | None, url: str = OURS) -> None:
    RankReading.objects.create(
        company=row.company, keyword=row, engine="google", country="PT",
        device="desktop", metric="gsc_avg_position", provider="gsc", url=url,
        day=datetime(2026, 11, day, tzinfo=UTC).date(), position=position,
        status="ranked" if position else "not_found",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("positions", "kinds"),
    [
        ([8, 4, 4.5], ["up"]),
        ([8, 4, 8], []),  # not confirmed
        ([4, 8, 8], ["down"]),
        ([18, 14, 14], []),  # too small a step back there
        ([14, 7, 6], ["entered_top_10"]),
        ([6, 14, 14], ["left_top_10"]),
        ([6, 14], []),
    ],
)
def test_two_looks_confirm_a_change(site, google, positions, kinds) -> None:
    row = keyword(site, "ai agents")
    for day, position in enumerate(positions[:-1], 14):
        ranked(row, day, position)
    last = 14 + len(positions) - 1
    google.rows.append(
        searchers.row(f"2026-11-{last}", "ai agents", OURS, positions[-1], 9)
    )
    run(site)
    assert [one.kind for one in RankAlert.objects.all()] == kinds


def test_too_few_measured_keywords_say_nothing_of_a_trend(site, google) -> None:
    row = keyword(site, "ai agents")
    for n in range(4):
        keyword(site, f"unknown {n}")
    ranked(row, 14, 8)
    ranked(row, 15, 4)
    google.rows.append(searchers.row("2026-11-16", "ai agents", OURS, 4, 9))
    done = run(site)
    assert not RankAlert.objects.exists()
    assert "1 of 5 keywords were measured" in done.issue.description


def test_a_reading_that_its_answer_does_not_say_is_refuted(site, google) -> None:
    keyword(site, "ai agents")
    google.rows.append(searchers.row("2026-11-15", "ai agents", OURS, 4.0, 30))
    work = worked(site)
    (claim,) = work.job_run.issue.criteria.all()
    lied = [{**one, "position": 1.0} for one in claim.settings["readings"]
            if one["status"] == "ranked"]  # fmt: skip
    claim.settings["readings"] = lied
    claim.save()
    verification.look_at(work.job_run.issue)
    receipt = work.job_run.issue.evidence.get()
    assert receipt.outcome == "failed" and "not 1.0" in receipt.said


def test_when_search_console_is_away_it_is_unverified(site, google, httpserver) -> None:
    keyword(site, "ai agents")
    google.rows.append(searchers.row("2026-11-15", "ai agents", OURS, 4.0, 30))
    work = worked(site)
    Site.objects.update(endpoints={"google_token": "http://127.0.0.1:1/"})
    verification.look_at(work.job_run.issue)
    assert work.job_run.issue.evidence.get().outcome == "unable"
