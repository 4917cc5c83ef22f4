"""A run: started once, alive while its lease is held, ended once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils.timezone import now

from agents.models import Agent, Run, queue
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import NotAllowed
from paperclip.models import Activity
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


def let_expire(run: Run) -> None:
    past = now() - timedelta(seconds=1)
    Run.objects.filter(pk=run.pk).update(lease_expires_at=past)
    run.refresh_from_db()


def test_a_claim_starts_it_and_its_lease() -> None:
    run, token = make.live_run(make.agent())
    assert run.is_live
    left = run.lease_expires_at - now()
    assert timedelta(0) < left <= timedelta(seconds=settings.LEASE_SECONDS)
    assert Run.objects.of_token(token) == run
    assert token not in str(Run.objects.values_list().get(pk=run.pk))


def test_a_second_claim_gets_nothing() -> None:
    run, _ = make.live_run(make.agent())
    assert Run.objects.get(pk=run.pk).claim(host="test") is None


def test_an_agent_runs_as_often_at_a_time_as_it_may() -> None:
    agent = make.agent(max_concurrent_runs=2)
    runs = [make.queued_run(agent, make.issue()) for _ in range(3)]
    assert [bool(run.claim(host="test")) for run in runs] == [True, True, False]
    runs[0].finish("succeeded")
    assert runs[2].claim(host="test")


def test_a_run_does_not_start_before_its_time() -> None:
    run = make.queued_run(make.agent())
    later = now() + timedelta(minutes=1)
    Run.objects.filter(pk=run.pk).update(ready_at=later)
    assert run.claim(host="test") is None


def test_what_waits_is_cancelled_with_all_that_goes_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "BATCH", 2)
    company = make.company()
    agents = [make.agent(company) for _ in range(5)]
    runs = [make.queued_run(agent) for agent in agents]
    other = make.queued_run(make.agent())
    Agent.objects.filter(pk=agents[0].pk).update(status="error", error_reason="It was")
    Run.objects.filter(company=company).cancel(by=SYSTEM, why="A test.")
    for run in runs:
        run.refresh_from_db()
        assert (run.status, run.error) == ("cancelled", "A test.")
        assert run.events.get().message == "run cancelled"
        assert [wakeup.status for wakeup in run.wakeups.all()] == ["cancelled"]
        acts = Activity.objects.filter(entity_id=str(run.pk))
        assert [act.action for act in acts] == ["heartbeat.cancelled"]
    other.refresh_from_db()
    assert other.status == "queued"
    agents[0].refresh_from_db()  # it has done nothing
    assert (agents[0].status, agents[0].last_heartbeat_at) == ("error", None)


def test_a_viewer_cancels_nothing() -> None:
    run = make.queued_run(make.agent())
    viewer = Actor.of_user(make.operator(run.company, role="viewer"))
    with pytest.raises(NotAllowed):
        Run.objects.filter(pk=run.pk).cancel(by=viewer, why="A test.")
    run.refresh_from_db()
    assert run.status == "queued"


def test_a_run_of_a_paused_agent_is_cancelled_when_it_should_start() -> None:
    run = make.queued_run(make.agent())
    Agent.objects.update(status="paused")
    assert run.claim(host="test") is None
    assert run.status == "cancelled"


@pytest.mark.parametrize("how", ["finish", "cancel", "expire"])
def test_the_token_dies_with_the_run(how: str) -> None:
    run, token = make.live_run(make.agent())
    if how == "finish":
        run.finish("succeeded")
    elif how == "cancel":
        run.cancel(by=SYSTEM, why="test")
    else:
        let_expire(run)
    assert Run.objects.of_token(token) is None


def test_renewing_keeps_it_alive_and_an_end_stops_that() -> None:
    run, _ = make.live_run(make.agent())
    soon = now() + timedelta(seconds=1)
    Run.objects.filter(pk=run.pk).update(lease_expires_at=soon)
    assert run.renew()
    run.refresh_from_db()
    assert run.lease_expires_at > soon
    run.cancel(by=SYSTEM, why="test")
    assert not run.renew()


def test_a_lost_lease_cannot_be_taken_up_again() -> None:
    run, _ = make.live_run(make.agent())
    let_expire(run)
    assert not run.renew()
    assert not run.finish("succeeded")
    assert run.expire()
    assert (run.status, run.error_code) == ("failed", "process_lost")


def test_a_live_lease_is_not_expired() -> None:
    run, _ = make.live_run(make.agent())
    assert not run.expire()
    run.refresh_from_db()
    assert run.is_live


def test_the_lease_of_a_new_run_starts_when_it_starts() -> None:
    agent, issue = make.agent(), make.issue()
    old, _ = make.live_run(agent, issue)
    old.finish("failed")
    Run.objects.filter(pk=old.pk).update(
        finished_at=now() - timedelta(hours=2),
        lease_expires_at=now() - timedelta(hours=2),
    )
    new, _ = make.live_run(agent, issue)
    assert new.is_live
    assert not Run.objects.expired().exists()


def test_a_result_after_a_cancel_does_not_count() -> None:
    run, _ = make.live_run(make.agent())
    run.cancel(by=SYSTEM, why="test")
    assert not run.finish("succeeded", exit_code=0)
    run.refresh_from_db()
    assert (run.status, run.exit_code) == ("cancelled", None)


@pytest.mark.parametrize(
    ("how", "status"),
    [("succeeded", "idle"), ("failed", "error"), ("timed_out", "error")],
)
def test_its_end_settles_the_agent(how: str, status: str) -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    assert Agent.objects.get(pk=agent.pk).state == "running"
    run.finish(how, error=None if how == "succeeded" else "It broke.")
    fresh = Agent.objects.get(pk=agent.pk)
    assert (fresh.state, fresh.status) == (status, status)
    assert fresh.last_heartbeat_at == run.finished_at


def test_nobody_is_running_whose_lease_is_lost() -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    let_expire(run)
    assert Agent.objects.get(pk=agent.pk).state == "idle"
    assert not Agent.objects.with_state().get(pk=agent.pk).has_live_run


def test_events_count_up() -> None:
    run, _ = make.live_run(make.agent())
    run.log_event("adapter.invoke", "adapter invocation", command="true")
    run.finish("succeeded")
    assert list(run.events.values_list("seq", "message")) == [
        (1, "run started"),
        (2, "adapter invocation"),
        (3, "run succeeded"),
    ]


@pytest.mark.django_db(transaction=True)
def test_of_many_claims_one_starts_it() -> None:
    run = make.queued_run(make.agent())
    results = together(8, lambda _: Run.objects.get(pk=run.pk).claim(host="test"))
    assert sum(isinstance(token, str) for token in results) == 1
    assert results.count(None) == 7


@pytest.mark.django_db(transaction=True)
def test_claims_for_one_agent_do_not_exceed_its_places() -> None:
    agent = make.agent(max_concurrent_runs=2)
    runs = [make.queued_run(agent, make.issue()) for _ in range(6)]
    results = together(6, lambda n: Run.objects.get(pk=runs[n].pk).claim(host="test"))
    assert sum(isinstance(token, str) for token in results) == 2
    assert agent.runs.live().count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_many_that_expire_it_one_does() -> None:
    """T-02d."""
    run, _ = make.live_run(make.agent())
    let_expire(run)
    results = together(20, lambda _: Run.objects.get(pk=run.pk).expire())
    assert sorted(results) == [False] * 19 + [True]
    seqs = list(run.events.values_list("seq", flat=True))
    assert seqs == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_a_claim_and_a_cancel_do_not_lock_each_other_out() -> None:
    for _ in range(10):
        run = make.queued_run(make.agent())

        def act(number: int, run: Run = run) -> object:
            fresh = Run.objects.select_related("agent").get(pk=run.pk)
            if number:
                return fresh.cancel(by=SYSTEM, why="test")
            return fresh.claim(host="test")

        claimed, cancelled = together(2, act)
        assert not isinstance(claimed, Exception), claimed
        assert cancelled is True
        assert Run.objects.get(pk=run.pk).status == "cancelled"
