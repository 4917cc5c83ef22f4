"""Pages about a whole company: costs, the org chart, the way out of a rehearsal."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from django.utils.timezone import localtime

from agents import org
from agents.models import Agent
from agents.spending import Month, Spend
from paperclip.models import Company
from paperclip.templatetags.console import cents, compact, dollars, every, money
from tests import make
from tests.console.conftest import LOG, seen_by
from tests.console.test_control_room import spend

SVG = "{http://www.w3.org/2000/svg}"


# --- costs -----------------------------------------------------------------------


@pytest.mark.django_db
def test_a_run_that_was_removed_is_not_linked(console: Any, company: Any) -> None:
    runs = [make.live_run(make.agent(company))[0] for _ in range(2)]
    for run in runs:
        run.cancel(by=make.by(make.owner_of(company)), why="A test.")
    kept, removed = (f"/runs/{run.pk}" for run in runs)
    runs[1].delete()
    feed = console.get("/activity/").content.decode()
    assert kept in feed and removed not in feed
    log = feed.partition(LOG)[2]
    assert log.count("stopped a run of") == 2


def test_costs_are_told_by_agent_model_and_day(console: Any, company: Any) -> None:
    ada, bob = make.agent(company, name="Ada"), make.agent(company, name="Bob")
    spend(ada, 2_000_000, model="p/big", input_tokens=1500)
    spend(ada, 500_000, model="p/small")
    spend(bob, None, model="own/model")
    spend(make.agent(make.company("Elsewhere")), 9_000_000)
    context = console.get("/costs/").context
    assert (context["total"].micros, context["total"].unpriced) == (2_500_000, 1)
    assert [(name, s.micros) for _pk, name, s, _ in context["agents"]] == [
        ("Ada", 2_500_000),
        ("Bob", 0),
    ]
    assert next(key for key, _spend in context["models"]) == ("p", "p/big")
    today = dict(context["days"])[localtime().date()]
    assert today.calls == 3
    assert "price unknown" in console.get("/costs/").content.decode()


@pytest.mark.django_db
def test_days_of_a_rehearsal_are_told_by_their_calls(console: Any) -> None:
    stage = make.company("Digiton rehearsal", rehearsal=True)
    for _ in range(3):
        spend(make.agent(stage), 0, model="rehearsal/1")
    text = seen_by(make.operator(stage)).get("/costs/").content.decode()
    assert "Calls day by day" in text and ": 3 calls" in text and "height: 100%" in text
    assert "Calls day by day" not in console.get("/costs/").content.decode()


@pytest.mark.django_db
def test_a_month_ends_where_the_next_begins(console: Any, company: Any, settings: Any):
    settings.TIME_ZONE = "Europe/Berlin"
    agent = make.agent(company)
    spend(agent, 1, occurred_at="2026-01-31T23:59:59Z")
    spend(agent, 20, occurred_at="2026-02-01T00:00:00Z")
    months = ("2026-01", "2026-02")
    pages = [console.get(f"/costs/?month={month}").context for month in months]
    assert [page["total"].micros for page in pages] == [1, 20]


@pytest.mark.django_db
@pytest.mark.parametrize("month", ["x", "2026-13", "0000-01", "9999-12", "1-1", "²"])
def test_an_odd_month_is_no_fault(console: Any, month: str) -> None:
    assert console.get("/costs/", {"month": month}).status_code == 200


def test_months_follow_one_another() -> None:
    assert str(Month(2026, 12).following) == "2027-01"
    assert str(Month(2026, 1).previous) == "2025-12"
    assert len(Month(2028, 2).days) == 29


def test_money_is_written_as_people_write_it() -> None:
    assert [dollars(m) for m in (0, 4200, 12_345_678)] == ["$0.00", "$0.0042", "$12.35"]
    assert (cents(2000), cents(2050)) == ("$20", "$20.50")
    assert money(Spend(calls=2, unpriced=2)) == "price unknown"
    assert money(Spend(micros=10_000, calls=2, unpriced=1)) == (
        "$0.01 + 1 call of unknown price"
    )
    assert (compact(999), compact(1500), compact(2_000_000)) == ("999", "1.5k", "2M")
    assert [every(s) for s in (60, 5400, 3600, 86_400 * 2, 45)] == [
        "every minute",
        "every 90 minutes",
        "every hour",
        "every 2 days",
        "every 45 seconds",
    ]


# --- the org chart ---------------------------------------------------------------


@pytest.fixture
def staff(company: Any) -> list[Agent]:
    ceo = make.agent(company, name="CEO")
    cto = make.agent(company, name="CTO", reports_to=ceo)
    make.agent(company, name="CMO", reports_to=ceo)
    qa = make.agent(company, name="QA", reports_to=cto)
    make.agent(company, name="Dev <3", reports_to=cto, reviewer=qa)
    return list(company.agents.employed().with_state())


@pytest.mark.django_db
@pytest.mark.parametrize("layout", [org.wide, org.tall])
def test_no_box_covers_another(staff: list[Agent], layout: Any) -> None:
    drawing = layout(staff)
    assert len(drawing.boxes) == 5
    assert len(drawing.lines) == 4 and len(drawing.reviews) == 1
    for one in drawing.boxes:
        assert one.right <= drawing.width and one.bottom <= drawing.height
        for other in drawing.boxes:
            apart = (
                abs(one.x - other.x) >= org.WIDTH,
                abs(one.y - other.y) >= org.HEIGHT,
            )
            assert one is other or any(apart)


@pytest.mark.django_db
def test_a_terminated_manager_leaves_roots(staff: list[Agent]) -> None:
    left = [agent for agent in staff if agent.name != "CTO"]
    roots, _reports = org.tree(left)
    assert [agent.name for agent in roots] == ["CEO", "Dev <3", "QA"]


@pytest.mark.django_db
def test_the_chart_is_an_image_of_its_own(
    console: Any, company: Any, staff: list[Agent]
) -> None:
    client = make.client_of(make.owner_of(company))
    answer = client.get(f"/api/companies/{company.pk}/org.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    image = ElementTree.fromstring(answer.content)  # noqa: S314 (our own)
    names = [
        text.text for text in image.iter(f"{SVG}text") if text.get("class") == "name"
    ]
    assert sorted(names) == ["CEO", "CMO", "CTO", "Dev <3", "QA"]
    assert f"/agents/{staff[0].pk}" in console.get("/org/").content.decode()


@pytest.mark.django_db
def test_the_chart_of_others_is_missing(company: Any) -> None:
    foreign = make.client_of(make.operator(make.company("Strangers")))
    assert foreign.get(f"/api/companies/{company.pk}/org.svg").status_code == 404


# --- rehearsal -------------------------------------------------------------------


@pytest.fixture
def stage(db: Any) -> Company:
    """A company in rehearsal, with an agent and an issue."""
    company = make.company("Digiton rehearsal", rehearsal=True)
    make.issue(company, assignee_agent=make.agent(company, name="CEO"))
    return company


def pages(company: Company) -> list[str]:
    issue, agent = company.issues.get(), company.agents.get()
    return [
        *("/", "/board/", "/issues/", "/agents/", "/runs/", "/org/", "/costs/"),
        *("/activity/", "/goals/", "/projects/", "/companies/", "/agents/add/"),
        *(f"/issues/{issue.identifier}", f"/agents/{agent.pk}"),
        f"/runs/{company.runs.get().pk}",
    ]


def test_every_page_of_a_rehearsal_says_so(stage: Company) -> None:
    console = seen_by(make.operator(stage))
    for url in pages(stage):
        text = console.get(url).content.decode()
        assert "invented results" in text and "Leave the rehearsal" in text, url
        assert "badge-rehearsal" in text, url


def test_no_page_of_a_real_company_says_so(console: Any, company: Any) -> None:
    make.issue(company, assignee_agent=make.agent(company))
    for url in pages(company):
        assert "rehearsal" not in console.get(url).content.decode().lower(), url
    assert console.get("/leave-rehearsal/").status_code == 404


def test_a_viewer_is_not_shown_out(stage: Company) -> None:
    viewer = seen_by(make.operator(stage, "viewer"))
    assert "Leave the rehearsal" not in viewer.get("/").content.decode()
    answer = viewer.post("/leave-rehearsal/", {"agents": ["CEO"]})
    assert answer.status_code == 403
    assert Company.objects.filter(rehearsal=False).count() == 0


def test_without_a_key_one_is_told_what_to_do(stage: Company, monkeypatch: Any) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    console = seen_by(make.operator(stage, "owner"))
    assert "GEMINI_API_KEY" in console.get("/leave-rehearsal/").content.decode()
    answer = console.post("/leave-rehearsal/", {"agents": ["CEO"]})
    text = answer.content.decode()
    assert answer.status_code == 409 and "There is no model to work with" in text
    assert re.search(r'value="CEO" checked', text)


def test_leaving_founds_the_real_company(stage: Company, monkeypatch: Any) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    console = seen_by(make.operator(stage, "owner"))
    nobody = console.post("/leave-rehearsal/", {})
    assert nobody.status_code == 422 and "Pick at least one" in nobody.content.decode()
    answer = console.post("/leave-rehearsal/", {"agents": ["CEO", "CMO"]}, follow=True)
    real = Company.objects.get(rehearsal=False)
    assert answer.context["company"] == real
    active = real.agents.exclude(status="paused").values_list("name", flat=True)
    assert sorted(active) == ["CEO", "CMO"]
    stage.refresh_from_db()
    assert stage.status == "paused"
