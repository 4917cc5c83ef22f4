"""T-26b: what people say while an agent works is read exactly once, in order, or is
seen to wait."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.utils.timezone import now

from agents.models import Agent, Run
from issues import heartbeat, recovery, sweep
from issues.models import Issue
from issues.why import waiting_messages
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.workers import ended, eventually, hired, running, worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Any:
    return make.company()


def start(agent: Agent, issue: Issue) -> Run | None:
    """The run that waits for the agent, started."""
    Run.objects.filter(agent=agent, status="queued").update(ready_at=now())
    run = agent.runs.filter(status="queued", issue_id=issue.pk).first()
    return run if run is not None and heartbeat.claim(run) else None


END = ["well", "fails", "crashes", "stopped", "interrupted"]


def end(run: Run, how: str, issue: Issue, person: Actor) -> list[str]:
    """End it like that; the comments that were read to an end."""
    run.refresh_from_db()
    if how == "well":
        make.end(run)
        return run.comment_ids
    if how == "fails":
        run.finish("failed", error="500", error_code="provider_error")
        recovery.follow_up(run)
    elif how == "crashes":
        Run.objects.filter(pk=run.pk).update(lease_expires_at=now())
        sweep.end_expired(Run.objects.get(pk=run.pk))
    elif how == "stopped":
        run.cancel(by=person, why="Stopped.")
    else:
        issue.interrupt(by=person)
    return []


@pytest.mark.parametrize("seed", range(5))
def test_20_messages_at_random_moments(company: Any, seed: int) -> None:
    chance = random.Random(seed)
    agent = make.agent(company)
    person = make.by(make.operator(company))
    issue = make.issue(company, assignee_agent=agent)
    said: list[str] = []
    read: list[str] = []
    live = start(agent, issue)
    while len(said) < 20:
        what = chance.choice(["say", "say", "end", "pause", "approve"])
        if what == "say":
            said.append(str(issue.comment(f"{len(said)}", by=person).pk))
        elif what == "approve":
            # Something else that wakes it, as a decision does.
            agent.wake("automation", "approval_approved", by=person, issue_id=issue.pk)
        elif what == "pause":
            agent.pause(by=person)
            agent.resume(by=person)
            live = None
        elif live is not None:
            read += end(live, chance.choice(END), issue, person)
            live = None
        live = live or start(agent, issue)
        # Whatever was not read to an end is seen to wait.
        waits = waiting_messages(issue)
        assert set(said) - set(read) == set(waits)
    if live is not None:
        read += end(live, "well", issue, person)
    issue.comment("That is all.", by=person)
    agent.wake("on_demand", "manual", by=person, issue_id=issue.pk)
    last = start(agent, issue)
    assert last is not None
    read += end(last, "well", issue, person)
    assert read[: len(said)] == said and len(read) == len(said) + 1
    assert waiting_messages(issue) == {}


@pytest.mark.django_db(transaction=True)
def test_what_is_said_to_a_real_run_is_read_by_the_next_one(company: Any) -> None:
    agent = hired(company, 'echo "$PAPERCLIP_WAKE_COMMENT_ID"; sleep 1')
    person = make.by(make.operator(company))
    issue = make.issue(company, assignee_agent=agent)
    first = agent.runs.get()
    with worker():
        running(first)
        said = issue.comment("The colour is blue.", by=person)
        assert waiting_messages(issue) == {
            str(said.pk): f"It waits for the next run of {agent}."
        }
        second = agent.runs.exclude(pk=first.pk).get()
        assert ended(first).status == "succeeded"
        assert ended(second).stdout_excerpt.strip() == str(said.pk)
        assert second.started_at >= first.finished_at
        assert waiting_messages(issue) == {}
        Run.objects.open().cancel(by=SYSTEM, why="the test is over")


@pytest.mark.django_db(transaction=True)
def test_an_interruption_ends_the_run_and_the_next_one_reads_it(company: Any) -> None:
    agent = hired(company, 'echo "$PAPERCLIP_WAKE_COMMENT_ID"; sleep 120')
    person = make.by(make.operator(company))
    issue = make.issue(company, assignee_agent=agent)
    first = agent.runs.get()
    with worker():
        running(first)
        said = issue.comment("Stop, the colour is red.", by=person, interrupt=True)
        assert ended(first).status == "cancelled"
        second = running(agent.runs.exclude(pk=first.pk).get())

        def printed() -> bool:
            log = second.log_file
            return log.exists() and str(said.pk) in log.read_text()

        eventually(printed)
        assert waiting_messages(issue) == {str(said.pk): f"{agent} is reading it."}
        Run.objects.open().cancel(by=SYSTEM, why="the test is over")
        eventually(lambda: ended(second).status == "cancelled")


def test_what_is_said_while_everything_is_stopped_is_seen_to_wait(company: Any) -> None:
    agent = make.agent(company)
    person = make.by(make.operator(company))
    issue = make.issue(company, assignee_agent=agent)
    live = start(agent, issue)
    assert live is not None
    company.pause(by=SYSTEM)
    said = issue.comment("Make it blue.", by=person)
    again = issue.comment("And round.", by=person)
    issue.comment("I see.", by=Actor.of_agent(agent))
    waits = f"{agent} reads it when it is woken again."
    assert waiting_messages(issue) == {str(said.pk): waits, str(again.pk): waits}
    make.end(live)
    company.resume(by=SYSTEM)
    agent.wake("on_demand", "manual", by=person, issue_id=issue.pk)
    assert start(agent, issue) is not None
    assert waiting_messages(issue) == {}
