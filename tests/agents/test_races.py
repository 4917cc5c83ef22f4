"""Claims, ends and wakes of one agent at the same moment."""

from __future__ import annotations

import pytest

from agents.models import Run
from paperclip.actors import SYSTEM
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_claim_and_a_cancel_of_one_run_never_wait_for_each_other() -> None:
    agent = make.agent()
    for _ in range(20):
        run = make.queued_run(agent)

        def act(n: int, pk: object = run.pk) -> object:
            mine = Run.objects.select_related("agent").get(pk=pk)
            if n % 2:
                return mine.cancel(by=SYSTEM, why="a test")
            return mine.claim(host="test")

        results = together(6, act)
        assert not [one for one in results if isinstance(one, Exception)]
        run.refresh_from_db()
        assert run.status == "cancelled"


def test_of_many_workers_one_starts_the_run() -> None:
    run = make.queued_run(make.agent())
    tokens = together(8, lambda n: Run.objects.get(pk=run.pk).claim(host=str(n)))
    assert sum(token is not None for token in tokens) == 1


def test_two_claims_share_the_last_place_of_an_agent_once() -> None:
    company = make.company()
    agent = make.agent(company)
    issues = [make.issue(company) for _ in range(6)]
    runs = [make.queued_run(agent, issue) for issue in issues]
    tokens = together(6, lambda n: Run.objects.get(pk=runs[n].pk).claim(host="test"))
    assert sum(token is not None for token in tokens) == 1


def test_of_many_reapers_one_ends_the_run_and_its_events_rise() -> None:
    """T-02d."""
    run, _ = make.live_run(make.agent())
    Run.objects.filter(pk=run.pk).update(lease_expires_at=run.created_at)
    ended = together(20, lambda n: Run.objects.get(pk=run.pk).expire())
    assert ended.count(True) == 1
    numbers = list(run.events.values_list("seq", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
