"""T-04b, T-04d, T-16c: what an outage leaves behind."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.utils.timezone import now

from agents import outcomes
from agents.adapters.base import Outcome
from agents.models import Agent, Run, Session, Wakeup
from agents.sessions import Thread
from issues import heartbeat, recovery, sweep
from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.models import Instance
from tests import make
from tests.engine.clock import START
from tests.instance import wait_for
from tests.races import together
from tests.workers import ended, hired, running, worker

pytestmark = pytest.mark.django_db
INTERVAL = 600


@pytest.fixture
def company() -> Any:
    return make.company()


def test_after_six_hours_down_the_timers_ring_over_a_window(company: Any) -> None:
    """T-16c: 30 agents with work and the same interval."""
    with time_machine.travel(START, tick=False) as clock:
        timer = {"heartbeat_enabled": True, "interval_seconds": INTERVAL}
        agents = [make.agent(company, **timer) for _ in range(30)]
        for agent in agents:
            issue = make.issue(company, status="backlog")
            todo = {"assignee_agent": agent, "status": "todo"}
            Issue.objects.filter(pk=issue.pk).update(**todo)
        sweep.sweep()
        clock.shift(timedelta(hours=6))
        assert Agent.objects.due(now()).count() == 30
        woken: Counter[int] = Counter()
        for tick in range(INTERVAL // 10 + 1):
            before = Wakeup.objects.filter(status="queued").count()
            sweep.sweep()
            after = Wakeup.objects.filter(status="queued").count()
            woken[tick * 10 // 60] += after - before
            clock.shift(timedelta(seconds=10))
    assert sum(woken.values()) == 30  # nobody is left out, nobody rings twice
    assert len(woken) >= 10 and max(woken.values()) <= 10
    assert {run.agent_id for run in Run.objects.all()} == {a.pk for a in agents}


def test_a_short_pause_is_no_outage(company: Any) -> None:
    timer = {"heartbeat_enabled": True, "interval_seconds": 30}
    with time_machine.travel(START, tick=False) as clock:
        agent = make.agent(company, **timer, skip_unchanged=False)
        sweep.sweep()
        clock.shift(timedelta(seconds=29))
        rings = agent.next_heartbeat_at
        sweep.sweep()
        clock.move_to(rings)
        sweep.sweep()
    assert agent.runs.count() == 1


def test_a_supervisor_that_outlived_the_outage_keeps_its_run(company: Any) -> None:
    with time_machine.travel(START, tick=False) as clock:
        sweep.sweep()
        run, _ = make.live_run(make.agent(company))
        clock.shift(timedelta(minutes=10))
        sweep.sweep()
        run.refresh_from_db()
        assert run.is_live
        # Nobody renews it: it is lost after one more lease.
        clock.shift(timedelta(seconds=20))
        sweep.sweep()
        run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "process_lost")


@pytest.mark.django_db(transaction=True)
def test_a_result_waits_for_the_database_and_is_delivered_once(
    company: Any, settings: Any
) -> None:
    """T-04d: the run ends while the database is away, for longer than its lease."""
    settings.LEASE_SECONDS = 1
    run, _ = make.live_run(make.agent(company))
    lease = heartbeat.Lease(run)
    away = threading.Event()
    tries = []

    def write() -> None:
        tries.append(1)
        if not away.is_set():
            raise OperationalError("the server closed the connection")
        heartbeat.conclude(run, Outcome("succeeded", {"exit_code": 0}))

    runner = threading.Thread(target=lease.patiently, args=[write])
    runner.start()
    time.sleep(2)
    Instance.objects.update_or_create(
        pk=1, defaults={"swept_at": now() - timedelta(minutes=10)}
    )
    sweep.sweep()
    away.set()
    runner.join(10)
    run.refresh_from_db()
    assert (run.status, run.exit_code) == ("succeeded", 0) and len(tries) > 3
    assert Run.objects.count() == 1
    assert not Run.objects.filter(status="running").exists()


@pytest.fixture
def leaving() -> Iterator[threading.Event]:
    """What a worker sets when it shuts down."""
    yield heartbeat.leaving
    heartbeat.leaving.clear()


@pytest.mark.django_db(transaction=True)
def test_a_result_outlives_the_worker_too(
    company: Any, leaving: threading.Event
) -> None:
    """T-04d: the worker is stopped while the database is away. What it had is on disk,
    and the sweep delivers it once."""
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    run = agent.runs.get()
    assert run.claim(host="test")
    kept = outcomes.place(run)
    thread = Thread(digest="d", adapter_type="process")
    columns: dict[str, Any] = {"exit_code": 0, "session_id_after": "s-1"}
    columns |= {"result": {"message": "Ü"}, "process_started_at": START}
    outcome = Outcome("succeeded", columns, thread=thread)

    def work(number: int) -> None:
        if number:
            wait_for(kept.exists, 20)
            leaving.set()
            return
        nobody_there = {"HOST": "127.0.0.1", "PORT": "1", "OPTIONS": {}}
        connection.settings_dict = {**connection.settings_dict, **nobody_there}
        heartbeat.write_down(outcome, heartbeat.Lease(run))

    failed, _ = together(2, work)
    assert isinstance(failed, OperationalError)
    run.refresh_from_db()
    assert run.is_live
    assert kept.stat().st_mode & 0o777 == 0o600
    leaving.clear()
    Run.objects.update(lease_expires_at=now() - timedelta(seconds=1))
    assert together(3, lambda n: sweep.sweep()) == [None] * 3
    run.refresh_from_db()
    assert (run.status, run.result) == ("succeeded", {"message": "Ü"})
    assert run.process_started_at == START
    assert Session.objects.get().session_id == "s-1" and not kept.exists()
    assert run.events.filter(message="run succeeded").count() == 1
    again = Run.objects.get(issue_id=issue.pk, status="queued")
    assert again.wakes[-1]["reason"] == recovery.UNFINISHED


@pytest.mark.parametrize(
    "columns",
    [
        {"stdout_excerpt": "a\0b"},
        {"error_code": "x" * 60},
        {"a_column_of_before": 1},
    ],
)
def test_what_cannot_be_written_down_ends_its_run(
    company: Any, columns: dict[str, Any]
) -> None:
    run, _ = make.live_run(make.agent(company))
    outcomes.keep(run, Outcome("succeeded", columns))
    Run.objects.update(lease_expires_at=now() - timedelta(seconds=1))
    sweep.sweep()
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "internal_error")
    assert "could not be written down" in run.error


@pytest.mark.django_db(transaction=True)
def test_a_delivery_and_a_cancel_never_wait_for_each_other(company: Any) -> None:
    for _ in range(8):
        run, _ = make.live_run(make.agent(company))
        outcomes.keep(run, Outcome("succeeded", {"exit_code": 0}))
        past = now() - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(lease_expires_at=past)

        def act(number: int, pk: Any = run.pk) -> Any:
            mine = Run.objects.select_related("agent__company").get(pk=pk)
            if number % 2:
                return mine.cancel(by=SYSTEM, why="a test")
            return sweep.end_expired(mine)

        results = together(4, act)
        assert not [one for one in results if isinstance(one, Exception)], results
        run.refresh_from_db()
        assert run.status in ("succeeded", "cancelled")


def test_what_cannot_be_read_is_no_result(company: Any) -> None:
    run, _ = make.live_run(make.agent(company))
    outcomes.place(run).parent.mkdir(parents=True)
    for text in ("", "{}", "[]", '{"status": "succeeded", "thread": {"x": 1}}'):
        outcomes.place(run).write_text(text)
        assert outcomes.kept(run) is None
    Run.objects.update(lease_expires_at=now() - timedelta(seconds=1))
    sweep.sweep()
    run.refresh_from_db()
    assert run.error_code == "process_lost"


@pytest.mark.django_db(transaction=True)
def test_a_silent_run_is_not_taken_for_a_dead_one(company: Any) -> None:
    """T-04b: not a word for many leases, and it is alive."""
    agent = hired(company, "sleep 6; echo done")
    with worker(PAPERCLIP_LEASE_SECONDS="1"):
        run = running(make.queued_run(agent))
        leases = set()
        while Run.objects.filter(pk=run.pk, status="running").exists():
            sweep.sweep()
            leases.add(Run.objects.get(pk=run.pk).lease_expires_at)
            time.sleep(0.2)
        assert ended(run).status == "succeeded"
        assert len(leases) >= 5 and Run.objects.count() == 1
