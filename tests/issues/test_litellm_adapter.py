"""The built-in loop through everything: a worker, the sandbox, the real gateway and a
scripted provider. For each thing that can happen: how the run ends, what is in the
ledger, and when the work is begun again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError
from django.utils.timezone import now

from agents.adapters.base import Outcome
from agents.models import Agent, CostEvent, ProviderAccount, Run
from issues import sweep
from issues.heartbeat import Lease, conclude, write_down
from paperclip import processes
from paperclip.actors import SYSTEM
from tests import make
from tests.gateways import gateway
from tests.loop import stage
from tests.loop.model import Answer, Model, Refusal, calls, model, says, uses
from tests.workers import claimed, ended, eventually, woken, worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module", autouse=True)
def _instance(django_db_setup: None, live_server: Any) -> Iterator[None]:
    """A worker that finds the tests' API and a gateway of its own."""
    with (
        gateway() as gate,
        worker(PAPERCLIP_API_URL=live_server.url, PAPERCLIP_GATEWAY_URL=gate.url),
    ):
        yield


@pytest.fixture
def company() -> Iterator[Any]:
    yield make.company()
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")
    eventually(lambda: not processes.live_runs())


@pytest.fixture
def provider() -> Iterator[Model]:
    with model(says("Nothing to do.")) as scripted:
        yield scripted


def dev_of(company: Any, provider: Model, **fields: Any) -> Agent:
    config = {"apiBase": f"{provider.url}/v1", **fields.pop("config", {})}
    return stage.agent(company, config=config, **fields)


def run_of(agent: Agent, provider: Model, *answers: Answer) -> Run:
    """A run of the agent, ended."""
    provider.answers = list(answers)
    found: Run = ended(woken(agent), timeout=60)
    return found


def spent(run: Run) -> list[tuple[int, int, int | None]]:
    """What the ledger says: tokens in and out, and the cost, for each call."""
    rows = CostEvent.objects.filter(run=run).order_by("occurred_at")
    return list(rows.values_list("input_tokens", "output_tokens", "cost_micros"))


def waiting(agent: Agent) -> Run | None:
    found: Run | None = agent.runs.filter(status="queued").first()
    return found


def seconds_until(run: Run | None) -> float:
    assert run is not None
    return (run.ready_at - now()).total_seconds()


CALL = (100, 10, None)  # nobody knows what a server of one's own costs


def test_work_with_tools(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider)
    issue = make.issue(company, assignee_agent=dev)
    provider.answers = [
        uses("checkout", issue=issue.identifier),
        uses("shell", command="echo $((6 * 7))"),
        uses("request_review", issue=issue.identifier, comment="It is 42."),
        says("Done."),
    ]
    run = ended(dev.runs.get(), timeout=60)
    assert (run.status, run.result["outcome"]) == ("succeeded", "succeeded")
    assert provider.told(2) == ["exit code: 0\n42\n"]
    assert spent(run) == [CALL] * 4
    assert {row.issue_id for row in CostEvent.objects.filter(run=run)} == {issue.pk}
    issue.refresh_from_db()
    assert issue.status == "done"
    # It held the issue when it was woken about it again: that wake finds nothing to do.
    assert waiting(dev) is None


def test_malformed_arguments(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider)
    run = run_of(dev, provider, calls(("shell", "{oops")), says("Sorry."))
    assert run.status == "succeeded"
    assert provider.told()[0].startswith("Error: The arguments are no JSON")
    assert spent(run) == [CALL] * 2 and waiting(dev) is None


@pytest.mark.parametrize(("said", "kept"), [("A\0B", "A\ufffdB"), ("A\ud83dB", "A?B")])
def test_last_words_of_odd_characters(
    company: Any, provider: Model, said: str, kept: str
) -> None:
    run = run_of(dev_of(company, provider), provider, says(said))
    assert (run.status, run.result["message"]) == ("succeeded", kept)
    assert len(provider.requests) == 1


def test_an_outcome_that_cannot_be_written_is_not_worked_for_again(
    company: Any,
) -> None:
    dev = make.agent(company)
    run, _ = claimed(dev)
    with pytest.raises(DataError):
        write_down(Outcome("succeeded", {"error_code": "long" * 11}), Lease(run))
    run.refresh_from_db()
    assert (run.status, run.error_code) == ("failed", "internal_error")
    assert "could not be written down" in str(run.error)
    assert waiting(dev) is None


def test_answers_that_are_too_long(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider)
    run = run_of(dev, provider, says("Once upon", finish_reason="length"))
    assert (run.status, run.error_code) == ("failed", "model_misbehaves")
    assert spent(run) == [CALL] * 5 and waiting(dev) is None
    dev.refresh_from_db()
    assert dev.status == "error" and "unusable" in str(dev.error_reason)


def test_too_many_requests_with_a_time(company: Any, provider: Model) -> None:
    dev, qa = dev_of(company, provider), dev_of(company, provider)
    run = run_of(dev, provider, Refusal(429, Retry_After="120"))
    assert (run.status, run.error_code) == ("cancelled", "provider_closed")
    assert spent(run) == []
    again = waiting(dev)
    assert 105 < seconds_until(again) <= 120
    assert again is not None and (again.attempt, again.retry_of) == (1, run)
    assert [wake["reason"] for wake in again.wakes] == ["manual", "put_off"]
    # The account is closed for everybody: nobody asks the provider any more.
    asked = len(provider.requests)
    other = woken(qa)
    eventually(lambda: seconds_until(waiting(qa)) > 100)
    assert waiting(qa) == other and len(provider.requests) == asked
    assert abs(seconds_until(waiting(qa)) - seconds_until(again)) < 5
    for agent in (dev, qa):
        agent.refresh_from_db()
        assert (agent.status, agent.error_reason) == ("idle", None)


def test_what_was_put_off_is_done_when_its_time_comes(
    company: Any, provider: Model
) -> None:
    dev = dev_of(company, provider)
    run_of(dev, provider, Refusal(429, Retry_After="60"))
    again = waiting(dev)
    assert again is not None
    ProviderAccount.objects.update(closed_until=now())
    Run.objects.filter(pk=again.pk).update(ready_at=now())
    provider.answers = [says("At last.")]
    sweep.ring_again()
    assert ended(again, timeout=60).status == "succeeded"
    assert spent(again) == [CALL] and waiting(dev) is None


def test_what_was_put_off_is_done_now_if_somebody_says_so(
    company: Any, provider: Model
) -> None:
    dev = dev_of(company, provider)
    run_of(dev, provider, Refusal(429, Retry_After="86400"), says("At once."))
    again = waiting(dev)
    assert seconds_until(again) > 86_000
    ProviderAccount.objects.update(closed_until=now())
    assert woken(dev) == again
    assert again is not None and ended(again, timeout=60).status == "succeeded"


def test_a_server_that_always_fails(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider)
    run = run_of(dev, provider, Refusal(500))
    for wait, attempt in ((30, 2), (120, 3)):
        assert (run.status, run.error_code) == ("failed", "provider_error")
        again = waiting(dev)
        assert wait - 15 < seconds_until(again) <= wait * 1.2
        assert again is not None and again.attempt == attempt
        Run.objects.filter(pk=again.pk).update(ready_at=now())
        sweep.ring_again()
        run = ended(again, timeout=60)
    assert (run.status, run.attempt) == ("failed", 3)
    assert waiting(dev) is None and not CostEvent.objects.exists()


def test_a_server_that_fails_once(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider)
    run = run_of(dev, provider, Refusal(500), says("Hello."))
    assert run.status == "succeeded"
    assert spent(run) == [CALL] and waiting(dev) is None


def test_a_server_that_says_nothing(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider, config={"timeoutSec": 10})

    def silence(asked: dict[str, Any]) -> Any:
        eventually(lambda: not dev.runs.open().exists(), timeout=60)
        return says("Too late.")

    run = run_of(dev, provider, silence)
    assert (run.status, run.error_code) == ("timed_out", "timeout")
    assert waiting(dev) is None


def test_a_key_that_is_wrong(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider)
    body = {"error": {"message": "Incorrect API key provided", "code": "invalid_key"}}
    run = run_of(dev, provider, Refusal(401, body))
    assert (run.status, run.error_code) == ("failed", "provider_key")
    assert dev.attempts.parked().get().whole_agent
    assert "Incorrect API key" in run.error
    assert spent(run) == [] and waiting(dev) is None


def test_a_spent_budget(company: Any, provider: Model) -> None:
    dev = dev_of(company, provider)
    make.budget(dev, 100, metric="tokens")
    run = run_of(dev, provider, says("For free?"))
    assert (run.status, run.error_code) == ("cancelled", "budget_exceeded")
    assert "The agent has spent its budget" in run.error
    assert not provider.requests and waiting(dev) is None
    sweep.sweep()
    dev.refresh_from_db()
    assert (dev.status, dev.pause_reason) == ("paused", "budget")
    # It goes on when there is more.
    make.budget(dev, 1_000_000, metric="tokens")
    sweep.sweep()
    dev.refresh_from_db()
    assert dev.status == "idle"
    [again] = dev.runs.exclude(pk=run.pk)
    assert ended(again, timeout=60).status == "succeeded"


# --- beginning again -------------------------------------------------------------


def test_nothing_is_begun_again_that_is_over(company: Any) -> None:
    dev = make.agent(company)
    issue = make.issue(company, status="backlog", assignee_agent=dev)
    run, _ = claimed(dev, issue)
    issue.change(by=SYSTEM, status="done")
    conclude(run, Outcome("cancelled", put_off=60))
    assert waiting(dev) is None


def test_a_run_that_was_cancelled_meanwhile_is_not_begun_again(company: Any) -> None:
    dev = make.agent(company)
    run, _ = claimed(dev)
    run.cancel(by=SYSTEM, why="a test")
    conclude(run, Outcome("cancelled", put_off=60))
    assert waiting(dev) is None


def test_being_put_off_does_not_use_up_the_tries(company: Any) -> None:
    dev = make.agent(company)
    run, _ = claimed(dev)
    for _ in range(5):
        conclude(run, Outcome("cancelled", put_off=60))
        again = waiting(dev)
        assert again is not None and again.attempt == 1
        Run.objects.filter(pk=again.pk).update(ready_at=now() - timedelta(seconds=1))
        assert again.claim(host="test")
        run = again
