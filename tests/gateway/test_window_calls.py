"""T-16: what providers say of their windows reaches the account, from a real server
through the gateway, streamed and not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from agents.models import ProviderAccount
from tests.gateway.shapes import (
    ANTHROPIC_ANSWER,
    ANTHROPIC_REFUSAL,
    ANTHROPIC_STREAM,
    of_google,
)
from tests.gateway.test_gateway import Caller, caller, code_of
from tests.gateway.test_limits import headers, thinker
from tests.gateways import Gateway, gateway
from tests.providers import Answer, provider, refuses, says
from tests.workers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
CLAUDE, GEMINI = "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash"
either = pytest.mark.parametrize("stream", [False, True])


@pytest.fixture(scope="module")
def gate(django_db_setup: None, django_db_blocker: Any) -> Iterator[Gateway]:
    with django_db_blocker.unblock(), gateway() as one:
        eventually(lambda: one.answers())
        yield one


def subscription(**more: str) -> dict[str, str]:
    """42 per cent of five hours, which begin anew in 4000 s, and 30 of the week."""
    this = int(time.time())
    unified = {
        "status": "allowed",
        "5h-status": "allowed",
        "5h-utilization": "0.42",
        "5h-reset": str(this + 4_000),
        "7d-status": "allowed",
        "7d-utilization": "0.3",
        "7d-reset": str(this + 500_000),
    }
    unified |= {name.replace("_", "-"): value for name, value in more.items()}
    return {f"anthropic-ratelimit-unified-{name}": unified[name] for name in unified}


def text_of(asking: Caller, stream: bool) -> str:
    if not stream:
        return str(asking.ask().json()["choices"][0]["message"]["content"])
    events = asking.stream()
    assert events[-1] == {"done": True}
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    return "".join(delta.get("content") or "" for delta in deltas)


def refusal(asking: Caller, stream: bool) -> httpx.Response:
    """It has not begun to speak: a stream has a status of its own still."""
    return asking.ask(stream=True) if stream else asking.ask()


@either
def test_an_answer_speaks_of_its_window(gate: Gateway, stream: bool) -> None:
    with provider(says("Hello to you.", headers=headers(400))) as model:
        assert text_of(caller(gate, thinker(model)), stream) == "Hello to you."
    account = ProviderAccount.objects.get()
    assert (account.window_limit, account.window_left) == (1000, 400)


@either
def test_a_subscription_speaks_of_five_hours_and_a_week(
    gate: Gateway, stream: bool
) -> None:
    events = ANTHROPIC_STREAM if stream else None
    answer = Answer(headers=subscription(), body=ANTHROPIC_ANSWER, events=events)
    with provider(answer) as model:
        asking = caller(gate, thinker(model, model=CLAUDE))
        assert text_of(asking, stream) == "Hello."
    account = ProviderAccount.objects.get()
    assert account.left_percent == 58 and account.closed_for == 0
    assert account.resets_at is not None
    assert 3_900 < account.resets_at.timestamp() - time.time() <= 4_000


@either
def test_a_week_that_is_used_up_closes_the_account(gate: Gateway, stream: bool) -> None:
    told = subscription(
        **{"status": "rejected", "7d_status": "rejected", "7d_utilization": "1.0"}
    )
    answer = Answer(status=429, headers=told, body=ANTHROPIC_REFUSAL)
    with provider(answer) as model:
        asking = caller(gate, thinker(model, model=CLAUDE))
        refused = refusal(asking, stream)
    assert code_of(refused) == (429, "provider_closed")
    assert 499_900 < ProviderAccount.objects.get().closed_for <= 500_000
    assert 499_900 < int(refused.headers["Retry-After"]) <= 500_000


@either
@pytest.mark.parametrize("delay", ["37s", "37.5s"])
def test_google_says_in_its_answer_how_long(
    gate: Gateway, stream: bool, delay: str
) -> None:
    with provider(Answer(status=429, body=of_google(delay))) as model:
        refused = refusal(caller(gate, thinker(model, model=GEMINI)), stream)
    assert code_of(refused) == (429, "provider_closed")
    assert 35 <= ProviderAccount.objects.get().closed_for <= float(delay[:-1])


@either
def test_a_model_that_google_gives_nothing_of_has_to_be_paid(
    gate: Gateway, stream: bool
) -> None:
    with provider(Answer(status=429, body=of_google("7s", limit=0))) as model:
        refused = refusal(caller(gate, thinker(model, model=GEMINI)), stream)
    assert code_of(refused) == (400, "provider_billing")
    assert ProviderAccount.objects.get().closed_for == 0


@either
def test_a_window_that_is_used_up_closes_the_account(
    gate: Gateway, stream: bool
) -> None:
    told = {name.replace("-", "_"): value for name, value in headers(0).items()}
    with provider(refuses(429, "Rate limit reached", **told)) as model:
        refused = refusal(caller(gate, thinker(model)), stream)
    assert code_of(refused) == (429, "provider_closed")
    assert 115 <= ProviderAccount.objects.get().closed_for <= 120


def test_a_stream_that_is_cut_off_says_how_long_too(gate: Gateway) -> None:
    """The headers are those of the beginning then, when all was well."""
    first = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "first",
        "choices": [{"index": 0, "delta": {"content": "He"}, "finish_reason": None}],
    }
    cut = {
        "message": "Rate limit reached for first on tokens per min (TPM): Limit 30000,"
        " Used 29900. Please try again in 1m8.64s. Visit https://platform.openai.com.",
        "type": "tokens",
        "code": "rate_limit_exceeded",
    }
    with provider(Answer(events=[first, {"error": cut}])) as model:
        events = caller(gate, thinker(model)).stream()
    assert events[-1]["error"]["code"] == "provider_closed"
    assert 65 <= ProviderAccount.objects.get().closed_for <= 68.64


@either
@pytest.mark.parametrize("number", [str(2**63 - 1), "9" * 400])
def test_numbers_that_nobody_can_keep_do_no_harm(
    gate: Gateway, stream: bool, number: str
) -> None:
    told = {
        "x-ratelimit-limit-tokens": number,
        "x-ratelimit-remaining-tokens": number,
        "x-ratelimit-reset-tokens": f"{number}s",
    }
    with provider(says("Hello.", headers=told)) as model:
        assert text_of(caller(gate, thinker(model)), stream) == "Hello."
    assert ProviderAccount.objects.get().left_percent == 100


@either
@pytest.mark.parametrize("wait", ["9" * 400, "4102444800", "Fri, 31 Dec 9999 23:59:59"])
def test_no_account_is_closed_for_longer_than_a_week(
    gate: Gateway, stream: bool, wait: str
) -> None:
    with provider(refuses(429, "no", Retry_After=wait)) as model:
        refused = refusal(caller(gate, thinker(model)), stream)
    assert code_of(refused) == (429, "provider_closed")
    assert ProviderAccount.objects.get().closed_for <= 7 * 86_400


@pytest.mark.parametrize("strikes", [2_000, 32_767])
def test_who_is_refused_for_ever_waits_for_an_hour_each_time(strikes: int) -> None:
    account = ProviderAccount.objects.paying("openai key 1", "openai/first", None)
    ProviderAccount.objects.update(strikes=strikes)
    account.refresh_from_db()
    account.close(None, "slow down")
    assert 3_500 < account.closed_for <= 3600 * 1.2
