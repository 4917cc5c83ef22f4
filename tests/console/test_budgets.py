"""The page of budgets, and what other pages say of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from playwright.sync_api import Page, expect

from agents.models import Agent, BudgetCounter, BudgetIncident, BudgetPolicy
from agents.models.grant import Scopes
from issues import sweep
from issues.models import Issue
from paperclip.models import Company
from tests import make
from tests.console.test_browser import sign_in
from tests.issues.test_budgets import only, spend, state
from tests.long import long

pytestmark = pytest.mark.django_db


def text(console: Client, path: str = "/budgets/") -> str:
    answer = console.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def spent(company: Company, name: str = "Dev") -> Agent:
    """An agent that has spent its dollar, and was stopped with an issue."""
    agent = make.agent(company, name=name, budget_monthly_cents=100)
    make.issue(company, assignee_agent=agent, title="Half done")
    spend(agent, 100)
    sweep.sweep()
    return agent


def test_a_limit_is_set_and_taken_away(console: Client, company: Company) -> None:
    agent = make.agent(company, name="Dev")
    spend(agent, 50)
    sent = {
        "scope": f"agent:{agent.pk}",
        "metric": "billed_cents",
        "amount": "2.50",
        "window_kind": "",
        "warn_percent": "90",
        "hard_stop": "on",
    }
    assert console.post("/budgets/put", sent).status_code == 302
    policy = BudgetPolicy.objects.get()
    kept = (policy.amount, policy.warn_percent, policy.hard_stop, policy.window_kind)
    assert kept == (250, 90, True, "calendar_month_utc")
    page = text(console)
    assert "$0.50</strong> of $2.50" in page and "20 % used" in page
    console.post(f"/budgets/{policy.pk}/remove")
    assert "None: whatever works may use what it likes." in text(console)
    agent.refresh_from_db()
    assert agent.budget_monthly_cents == 0


def test_a_limit_that_is_used_up_already_says_so(
    console: Client, company: Company
) -> None:
    agent = make.agent(company, name="Dev")
    spend(agent, 50)
    sent = {"scope": f"agent:{agent.pk}", "metric": "billed_cents", "amount": "0.10"}
    sent |= {"warn_percent": "80", "hard_stop": "on"}
    page = console.post("/budgets/put", sent, follow=True).content.decode()
    assert "used up already: what it is for is paused" in page
    page = console.post("/budgets/put", sent | {"amount": "0"}, follow=True)
    assert "There is no such limit any more." in page.content.decode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"amount": "-1"}, "greater than or equal to 0"),
        ({"amount": "much"}, "Enter a number"),
        ({"amount": "1.5", "metric": "tokens"}, "Write a whole number."),
        ({"scope": f"agent:{uuid4()}"}, "Select a valid choice"),
        ({"warn_percent": "101"}, "less than or equal to 100"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(
    console: Client, company: Company, wrong: dict[str, str], said: str
) -> None:
    sent = {"scope": f"company:{company.pk}", "metric": "runs", "amount": "5"}
    sent |= {"warn_percent": "80", **wrong}
    answer = console.post("/budgets/put", sent)
    assert answer.status_code == 422 and said in answer.content.decode()
    assert not BudgetPolicy.objects.exists()


def test_a_stop_is_shown_wherever_one_looks(console: Client, company: Company) -> None:
    agent = spent(company)
    for path in ("/budgets/", f"/agents/{agent.pk}", "/"):
        page = text(console, path)
        assert "Dev is paused: its budget is spent." in page
        assert "Raise and resume" in page and "Keep paused" in page
        assert "Stopped, and goes on when it is raised: Dev" in page
    issue = Issue.objects.get(assignee_agent=agent)
    page = text(console, f"/issues/{issue.identifier}")
    assert "The budget of Dev is spent." in page


def test_it_is_raised_or_kept(console: Client, company: Company) -> None:
    agent = spent(company)
    url = f"/budgets/incidents/{only().pk}/resolve"
    page = console.post(url, {"action": "raise", "amount": "1"}, follow=True)
    assert "Of this budget $1.00 is used already" in page.content.decode()
    page = console.post(url, {"action": "raise", "amount": "x"}, follow=True)
    assert "Write a number." in page.content.decode()
    page = console.post(url, {"action": "keep"}, follow=True)
    assert "Dev stays paused." in page.content.decode()
    assert "Keep paused" not in text(console)
    page = console.post(url, {"action": "raise", "amount": "3.00"}, follow=True)
    assert "Dev goes on, with what was stopped." in page.content.decode()
    assert state(agent) == ("idle", None) and agent.runs.open().count() == 1
    assert agent.budget_monthly_cents == 300


def test_a_new_month_is_told(console: Client, company: Company) -> None:
    with time_machine.travel(datetime(2026, 6, 30, 23, tzinfo=UTC), tick=False) as at:
        spent(company)
        assert "A new month has begun" not in text(console)
        at.shift(timedelta(hours=2))
        page = text(console)
        assert "A new month has begun, so there is something to spend again." in page
        # The same limit will do.
        assert 'value="1.00"' in page


def test_a_viewer_only_looks(viewer: Client, company: Company) -> None:
    spent(company)
    page = text(viewer)
    assert "Dev is paused" in page
    assert "Raise and resume" not in page and "Set a limit" not in page
    url = f"/budgets/incidents/{only().pk}/resolve"
    for action in ("raise", "keep"):
        viewer.post(url, {"action": action, "amount": "9"})
    assert only().status == "open"
    policy = BudgetPolicy.objects.get()
    viewer.post(f"/budgets/{policy.pk}/remove")
    assert BudgetPolicy.objects.get().is_active


def test_others_budgets_are_not_there(stranger: Client, company: Company) -> None:
    spent(company)
    assert "Dev" not in text(stranger)
    for path in (
        f"/budgets/incidents/{only().pk}/resolve",
        f"/budgets/{BudgetPolicy.objects.get().pk}/remove",
    ):
        assert stranger.post(path, {"action": "keep"}).status_code == 404


def test_what_accepted_work_costs_is_on_the_page_of_costs(
    console: Client, company: Company
) -> None:
    spend(make.agent(company, name="Dev", role="engineer"), 90)
    page = text(console, "/costs/")
    assert "What an accepted result costs" in page
    assert page.count("0 accepted, $0.90 spent") == 3


def show(company: Company) -> None:
    """A company with every kind of limit."""
    project = make.project(company, name="Website relaunch")
    cmo = make.agent(company, name="CMO", budget_monthly_cents=3000)
    dev = spent(company)
    make.agent(company, name="CTO", budget_monthly_cents=4000)
    issue = make.issue(company, title="Write the launch post", project=project)
    make.budget(company, 20_000)
    make.budget(company, 2_000_000, metric="tokens")
    make.budget(project, 240, metric="minutes")
    make.budget(issue, 500)
    make.budget(dev, 50, metric="runs", hard_stop=False)
    for cents in (150, 320, 90, 900, 1050):
        run, _ = make.live_run(cmo)
        spend(cmo, cents, run=run, project_id=project.pk, input_tokens=cents * 200)
        make.end(run)
    ask = {"billed_cents": (1, 2_500_000), "tokens": (1, 400_000)}
    scopes = Scopes(company.pk, cmo.pk, project.pk)
    BudgetCounter.objects.reserve(uuid4(), scopes, ask, lasts=timedelta(hours=1))
    minutes = BudgetCounter.objects.filter(metric="minutes", scope_id=project.pk)
    minutes.update(spent=100 * 60)
    sweep.sweep()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [390, long(1440)])
def test_a_person_raises_it_in_a_browser(
    live_server: Any, page: Page, width: int, tmp_path: Any
) -> None:
    company = make.company()
    show(company)
    page.set_viewport_size({"width": width, "height": 844})
    sign_in(page, live_server.url, make.owner_of(company))
    wide = "document.documentElement.scrollWidth"
    dev = Agent.objects.get(name="Dev")
    for path in ("/", f"/agents/{dev.pk}", "/costs/", "/budgets/"):
        page.goto(f"{live_server.url}{path}")
        assert page.evaluate(wide) <= width, path
        shot = f"{width}-{path.strip('/').split('/')[0] or 'home'}.png"
        page.screenshot(path=tmp_path / shot, full_page=True)
    stop = page.get_by_role("article", name="Dev")
    expect(stop).to_contain_text("Dev is paused: its budget is spent.")
    stop.get_by_label("New limit").fill("7")
    stop.get_by_role("button", name="Raise and resume").click()
    expect(page.get_by_text("Dev goes on, with what was stopped.")).to_be_visible()
    expect(stop).to_have_count(0)
    expect(page.locator("#standings")).to_contain_text("of $7")
    assert not BudgetIncident.objects.unresolved().exists()
