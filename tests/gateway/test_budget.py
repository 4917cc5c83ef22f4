"""What a call cost is entered and counted, whatever else is going on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from agents.gateway import budget
from agents.gateway.usage import Usage
from agents.models import Agent, CostEvent, Run
from paperclip.models import Company
from tests import make
from tests.workers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
WAITING = (
    "SELECT 1 FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def settled(run: Run, call: UUID) -> None:
    usage = Usage(sent=1, got=1)
    try:
        budget.settle(run, call, provider="x", model="y", usage=usage, cost=20_000)
    finally:
        connection.close()


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return cursor.fetchone() is not None


@pytest.mark.parametrize("order", [(Company, Agent), (Agent, Company)])
def test_counting_waits_for_others_and_never_in_a_circle(order: Any) -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            # As a change of an issue does that takes it from one agent to another.
            rows = [one.objects.select_for_update(no_key=True) for one in order]
            rows[0].get()
            counting = pool.submit(settled, run, uuid4())
            eventually(somebody_waits)
            rows[1].get()
        counting.result(timeout=20)
    for spender in (agent, agent.company):
        spender.refresh_from_db()
        assert spender.spent_monthly_cents == 2


def test_a_call_that_is_settled_twice_is_entered_once() -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    call = uuid4()
    settled(run, call)
    # The count of the first time was cut off.
    Agent.objects.update(spent_cents=0)
    settled(run, call)
    agent.refresh_from_db()
    assert (CostEvent.objects.count(), agent.spent_monthly_cents) == (1, 2)
