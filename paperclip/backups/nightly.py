"""The nightly backup: a program of its own, which is ended when it takes too long."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

from django.conf import settings
from django.db.models import Min
from django.utils.timezone import now

from paperclip import home
from paperclip.backups import store
from paperclip.exceptions import Refused
from paperclip.models import Company

log = logging.getLogger(__name__)

# Beyond its own limit: one that can still speak says itself that it took too long.
MORE_SECONDS = 60
# A good one is taken every night; so old, two nights have failed.
OLDEST = timedelta(hours=50)
# Until then the first night may not have come.
FIRST = timedelta(hours=26)
FAILURE = "failure.json"


def run() -> None:
    """Take one; how it failed is written down, for people to see."""
    with subprocess.Popen(
        [sys.executable, str(home.BASE_DIR / "manage.py"), "backup"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as program:
        try:
            _, said = program.communicate(timeout=allowed())
        except subprocess.TimeoutExpired:
            said = f"It did not end within {allowed() / 60:.0f} minutes.".encode()
        finally:
            # With all it started: pg_dump may hang as well.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
    words = said.decode(errors="replace").strip().splitlines()
    note(words[-1] if program.returncode and words else "")


def allowed() -> float:
    return float(settings.BACKUP_MINUTES * 60 + MORE_SECONDS)


def note(failure: str) -> None:
    """Keep how the last one failed; nothing when it did not."""
    file = store.home() / FAILURE
    if failure:
        log.error("the backup failed: %s", failure)
        file.write_text(json.dumps({"at": time.time(), "said": failure}))
    else:
        file.unlink(missing_ok=True)


def is_early() -> bool:
    """Whether the first night has not come yet, and nothing went wrong either."""
    first = Company.objects.aggregate(at=Min("created_at"))["at"]
    young = first is None or now() - first < FIRST
    failed = (store.home() / FAILURE).exists()
    return young and not failed and store.latest_good() is None


def state() -> str:
    """In words, how the newest good backup stands. Refused, with the reason, when there
    is none that counts."""
    good = store.latest_good()
    said = ""
    with contextlib.suppress(OSError, ValueError, KeyError):
        said = json.loads((store.home() / FAILURE).read_text())["said"]
    if good is None:
        raise Refused(said or "None yet: take one with: python3 manage.py backup")
    if said:
        raise Refused(said)
    if now() - good.taken_at > OLDEST:
        raise Refused(f"The newest good one is of {good.taken_at:%Y-%m-%d %H:%M} UTC.")
    return f"{good.taken_at:%Y-%m-%d %H:%M} UTC, tried out"
