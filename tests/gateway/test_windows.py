"""T-16: what providers say of their windows, in the shapes they have been seen in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from agents.gateway.windows import Window, seconds_in, stated_wait, tightest
from agents.models import ProviderAccount
from tests.engine.clock import START
from tests.gateway.test_gateway import caller, code_of
from tests.gateway.test_limits import headers, thinker
from tests.gateways import Gateway, gateway
from tests.providers import Answer, provider, refuses, says
from tests.workers import eventually

NOW = int(START.timestamp())
FIVE_HOURS, WEEK = str(NOW + 4_000), str(NOW + 500_000)
CLAUDE = {
    "anthropic-ratelimit-unified-status": "allowed",
    "anthropic-ratelimit-unified-5h-status": "allowed",
    "anthropic-ratelimit-unified-5h-utilization": "0.42",
    "anthropic-ratelimit-unified-5h-reset": FIVE_HOURS,
    "anthropic-ratelimit-unified-7d-status": "allowed",
    "anthropic-ratelimit-unified-7d-utilization": "0.3",
    "anthropic-ratelimit-unified-7d-reset": WEEK,
    "anthropic-ratelimit-unified-representative-claim": "five_hour",
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2024-01-01T00:00:00Z",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "2000",
    "anthropic-ratelimit-output-tokens-reset": (f"{START:%Y-%m-%d}T{START:%H:%M:%S}Z"),
}
GOOGLE = {
    "error": {
        "code": 429,
        "message": "You exceeded your current rate, please wait.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": "37.5s",
            }
        ],
    }
}


@pytest.fixture
def clock() -> Iterator[None]:
    with time_machine.travel(START, tick=False):
        yield


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("8.64s", 8.64),
        ("20ms", 0.02),
        ("1h2m3s", 3723),
        ("1d", 86_400),
        ("63", 63),
        ("0", 0),
        (str(NOW + 90), 90),
        (str(NOW - 90), 0),
        ("2020-01-01T00:00:00Z", 0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0),
        *((bad, None) for bad in ("", "soon", "1.2.3", "-5", "6m soon", "nan", "1e9")),
        *((bad, None) for bad in ("2020-13-99", "Wed, 99 Foo 2020", "2030-01-01")),
    ],
)
def test_times_are_read(clock: None, text: str, seconds: float | None) -> None:
    assert seconds_in(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("told", "window"),
    [
        (headers(190), Window(1000, 190, 120)),
        (CLAUDE, Window(10_000, 5800, 4_000)),
        ({**CLAUDE, "anthropic-ratelimit-unified-7d-utilization": "0.97"},
         Window(10_000, 300, 500_000)),
        ({**CLAUDE, "anthropic-ratelimit-unified-5h-utilization": "1.08"},
         Window(10_000, 0, 4_000)),
        ({**CLAUDE, "anthropic-ratelimit-unified-5h-utilization": "x"},
         Window(10_000, 7000, 500_000)),
        (ANTHROPIC, Window(8000, 2000, 0)),
        ({}, None),
        ({"x-ratelimit-limit-requests": "0", "x-ratelimit-remaining-requests": "0"},
         None),
        ({"x-ratelimit-limit-tokens": "many", "x-ratelimit-remaining-tokens": "-1"},
         None),
    ],
)  # fmt: skip
def test_the_fullest_window_counts(
    clock: None, told: dict[str, str], window: Window | None
) -> None:
    assert tightest(told) == window


@pytest.mark.parametrize(
    ("told", "said", "wait"),
    [
        ({"retry-after": "7999", **CLAUDE}, "", 7999),
        ({"retry-after-ms": "1500", "retry-after": "2"}, "", 1.5),
        # More than one is used up: the last of them counts.
        ({**CLAUDE, "anthropic-ratelimit-unified-5h-status": "rejected",
          "anthropic-ratelimit-unified-7d-status": "rejected"}, "", 500_000),
        ({**CLAUDE, "anthropic-ratelimit-unified-5h-status": "rejected"}, "", 4_000),
        (headers(0), "", 120),
        # Of tokens some are left, and too few.
        ({**headers(950), "x-ratelimit-remaining-tokens": "40"}, "", 1),
        ({}, json.dumps(GOOGLE), 37.5),
        ({}, json.dumps(json.dumps(GOOGLE)), 37.5),
        ({"retry-after": "soon"}, "retryDelay: later", None),
    ],
)  # fmt: skip
def test_how_long_it_wants_to_be_left_alone(
    clock: None, told: dict[str, str], said: str, wait: float | None
) -> None:
    assert stated_wait(told, said) == wait


# --- through the gateway ---------------------------------------------------------


@pytest.fixture(scope="module")
def gate(django_db_setup: None, django_db_blocker: Any) -> Iterator[Gateway]:
    with django_db_blocker.unblock(), gateway() as one:
        eventually(lambda: one.answers())
        yield one


@pytest.mark.django_db(transaction=True)
def test_a_stream_speaks_of_its_window_too(gate: Gateway) -> None:
    with provider(says("Hello to you.", headers=headers(400))) as model:
        events = caller(gate, thinker(model)).stream()
    assert events[-1] == {"done": True}
    account = ProviderAccount.objects.get()
    assert (account.window_limit, account.window_left) == (1000, 400)


@pytest.mark.django_db(transaction=True)
def test_a_subscription_speaks_of_five_hours_and_a_week(gate: Gateway) -> None:
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }
    name = "anthropic/claude-sonnet-4-5"
    with provider(Answer(headers=CLAUDE, body=body)) as model:
        agent = thinker(model, model=name)
        answer = caller(gate, agent).ask()
    assert answer.json()["choices"][0]["message"]["content"] == "Hello."
    assert ProviderAccount.objects.get().left_percent in (58, None)
    assert ProviderAccount.objects.get().window_left == 5800


@pytest.mark.django_db(transaction=True)
def test_google_says_in_its_answer_how_long(gate: Gateway) -> None:
    with provider(Answer(status=429, body=GOOGLE)) as model:
        agent = thinker(model, model="gemini/gemini-2.5-flash")
        refused = caller(gate, agent).ask()
    assert code_of(refused) == (429, "provider_closed")
    assert 36 <= ProviderAccount.objects.get().closed_for <= 37.5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stream", [False, True])
def test_a_window_that_is_used_up_closes_the_account(
    gate: Gateway, stream: bool
) -> None:
    told = {name.replace("-", "_"): value for name, value in headers(0).items()}
    with provider(refuses(429, "Rate limit reached", **told)) as model:
        asking = caller(gate, thinker(model))
        if stream:
            asking.client.post(
                "/v1/chat/completions",
                json={"model": "default", "stream": True, "messages": [
                    {"role": "user", "content": "Hello?"}
                ]},
            )  # fmt: skip
        else:
            assert code_of(asking.ask()) == (429, "provider_closed")
    assert 115 <= ProviderAccount.objects.get().closed_for <= 120
