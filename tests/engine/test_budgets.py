"""T-05: a limit holds inside of a run, whatever the program says that it costs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils.timezone import now

from agents.models import Agent, BudgetCounter, BudgetIncident, CostEvent, Run
from issues import sweep
from paperclip import processes
from paperclip.actors import SYSTEM
from tests import make
from tests.workers import eventually, running, woken, worker

pytestmark = pytest.mark.django_db(transaction=True)
CLI = str(Path(__file__).parent / "metered_cli.py")


@pytest.fixture(scope="module", autouse=True)
def _worker(django_db_setup: None) -> Iterator[None]:
    with worker(threads=6):
        yield


@pytest.fixture
def company() -> Iterator[Any]:
    yield make.company()
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")
    eventually(lambda: not processes.live_runs())


def coder(company: Any, tokens: int = 0, every: float = 1, **more: Any) -> Agent:
    told = {"TOKENS": str(tokens), "EVERY": str(every)}
    told |= {name: str(value) for name, value in more.items()}
    config = {"command": sys.executable, "args": [CLI], "env": told, "graceSec": 1}
    config["writable"] = [str(Path(told["BEGIN"]).parent)] if "BEGIN" in told else []
    return make.agent(company, adapter_config=config)


def swept(condition: Callable[[], Any], timeout: float = 60) -> Any:
    """As the clock does meanwhile."""

    def look() -> Any:
        sweep.sweep()
        return condition()

    return eventually(look, timeout)


def counter_of(scope: Any, metric: str) -> BudgetCounter:
    return BudgetCounter.objects.get(
        scope_id=scope.pk, metric=metric, ceiling__isnull=False
    )


def is_paused(scope: Any) -> bool:
    scope.refresh_from_db()
    return scope.pause_reason == "budget"


def stopped_seconds(counter: BudgetCounter, runs: list[Run]) -> float:
    """From when the limit was reached until the last tree of its scope is gone."""

    def is_reached() -> bool:
        counter.refresh_from_db()
        return counter.reached == 2

    swept(is_reached)
    since = time.monotonic()
    names = {str(run.pk) for run in runs}
    swept(lambda: not names & processes.live_runs())
    return time.monotonic() - since


def test_a_limit_of_tokens_ends_five_runs_that_cost_nothing(
    company: Any, tmp_path: Path
) -> None:
    """T-05a, and T-05e: each line comes twice."""
    flush = 800
    make.budget(company, 10_000, metric="tokens")
    begin = tmp_path / "begin"
    runs = [woken(coder(company, flush, BEGIN=begin)) for _ in range(5)]
    names = {str(run.pk) for run in runs}
    swept(lambda: names <= processes.live_runs())
    begin.touch()
    counter = counter_of(company, "tokens")
    assert stopped_seconds(counter, runs) < 5
    swept(lambda: is_paused(company))
    counter.refresh_from_db()
    assert 10_000 <= counter.spent <= 10_000 + 5 * flush
    assert counter.reserved == 0
    told = CostEvent.objects.filter(company=company)
    assert sum(one.input_tokens + one.output_tokens for one in told) == counter.spent
    assert {one.cost_micros for one in told} == {0}
    soft, hard = BudgetIncident.objects.order_by("created_at")
    assert (soft.threshold, hard.threshold) == ("soft", "hard")
    assert soft.observed >= 8_000
    ended = Run.objects.filter(company=company).exclude(error_code=None)
    assert set(ended.values_list("status", "error_code")) == {
        ("cancelled", "budget_exceeded")
    }
    # Nobody is at fault, and nothing starts again by itself.
    assert not Run.objects.open().exists()
    assert not Agent.objects.filter(status="error").exists()


def test_money_and_minutes_end_a_run_too(company: Any) -> None:
    """T-05b: the smallest of what is left rules."""
    project = make.project(company)
    dear, slow = coder(company, 100, COST=0.02), coder(company, 100)
    issue = make.issue(company, project=project)
    make.budget(company, 100_000)
    make.budget(dear, 10)
    make.budget(project, 60, metric="minutes", window_kind="calendar_month_utc")
    make.budget(issue, 1, metric="minutes")
    minute = counter_of(issue, "minutes")
    BudgetCounter.objects.filter(pk=minute.pk).update(spent=57)
    runs = [woken(dear), woken(slow, issue)]
    for run in runs:
        running(run)
    swept(lambda: is_paused(dear))
    swept(lambda: not processes.live_runs())
    money = counter_of(dear, "billed_cents")
    assert 100_000 <= money.spent <= 120_000 and money.reserved == 0
    minute.refresh_from_db()
    assert 60 <= minute.spent <= 62
    # What was wide enough has counted all the same, and goes on.
    assert counter_of(project, "minutes").spent == minute.spent - 57
    assert counter_of(company, "billed_cents").spent == money.spent
    stops = BudgetIncident.objects.unresolved()
    assert set(stops.values_list("scope_type", "metric")) == {
        ("agent", "billed_cents"),
        ("issue", "minutes"),
    }
    company.refresh_from_db()
    assert (company.status, Agent.objects.get(pk=slow.pk).status) == ("active", "idle")


def test_a_program_that_tells_nothing_is_never_free(company: Any) -> None:
    """T-05c."""
    silent = coder(company)
    make.budget(silent, 3000, metric="tokens")
    run = woken(silent)
    running(run)
    swept(lambda: is_paused(silent))
    swept(lambda: not processes.live_runs())
    [event] = CostEvent.objects.filter(run=run)
    assert event.estimated and event.cost_micros
    seconds = (Run.objects.get(pk=run.pk).finished_at - run.process_started_at).seconds
    assert event.input_tokens >= 1000 * seconds >= 1000
    assert event.input_tokens + event.output_tokens >= 3000
    counter = counter_of(silent, "tokens")
    assert counter.spent == event.input_tokens + event.output_tokens
    assert event.occurred_at <= now()
