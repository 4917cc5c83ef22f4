"""Why an issue is not moving: one plain answer, whatever the case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils.timezone import now

from agents import stopping
from agents.faults import CONFIG
from agents.models import Agent, Attempt, Run
from issues import heartbeat, recovery
from issues.models import Issue
from issues.why import Why, why
from paperclip.actors import SYSTEM
from paperclip.commands import operator
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def dev() -> Agent:
    return make.agent(make.company(), name="Dev")


@pytest.fixture
def issue(dev: Agent) -> Issue:
    return make.issue(dev.company, assignee_agent=dev, title="Build")


def told(issue: Issue) -> Why:
    fresh = Issue.objects.select_related("company", "assignee_agent__company")
    return why(fresh.get(pk=issue.pk))


def ran(issue: Issue, dev: Agent, status: str = "succeeded", **outcome: Any) -> Run:
    run = dev.runs.get(status="queued")
    assert run.claim(host="test")
    run.finish(status, **outcome)
    return run


def test_it_is_about_to_start(issue: Issue) -> None:
    assert (told(issue).code, told(issue).is_moving) == ("starting", True)


def test_somebody_is_at_work(issue: Issue, dev: Agent) -> None:
    run = dev.runs.get()
    run.claim(host="test")
    found = told(issue)
    assert (found.code, found.holder) == ("working", run)
    assert found.missing == "Dev is at work on it."


def test_a_holder_that_died_does_not_count(issue: Issue, dev: Agent) -> None:
    run = dev.runs.get()
    run.claim(host="test")
    Run.objects.filter(pk=run.pk).update(lease_expires_at=now())
    assert told(issue).holder is None


def test_it_is_blocked_and_by_whom(issue: Issue, dev: Agent) -> None:
    ran(issue, dev)
    first = make.issue(dev.company, title="First", status="backlog")
    issue.block_on([first], by=SYSTEM)
    found = told(issue)
    assert found.code == "blocked"
    assert found.missing == (
        f"It waits for {first.identifier}. {first.identifier}: It is parked in the"
        " backlog."
    )
    first.change(by=SYSTEM, status="cancelled")
    assert "was cancelled" in told(issue).missing


def test_it_is_parked_with_the_reason(issue: Issue, dev: Agent) -> None:
    run = ran(
        issue, dev, "failed", error="The key is wrong.", error_code="provider_key"
    )
    recovery.follow_up(run)
    found = told(issue)
    assert found.code == "parked" and found.missing.startswith("The key is wrong.")


def test_it_is_tried_again_and_when(issue: Issue, dev: Agent) -> None:
    run = ran(issue, dev, "failed", error="500", error_code="provider_error")
    recovery.follow_up(run)
    found = told(issue)
    assert found.code == "later" and found.at is not None
    assert timedelta(seconds=25) < found.at - now() < timedelta(seconds=40)


def test_it_lets_another_agent_finish(issue: Issue, dev: Agent) -> None:
    qa = make.agent(dev.company, name="QA")
    dev.runs.get().claim(host="test")
    second = make.queued_run(qa, issue)
    assert heartbeat.claim(second) is None
    Run.objects.filter(agent=dev).update(status="succeeded")
    second.refresh_from_db()
    assert told(issue).missing == "Dev is at work on it."


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("done", "closed", "It is done."),
        ("company", "stopped", "Digital Agents is stopped."),
        ("agent", "asleep", "Dev is paused."),
        ("backlog", "backlog", "It is parked in the backlog."),
        ("nobody", "nobody", "Nobody has it."),
        ("parts", "parts", "Its parts are not finished"),
        ("left", "left", "Dev left it blocked"),
    ],
)
def test_what_is_missing(
    issue: Issue, dev: Agent, how: str, code: str, said: str
) -> None:
    ran(issue, dev)
    acts: dict[str, Any] = {
        "done": lambda: issue.change(by=SYSTEM, status="done"),
        "company": lambda: dev.company.pause(by=SYSTEM),
        "agent": lambda: dev.pause(by=SYSTEM),
        "backlog": lambda: issue.change(by=SYSTEM, status="backlog"),
        "nobody": lambda: issue.change(by=SYSTEM, assignee_agent=None),
        "parts": lambda: make.issue(dev.company, parent=issue),
        "left": lambda: issue.change(by=SYSTEM, status="blocked"),
    }
    acts[how]()
    found = told(issue)
    assert (found.code, found.missing[: len(said)]) == (code, said)
    assert found.event or code == "closed"


def test_everything_is_stopped(issue: Issue, dev: Agent) -> None:
    run = ran(issue, dev, "failed", error="500", error_code="provider_error")
    recovery.follow_up(run)
    assert told(issue).missing == (
        "Dev goes on later: the run before failed; it is tried again."
    )
    stopping.stop_everything(by=SYSTEM)
    found = told(issue)
    assert (found.code, found.at) == ("stopped", None)
    assert found.missing == "Everything is stopped, in all companies."
    stopping.resume_everything(by=SYSTEM)
    assert told(issue).code != "stopped"


def test_somebody_stopped_its_run(issue: Issue, dev: Agent) -> None:
    run = dev.runs.get()
    run.claim(host="test")
    issue.interrupt(by=SYSTEM)
    run.refresh_from_db()
    assert told(issue).missing == f"The last run of Dev was cancelled. {run.error}"


def test_it_waits_for_a_person(issue: Issue, dev: Agent) -> None:
    person = make.operator(dev.company)
    issue.change(by=SYSTEM, assignee_agent=None, assignee_user=person)
    Run.objects.all().delete()
    assert told(issue).missing == f"It waits for {person}."


def test_its_company_has_no_room(issue: Issue, dev: Agent) -> None:
    dev.company.change(by=SYSTEM, max_concurrent_runs=1)
    make.live_run(make.agent(dev.company))
    assert told(issue).missing == f"{dev.company} has as many runs as it may, 1."


def test_the_api_says_it(issue: Issue, dev: Agent) -> None:
    person = make.operator(dev.company)
    dev.runs.get().claim(host="test")
    said = issue.comment("Hm?", by=make.by(person))
    answer = make.client_of(person).get(f"/api/issues/{issue.identifier}/why").json()
    assert (answer["code"], answer["isMoving"]) == ("working", True)
    assert answer["holder"]["agentName"] == "Dev" and answer["holder"]["isLive"]
    assert list(answer["waitingComments"]) == [str(said.pk)]
    stranger = make.client_of(make.operator(make.company("Strangers")))
    assert stranger.get(f"/api/issues/{issue.pk}/why").status_code == 404


def test_the_command_says_it(issue: Issue, dev: Agent, capsys: Any) -> None:
    dev.runs.get().claim(host="test")
    dev.company.memberships.create(user=operator(), role="owner")
    call_command("why", issue.identifier)
    out = capsys.readouterr().out
    assert "Dev is at work on it." in out and "its lease is renewed until" in out


def test_the_ledger_over_http(issue: Issue, dev: Agent) -> None:
    run = ran(issue, dev, "failed", error="No.", error_code="configuration_incomplete")
    recovery.follow_up(run)
    person = make.operator(dev.company)
    client = make.client_of(person)
    [row] = client.get(f"/api/companies/{dev.company.pk}/attempts?parked=true").json()
    assert (row["cause"], row["tries"], row["wholeAgent"]) == (CONFIG.cause, 1, True)
    viewer = make.client_of(make.operator(dev.company, "viewer"))
    assert viewer.post(f"/api/attempts/{row['id']}/retry", {}).status_code == 403
    stranger = make.client_of(make.operator(make.company("Strangers")))
    assert stranger.post(f"/api/attempts/{row['id']}/retry", {}).status_code == 404
    assert client.post(f"/api/attempts/{row['id']}/retry", {}).json() == {"ok": True}
    assert not Attempt.objects.exists()
    assert dev.runs.filter(status="queued").exists()
