"""T-07, T-09: who has nothing to do costs nothing, and whatever door work comes in by,
it is found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils.timezone import now

from agents.models import Agent, Run, Wakeup
from issues import gate, sweep
from issues.models import Comment, Issue
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.engine.clock import START, look, passing
from tests.long import long

pytestmark = pytest.mark.django_db
TIMER = {"heartbeat_enabled": True, "interval_seconds": 600}


@pytest.fixture
def company() -> Any:
    return make.company()


def had_a_run(agent: Agent, issue: Issue | None = None) -> Actor:
    """The agent, through a run of it that ends well."""
    run, _ = make.live_run(agent, issue)
    run.finish("succeeded")
    agent.refresh_from_db()
    return Actor.of_agent(agent, run)


def ring(agent: Agent) -> Wakeup:
    """What became of the timer of this agent, which rings now."""
    Agent.objects.filter(pk=agent.pk).update(next_heartbeat_at=now())
    gate.wake_due(now(), 100)
    last: Wakeup = agent.wakeups.order_by("-updated_at").first()  # type: ignore[assignment]
    return last


@pytest.mark.parametrize("hours", [4, long(24)])
def test_an_idle_company_costs_nothing(company: Any, hours: int) -> None:
    """T-07a: 100 agents with timers, 24 h, nothing to do."""
    with passing(hours, timedelta(minutes=10)):
        for _ in range(100):
            make.agent(company, **TIMER)
    assert not Run.objects.exists() and not Comment.objects.exists()
    skips = Wakeup.objects.all()
    assert {(row.status, row.note) for row in skips} == {("skipped", gate.UNCHANGED)}
    # One row an agent, which counts.
    most = hours * 6
    assert len(skips) == 100
    assert {most - 1 <= row.times <= most for row in skips} == {True}


@pytest.mark.long
def test_blocked_issues_cost_nothing_for_a_day(company: Any) -> None:
    """T-09a: 31 of them, with an assignee whose timer rings."""
    with passing(24, timedelta(minutes=10)):
        agent = make.agent(company, **TIMER)
        blocker = make.issue(company, title="The one they wait for")
        for _ in range(31):
            issue = make.issue(company, assignee_agent=agent, blocked_by=[blocker])
            issue.change(by=SYSTEM, status="blocked")
        Run.objects.all().delete()
        Agent.objects.filter(pk=agent.pk).update(last_run_started_at=now())
    assert not Run.objects.exists() and not Comment.objects.exists()
    assert Issue.objects.filter(status="blocked").count() == 31


def test_many_that_may_start_hold_up_nobody(
    company: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few start each round, those that are skipped are decided at once, and nobody's
    alarm is moved who was not decided about."""
    monkeypatch.setattr(gate, "STARTS", 2)
    rang = now() - timedelta(seconds=5)
    busy = [make.agent(company, **TIMER) for _ in range(5)]
    idle = make.agent(company, **TIMER)
    for agent in busy:
        make.issue(company, assignee_agent=agent, status="todo")
    Run.objects.all().delete()
    Agent.objects.update(next_heartbeat_at=rang, last_run_started_at=now())
    assert [gate.wake_due(now(), 100) for _ in range(4)] == [3, 2, 1, 0]
    assert idle.wakeups.get(source="timer").status == "skipped"
    assert Run.objects.filter(agent__in=busy).count() == 5
    assert not Agent.objects.filter(next_heartbeat_at=rang).exists()


@pytest.mark.parametrize("door", ["import", "verb"])
def test_work_is_found_whatever_door_it_came_by(company: Any, door: str) -> None:
    """T-07b: a row put straight into the table has sent no event to anybody."""
    agent = make.agent(company)
    issue = make.issue(company, status="backlog")
    if door == "import":
        Issue.objects.filter(pk=issue.pk).update(assignee_agent=agent, status="todo")
    else:
        issue.change(by=SYSTEM, assignee_agent=agent, status="todo")
    sweep.wake_waiting()
    assert agent.runs.get().issue_id == issue.pk


def test_the_gate_opens_for_work_of_its_own(company: Any) -> None:
    agent = make.agent(company, **TIMER)
    had_a_run(agent)
    assert ring(agent).status == "skipped"
    Issue.objects.filter(pk=make.issue(company).pk).update(assignee_agent=agent)
    assert ring(agent).status == "queued"


def test_the_gate_opens_for_what_others_did_since_its_last_run(company: Any) -> None:
    agent = make.agent(company, **TIMER)
    me = had_a_run(agent)
    issue = Issue.objects.file(company, by=me, title="Asked for", status="todo")
    other = make.agent(company)
    assert ring(agent).status == "skipped"  # it filed that itself
    issue.comment("Which colour?", by=make.working(other))
    assert ring(agent).status == "queued"


def test_its_own_words_do_not_open_the_gate(company: Any) -> None:
    agent = make.agent(company, **TIMER)
    issue = make.issue(company, assignee_agent=agent)
    run = agent.runs.get()
    run.claim(host="test")
    issue.change(by=Actor.of_agent(agent, run), status="blocked", comment="No key.")
    run.finish("succeeded")
    for _ in range(3):
        assert ring(agent).note == gate.UNCHANGED


def test_what_others_did_before_its_last_run_began_is_no_news(company: Any) -> None:
    """T-07c: no run is made, so no prompt is built."""
    agent = make.agent(company, **TIMER)
    me = had_a_run(agent)
    issue = Issue.objects.file(company, by=me, title="Asked for", status="todo")
    issue.comment("Which colour?", by=make.working(make.agent(company)))
    had_a_run(agent)
    runs = agent.runs.count()
    assert ring(agent).note == gate.UNCHANGED
    assert agent.runs.count() == runs


def test_what_happens_during_its_run_is_news_after_it(company: Any) -> None:
    agent = make.agent(company, **TIMER)
    run, _ = make.live_run(agent)
    me = Actor.of_agent(agent, run)
    issue = Issue.objects.file(company, by=me, title="Asked for", status="todo")
    issue.comment("Which colour?", by=make.working(make.agent(company)))
    run.finish("succeeded")
    assert ring(agent).status == "queued"


def test_new_instructions_open_the_gate(company: Any) -> None:
    agent = make.agent(company, **TIMER)
    had_a_run(agent)
    agent.change(by=SYSTEM, instructions="Look again.")
    assert ring(agent).status == "queued"


def test_the_gate_can_be_left_open(company: Any) -> None:
    agent = make.agent(company, **TIMER, skip_unchanged=False)
    assert ring(agent).status == "queued"


def test_a_timer_with_work_that_never_moves_is_left_alone(
    company: Any, settings: Any
) -> None:
    """Open work opens the gate only while the agent does something about it."""

    agent = make.agent(company, **TIMER)
    issue = make.issue(company)
    Issue.objects.filter(pk=issue.pk).update(assignee_agent=agent)
    for _ in range(settings.PROGRESS_LIMIT):
        wakeup = ring(agent)
        assert wakeup.status == "queued" and wakeup.run is not None
        assert wakeup.run.claim(host="test")
        make.end(wakeup.run)
    assert ring(agent).note == gate.UNCHANGED
    assert "nothing moved" in agent.attempts.parked().get(issue_id=None).reason
    issue.comment("Well?", by=make.by(make.operator(company)))
    Run.objects.filter(status="queued").delete()
    assert ring(agent).status == "queued"


def test_the_alarm_of_a_busy_agent_moves_and_says_so(company: Any) -> None:
    agent = make.agent(company, **TIMER)
    make.live_run(agent)
    assert ring(agent).note == "The last run has not ended yet."
    agent.refresh_from_db()
    assert agent.next_heartbeat_at > now()


@pytest.mark.parametrize("event", ["arrives", "is lost"])
def test_a_cancelled_blocker_asks_its_owner_once(company: Any, event: str) -> None:
    """T-09b: one request for a decision, not silence and not a storm."""
    agent = make.agent(company)
    blocker = make.issue(company)
    issue = make.issue(company, assignee_agent=agent, blocked_by=[blocker])
    issue.change(by=SYSTEM, status="blocked")
    make.live_run(agent, issue)[0].finish("succeeded")
    if event == "arrives":
        blocker.change(by=SYSTEM, status="cancelled")
    else:
        gone = {"status": "cancelled", "cancelled_at": now()}
        Issue.objects.filter(pk=blocker.pk).update(**gone)
    for _ in range(3):
        look()
    run = agent.runs.get(status="queued")
    assert [wake["reason"] for wake in run.wakes] == ["issue_blocker_cancelled"]
    assert run.claim(host="test")
    run.finish("succeeded")
    for _ in range(3):
        look()
    assert not agent.runs.filter(status="queued").exists()


@pytest.mark.parametrize("way", ["checkout", "change", "operator", "comment", "wake"])
def test_no_path_starts_what_is_blocked(company: Any, way: str) -> None:
    """T-09d."""
    agent = make.agent(company)
    blocker = make.issue(company)
    issue = make.issue(company, assignee_agent=agent, blocked_by=[blocker])
    run, token = make.live_run(agent, issue)
    person = make.client_of(make.operator(company))
    paths: dict[str, Any] = {
        "checkout": lambda: make.client(token).post(
            f"/api/issues/{issue.pk}/checkout",
            {"agentId": str(agent.pk), "expectedStatuses": ["todo", "blocked"]},
        ),
        "change": lambda: make.client(token).patch(
            f"/api/issues/{issue.pk}", {"status": "in_progress"}
        ),
        "operator": lambda: person.patch(
            f"/api/issues/{issue.pk}", {"status": "in_progress"}
        ),
        "comment": lambda: person.post(
            f"/api/issues/{issue.pk}/comments", {"body": "Go!", "reopen": True}
        ),
        "wake": lambda: person.post(
            f"/api/agents/{agent.pk}/wakeup", {"payload": {"issueId": str(issue.pk)}}
        ),
    }
    status = paths[way]().status_code
    assert status == 422 if way in ("checkout", "change", "operator") else status < 300
    issue.refresh_from_db()
    assert issue.status != "in_progress"
    assert run.is_live


def test_a_blocker_that_is_done_wakes_once_even_when_the_event_was_lost(
    company: Any,
) -> None:
    """T-09b."""
    agent = make.agent(company)
    blocker = make.issue(company)
    issue = make.issue(company, assignee_agent=agent, blocked_by=[blocker])
    issue.change(by=SYSTEM, status="blocked")
    with time_machine.travel(START + timedelta(days=200), tick=False) as clock:
        # As a process would leave it that died before it told anybody.
        Issue.objects.filter(pk=blocker.pk).update(status="done", completed_at=now())
        Run.objects.filter(agent=agent).delete()
        make.live_run(agent, issue)[0].finish("succeeded")
        clock.shift(timedelta(seconds=1))
        Issue.objects.filter(pk=blocker.pk).update(completed_at=now())
        clock.shift(timedelta(seconds=1))
        for _ in range(3):
            look()
        assert agent.runs.filter(status="queued", issue_id=issue.pk).count() == 1
