"""Ends and claims that had to wait for their agent, and what happened meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.models import F
from django.utils.timezone import now

from agents.faults import CONFIG
from agents.models import Agent, Attempt, Run
from paperclip.actors import SYSTEM
from tests import make
from tests.instance import wait_for
from tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)
WAITS = """
SELECT 1 FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITS)
        return cursor.fetchone() is not None


@contextmanager
def waiting(agent: Agent, act: Callable[[], Any]) -> Iterator[Future[Any]]:
    """What the act answers, which waits for the agent as long as the block lasts."""

    def aside() -> Any:
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as pool, transaction.atomic():
        Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        answer = pool.submit(aside)
        wait_for(somebody_waits, 10)
        yield answer


def again(run: Run) -> Run:
    """As somebody else reads it."""
    return Run.objects.select_related("agent__company").get(pk=run.pk)


def test_what_is_started_meanwhile_ends_after_it_began() -> None:
    run = make.queued_run(make.agent())
    mine = again(run)
    with waiting(run.agent, lambda: mine.cancel(by=SYSTEM, why="A test.")) as answer:
        assert run.claim(host="test")
    assert answer.result() is True
    run.refresh_from_db()
    assert (run.status, run.finished_at) == ("cancelled", mine.finished_at)
    assert Run.objects.filter(finished_at__gt=F("started_at")).exists()
    assert [wakeup.status for wakeup in run.wakeups.all()] == ["cancelled"]
    assert Agent.objects.get().last_heartbeat_at == run.finished_at


def test_a_lease_that_runs_out_meanwhile_is_lost() -> None:
    run, _ = make.live_run(make.agent())
    soon = now() + timedelta(seconds=1)
    Run.objects.filter(pk=run.pk).update(lease_expires_at=soon)
    with waiting(run.agent, lambda: run.finish("succeeded")) as answer:
        wait_for(lambda: not again(run).is_live, 10)
    assert answer.result() is False
    assert again(run).status == "running"


@pytest.mark.parametrize("status", ["paused", "terminated"])
def test_who_may_not_run_any_more_stays_so(status: str) -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    with waiting(agent, lambda: run.finish("failed", error="It broke.")) as answer:
        Agent.objects.filter(pk=agent.pk).update(status=status, updated_at=now())
    assert answer.result() is True
    agent.refresh_from_db()
    assert (agent.status, agent.error_reason) == (status, None)
    assert run.agent.status == status


def test_a_company_that_is_stopped_meanwhile_is_known() -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    mine = again(run)
    with waiting(agent, lambda: mine.finish("failed")) as answer:
        agent.company.pause(by=SYSTEM)
        # So that the row that was waited for is another one.
        Agent.objects.filter(pk=agent.pk).update(last_run_started_at=now())
    assert answer.result() is True
    assert mine.agent.company.status == "paused"


def test_nothing_starts_in_a_company_that_is_stopped_meanwhile() -> None:
    run = make.queued_run(make.agent())
    mine = again(run)
    with waiting(run.agent, lambda: mine.claim(host="test")) as answer:
        run.agent.company.pause(by=SYSTEM)
        Agent.objects.filter(pk=run.agent_id).update(last_run_started_at=now())
    assert answer.result() is None
    assert again(run).status == "cancelled"


def test_faults_of_other_runs_meanwhile_are_forgiven() -> None:
    agent = make.agent(max_concurrent_runs=2)
    run, _ = make.live_run(agent)
    other, _ = make.live_run(agent, make.issue(agent.company))
    with waiting(agent, lambda: run.finish("succeeded")) as answer:
        other.finish("failed", error="It broke.")
        Attempt.objects.count_try(other, CONFIG, "It broke.")
    assert answer.result() is True
    assert not agent.attempts.exists()
    agent.refresh_from_db()
    assert (agent.status, agent.error_reason) == ("idle", None)
    assert agent.updated_at == run.finished_at
    assert Run.objects.filter(pk=run.pk, finished_at__gt=other.finished_at).exists()


def test_of_all_who_end_the_runs_of_an_agent_one_ends_each() -> None:
    agent = make.agent(max_concurrent_runs=3)
    for _ in range(10):
        issues = [make.issue(agent.company) for _ in range(3)]
        runs = [make.live_run(agent, issue)[0] for issue in issues]

        def act(n: int, runs: list[Run] = runs) -> bool:
            mine = again(runs[n % 3])
            if n < 3:
                return mine.cancel(by=SYSTEM, why="A test.")
            return mine.finish("succeeded")

        assert sorted(together(6, act)) == [False] * 3 + [True] * 3
        for run in runs:
            assert [event.seq for event in run.events.all()] == [1, 2]
