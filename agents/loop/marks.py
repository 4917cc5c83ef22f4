"""What runs that had read text from outside have left in a workspace: the files that
were changed while one of them ran."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

# From when until when such a run ran, in seconds of the epoch, and what it had read.
Span = tuple[float, float, str]


def source_of(file: Path, spans: Iterable[Span]) -> str:
    """What it may hold; empty when none of them has changed it. By the time that no
    program can set."""
    try:
        changed = file.lstat().st_ctime
    except OSError:
        return ""
    found = (what for since, until, what in spans if since <= changed <= until)
    return next((f"{file.name}, by a run that read: {what}" for what in found), "")


def source_below(root: Path, spans: Iterable[Span], but: str) -> str:
    """The same of all that is in a directory, git's own too, without those called
    so."""
    if not (known := list(spans)):
        return ""
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if name != but]
        for name in names:
            if source := source_of(Path(folder, name), known):
                return source
    return ""
