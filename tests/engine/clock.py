"""A clock that tests set: hours pass without waiting for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import time_machine
from django.utils.timezone import now

from issues import sweep
from paperclip.models import Instance

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@contextmanager
def passing(hours: float, step: timedelta, start: datetime = START) -> Iterator[None]:
    """As if so many hours passed: the sweep looks at every step of the virtual time.
    The block is executed at the start, the hours pass behind it."""
    with time_machine.travel(start, tick=False) as clock:
        yield
        for _ in range(int(timedelta(hours=hours) / step)):
            clock.shift(step)
            look()


def look() -> None:
    """What the clock does twice a second and every five seconds; it never stood still,
    however far the virtual time was moved."""
    Instance.objects.update(swept_at=now())
    sweep.sweep()
    sweep.wake_waiting()
