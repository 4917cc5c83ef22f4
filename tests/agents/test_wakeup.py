"""Wakes: every attempt leaves a record, and many of them make one run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from agents.models import Agent, Run, Wakeup
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db

WAKES = [
    ("assignment", "issue_assigned"),
    ("automation", "issue_commented"),
    ("automation", "issue_blockers_resolved"),
    ("automation", "process_lost_retry"),
    ("on_demand", "manual"),
]


def test_a_wake_makes_a_run_that_says_why() -> None:
    agent, issue = make.agent(), make.issue()
    wakeup = agent.wake("assignment", "issue_assigned", by=SYSTEM, issue_id=issue.pk)
    run = agent.runs.get()
    assert (wakeup.status, wakeup.run) == ("queued", run)
    assert (run.status, run.issue_id) == ("queued", issue.pk)
    assert run.wakes[0]["reason"] == "issue_assigned"


def test_wakes_about_the_same_issue_wait_together() -> None:
    agent, issue = make.agent(), make.issue()
    for source, reason in WAKES:
        agent.wake(source, reason, by=SYSTEM, issue_id=issue.pk)
    run = agent.runs.get()
    assert [wake["reason"] for wake in run.wakes] == [reason for _, reason in WAKES]
    assert agent.wakeups.filter(status="coalesced").count() == len(WAKES) - 1


def put_off(agent: Agent) -> Run:
    """A run that is to start in three days only."""
    later = now() + timedelta(days=3)
    run = agent.wake("automation", "put_off", by=SYSTEM, ready_at=later).run
    assert run is not None and run.ready_at == later and run.rung_at is None
    return run


def test_run_now_starts_what_was_put_off() -> None:
    for source, by in (("on_demand", SYSTEM), ("automation", None)):
        agent = make.agent()
        run = put_off(agent)
        someone = by or make.by(make.operator(agent.company))
        wakeup = agent.wake(source, "manual", by=someone)
        assert (wakeup.status, wakeup.run) == ("coalesced", run)
        run.refresh_from_db()
        assert run.ready_at <= now() and run.rung_at is not None


def test_other_wakes_leave_it_put_off() -> None:
    agent = make.agent()
    run = put_off(agent)
    agent.wake("automation", "issue_commented", by=SYSTEM)
    run.refresh_from_db()
    assert run.ready_at > now() + timedelta(days=2)


def test_run_now_does_not_move_a_run_that_is_ready() -> None:
    agent = make.agent()
    run = make.queued_run(agent)
    assert make.queued_run(agent) == run
    assert Run.objects.get(pk=run.pk).ready_at == run.ready_at


def test_wakes_about_different_issues_do_not() -> None:
    agent = make.agent()
    for issue in (make.issue(), make.issue()):
        agent.wake("automation", "test", by=SYSTEM, issue_id=issue.pk)
    agent.wake("automation", "test", by=SYSTEM)
    assert agent.runs.count() == 3


def test_what_happens_while_a_run_works_waits_for_the_next_one() -> None:
    agent, issue = make.agent(), make.issue()
    running, _ = make.live_run(agent, issue)
    for _ in range(5):
        agent.wake("automation", "issue_commented", by=SYSTEM, issue_id=issue.pk)
    assert agent.runs.filter(status="queued").count() == 1
    running.refresh_from_db()
    assert len(running.wakes) == 1


def test_a_timer_does_not_queue_behind_anything() -> None:
    agent = make.agent(heartbeat_enabled=True, interval_seconds=30)
    make.live_run(agent)
    for _ in range(10):
        assert agent.wake("timer", "heartbeat_timer", by=SYSTEM).status == "skipped"
    assert not agent.runs.filter(status="queued").exists()
    assert agent.wakeups.get(status="skipped").times == 10


@pytest.mark.parametrize("state", ["paused", "terminated", "company stopped"])
def test_an_agent_that_may_not_run_is_not_woken(state: str) -> None:
    agent = make.agent()
    if state == "company stopped":
        agent.company.pause(by=SYSTEM)
    else:
        getattr(agent, {"paused": "pause", "terminated": "terminate"}[state])(by=SYSTEM)
    wakeup = agent.wake("automation", "issue_commented", by=SYSTEM)
    assert (wakeup.status, wakeup.run) == ("skipped", None)
    assert state.split()[-1] in wakeup.note
    with pytest.raises(Conflict):
        agent.wake("on_demand", "manual", by=SYSTEM)


def test_an_agent_in_error_may_be_woken() -> None:
    agent = make.agent()
    Agent.objects.filter(pk=agent.pk).update(status="error")
    agent.refresh_from_db()
    assert agent.wake("automation", "test", by=SYSTEM).status == "queued"


def test_one_that_is_only_woken_by_its_timer() -> None:
    agent = make.agent(wake_on_demand=False)
    assert agent.wake("automation", "test", by=SYSTEM).status == "skipped"
    assert agent.wake("timer", "heartbeat_timer", by=SYSTEM).status == "queued"


def test_skips_for_other_reasons_stand_apart() -> None:
    agent = make.agent(wake_on_demand=False)
    for reason in ("issue_commented", "issue_commented", "issue_assigned"):
        agent.wake("automation", reason, by=SYSTEM)
    times = agent.wakeups.order_by("created_at").values_list("reason", "times")
    assert list(times) == [("issue_commented", 2), ("issue_assigned", 1)]


@pytest.mark.django_db(transaction=True)
def test_wakes_at_the_same_moment_make_one_run() -> None:
    """T-02b."""
    agent, issue = make.agent(), make.issue()

    def wake(number: int) -> str:
        source, reason = WAKES[number % len(WAKES)]
        fresh = Agent.objects.select_related("company").get(pk=agent.pk)
        return fresh.wake(source, reason, by=SYSTEM, issue_id=issue.pk).status

    results = together(10, wake)
    assert sorted(results) == ["coalesced"] * 9 + ["queued"]
    assert {w["reason"] for w in Run.objects.get().wakes} == {r for _, r in WAKES}
    assert len(Run.objects.get().wakes) == 10


@pytest.mark.django_db(transaction=True)
def test_a_wake_is_not_lost_between_waiting_and_running() -> None:
    for _ in range(5):
        agent, issue = make.agent(), make.issue()
        run = make.queued_run(agent, issue)

        def act(number: int, run: Run = run, agent: Agent = agent) -> object:
            if number == 0:
                return Run.objects.get(pk=run.pk).claim(host="test")
            fresh = Agent.objects.select_related("company").get(pk=agent.pk)
            return fresh.wake("automation", "late", by=SYSTEM, issue_id=run.issue_id)

        token, wakeup = together(2, act)
        assert isinstance(token, str)
        assert isinstance(wakeup, Wakeup)
        # Either the run that started knows of it, or another one waits.
        woken = Run.objects.get(pk=wakeup.run_id)
        assert "late" in [wake["reason"] for wake in woken.wakes]


def test_the_alarm_has_a_phase_of_its_own() -> None:
    company = make.company()
    agents = [
        make.agent(company, heartbeat_enabled=True, interval_seconds=3600)
        for _ in range(20)
    ]
    rings = {agent.next_heartbeat_at for agent in agents}
    assert len(rings) > 10
    for agent in agents:
        first = agent.next_heartbeat_at
        assert now() < first <= now() + timedelta(hours=1)
        assert agent.alarm_after(first) == first + timedelta(hours=1)


def test_it_is_due_when_its_alarm_rang() -> None:
    agent = make.agent(heartbeat_enabled=True, interval_seconds=60)
    assert not Agent.objects.due(now()).exists()
    assert Agent.objects.due(now() + timedelta(seconds=61)).get() == agent
    agent.pause(by=SYSTEM)
    assert not Agent.objects.due(now() + timedelta(seconds=61)).exists()
