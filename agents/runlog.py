"""The log of a run: what its program printed, one JSON line a chunk.

Lines are `{"ts", "stream", "chunk", "seq"}`. The file is outside the database, mode
600, and is read by byte offset.
"""

from __future__ import annotations

import hashlib
import json
import os
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import Any, Self

from django.utils.timezone import now

from agents.models.run import Run

EXCERPT = 32 * 1024
READ_LIMIT = 256_000


class LogWriter:
    """Appends chunks and keeps the tail of each stream for the run's row."""

    def __init__(self, run: Run) -> None:
        run.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.fdopen(os.open(run.log_file, flags, 0o600), "wb", buffering=0)
        self._digest = hashlib.sha256()
        self._bytes = self._seq = 0
        self._tails = {"stdout": "", "stderr": ""}
        # A character may be cut by the end of a read.
        new = getincrementaldecoder("utf-8")
        self._decoders = {stream: new("replace") for stream in self._tails}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, stream: str, data: bytes) -> None:
        # NUL is the one character PostgreSQL does not store.
        text = self._decoders[stream].decode(data).replace("\0", "�")
        if not text:
            return
        self._tails[stream] = (self._tails[stream] + text)[-EXCERPT:]
        self._seq += 1
        line = {
            "ts": now().isoformat(timespec="milliseconds"),
            "stream": stream,
            "chunk": text,
            "seq": self._seq,
        }
        encoded = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        self._file.write(encoded)
        self._digest.update(encoded)
        self._bytes += len(encoded)

    def columns(self) -> dict[str, Any]:
        """What the run's row keeps of the log."""
        return {
            "log_bytes": self._bytes,
            "log_sha256": self._digest.hexdigest(),
            "stdout_excerpt": self._tails["stdout"],
            "stderr_excerpt": self._tails["stderr"],
        }


def read(run: Run, offset: int = 0, limit: int = READ_LIMIT) -> tuple[str, int | None]:
    """Whole lines from that byte on, and the offset to go on from.

    The second is None when the log ends here and the run has ended too.
    """
    try:
        with run.log_file.open("rb") as file:
            file.seek(offset)
            data = file.read(limit)
    except FileNotFoundError:
        data = b""
    cut = data.rfind(b"\n") + 1 or len(data)
    more = cut > 0 or run.is_open
    return data[:cut].decode("utf-8", "replace"), offset + cut if more else None


def lines(text: str) -> Iterator[dict[str, Any]]:
    """The chunks in a piece of log. A line cut by a crash is passed over."""
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
