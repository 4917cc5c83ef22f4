"""The sweep: finds in the database what a lost message, a dead process or the clock
left to be done. Everything else only makes things faster."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from django.db import connection, transaction
from django.utils.timezone import now

from agents import outcomes, stopping
from agents.models import Agent, Approval, Notice, Run
from issues import budgets, checking, gate, heartbeat, lying, outage, recovery
from issues.models import Issue
from issues.models.base import Status
from paperclip import doorbell, processes, pulse, sealing

log = logging.getLogger(__name__)

BATCH = 500
# So many timers a round, twice a second; a longer round would hold up the rest.
TIMERS = 350
# A worker that is rung for goes on until nothing is left: so many messages are enough.
MOST_BELLS = 50
# How long a doorbell may take before it is rung again.
PATIENCE = timedelta(seconds=2)
# A cancelled run's own supervisor ends its processes; only after this do we.
CANCEL_GRACE = timedelta(seconds=8)

Row = TypeVar("Row")


def sweep() -> None:
    """One round. Every step is safe beside another sweep at the same moment."""
    for name, act in STEPS.items():
        pulse.step(name)
        try:
            act()
        except heartbeat.AWAY:
            raise
        except Exception:
            # The rest does not wait for what one step stumbles over, again and again.
            log.exception("the sweep could not %s", name)
    pulse.step(pulse.IDLE)


def each(rows: Iterable[Row], act: Callable[[Row], object]) -> None:
    """Do it to every row; one that cannot be handled does not stop the others."""
    for row in rows:
        try:
            act(row)
        except Exception:
            log.exception("the sweep could not handle %s", row)


@transaction.atomic
def end_expired(run: Run) -> None:
    """End a run whose lease nobody renewed: with the outcome that its worker could not
    deliver any more, or as lost, and queue its work again."""
    run.lock_agent()  # before the run's own row, as everybody does
    outcome = outcomes.kept(run)
    if outcome is not None and run.revive():
        heartbeat.deliver(run, outcome)
    elif run.expire():
        log.warning("%s lost its supervisor", run)
        recovery.follow_up(run)


def wake_waiting() -> None:
    """Wake for the issues that were left lying."""
    gone = Agent.objects.filter(status=Agent.Status.TERMINATED)
    left = Issue.objects.open().exclude(status=Status.BACKLOG)
    each(left.filter(assignee_agent__in=gone)[:BATCH], Issue.leave_to_person)
    each(lying.waiting()[:BATCH], lying.wake_waiting)
    each(lying.undecided()[:BATCH], lying.wake_undecided)
    each(Approval.objects.due(now())[:BATCH], Approval.expire)
    unheard = Notice.objects.unheard().select_related("agent__company", "event")
    each(unheard[:BATCH], Notice.ring)


@transaction.atomic
def ring_again() -> None:
    """Ring for queued runs that could start and that no worker came for."""
    room = MOST_BELLS - doorbell.waiting("runs")
    if room <= 0:
        return
    forgotten = Run.objects.next_up(now(), room, unrung_since=now() - PATIENCE)
    # One that somebody is starting this moment is not rung for.
    rows = Run.objects.filter(pk__in=forgotten).select_for_update(skip_locked=True)
    found = set(rows.values_list("pk", flat=True))
    Run.objects.filter(pk__in=found).update(rung_at=now())
    for pk in (one for one in forgotten if one in found):
        doorbell.ring("issues.tasks.heartbeat", str(pk))


def reap() -> None:
    """End the processes on this host whose run is not live any more."""
    orphans = processes.live_runs()
    if not orphans:
        return
    known = Run.objects.filter(pk__in=orphans)
    ending = known.filter(
        status=Run.Status.CANCELLED, finished_at__gt=now() - CANCEL_GRACE
    )
    spared = {str(pk) for pk in (known.live() | ending).values_list("pk", flat=True)}
    for run_id in orphans - spared:
        ended = processes.end_tree(run_id, grace=2)
        log.warning("ended %d processes left behind by run %s", ended, run_id)


STEPS: dict[str, Callable[[], object]] = {
    "look at the time": lambda: outage.notice(now()),
    "end expired runs": lambda: each(
        Run.objects.expired().select_related("agent__company")[:BATCH], end_expired
    ),
    "end what was stopped": lambda: stopping.carry_through(most=BATCH),
    "look at the budgets": lambda: budgets.carry_through(most=BATCH),
    "wake due agents": lambda: gate.wake_due(now(), TIMERS),
    "ring again": ring_again,
    "ring for checks": checking.ring_again,
    "seal what was done": sealing.seal,
}


at_it: dict[Callable[[], None], threading.Lock] = {}


def aside(act: Callable[[], None]) -> None:
    """Do it in a thread of its own, so that it does not hold up the sweep; not at all
    while the last time goes on."""
    lock = at_it.setdefault(act, threading.Lock())
    if lock.acquire(blocking=False):
        threading.Thread(target=_aside, args=(act, lock), daemon=True).start()


def _aside(act: Callable[[], None], lock: threading.Lock) -> None:
    try:
        act()
    finally:
        connection.close()
        lock.release()
