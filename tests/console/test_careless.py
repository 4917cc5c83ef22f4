"""What people do who do not read: two tabs of one form, an answer loaded again, the
address of a button typed by hand, spaces where a word is wanted."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from agents.models import Agent
from issues.models import Issue, Routine
from issues.why import waiting_messages, why
from paperclip.actors import SYSTEM
from paperclip.models import Company, Instance
from tests import make
from tests.console.test_browser import sign_in

DECLARED = [{"name": "site", "type": "text", "label": "Which site", "required": True}]


@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_a_routine_do_not_undo_each_other(
    live_server: Any, page: Page
) -> None:
    company = make.company()
    routine = make.routine(
        company, title="Look at {{site}}", description="One.\nTwo.", variables=DECLARED
    )
    sign_in(page, live_server.url, make.owner_of(company))
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{live_server.url}/routines/{routine.pk}/change/")
    page.get_by_label("Title").fill("Look twice at {{site}}")
    page.locator("#id_variables-0-label").fill("Whose site")
    save(page)
    other.locator("#id_description").fill("One.\nTwo.\nThree.")
    save(other)
    routine.refresh_from_db()
    assert routine.title == "Look twice at {{site}}"
    assert routine.description == "One.\nTwo.\nThree."
    assert routine.variables[0]["label"] == "Whose site"
    last = [one.change_summary for one in routine.revisions.order_by("-number")[:2]]
    assert last == ["Changed description", "Changed title, variables"]
    # Saved as it is shown, nothing changes.
    page.goto(f"{live_server.url}/routines/{routine.pk}/change/")
    save(page)
    assert routine.revisions.count() == Routine.objects.get().revision_number == 3


@pytest.mark.django_db(transaction=True)
def test_two_tabs_of_an_agent_do_not_undo_each_other(
    live_server: Any, page: Page
) -> None:
    config = {"command": "sh", "args": ["-c", "echo a\necho b"], "env": {"A": "1"}}
    agent = make.agent(
        make.company(),
        adapter_config=config,
        budget_monthly_cents=1250,
        interval_seconds=5400,
        heartbeat_enabled=True,
    )
    sign_in(page, live_server.url, make.owner_of(agent.company))
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(f"{live_server.url}/agents/{agent.pk}/change/")
    page.get_by_label("Title").fill("Gardener")
    save(page)
    Agent.objects.filter(pk=agent.pk).update(
        budget_monthly_cents=99, interval_seconds=600
    )
    other.locator("#id_name").fill("Ada")
    save(other)
    agent.refresh_from_db()
    assert (agent.name, agent.title) == ("Ada", "Gardener")
    assert (agent.budget_monthly_cents, agent.interval_seconds) == (99, 600)
    assert agent.adapter_config == config and agent.heartbeat_enabled


def save(tab: Page) -> None:
    address = tab.url
    tab.get_by_role("button", name="Save").first.click()
    tab.wait_for_url(lambda url: url != address)


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_loaded_again_presses_no_button(
    live_server: Any, page: Page
) -> None:
    company = make.company()
    routine = make.routine(company, title="Look at {{site}}", variables=DECLARED)
    sign_in(page, live_server.url, make.owner_of(company))
    home = f"{live_server.url}/routines/{routine.pk}"
    page.goto(home)
    page.get_by_label("Which site").evaluate("one => one.form.noValidate = true")
    page.get_by_label("Which site").fill("   ")
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("It needs a value.")).to_be_visible()
    assert page.url == home and not Issue.objects.exists()
    page.reload()
    expect(page.get_by_label("Which site")).to_be_visible()
    expect(page.get_by_text("It needs a value.")).to_have_count(0)
    assert not Issue.objects.exists()


@pytest.mark.django_db
def test_the_address_of_a_button_says_that_it_is_one(
    console: Client, company: Company
) -> None:
    routine = make.routine(company, title="Look around")
    answer = console.get(f"/routines/{routine.pk}/run")
    assert answer.status_code == 405
    assert "Nothing was done now." in answer.content.decode()
    assert not Issue.objects.exists()


@pytest.mark.django_db
def test_what_was_said_while_all_stood_still_is_not_lost(company: Company) -> None:
    agent = make.agent(company, name="Dev")
    issue = make.issue(company, assignee_agent=agent, title="Build")
    owner = make.by(make.owner_of(company))
    agent.runs.get().cancel(by=owner, why="Ada stopped it.")
    assert why(issue).missing == "The last run of Dev was cancelled. Ada stopped it."
    Instance.objects.current().stop(by=SYSTEM)
    assert why(issue).missing == "Everything is stopped, in all companies."
    issue.comment("Blue, please.", by=owner)
    said = issue.comments.get()
    assert waiting_messages(issue) == {
        str(said.pk): "Dev reads it when it is woken again."
    }
