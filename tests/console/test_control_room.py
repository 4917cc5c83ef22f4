"""The dashboard as a control room."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from agents.models import Agent, CostEvent, ProviderAccount
from agents.runlog import LogWriter
from issues.models import Document
from paperclip import live, machine
from tests import make
from tests.console.test_browser import sign_in


def spend(agent: Agent, micros: int | None, **fields: Any) -> CostEvent:
    values = {"provider": "p", "biller": "p", "model": "p/m", **fields}
    return CostEvent.objects.create(
        company=agent.company, agent=agent, cost_micros=micros, **values
    )


def said(name: str, **arguments: Any) -> bytes:
    call = {"id": "c", "name": name, "arguments": arguments}
    entry = {"type": "assistant", "turn": 1, "text": "", "toolCalls": [call]}
    return json.dumps(entry).encode() + b"\n"


@pytest.mark.django_db
def test_a_card_says_what_its_agent_does(console: Any, company: Any) -> None:
    agent = make.agent(company, name="Dev", budget_monthly_cents=2000)
    run, _token = make.live_run(agent, make.issue(company, assignee_agent=agent))
    with LogWriter(run) as log:
        log.write("stdout", said("write_file", path="tools/cost.py", content="x"))
    spend(agent, 1_230_000)
    spend(agent, None)
    text = console.get("/").content.decode()
    assert "writes tools/cost.py" in text
    assert "$1.23 + 1 call of unknown price" in text and "of $20" in text


@pytest.mark.django_db
def test_last_months_money_is_not_this_months(console: Any, company: Any) -> None:
    agent = make.agent(company)
    spend(agent, 5_000_000, occurred_at=now().replace(year=2020))
    assert console.get("/").context["spend"].micros == 0


@pytest.mark.django_db
def test_what_waits_for_a_person_is_listed(console: Any, company: Any) -> None:
    owner, agent = make.owner_of(company), make.agent(company, name="Ada")
    asked = make.issue(company, title="Asked", assignee_user=owner)
    make.issue(company, title="Parked", assignee_user=owner, status="backlog")
    make.issue(company, title="Working", assignee_agent=agent)
    Agent.objects.filter(pk=agent.pk).update(
        status="error", error_reason="The provider refused the key."
    )
    context = console.get("/").context
    assert [issue.pk for issue in context["waiting"]] == [asked.pk]
    assert [each.name for each in context["troubled"]] == ["Ada"]


@pytest.mark.django_db
def test_what_came_out_last_is_one_click_away(console: Any, company: Any) -> None:
    by, issue = make.by(make.owner_of(company)), make.issue(company)
    Document.objects.write(issue, "report", by=by, title="The week", body="# Good")
    text = console.get("/").content.decode()
    assert f"/issues/{issue.identifier}/documents/report" in text
    assert "The week" in text


@pytest.mark.django_db
def test_a_closed_provider_is_told(console: Any) -> None:
    later = now().replace(year=now().year + 1)
    ProviderAccount.objects.create(name="gemini", closed_until=later)
    text = console.get("/").content.decode()
    assert "gemini" in text and "is closed until" in text


@pytest.mark.django_db
def test_a_gateway_that_is_away_is_told(settings: Any) -> None:
    settings.GATEWAY_URL = "http://127.0.0.1:1"
    found = machine.Probe(machine.gateway)
    found.start()
    state = machine.state("Gateway", found.result(time.monotonic() + 5))
    assert not state.works and "cannot work" in state.said


def test_what_is_looked_at_rarely_is_looked_at_once() -> None:
    looks: list[int] = []

    def look() -> dict[str, Any]:
        looks.append(1)
        return {"said": "fine"}

    seldom = machine.rarely(look)
    assert [seldom(), seldom()] == [{"said": "fine"}] * 2
    assert len(looks) == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_being_looked_at_is_told_when_it_is_known(
    live_server: Any, page: Page, company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = threading.Event()

    def slow() -> dict[str, Any]:
        known.wait()
        return {"said": "known at last"}

    monkeypatch.setitem(machine.PROBES, "Slow", machine.Probe(slow))
    sign_in(page, live_server.url, make.owner_of(company))
    expect(page.locator("#machine")).to_contain_text("being looked at")
    before = live.version(company.pk)
    known.set()
    expect(page.locator("#machine")).to_contain_text("known at last", timeout=4000)
    assert live.version(company.pk) == before


@pytest.mark.django_db(transaction=True)
def test_on_a_quiet_page_the_time_goes_on(
    live_server: Any, page: Page, company: Any
) -> None:
    make.issue(company)
    sign_in(page, live_server.url, make.owner_of(company))
    time_of = page.locator("#activity time").first
    was = time_of.inner_text()
    expect(time_of).not_to_have_text(was, timeout=14_000)
    expect(time_of).to_contain_text("second")


@pytest.mark.django_db(transaction=True)
def test_the_room_follows_an_agent_within_a_second(
    live_server: Any, page: Page, company: Any
) -> None:
    agent = make.agent(company, name="Dev")
    run, _token = make.live_run(agent, make.issue(company, assignee_agent=agent))
    sign_in(page, live_server.url, make.owner_of(company))
    page.evaluate("window.loadedOnce = true")
    card = page.get_by_role("article", name="Dev")
    expect(card).to_contain_text("starts")
    late = []
    with LogWriter(run) as log:
        for number in range(3):
            log.write("stdout", said("shell", command=f"make step-{number}"))
            live.bump(company.pk)
            began = time.monotonic()
            expect(card.locator(".acts")).to_contain_text(f"runs make step-{number}")
            late.append(time.monotonic() - began)
    run.finish("failed", error="The provider refused the key.")
    expect(card).to_contain_text("The provider refused the key.")
    expect(page.locator("#waiting")).to_contain_text("The provider refused the key.")
    assert page.evaluate("window.loadedOnce") is True
    assert sorted(late)[1] < 1.5, late
