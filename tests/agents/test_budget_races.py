"""However reservations of the same limits come together, nobody passes one."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections, transaction
from django.db.models import F
from django.utils.timezone import now
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.models import Agent, BudgetCounter, BudgetReservation, CostEvent
from agents.models.grant import Scopes
from tests import make

WORKERS = 3
LASTS = timedelta(hours=1)
# One step of a worker: whose call, the least and what is wanted of money and of tokens,
# how much of it is used in the end (per cent), and how it ends.
STEP = st.tuples(
    st.integers(0, 1),
    st.integers(1, 30),
    st.integers(0, 60),
    st.integers(0, 100),
    st.sampled_from(["settled", "released", "settled twice", "asked again", "left"]),
)
SCRIPTS = st.lists(
    st.lists(STEP, min_size=2, max_size=6), min_size=WORKERS, max_size=WORKERS
)
LIMITS = st.tuples(*[st.integers(20, 160)] * 4)


class World:
    """Two agents at work on one issue of one project."""

    def __init__(self) -> None:
        company = make.company()
        project = make.project(company)
        issue = make.issue(company, project=project)
        self.agents = [make.agent(company) for _ in range(2)]
        self.limited = [company, project, self.agents[0], issue]
        self.scopes = [
            Scopes(company.pk, agent.pk, project.pk, issue.pk) for agent in self.agents
        ]
        for scope in self.limited:
            for metric in ("billed_cents", "tokens"):
                make.budget(scope, 1, metric=metric, window_kind="calendar_month_utc")
        for agent in self.agents:
            BudgetCounter.objects.open_missing(company.pk, agent.pk)
        self.pool = ThreadPoolExecutor(WORKERS)

    def begin(self, limits: tuple[int, ...]) -> None:
        BudgetReservation.objects.all().delete()
        BudgetCounter.objects.update(spent=0, reserved=0, overrun=0, reached=0)
        for scope, limit in zip(self.limited, limits, strict=True):
            mine = BudgetCounter.objects.filter(scope_id=scope.pk)
            mine.filter(ceiling__isnull=False).update(ceiling=limit)

    def play(self, scripts: list[list[Any]]) -> list[tuple[int, int, int]]:
        """All scripts at once; who used how much of money and tokens."""
        together = Barrier(WORKERS)

        def work(script: list[Any]) -> list[tuple[int, int, int]]:
            together.wait(timeout=30)
            return [used for step in script if (used := self.step(*step))]

        return [used for done in self.pool.map(work, scripts) for used in done]

    def step(
        self, who: int, least: int, more: int, share: int, end: str
    ) -> tuple[int, int, int] | None:
        call, scopes = uuid4(), self.scopes[who]
        ask = {"billed_cents": (least, least + more), "tokens": (least, least + more)}
        grant = BudgetCounter.objects.reserve(call, scopes, ask, lasts=LASTS)
        if end == "asked again" and not grant.short:
            grant = BudgetCounter.objects.reserve(
                call, scopes, {m: (1, low) for m, (low, _) in ask.items()}, lasts=LASTS
            )
        if grant.short or end == "left":
            return None
        if end == "released":
            self.settle(call, who, 0, 0, enter=False)
            return None
        cost, tokens = (
            grant.amounts[metric] * share // 100
            for metric in ("billed_cents", "tokens")
        )
        for _ in range(2 if end == "settled twice" else 1):
            self.settle(call, who, cost, tokens)
        return who, cost, tokens

    def settle(
        self, call: UUID, who: int, cost: int, tokens: int, enter: bool = True
    ) -> None:
        scopes = self.scopes[who]
        event = {"id": call, "input_tokens": tokens, "cost_micros": cost}
        BudgetCounter.objects.enter(
            scopes,
            {"billed_cents": cost, "tokens": tokens} if enter else {},
            at=now(),
            event=event if enter else None,
            reservation=call,
        )

    def close(self) -> None:
        everybody = Barrier(WORKERS)

        def leave(_number: int) -> None:
            connections.close_all()
            everybody.wait(timeout=30)

        list(self.pool.map(leave, range(WORKERS)))
        self.pool.shutdown()


@pytest.fixture
def world(transactional_db: None) -> Iterator[World]:
    one = World()
    yield one
    one.close()


def check(world: World, limits: tuple[int, ...], scripts: list[list[Any]]) -> None:
    world.begin(limits)
    used = world.play(scripts)
    counters = BudgetCounter.objects.filter(ceiling__isnull=False)
    assert not counters.filter(ceiling__lt=F("spent") + F("reserved")).exists()
    assert not counters.exclude(overrun=0).exists()
    held: Counter[int] = Counter()
    for one in BudgetReservation.objects.all():
        held.update(dict(zip(one.counters, one.amounts, strict=True)))
    for counter in counters:
        part = 1 if counter.metric == "billed_cents" else 2
        mine = [u for u in used if counter.scope_id in world.scopes[u[0]].ids]
        assert counter.spent == sum(u[part] for u in mine)
        assert counter.reserved == held[counter.pk]


SUITE, ALL = 40, 10_000
WATCHED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=SUITE, deadline=None, suppress_health_check=WATCHED)
@given(limits=LIMITS, scripts=SCRIPTS)
def test_no_limit_is_passed(world: World, limits: Any, scripts: Any) -> None:
    check(world, limits, scripts)


@pytest.mark.long
@settings(max_examples=ALL, deadline=None, suppress_health_check=WATCHED)
@given(limits=LIMITS, scripts=SCRIPTS)
def test_no_limit_is_passed_ten_thousand_times(
    world: World, limits: Any, scripts: Any
) -> None:
    check(world, limits, scripts)


@pytest.mark.django_db(transaction=True)
def test_what_has_grown_meanwhile_is_given_back_whole() -> None:
    """Who counts it found the counter as it was before the reservation grew."""
    agent = make.agent()
    make.budget(agent, 1000, metric="tokens")
    scopes, call = Scopes(agent.company_id, agent.pk), uuid4()
    counters = BudgetCounter.objects
    counters.reserve(call, scopes, {"tokens": (1, 10)}, lasts=LASTS)

    def settle() -> bool:
        try:
            used = {"tokens": 5}
            return counters.enter(scopes, used, at=now(), reservation=call)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            counters.reserve(call, scopes, {"tokens": (1, 300)}, lasts=LASTS)
            settled = pool.submit(settle)
            wait_until_somebody_waits()
        assert settled.result()
    counter = counters.get(scope_id=agent.pk, metric="tokens")
    assert (counter.spent, counter.reserved) == (5, 0)


def wait_until_somebody_waits() -> None:
    """Until another connection waits for what this one holds."""
    until = time.monotonic() + 30
    with connections["default"].cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits")


@pytest.mark.django_db(transaction=True)
def test_the_database_itself_refuses_to_reserve_too_much() -> None:
    agent = make.agent(budget_monthly_cents=1)
    counter = BudgetCounter.objects.get(scope_id=agent.pk)
    mine = BudgetCounter.objects.filter(pk=counter.pk)
    for wrong in ({"reserved": 10_001}, {"spent": -1}, {"reserved": -1}):
        with pytest.raises(Exception, match="violates check constraint"):
            mine.update(**wrong)
    assert Agent.objects.count() == 1 and not CostEvent.objects.exists()
