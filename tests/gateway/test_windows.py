"""T-16: what providers say of their windows, in the shapes they have been seen in."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import time_machine

from agents.gateway.windows import Window, seconds_in, stated_wait, tightest
from tests.engine.clock import START
from tests.gateway.shapes import of_google
from tests.gateway.test_limits import headers

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
    "anthropic-ratelimit-unified-fallback-percentage": "0.5",
    "anthropic-ratelimit-unified-overage-status": "rejected",
    "anthropic-ratelimit-unified-overage-disabled-reason": "org_level_disabled",
}
# One model of the subscription is refused, and the money beside it is spent.
OTHERS_ONLY = {
    **CLAUDE,
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": WEEK,
    "anthropic-ratelimit-unified-representative-claim": "seven_day_overage_included",
    "anthropic-ratelimit-unified-7d_oi-status": "rejected",
    "anthropic-ratelimit-unified-7d_oi-utilization": "1.02",
    "anthropic-ratelimit-unified-7d_oi-reset": WEEK,
    "anthropic-ratelimit-unified-overage-utilization": "1.0",
    "anthropic-ratelimit-unified-overage-reset": WEEK,
}
# Of an account that pays beside its subscription nothing else is told.
REJECTED = {
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-reset": FIVE_HOURS,
}
ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2024-01-01T00:00:00Z",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "2000",
    "anthropic-ratelimit-output-tokens-reset": (f"{START:%Y-%m-%d}T{START:%H:%M:%S}Z"),
    # By LiteLLM, which leaves the last of the three out.
    "x-ratelimit-limit-tokens": "8000",
    "x-ratelimit-remaining-tokens": "2000",
}
NO_LIMIT = str(2**63 - 1)


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
        ("Wed, 01 Jan 2020 00:00:00 +99999999999999", None),
        ("Wed, 01 Jan 99999999999 00:00:00 GMT", None),
        ("9" * 400, float("inf")),
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
        (OTHERS_ONLY, Window(10_000, 5800, 4_000)),
        (REJECTED, None),
        (ANTHROPIC, Window(8000, 2000, 0)),
        # As a gateway says that there is no limit, and as nobody does.
        ({"x-ratelimit-limit-tokens": NO_LIMIT,
          "x-ratelimit-remaining-tokens": NO_LIMIT}, Window(2**62, 2**62, 60)),
        ({"x-ratelimit-limit-tokens": "9" * 400, "x-ratelimit-remaining-tokens": "7"},
         Window(2**62, 7, 60)),
        ({"x-ratelimit-limit-tokens": "0.5", "x-ratelimit-remaining-tokens": "0"},
         None),
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
        ({}, json.dumps(of_google("37s")), 37),
        ({}, json.dumps(json.dumps(of_google("21599.960s"))), 21_599.96),
        # What it says then is the wait of the minute, and its day is over much later.
        ({}, json.dumps(of_google("22s", quota="PerDay")), None),
        ({}, "RESOURCE_EXHAUSTED - Please retry in 25.465784708s.", 25.465784708),
        ({}, "Rate limit reached for x on TPM. Please try again in 6m0s. Visit", 360),
        ({}, "Rate limit reached for x on RPM. Please try again in 20ms. Visit", 0.02),
        ({"retry-after": "soon"}, "retryDelay: later", None),
        ({}, "retryDelay: 3, please try again in a moment", None),
        # Some of the subscription is left: a single model was refused, or haste.
        (CLAUDE, "", None),
        (OTHERS_ONLY, "", None),
        (REJECTED, "", 4_000),
        ({**REJECTED, "anthropic-ratelimit-unified-reset": "soon"}, "", None),
    ],
)  # fmt: skip
def test_how_long_it_wants_to_be_left_alone(
    clock: None, told: dict[str, str], said: str, wait: float | None
) -> None:
    assert stated_wait(told, said) == wait
