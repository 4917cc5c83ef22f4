"""Whoever moves an issue on says what was done: who is silent is asked once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from agents.models import Agent, Attempt, Run
from issues import heartbeat, progress, sweep
from issues.models import Issue
from paperclip.actors import SYSTEM, Actor
from paperclip.models import Activity
from tests import make
from tests.workers import hired

pytestmark = pytest.mark.django_db(transaction=True)
CALL = """curl -sS --fail -X {method} -H "Authorization: Bearer $PAPERCLIP_API_KEY" \\
    -H 'Content-Type: application/json' -d '{body}' \\
    "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID{path}"
"""
FINISH = CALL.format(method="PATCH", body='{"status": "done"}', path="")
TELL = CALL.format(method="POST", body='{"body": "It works."}', path="/comments")
ASKED = '[ "$PAPERCLIP_WAKE_REASON" = missing_issue_comment ]'


@pytest.fixture
def issue(live_server: Any, settings: Any) -> Issue:
    settings.API_URL = live_server.url
    return make.issue(make.company())


def given(issue: Issue, script: str) -> Agent:
    agent = hired(issue.company, script)
    issue.change(by=SYSTEM, assignee_agent=agent)
    return agent


def beat() -> None:
    """The next run, whatever its time."""
    Run.objects.filter(status="queued").update(ready_at=now())
    heartbeat.beat()


def reasons(agent: Agent) -> list[str]:
    runs = agent.runs.order_by("created_at")
    return [run.wakes[-1]["reason"] for run in runs]


def test_a_silent_run_is_asked_for_its_comment(issue: Issue) -> None:
    agent = given(issue, f"if {ASKED}; then {TELL} else {FINISH} fi")
    beat()
    issue.refresh_from_db()
    assert issue.status == "done"
    asked = agent.runs.get(status="queued")
    assert timedelta() < asked.ready_at - now() <= timedelta(seconds=5)
    beat()
    assert reasons(agent) == ["issue_assigned", "missing_issue_comment"]
    assert issue.comments.get().body == "It works."
    sweep.wake_waiting()
    assert not Run.objects.open().exists()
    assert not Activity.objects.filter(action="heartbeat.comment_missing").exists()


def test_it_is_not_asked_a_third_time(issue: Issue) -> None:
    agent = given(issue, f"{ASKED} || {{ {FINISH} }}")
    beat()
    beat()
    for _ in range(3):
        sweep.wake_waiting()
        beat()
    assert reasons(agent) == ["issue_assigned", "missing_issue_comment"]
    silent = agent.runs.first()
    recorded = Activity.objects.get(action="heartbeat.comment_missing")
    assert recorded.entity_id == str(silent.pk)
    assert recorded.details["issueId"] == str(issue.pk)
    assert silent.events.filter(message__contains="left no comment").count() == 1
    issue.refresh_from_db()
    assert issue.status == "done" and not Attempt.objects.exists()


def test_who_says_what_was_done_is_not_asked(issue: Issue) -> None:
    agent = given(issue, TELL + FINISH)
    beat()
    assert reasons(agent) == ["issue_assigned"]


def test_who_moved_nothing_has_nothing_to_say(issue: Issue) -> None:
    """Somebody else moves its issue on meanwhile."""
    agent = given(issue, "true")
    run = started(agent)
    issue.change(by=SYSTEM, assignee_agent=make.agent(issue.company))
    make.end(run)
    assert run.progressed and not agent.runs.open().exists()


def started(agent: Agent) -> Run:
    run = agent.runs.get()
    assert run.claim(host="test")
    progress.note_start(run)
    return run


def test_a_key_that_names_no_run_counts(issue: Issue) -> None:
    agent = given(issue, "true")
    run = started(agent)
    issue.change(by=Actor.of_agent(agent, run), status="done")
    issue.comment("Done, by hand.", by=Actor.of_agent(agent))
    make.end(run)
    assert not agent.runs.open().exists()


def test_a_paused_agent_is_not_asked(issue: Issue) -> None:
    agent = given(issue, FINISH)
    run = started(agent)
    issue.change(by=Actor.of_agent(agent, run), status="done")
    Agent.objects.filter(pk=agent.pk).update(status="paused")
    make.end(run)
    assert not agent.runs.open().exists()
    assert agent.wakeups.first().status == "skipped"
