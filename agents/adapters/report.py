"""What a program says of its own run, in the JSON object it prints last.

The shape is the one coding CLIs use: `{"session_id", "is_error", "result", "usage":
{"input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
"output_tokens"}, "num_turns"}`; `sessionId` does as well. It may come on one line, over
many, or as the last one of a stream of objects, a line each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agents.models.session import LONGEST_ID
from agents.texts import storable_json

# It becomes an argument of a command: it may not begin like an option.
SESSION_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/@+-]{{0,{LONGEST_ID - 1}}}")
# What makes an object a report, not just some JSON.
MARKS = {"session_id", "sessionId", "is_error", "usage"}
READ, MADE, CACHED = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
)
LOOK_AT = 50  # lines from the end


@dataclass(frozen=True)
class Report:
    said: dict[str, Any] = field(default_factory=dict)
    session_id: str | None = None
    is_error: bool = False
    usage: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """Its last words."""
        return str(self.said.get("result") or self.said.get("error") or "").strip()

    @property
    def is_good(self) -> bool:
        """Whether it tells of a turn that went well, in a session of that name."""
        return bool(self.session_id) and not self.is_error

    @property
    def used_tokens(self) -> bool:
        counts = ("inputTokens", "cachedInputTokens", "outputTokens")
        return any((self.usage or {}).get(name) for name in counts)


def report_in(printed: str) -> Report:
    """The last report in it; an empty one when there is none."""
    for said in objects(printed):
        if MARKS & set(said):
            name = said.get("session_id") or said.get("sessionId")
            known = isinstance(name, str) and SESSION_ID.fullmatch(name)
            return Report(
                said=storable_json(said),
                session_id=str(name) if known else None,
                is_error=bool(said.get("is_error")),
                usage=usage_of(said, printed),
            )
    return Report()


def objects(printed: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that begin a line, the last one first."""
    # Not splitlines(): JSON leaves some other ends of lines as they are.
    lines = printed.rstrip().split("\n")
    for at in range(len(lines) - 1, max(-1, len(lines) - 1 - LOOK_AT), -1):
        if lines[at].startswith("{"):
            found = parsed(lines[at])
            if found is None:
                found = parsed("\n".join(lines[at:]))
            if found is not None:
                yield found


def parsed(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def usage_of(said: dict[str, Any], printed: str) -> dict[str, Any] | None:
    """The tokens of the run, and those of its last call: its context. Null when the
    program does not count."""
    counts = said.get("usage")
    if not isinstance(counts, dict):
        return None
    usage: dict[str, Any] = {
        "inputTokens": whole(counts, READ) + whole(counts, MADE),
        "cachedInputTokens": whole(counts, CACHED),
        "outputTokens": whole(counts, "output_tokens"),
        "contextTokens": context_of(said, counts, printed),
    }
    cost = said.get("total_cost_usd")
    if isinstance(cost, int | float) and not isinstance(cost, bool):
        usage["costUsd"] = cost
    return usage


def context_of(said: dict[str, Any], counts: dict[str, Any], printed: str) -> int:
    """What its last call read, cached or not. A stream has each call's own count; a sum
    over the calls of a run, which is what these programs report at the end, is divided
    by their number: taken for the context it would end every session."""
    for each in objects(printed):
        message = each.get("message")
        own = message.get("usage") if isinstance(message, dict) else None
        if isinstance(own, dict):
            return read_by(own)
    return read_by(counts) // max(1, whole(said, "num_turns"))


def read_by(counts: dict[str, Any]) -> int:
    return sum(whole(counts, name) for name in (READ, MADE, CACHED))


def whole(counts: dict[str, Any], name: str) -> int:
    value = counts.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return max(0, min(value, 10**12))
