"""What the built-in loop said and did in a run, read from the run's log.

The loop prints one JSON document a line; the log cuts what it prints into chunks as it
comes, so a line may begin in one chunk and end in the next. A place in a transcript is
`<byte of the log>-<characters of the chunk there>`, and always the begin of a line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from agents import runlog, tool_words
from agents.models import Run

KINDS = {"start", "session", "prompt", "assistant", "tool", "retry", "result"}
BEGIN = "0-0"
ENOUGH = 400_000  # characters of log for one answer
TAIL = 64 * 1024  # bytes of log the last acts are looked for in


def exists(run: Run) -> bool:
    """Whether this run has a transcript. A log without one is shown as it is."""
    text, _following = runlog.read(run, 0, 4096)
    for chunk in runlog.lines(text):
        return str(chunk.get("chunk", "")).startswith(('{"type":', '{"type" :'))
    return run.agent.adapter_type == "litellm"


def read(run: Run, place: str) -> tuple[list[dict[str, Any]], str | None]:
    """The whole entries from that place on, and the place to go on from: None when
    the run has ended and this was all."""
    reader = Reader(*parsed(place))
    offset = reader.mark[0]
    while True:
        text, following = runlog.read(run, offset)
        if following is None:
            return reader.rest(), None
        if not text or reader.is_full:
            return reader.ready(), reader.place
        reader.take(text)
        offset = following


def parsed(place: str) -> tuple[int, int]:
    """A place that is none is the begin."""
    parts = place.split("-")
    whole = [p for p in parts if p.isascii() and p.isdigit() and len(p) < 16]
    return (int(parts[0]), int(parts[1])) if len(whole) == len(parts) == 2 else (0, 0)


def acts(run: Run, many: int = 3) -> list[str]:
    """What the run did last, in words, the newest last. A program without a transcript
    is quoted: its last lines."""
    said = [words for entry in tail(run) for words in in_words(entry)]
    return said[-many:]


def tail(run: Run) -> list[dict[str, Any]]:
    try:
        size = run.log_file.stat().st_size
    except FileNotFoundError:
        return []
    begin = max(0, size - TAIL)
    reader = Reader(begin, 0)
    text, _following = runlog.read(run, begin, TAIL)
    # It begins within a line of the log, and then within one of the loop, too.
    reader.take(text.partition("\n")[2] if begin else text)
    entries = reader.rest()
    return entries[1:] if begin else entries


@dataclass
class Reader:
    """Puts chunks together again to lines."""

    offset: int
    skip: int
    entries: list[dict[str, Any]] = field(default_factory=list)
    pending: str = ""
    whole: int = 0  # so many entries come before the line that is not yet whole
    seen: int = 0

    def __post_init__(self) -> None:
        self.mark = (self.offset, self.skip)

    @property
    def place(self) -> str:
        return "{}-{}".format(*self.mark)

    @property
    def is_full(self) -> bool:
        return self.seen > ENOUGH and self.whole > 0

    def take(self, text: str) -> None:
        """Chunks of the log, from where the last ones ended."""
        self.seen += len(text)
        for line in text.split("\n")[:-1]:
            for chunk in runlog.lines(line):
                self._take(str(chunk.get("stream")), str(chunk.get("chunk", "")))
            self.offset += len(line.encode()) + 1
            self.skip = 0
            if not self.pending:
                self.mark, self.whole = (self.offset, 0), len(self.entries)

    def _take(self, stream: str, chunk: str) -> None:
        if stream != "stdout":
            self.entries.append(printed(stream, chunk))
            return
        left = self.pending + chunk[self.skip :]
        *lines, self.pending = left.split("\n")
        self.entries += [entry_of(line) for line in lines if line.strip()]
        if lines:
            self.mark = (self.offset, len(chunk) - len(self.pending))
            self.whole = len(self.entries)

    def ready(self) -> list[dict[str, Any]]:
        return self.entries[: self.whole]

    def rest(self) -> list[dict[str, Any]]:
        """All of them; a line without an end is one, too."""
        last = [entry_of(self.pending)] if self.pending.strip() else []
        return self.entries + last


def printed(stream: str, text: str) -> dict[str, Any]:
    return {"type": "printed", "stream": stream, "text": text}


def entry_of(line: str) -> dict[str, Any]:
    """One line of the loop. What is not its own is shown as it was printed."""
    try:
        entry = json.loads(line)
    except ValueError:
        return printed("stdout", line)
    if not isinstance(entry, dict) or entry.get("type") not in KINDS:
        return printed("stdout", line)
    if entry["type"] == "assistant":
        calls = entry.get("toolCalls") or []
        entry["toolCalls"] = [call_of(c) for c in calls if isinstance(c, dict)]
    return entry


def call_of(call: dict[str, Any]) -> dict[str, Any]:
    arguments = call.get("arguments")
    pairs = arguments if isinstance(arguments, dict) else {"": arguments}
    return {
        **call,
        "says": says(str(call.get("name", "")), pairs),
        "arguments": [(name, text_of(value)) for name, value in pairs.items()],
    }


def says(name: str, arguments: dict[str, Any]) -> str:
    """A tool call as a sentence without its subject: `runs pytest -q`."""
    words, key, _allows = tool_words.of(name)
    what = " ".join(str(arguments.get(key) or _("it")).split())[:160] if key else ""
    return str(words).replace("%(what)s", what)


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def in_words(entry: dict[str, Any]) -> list[str]:
    """One line for each act in the entry; results are no acts."""
    if entry["type"] == "assistant":
        text = " ".join(str(entry.get("text") or "").split())
        return [
            each for each in (text, *(c["says"] for c in entry["toolCalls"])) if each
        ]
    if entry["type"] == "retry":
        return [_("waits: %(why)s") % {"why": entry.get("message", "")}]
    if entry["type"] == "printed":
        return [line for line in str(entry["text"]).splitlines() if line.strip()]
    return []
