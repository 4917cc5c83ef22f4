"""T-16: a provider that asks for rest gets it from everybody, and another model may
answer meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from agents.models import Agent, CostEvent, ProviderAccount, Run
from issues import heartbeat
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid, NotAllowed
from tests import make
from tests.gateway.test_gateway import caller, code_of
from tests.gateways import Gateway, gateway
from tests.providers import Provider, provider, refuses, says
from tests.workers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
OWN, OTHER = "openai/first", "hosted_vllm/second"


@pytest.fixture(scope="module")
def gate(django_db_setup: None, django_db_blocker: Any) -> Iterator[Gateway]:
    with django_db_blocker.unblock(), gateway() as one:
        eventually(lambda: one.answers())
        yield one


def thinker(
    server: Provider | None = None, company: Any = None, **config: Any
) -> Agent:
    """An agent with a model of its own and one to fall back on."""
    told = {"model": OWN, **config}
    told |= {"apiBase": server.url} if server else {}
    return make.agent(company, adapter_type="litellm", adapter_config=told)


def accounts() -> dict[str, ProviderAccount]:
    return {one.name.split()[0]: one for one in ProviderAccount.objects.all()}


def test_a_stated_time_holds_for_every_agent_and_costs_nobody(gate: Gateway) -> None:
    """T-16a: 63 s, with comments that arrive meanwhile."""
    company = make.company()
    person = make.by(make.operator(company))
    with provider(refuses(429, "slow down", Retry_After="63")) as model:
        staff = [thinker(model, company) for _ in range(4)]
        issue = make.issue(company, assignee_agent=staff[0])
        first = caller(gate, staff[0]).ask()
        assert code_of(first) == (429, "provider_closed")
        assert 60 < int(first.headers["Retry-After"]) <= 63
        Run.objects.all().delete()
        # No run of any of them starts, so nobody asks.
        for agent in staff:
            run = make.queued_run(agent, issue if agent == staff[0] else None)
            assert heartbeat.claim(run) is None
        waiting = list(Run.objects.filter(status="queued").order_by("ready_at"))
        assert len(waiting) == 4 and len(model.requests) == 1
        # Staggered: one a second.
        opens = accounts()["openai"].closed_until
        late = [round((run.ready_at - opens).total_seconds()) for run in waiting[:3]]
        assert late == [0, 1, 2]
        assert all("is closed until" in run.hold for run in waiting)
        said = issue.comment("Blue.", by=person)
        # A person's word does not open a provider's account.
        mine = Run.objects.get(agent=staff[0], status="queued")
        assert mine.comment_ids == [str(said.pk)]
        assert heartbeat.claim(mine) is None
        mine.refresh_from_db()
        assert mine.ready_at >= opens
    assert not CostEvent.objects.exists()
    assert not Run.objects.filter(status="failed").exists()
    assert not Agent.objects.filter(status="error").exists()
    ProviderAccount.objects.update(closed_until=now())
    Run.objects.filter(pk=mine.pk).put_off(now())
    assert heartbeat.claim(Run.objects.get(pk=mine.pk)) is not None


def test_without_a_time_the_wait_doubles_with_jitter(gate: Gateway) -> None:
    """T-16b: one line an account, however many agents."""
    with provider(refuses(429, "slow down")) as model:
        agents = [thinker(model) for _ in range(3)]
        waits = []
        for number in range(12):
            ProviderAccount.objects.update(closed_until=now())
            asked = caller(gate, agents[number % 3])
            assert code_of(asked.ask()) == (429, "provider_closed")
            asked.run.cancel(by=SYSTEM, why="a test")
            [account] = ProviderAccount.objects.all()
            waits.append(account.closed_for)
    for number, wait in enumerate(waits[:7]):
        assert 15 * 2**number * 0.9 < wait <= 15 * 2**number * 1.2
    assert max(waits) <= 3600 * 1.2


def test_another_model_answers_while_one_is_closed(gate: Gateway) -> None:
    with provider(refuses(429, "slow down", Retry_After="60"), says("Hi.")) as model:
        agent = thinker(model, fallbackModels=[OTHER])
        asking = caller(gate, agent)
        answer = asking.ask()
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "Hi."
        assert [one["model"] for one in model.requests] == ["first", "second"]
        # Its run is not put off, and the closed one is not asked again.
        assert asking.ask().status_code == 200
        assert [one["model"] for one in model.requests][2:] == ["second"]
        events = asking.stream()
        assert events[-1] == {"done": True}
    assert {cost.model for cost in asking.costs} == {OTHER}
    account, opens_at = ProviderAccount.objects.opening_for(agent)
    assert account == accounts()["hosted_vllm"] and opens_at is None


def test_when_all_are_closed_the_first_that_opens_is_named(gate: Gateway) -> None:
    with provider(
        refuses(429, "slow down", Retry_After="90"),
        refuses(429, "you too", Retry_After="30"),
    ) as model:
        agent = thinker(model, fallbackModels=[OTHER])
        answer = caller(gate, agent).ask()
    assert code_of(answer) == (429, "provider_closed")
    assert 25 < int(answer.headers["Retry-After"]) <= 30
    account, opens_at = ProviderAccount.objects.opening_for(agent)
    assert account == accounts()["hosted_vllm"]
    assert opens_at is not None and opens_at < now() + timedelta(seconds=31)


def test_a_model_it_may_not_use_is_refused(gate: Gateway) -> None:
    with provider() as model:
        asking = caller(gate, thinker(model, fallbackModels=[OTHER]))
        assert asking.ask(model=OTHER).status_code == 200
        assert code_of(asking.ask(model="openai/third")) == (403, "model_not_allowed")
    assert [one["model"] for one in model.requests] == ["second"]


def headers(left: int) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": "1000",
        "x-ratelimit-remaining-requests": str(left),
        "x-ratelimit-reset-requests": "2m0s",
        "x-ratelimit-limit-tokens": "100000",
        "x-ratelimit-remaining-tokens": "90000",
        "x-ratelimit-reset-tokens": "1s",
    }


def test_a_share_of_the_window_is_kept_for_people(gate: Gateway) -> None:
    """T-16d: agents stop at 100 - X per cent."""
    with provider(
        says("a", headers=headers(400)), says("b", headers=headers(190))
    ) as model:
        agent = thinker(model)
        asking = caller(gate, agent)
        assert asking.ask().status_code == 200
        account = accounts()["openai"]
        assert account.left_percent == 40
        by = make.by(make.operator(agent.company))
        account.change(by=by, max_concurrent_runs=None, reserve_percent=20)
        assert asking.ask().status_code == 200
        assert code_of(asking.ask()) == (429, "provider_closed")
        assert len(model.requests) == 2
    account.refresh_from_db()
    assert account.said == "19 % of its window is left and is kept for people."
    assert 100 < account.closed_for <= 120


def waiting_for(
    model: Provider, gate: Gateway, company: Any, *, number: int, most: int
) -> list[Run]:
    """Queued runs of agents of one account, which may have so many at once."""
    staff = [thinker(model, company) for _ in range(number)]
    caller(gate, staff[0]).ask()  # an account is known by its first call
    Run.objects.open().cancel(by=SYSTEM, why="a test")
    ProviderAccount.objects.update(max_concurrent_runs=most)
    return [make.queued_run(agent) for agent in staff]


def test_an_account_has_no_more_runs_than_it_may(gate: Gateway) -> None:
    company = make.company()
    with provider() as model:
        runs = waiting_for(model, gate, company, number=4, most=2)
        claims = [heartbeat.claim(run) is not None for run in runs]
    assert claims == [True, True, False, False]
    Run.objects.open().cancel(by=SYSTEM, why="a test")


@pytest.mark.django_db(transaction=True)
def test_who_needs_no_account_does_not_wait_for_a_full_one(gate: Gateway) -> None:
    company = make.company()
    with provider() as model:
        runs = waiting_for(model, gate, company, number=12, most=1)
        assert heartbeat.claim(runs[0]) is not None
        free = make.queued_run(make.agent(company))
        for _ in range(3):
            heartbeat.beat()
    free.refresh_from_db()
    assert free.status == "succeeded"
    assert Run.objects.live().count() == 1
    # It is their turn when the account has a place again.
    Run.objects.get(pk=runs[0].pk).cancel(by=SYSTEM, why="a test")
    assert Run.objects.next_up(now(), 1)
    Run.objects.open().cancel(by=SYSTEM, why="a test")


def test_who_may_change_an_account() -> None:
    account = ProviderAccount.objects.paying("openai key 1", OWN, None)
    company = make.company()
    operator = make.by(make.operator(company))
    with pytest.raises(Invalid):
        account.change(by=operator, max_concurrent_runs=None, reserve_percent=91)
    for by in (make.by(make.operator(company, "viewer")), make.working(make.agent())):
        with pytest.raises(NotAllowed):
            account.open(by=by)
    account.close(60, "slow down")
    account.open(by=operator)
    assert account.closed_for == 0
