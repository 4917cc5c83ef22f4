"""How long what agents leave behind is kept: rows of the database and logs on disk.

Never removed: what is open, the newest ended run of an agent about an issue (the gate
and the queue look at it), the newest firing of a routine, the activity log, and what
was paid (it forgets its run). Of the marketing: the newest of everything, and what a
proof still refers to.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import now

from agents.models import Run, RunEvent, Wakeup
from paperclip import home, processes
from paperclip.models import IdempotencyKey, Invite, SignInLink

log = logging.getLogger(__name__)

Rows = QuerySet[Any]
# So many at a time: nobody waits long for a lock, and a stop loses little.
BATCH = 2000
OPEN_WAKEUPS = (
    Wakeup.Status.QUEUED,
    Wakeup.Status.DEFERRED,
    Wakeup.Status.CLAIMED,
)


# --- What is too old -------------------------------------------------------------


def ended_runs(before: datetime) -> Rows:
    newer = Run.objects.filter(
        agent=OuterRef("agent"),
        status__in=Run.ENDED,
        created_at__gt=OuterRef("created_at"),
    )
    on_issue = Exists(newer.filter(issue_id=OuterRef("issue_id")))
    on_nothing = Q(issue_id=None) & Exists(newer.filter(issue_id=None))
    ended = Run.objects.filter(status__in=Run.ENDED, finished_at__lt=before)
    return ended.filter(on_issue | on_nothing)


def events(before: datetime) -> Rows:
    ended = {"run__status__in": Run.ENDED, "run__finished_at__lt": before}
    return RunEvent.objects.filter(**ended)


def wakeups(before: datetime) -> Rows:
    finished = Wakeup.objects.exclude(status__in=OPEN_WAKEUPS)
    return finished.filter(updated_at__lt=before)


def out_of_use(model: str) -> Callable[[datetime], Rows]:
    """What its own model says is too old, of one that stands above this module."""

    def rows(before: datetime) -> Rows:
        manager: Any = apps.get_model(model)._default_manager
        found: Rows = manager.out_of_use(before)
        return found

    return rows


def idempotency_keys(before: datetime) -> Rows:
    return IdempotencyKey.objects.filter(created_at__lt=before)


def sessions(before: datetime) -> Rows:
    return Session.objects.filter(expire_date__lt=before)


def sign_in_links(before: datetime) -> Rows:
    return SignInLink.objects.filter(expires_at__lt=before)


def invites(before: datetime) -> Rows:
    """Nobody has accepted them, and an address may stand in them."""
    return Invite.objects.filter(expires_at__lt=before, accepted_at=None)


# what: (its rows, the setting that says for how many days; none: until they expire).
# Runs come after what is theirs: they take along what is left of it; and stored answers
# after all that refers to them.
KINDS: dict[str, tuple[Callable[[datetime], Rows], str]] = {
    "events of runs": (events, "KEEP_EVENTS_DAYS"),
    "finished wakeups": (wakeups, "KEEP_WAKEUPS_DAYS"),
    "firings of routines": (out_of_use("issues.RoutineRun"), "KEEP_ROUTINE_RUNS_DAYS"),
    "idempotency keys": (idempotency_keys, "KEEP_IDEMPOTENCY_KEYS_DAYS"),
    "expired sessions": (sessions, ""),
    "expired sign-in links": (sign_in_links, ""),
    "expired invitations": (invites, ""),
    "ended runs": (ended_runs, "KEEP_RUNS_DAYS"),
    "states of pages": (out_of_use("marketing.PageSnapshot"), "KEEP_PAGES_DAYS"),
    "looks at links": (out_of_use("marketing.BacklinkLook"), "KEEP_PAGES_DAYS"),
    "rank readings": (out_of_use("marketing.RankReading"), "KEEP_READINGS_DAYS"),
    "runs of jobs": (out_of_use("marketing.JobRun"), "KEEP_JOB_RUNS_DAYS"),
    "lists of pages": (out_of_use("marketing.Manifest"), "KEEP_ANSWERS_DAYS"),
    "stored answers": (out_of_use("marketing.Blob"), "KEEP_ANSWERS_DAYS"),
}
LOGS = "logs of runs"


def limit(setting: str) -> datetime | None:
    """Before when it is too old; None when it is kept for ever."""
    if not setting:
        return now()
    days: int = getattr(settings, setting)
    return now() - timedelta(days=days) if days else None


def is_over(setting: str, ended_at: datetime | None) -> bool:
    """Whether what ended then is not kept any more."""
    before = limit(setting)
    return bool(before and ended_at and ended_at < before)


# --- Removing it -----------------------------------------------------------------


def retain(
    *, dry_run: bool = False, until: Callable[[], bool] = lambda: False
) -> dict[str, int]:
    """Remove what is too old, and say how much of each kind; with `dry_run` only say
    it. It may be broken off at any moment, and run twice at once: `until` is asked now
    and then whether to stop, and the next time goes on."""
    removed = dict.fromkeys((*KINDS, LOGS), 0)
    for kind, (rows, setting) in KINDS.items():
        if (before := limit(setting)) is None:
            continue
        old = rows(before)
        if dry_run:
            removed[kind] = old.count()
            continue
        while not until() and (lot := remove_lot(old)):
            removed[kind] += lot
    for directory in old_directories(limit("KEEP_LOGS_DAYS")):
        if until():
            break
        removed[LOGS] += dry_run or remove_directory(directory)
    return removed


@transaction.atomic
def remove_lot(rows: Rows) -> int:
    """Remove some of the rows; how many. One that somebody holds is left for later."""
    free = rows.order_by().select_for_update(skip_locked=True, of=("self",))
    ids = [row.pk for row in free.only("pk")[:BATCH]]
    rows.model._default_manager.filter(pk__in=ids).only("pk").delete()
    return len(ids)


def old_directories(before: datetime | None) -> Iterator[Path]:
    """The directories on this machine of runs that ended before then, and those as old
    of runs that nobody knows any more."""
    place = home.path() / "runs"
    if before is None or not place.is_dir():
        return
    with os.scandir(place) as entries:
        ours = (Path(entry) for entry in entries if processes.is_uuid(entry.name))
        while lot := list(islice(ours, BATCH)):
            names = [directory.name for directory in lot]
            ended = dict(
                Run.objects.filter(pk__in=names).values_list("pk", "finished_at")
            )
            known = {str(pk): at for pk, at in ended.items()}
            for directory in lot:
                name = directory.name
                at = known[name] if name in known else touched_at(directory)
                if at is not None and at < before:
                    yield directory


def touched_at(directory: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(directory.stat().st_mtime, tz=now().tzinfo)
    except FileNotFoundError:
        return None


def remove_directory(directory: Path) -> bool:
    """Whether it was there, and is gone."""
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return False  # somebody else removes the same
    except OSError as error:
        log.warning("%s could not be removed: %s", directory, error)
        return False
    return True
