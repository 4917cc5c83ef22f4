"""What providers say of their windows: how much of one is left, and for how long they
want to be left alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from django.utils.timezone import now

# https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers
PARTS_TOLD = ("limit", "remaining", "reset")
OPENAI = [
    [f"x-ratelimit-{part}-{what}" for part in PARTS_TOLD]
    for what in ("requests", "tokens")
]
# https://docs.claude.com/en/api/rate-limits#response-headers
ANTHROPIC = [
    [f"anthropic-ratelimit-{what}-{part}" for part in PARTS_TOLD]
    for what in ("requests", "tokens", "input-tokens", "output-tokens")
]
# Of subscriptions: the share that is used of five hours and of a week. The others
# (7d_opus, 7d_oi, overage) are of single models, or of money beside the subscription:
# the account goes on without them.
UNIFIED = "anthropic-ratelimit-unified"
SUBSCRIPTION = ("5h", "7d")
PARTS = 10_000
# https://cloud.google.com/apis/design/errors#retry_info, quoted once or twice, and what
# Google, OpenAI and Groq say in words.
STATED_DELAY = re.compile(
    r"(?:retryDelay\W+|retry in |try again in )((?:\d+(?:\.\d+)?(?:ms|[smhd]))+)"
)
# The delay that Google states with it is that of the minute.
WHOLE_DAY = re.compile(r"quotaId\W+\w*PerDay")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
# A number of seconds that is greater is a time: seconds since 1970.
LONGEST_SPAN = 1e9
# "No limit" is told as the greatest number a machine has, rounded up or not.
MOST = 2**62


class Window(NamedTuple):
    """`limit` and `left` are requests, tokens or parts; it begins anew in so many
    seconds."""

    limit: int
    left: int
    resets_in: float


def tightest(headers: Mapping[str, str]) -> Window | None:
    """The window that is the fullest; None when the provider speaks of none."""
    return min(
        windows(headers),
        key=lambda one: (one.left / one.limit, -one.resets_in),
        default=None,
    )


def windows(headers: Mapping[str, str]) -> Iterator[Window]:
    """All that can be read; what cannot is passed over."""
    yield from paces(headers)
    yield from subscription(headers)


def paces(headers: Mapping[str, str]) -> Iterator[Window]:
    # LiteLLM tells Anthropic's by OpenAI's names too, without when they begin anew.
    is_anthropic = any(name.startswith("anthropic-") for name in headers)
    for limit, left, reset in ANTHROPIC if is_anthropic else OPENAI:
        most, rest = number_in(headers.get(limit)), number_in(headers.get(left))
        if most and most >= 1 and rest is not None:
            wait = seconds_in(headers.get(reset, ""))
            count, over = int(min(most, MOST)), int(min(rest, MOST))
            yield Window(count, over, 60.0 if wait is None else wait)


def subscription(headers: Mapping[str, str]) -> Iterator[Window]:
    for which in SUBSCRIPTION:
        told = f"{UNIFIED}-{which}"
        used = number_in(headers.get(f"{told}-utilization"))
        if headers.get(f"{told}-status") == "rejected":
            used = 1.0
        if used is not None:
            wait = seconds_in(headers.get(f"{told}-reset", ""))
            left = round(PARTS * max(0.0, 1 - used))
            yield Window(PARTS, left, 3600.0 if wait is None else wait)


def stated_wait(headers: Mapping[str, str], said: str) -> float | None:
    """The seconds a provider that refuses asks to be left alone for: by its words, by
    Retry-After (RFC 9110, 10.2.3), or until the last of the windows that are used up
    begins anew; None when it does not say."""
    if WHOLE_DAY.search(said):
        return None
    if found := STATED_DELAY.search(said):
        return seconds_in(found[1])
    if (milliseconds := number_in(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if (wait := seconds_in(headers.get("retry-after", ""))) is not None:
        return wait
    if used_up := [one.resets_in for one in windows(headers) if not one.left]:
        return max(used_up)
    if any(subscription(headers)):
        return None  # it has some left: a single model was refused, or haste
    if headers.get(f"{UNIFIED}-status") == "rejected":
        return seconds_in(headers.get(f"{UNIFIED}-reset", ""))
    # Of tokens some may be left, and fewer than were asked for.
    pace = tightest(headers)
    return pace.resets_in if pace else None


def number_in(text: str | None) -> float | None:
    return float(text) if text and NUMBER.fullmatch(text) else None


def seconds_in(text: str) -> float | None:
    """From now on: `63`, `6m0s`, an HTTP date, an ISO time or the seconds since 1970.
    None for anything else, and 0 for what is past."""
    if (number := number_in(text)) is not None:
        past = now().timestamp() if number > LONGEST_SPAN else 0.0
        return max(0.0, number - past)
    if text and not DURATION.sub("", text):
        parts = DURATION.findall(text)
        return sum(float(number) * UNITS[unit] for number, unit in parts)
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return max(0.0, (read(text) - now()).total_seconds())
        except (ValueError, TypeError, OverflowError):
            continue
    return None
