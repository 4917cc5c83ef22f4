"""The log of a run: what its program printed, one JSON line a chunk.

Lines are `{"ts", "stream", "chunk", "seq"}`. The file is outside the database, mode
600, and is read by byte offset. It holds no secret of the run and does not grow for
ever.
"""

from __future__ import annotations

import hashlib
import json
import os
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from typing import Any, Self

from django.conf import settings
from django.utils.timezone import now
from django.utils.translation import gettext as _

from agents.models.run import Run
from agents.retention import is_over
from paperclip.scrub import Flow, Scrubber

EXCERPT = 32 * 1024
# What a program says of itself at its end may be longer than an excerpt.
REPORT = 128 * 1024
READ_LIMIT = 256_000
LOG_LIMIT = 64 * 1024 * 1024
CHUNK = 8 * 1024  # characters of a line, so that a reader need not take much at once


class LogWriter:
    """Appends chunks and keeps the tail of each stream for the run's row."""

    def __init__(self, run: Run, secrets: Iterable[str] = ()) -> None:
        run.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.fdopen(os.open(run.log_file, flags, 0o600), "wb", buffering=0)
        # A run may start a second program: its log goes on where the first one ended.
        before = run.log_file.read_bytes()
        self._digest = hashlib.sha256(before)
        self._bytes, self._seq = len(before), before.count(b"\n")
        self._is_full = False
        scrubber = Scrubber(secrets)
        self._streams = {name: Stream(scrubber) for name in ("stdout", "stderr")}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._file:
            self._end()

    def write(self, stream: str, data: bytes, *, final: bool = False) -> None:
        text = self._streams[stream].take(data, final)
        for start in range(0, len(text), CHUNK):
            if not self._is_full:
                self._append(stream, text[start : start + CHUNK])

    def _append(self, stream: str, chunk: str) -> None:
        encoded = self._line(stream, chunk)
        if self._bytes + len(encoded) > LOG_LIMIT:
            self._is_full = True
            encoded = self._line(
                "system", f"\n[The log was cut here: {LOG_LIMIT:,} bytes are enough.]\n"
            )
        self._file.write(encoded)
        self._digest.update(encoded)
        self._bytes += len(encoded)
        self._seq += 1

    def _line(self, stream: str, chunk: str) -> bytes:
        line = {
            "ts": now().isoformat(timespec="milliseconds"),
            "stream": stream,
            "chunk": chunk,
            "seq": self._seq + 1,
        }
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"

    def _end(self) -> None:
        for stream in self._streams:
            self.write(stream, b"", final=True)

    @property
    def last_printed(self) -> str:
        """The end of stdout, longer than what the row keeps of it."""
        return self._streams["stdout"].tail

    def columns(self) -> dict[str, Any]:
        """What the run's row keeps of the log, which ends here."""
        self._end()
        return {
            "log_bytes": self._bytes,
            "log_sha256": self._digest.hexdigest(),
            "stdout_excerpt": self._streams["stdout"].tail[-EXCERPT:],
            "stderr_excerpt": self._streams["stderr"].tail[-EXCERPT:],
        }


class Stream:
    """One stream on its way from bytes to a text without secrets."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._flow = Flow(scrubber)
        # A character may be cut by the end of a read.
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self.tail = ""

    def take(self, data: bytes, final: bool) -> str:
        """What can be shown by now."""
        shown = self._decoder.decode(self._flow.take(data, final), final)
        # NUL is the one character PostgreSQL does not store.
        shown = shown.replace("\0", "\N{REPLACEMENT CHARACTER}")
        self.tail = (self.tail + shown)[-REPORT:]
        return shown


def read(run: Run, offset: int = 0, limit: int = READ_LIMIT) -> tuple[str, int | None]:
    """Whole lines from that byte on, one at least if there is one, and the offset to go
    on from. That is None when the log ends here and the run has ended too."""
    try:
        with run.log_file.open("rb") as file:
            file.seek(offset)
            data = file.read(limit)
            if b"\n" not in data:
                data += file.readline()
    except FileNotFoundError:
        data = b""
    whole = data.rfind(b"\n") + 1
    more = whole > 0 or run.is_open
    return data[:whole].decode("utf-8", "replace"), offset + whole if more else None


def lines(text: str) -> Iterator[dict[str, Any]]:
    """The chunks in a piece of log. A line cut by a crash is passed over."""
    # Not splitlines(): JSON leaves some other ends of lines as they are.
    for line in text.split("\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def absence(run: Run) -> str:
    """Why the log of an ended run cannot be read here; empty when it can, or when
    nothing was ever printed."""
    if run.is_open or not run.started_at or run.log_bytes == 0 or run.log_file.exists():
        return ""
    if is_over("KEEP_LOGS_DAYS", run.finished_at):
        days = settings.KEEP_LOGS_DAYS
        return _("This log was removed after %(days)s days.") % {"days": days}
    host = run.host or "?"
    return _("This log is not on this machine: the run was on %(host)s.") % {
        "host": host
    }
