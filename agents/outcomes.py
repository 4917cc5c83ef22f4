"""Outcomes that the database could not take yet. They are on disk meanwhile, so that
they outlive the worker that waits with them."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from agents.adapters.base import Outcome
from agents.sessions import Thread

if TYPE_CHECKING:
    from pathlib import Path

    from agents.models import Run


def place(run: Run) -> Path:
    return run.directory / "outcome.json"


def keep(run: Run, outcome: Outcome) -> None:
    """Write it to the disk, whole or not at all. A full disk is no reason to fail: the
    worker has it still."""
    new = place(run).with_suffix(".new")
    with suppress(OSError):
        new.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump(asdict(outcome), file, default=str)
            file.flush()
            os.fsync(file.fileno())
        new.replace(place(run))


def kept(run: Run) -> Outcome | None:
    """What a worker on this host left of the run; None when it left nothing, or nothing
    that can be read."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        told = json.loads(place(run).read_text())
        return Outcome(**{**told, "thread": Thread(**told["thread"])})
    return None


def forget(run: Run) -> None:
    with suppress(OSError):
        place(run).unlink()
