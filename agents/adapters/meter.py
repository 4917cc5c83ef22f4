"""What a program uses while it runs: counted each second, so that a limit holds inside
of a run."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from django.db import DatabaseError, connection
from django.utils.timezone import now

from agents.adapters.report import CACHED, MADE, READ, whole
from agents.models import CostEvent, metering
from agents.models.counter import BudgetCounter
from agents.models.grant import Scopes
from agents.models.run import Run

EVERY = 1.0
LONGEST_LINE = 1_000_000


class Meter:
    """Of one run. `read` is given what the program prints; `hold` is asked now and then
    whether it may go on, and `enter` counts what is left at the end."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._began = self._due = time.monotonic()
        self._rest = b""
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._lines = self._bytes = self._seconds = 0
        self._has_told = False
        # The next call may be as large as the largest one until now.
        self._largest = dict(metering.AHEAD)
        self.speaks = run.is_budgeted and metering.speaks_for_itself(run)
        # Whether what refused it to go on will stay so.
        self.is_final = False

    def read(self, data: bytes) -> None:
        if not self.speaks:
            return
        self._bytes += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-LONGEST_LINE:]
        for line in lines:
            self._lines += 1
            self._events += usage_in(line, self._lines)
        if self._events:
            self._due = 0.0  # at once: it may be the last there was

    def hold(self) -> bool:
        """Count what was used since the last time. False when there is nothing left to
        go on with."""
        if not self._run.is_budgeted or time.monotonic() < self._due:
            return True
        self._due = time.monotonic() + EVERY
        # A database that is away for a moment ends nobody's work.
        with suppress(DatabaseError):
            try:
                return self._count()
            finally:
                connection.close()
        return True

    def enter(self) -> None:
        """What it has told and was not counted yet."""
        while self._events:
            self._has_told = True
            key, columns = self._events[0]
            self._note_largest(columns)
            metering.enter(self._run, key, part=True, **columns)
            self._events.pop(0)

    def _count(self) -> bool:
        self.enter()
        if self.speaks and not self._has_told:
            # Nor is it silent whose calls go through the gateway.
            self._has_told = CostEvent.objects.filter(run=self._run).exists()
        passed = int(time.monotonic() - self._began)
        BudgetCounter.objects.enter(
            Scopes.of(self._run),
            {"minutes": passed - self._seconds},
            at=now(),
            reservation=self._run.pk,
            whole=False,
        )
        self._seconds = passed
        grant = metering.reserve(self._run, self._asks(), renews=True)
        self.is_final = grant.is_full
        return not grant.short

    def _note_largest(self, columns: dict[str, Any]) -> None:
        tokens = columns["input_tokens"] + columns["output_tokens"]
        used = {"tokens": tokens, "billed_cents": columns["cost_micros"] or 0}
        for metric, amount in used.items():
            self._largest[metric] = max(self._largest[metric], amount)

    def _asks(self) -> dict[str, tuple[int, int]]:
        """What it needs until the next time. Of a program that has told nothing yet
        what it is taken to have used stays reserved: it may tell at its end."""
        asks = {"runs": (1, 1), "minutes": (1, metering.AHEAD["minutes"])}
        if not self.speaks:
            return asks
        taken = metering.estimate(self._seconds, self._bytes)
        tokens = taken["input_tokens"] + taken["output_tokens"]
        used = {"tokens": tokens, "billed_cents": taken["cost_micros"]}
        for metric, amount in used.items():
            least = 1 if self._has_told else max(1, amount)
            asks[metric] = (least, least + self._largest[metric])
        return asks


def usage_in(line: bytes, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a line of a program's stream says it used, and by what name the same is told
    again. The sum at its end is no news: see metering.count_rest()."""
    if not line.startswith(b"{") or b'"usage"' not in line:
        return
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return
    if said.get("type") == "result" or "is_error" in said:
        return
    message = said["message"] if isinstance(said.get("message"), dict) else said
    counts = message.get("usage")
    if not isinstance(counts, dict):
        return
    columns: dict[str, Any] = {
        "input_tokens": sum(whole(counts, name) for name in (READ, MADE, CACHED)),
        "cached_input_tokens": whole(counts, CACHED),
        "output_tokens": whole(counts, "output_tokens"),
        "cost_micros": micros_of(said.get("cost_usd")),
    }
    if name := str(message.get("model") or ""):
        columns["model"] = name.replace("\0", "")[:200]
    yield str(message.get("id") or f"line {number}"), columns


def micros_of(dollars: Any) -> int | None:
    """Millionths of a dollar, when it is a price."""
    if isinstance(dollars, bool) or not isinstance(dollars, int | float):
        return None
    return round(dollars * 1_000_000) if 0 <= dollars < 10**9 else None
