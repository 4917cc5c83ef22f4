"""What people do in a hurry: reload, go back, press twice, edit in two tabs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from agents.models import BudgetIncident, Run, Secret
from issues import heartbeat
from issues.models import Routine, RoutineTrigger
from paperclip.actors import SYSTEM
from paperclip.models import Activity, Company
from tests import make
from tests.console.test_browser import sign_in

pytestmark = pytest.mark.django_db
ASKED = [{"name": "who", "type": "text", "required": True, "label": None}]


def at_desk(page: Page, address: str, company: Company) -> None:
    page.set_default_timeout(15_000)
    sign_in(page, address, make.owner_of(company))


@pytest.mark.django_db(transaction=True)
def test_a_reload_does_not_press_the_button_again(live_server: Any, page: Page) -> None:
    company = make.company()
    routine = make.routine(company, title="Water the plants")
    home = f"{live_server.url}/routines/{routine.pk}"
    at_desk(page, live_server.url, company)
    page.goto(home)
    page.get_by_role("button", name="Make a webhook").click()
    expect(page.locator(".hook-secret")).to_be_visible()
    assert page.url == home
    # It goes on being live, too.
    routine.pause(by=SYSTEM)
    expect(page.locator("#routine-head")).to_contain_text("Paused")
    page.reload()
    expect(page.locator(".hook-address")).to_have_count(0)
    assert RoutineTrigger.objects.count() == 1
    page.get_by_role("link", name="Dashboard").click()
    page.go_back()
    expect(page.get_by_role("button", name="New secret")).to_have_count(1)


@pytest.mark.parametrize("button", ["webhooks", "run"])
def test_the_buttons_of_an_answer_lead_back_to_the_page(
    console: Client, company: Company, button: str
) -> None:
    routine = make.routine(company, variables=ASKED)
    home = f"/routines/{routine.pk}"
    page = console.post(f"{home}/{button}", {"signing_mode": "x"}).content.decode()
    assert f'data-here="{home}" hx-get="{home}"' in page
    assert set(re.findall(r'name="next" value="([^"]*)"', page)) == {home}


def test_the_address_of_a_button_says_so(console: Client, company: Company) -> None:
    answer = console.get(f"/routines/{make.routine(company).pk}/run")
    assert answer.status_code == 405 and answer.headers["Allow"] == "POST"
    assert "This is the address of a button" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_two_tabs_do_not_undo_each_other(live_server: Any, page: Page) -> None:
    company = make.company()
    routine = make.routine(
        company, title="Review {{who}}", description="One\n\nTwo", variables=ASKED
    )
    at_desk(page, live_server.url, company)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{live_server.url}/routines/{routine.pk}/change/")
    page.get_by_label("Title").fill("Look at {{who}}")
    page.get_by_label("What is asked", exact=True).first.fill("Whom?")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is saved")).to_be_visible()
    other.get_by_label("Description").fill("Three")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_text("is saved")).to_be_visible()
    routine.refresh_from_db()
    assert (routine.title, routine.description) == ("Look at {{who}}", "Three")
    assert routine.variables[0]["label"] == "Whom?"
    summaries = routine.revisions.order_by("-number")
    assert [one.change_summary for one in summaries][:2] == [
        "Changed description",
        "Changed title, variables",
    ]


@pytest.mark.django_db(transaction=True)
def test_an_agent_saved_as_it_is_shown_stays_as_it_is(
    live_server: Any, page: Page
) -> None:
    company = make.company()
    agent = make.agent(company, name="Ada", instructions="One\n\nTwo")
    agent.change(
        by=SYSTEM,
        adapter_config={"command": "sh", "args": ["-c", "a\nb"], "env": {"A": "1"}},
        heartbeat_enabled=True,
        interval_seconds=7200,
        budget_monthly_cents=1250,
    )
    at_desk(page, live_server.url, company)
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{live_server.url}/agents/{agent.pk}/change/")
    agent.change(by=SYSTEM, interval_seconds=600, budget_monthly_cents=300)
    changes = Activity.objects.filter(company=company, action="agent.updated")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is saved")).to_be_visible()
    agent.refresh_from_db()
    assert (agent.interval_seconds, agent.budget_monthly_cents) == (600, 300)
    last = changes.latest("created_at")
    assert last.details == {"changed": []}
    other.get_by_label("Monthly budget in US dollars").fill("7")
    other.get_by_role("button", name="Save").click()
    expect(other.get_by_text("is saved")).to_be_visible()
    agent.refresh_from_db()
    assert (agent.interval_seconds, agent.budget_monthly_cents) == (600, 700)
    assert agent.adapter_config["args"] == ["-c", "a\nb"]


def test_a_change_that_changes_nothing_leaves_no_revision(company: Company) -> None:
    routine = make.routine(company, title="Same", variables=ASKED)
    before = routine.revision_number
    routine.change(by=SYSTEM, title="Same", variables=[*ASKED])
    assert routine.revision_number == before


@pytest.mark.django_db(transaction=True)
def test_only_a_run_that_lives_can_be_interrupted(live_server: Any, page: Page) -> None:
    company = make.company()
    agent = make.agent(company, name="Ada")
    issue = make.issue(company, assignee_agent=agent)
    at_desk(page, live_server.url, company)
    page.goto(f"{live_server.url}/issues/{issue.identifier}")
    expect(page.get_by_label("Interrupt the run")).to_have_count(0)
    page.get_by_label("Comment", exact=True).fill("Half a sen")
    run = agent.runs.get()
    assert heartbeat.claim(run)
    expect(page.get_by_label("Interrupt the run")).to_be_visible(timeout=15_000)
    expect(page.locator("#reply-help")).to_contain_text("Ada is working.")
    run.finish(Run.Status.SUCCEEDED)
    expect(page.get_by_label("Interrupt the run")).to_have_count(0, timeout=15_000)
    assert page.get_by_label("Comment", exact=True).input_value() == "Half a sen"


def test_a_value_is_missing_or_much_too_long(console: Client, company: Company) -> None:
    routine = make.routine(company, title="Review {{who}}", variables=ASKED)
    for typed, said in ((" ", "It needs a value."), ("x" * 20_000, "at most 10000")):
        answer = console.post(f"/routines/{routine.pk}/run", {"value-who": typed})
        assert answer.status_code == 422
        (error,) = answer.context["run_form"].errors["who"]
        assert said in error and len(error) < 200
    assert not Routine.objects.get().runs.exists()


def test_only_the_part_of_a_form_with_the_mistake_opens(console: Client) -> None:
    page = console.post("/routines/add/", {"title": ""}).content.decode()
    assert '<details id="folded" open>' in page  # its choices were not sent
    told = {
        **{"priority": "2", "every": "", "time_zone": "UTC"},
        **{"concurrency_policy": "skip_if_active", "catch_up_policy": "drop_missed"},
    }
    page = console.post("/routines/add/", {**told, "title": ""}).content.decode()
    assert '<details id="folded">' in page


def test_what_is_asked_stays_open_when_the_routine_is_refused(console: Client) -> None:
    told = {
        **{"title": "Review {{who}}", "priority": "2", "every": "day", "at": "09:00"},
        **{"time_zone": "UTC", "concurrency_policy": "skip_if_active"},
        **{"catch_up_policy": "drop_missed", "variables-TOTAL_FORMS": "1"},
        **{"variables-INITIAL_FORMS": "0", "variables-0-name": "who"},
        **{"variables-0-type": "text", "variables-0-required": "on"},
    }
    page = console.post("/routines/add/", told).content.decode()
    assert "A schedule cannot be asked for who" in page
    assert '<details id="variables" open>' in page


def test_one_company_is_stopped_by_its_name(company: Company) -> None:
    from tests.console.conftest import seen_by

    owner = seen_by(make.owner_of(company))
    page = owner.post(f"/company/{company.pk}/stop", follow=True).content.decode()
    assert f"{company} is stopped. No agent starts until you resume it." in page
    page = owner.post(f"/company/{company.pk}/resume", follow=True).content.decode()
    assert f"{company} works again." in page
    page = owner.post(f"/company/{company.pk}/resume", follow=True).content.decode()
    assert f"{company} is not stopped." in page


def test_in_a_second_tab_nothing_is_done_again(
    console: Client, company: Company
) -> None:
    """Of what is decided once: it says so, and leaves what the first tab did."""
    secret = Secret.objects.keep(company, by=SYSTEM, name="Key", value="canary-one")
    agent = make.agent(company)
    incident = BudgetIncident.objects.note(
        make.budget(agent, 1000).counter(now()), "hard"
    )
    first, second = (
        {"value": "canary-two", "seen": "1"},
        {"value": "canary-three", "seen": "1"},
    )
    rotate = f"/secrets/{secret.pk}/rotate"
    assert console.post(rotate, first).status_code == 302
    page = console.post(rotate, second)
    assert page.status_code == 422
    assert "was given a new value meanwhile" in page.content.decode()
    secret.refresh_from_db()
    assert secret.latest_version == 2 and b"canary-three" not in page.content
    raise_it = f"/budgets/incidents/{incident.pk}/resolve"
    console.post(raise_it, {"amount": "50"})
    page = console.post(raise_it, {"amount": "20"}, follow=True).content.decode()
    assert "goes on already. Nothing was changed." in page
    agent.refresh_from_db()
    assert agent.budget_monthly_cents == 5000


def test_who_was_removed_in_another_tab_is_gone(
    console: Client, company: Company
) -> None:
    place = company.memberships.create(user=make.operator(), role="viewer")
    url = f"/people/{place.pk}/remove"
    assert console.post(url).status_code == 302
    page = console.post(url)
    assert page.status_code == 404
    assert "Nothing was changed." in page.content.decode()
    assert "Nothing was changed." not in console.get("/nowhere").content.decode()
