"""Work that could go on is never left lying, whatever event was missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agents.models import Agent, Run
from issues import heartbeat, sweep
from issues.models import Issue
from paperclip.actors import SYSTEM, Actor
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Agent:
    return make.agent()


def done_with_first_run(agent: Agent, **fields: Any) -> Issue:
    """An issue of the agent whose first run has ended and left it as given."""
    issue = make.issue(agent.company, assignee_agent=agent)
    run = agent.runs.get(status="queued")
    run.claim(host="test")
    run.finish("succeeded")
    by = Actor.of_agent(agent, run)
    Issue.objects.filter(pk=issue.pk).update(**fields)
    issue.refresh_from_db()
    issue.comment("I leave it so.", by=by)
    return issue


def woken(agent: Agent, about: Issue) -> int:
    sweep.wake_waiting()
    return agent.runs.filter(status="queued", issue_id=about.pk).count()


def test_nothing_is_woken_for_what_nobody_changed(agent: Agent) -> None:
    for status in ("todo", "in_progress", "blocked"):
        assert woken(agent, done_with_first_run(agent, status=status)) == 0


def test_an_issue_assigned_during_a_pause_is_taken_up_after_it(agent: Agent) -> None:
    agent.pause(by=SYSTEM)
    issue = make.issue(agent.company, assignee_agent=agent)
    assert woken(agent, issue) == 0
    agent.resume(by=SYSTEM)
    assert woken(agent, issue) == 1
    assert woken(agent, issue) == 1  # and not again while that one waits


def free(issue: Issue) -> None:
    issue.change(by=SYSTEM, blocked_by=[])


def put_back(issue: Issue) -> None:
    issue.change(by=SYSTEM, status="todo")


def describe(issue: Issue) -> None:
    issue.change(by=SYSTEM, description="Do it like this.")


@pytest.mark.parametrize(
    ("status", "act"),
    [
        ("blocked", free),
        ("blocked", put_back),
        ("in_review", put_back),
        ("todo", describe),
    ],
)
def test_a_change_by_somebody_else_wakes_the_assignee(
    agent: Agent, status: str, act: Callable[[Issue], None]
) -> None:
    issue = done_with_first_run(agent, status=status)
    if act is free:
        issue.block_on([make.issue(agent.company)], by=SYSTEM)
        assert woken(agent, issue) == 0
    act(issue)
    assert woken(agent, issue) == 1


def test_a_blocker_that_ended_during_a_pause_frees_what_waited(agent: Agent) -> None:
    issue = done_with_first_run(agent, status="blocked")
    blocker = make.issue(agent.company)
    issue.block_on([blocker], by=Actor.of_agent(agent))
    agent.pause(by=SYSTEM)
    blocker.change(by=SYSTEM, status="done")
    agent.resume(by=SYSTEM)
    assert woken(agent, issue) == 1


def test_what_a_live_run_holds_is_left_to_it(agent: Agent) -> None:
    issue = make.issue(agent.company, assignee_agent=agent)
    run, _ = agent.runs.get(status="queued"), None
    run.claim(host="test")
    issue.check_out(agent, run, ["todo"], by=Actor.of_agent(agent, run))
    describe(issue)
    assert woken(agent, issue) == 0


def test_our_own_fault_is_tried_again(agent: Agent) -> None:
    run, _ = make.live_run(agent, make.issue(agent.company, assignee_agent=agent))
    heartbeat.lose(run, "the disk is full", "internal_error")
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "internal_error")
    again = Run.objects.get(retry_of=run)
    assert (again.status, again.attempt) == ("queued", 2)


def test_it_is_not_tried_for_ever(agent: Agent) -> None:
    run, _ = make.live_run(agent, make.issue(agent.company, assignee_agent=agent))
    for _ in range(9):
        heartbeat.lose(run, "again", "process_lost")
        run = Run.objects.get(retry_of=run)
        Run.objects.filter(pk=run.pk).update(ready_at=run.created_at)
        run.claim(host="test")
    heartbeat.lose(run, "again", "process_lost")
    assert not Run.objects.filter(retry_of=run).exists()
    parked = agent.attempts.get()
    assert (parked.tries, parked.parked_at is not None) == (10, True)
