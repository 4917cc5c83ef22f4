"""The clock of the routines: fires what has come due, each slot once, and makes up for
what was missed as each routine's policy says."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import OperationalError, transaction

from issues.models import Routine, RoutineRun, RoutineTrigger
from paperclip import pulse
from paperclip.actors import SYSTEM
from paperclip.exceptions import Refused

log = logging.getLogger(__name__)

# In one round, so that the sweep, which shares this clock, is not held up for long.
BATCH = 50
CAP = 25
# A slot that is taken up within this was not missed.
GRACE = timedelta(minutes=1)
# When a schedule is looked at again that could not even be read.
LATER = timedelta(hours=1)
# Of the slots that have come due, how many are fired: the newest ones. The argument
# says whether the last of them is on time.
CATCH_UP: dict[str, Callable[[bool], int]] = {
    Routine.CatchUp.SKIP_MISSED: lambda on_time: 1,
    Routine.CatchUp.ENQUEUE: lambda on_time: CAP,
    Routine.CatchUp.DROP: lambda on_time: int(on_time),
}


def fire_due(at: datetime) -> int:
    """Fire the schedules that are due; how many slots were fired. A schedule that
    cannot be fired does not stop the others. Safe beside another one at the same
    moment, and at any later time: what was left is still due."""
    pulse.step("fire due routines")
    fired = 0
    for trigger in RoutineTrigger.objects.due(at)[:BATCH]:
        if fired >= BATCH:
            break
        try:
            fired += take_up(trigger, at)
        except OperationalError as error:
            log.warning("%s is tried again: %s", trigger.pk, error)
        except Exception:
            log.exception("the schedule %s cannot be read", trigger.pk)
            put_off(trigger, at)
    pulse.step(pulse.IDLE)
    return fired


@transaction.atomic
def take_up(trigger: RoutineTrigger, at: datetime) -> int:
    """Move the alarm, then fire the slots it rang for: both, or after a crash neither.
    0 when somebody else is at it."""
    # Before the trigger's row, as whoever changes a routine does.
    rows = Routine.objects.select_for_update(no_key=True, skip_locked=True)
    routine: Routine | None = rows.filter(pk=trigger.routine_id).first()
    if routine is None:
        return 0
    trigger.routine = routine
    slots = trigger.slots_until(at)
    if not trigger.claim(at):
        return 0
    count = CATCH_UP[routine.catch_up_policy](at - slots[-1] <= GRACE)
    missed, due = slots[: len(slots) - count], slots[len(slots) - count :]
    if count >= len(slots):
        missed, due = [], slots
    if missed:
        RoutineRun.objects.pass_over(trigger, missed, at)
    for slot in due:
        fire(trigger, slot, at)
    return len(due)


def fire(trigger: RoutineTrigger, slot: datetime, at: datetime) -> None:
    """Fire one slot. What forbids it is written down: it will not be tried again."""
    try:
        trigger.routine.fire(
            by=SYSTEM,
            source=RoutineRun.Source.SCHEDULE,
            at=at,
            trigger=trigger,
            slot=slot,
        )
    except OperationalError:
        raise
    except Refused as no:
        RoutineRun.objects.fail(trigger, slot, at, str(no))
    except Exception as error:
        log.exception("%s could not be fired", trigger.routine)
        why = f"It could not be fired: {type(error).__name__}. The log says more."
        RoutineRun.objects.fail(trigger, slot, at, why)


@transaction.atomic
def put_off(trigger: RoutineTrigger, at: datetime) -> None:
    """Let a schedule that cannot be read ring later, and say so."""
    slot = trigger.next_run_at
    mine = RoutineTrigger.objects.filter(pk=trigger.pk, next_run_at=slot)
    if slot is not None and mine.update(next_run_at=at + LATER):
        why = "This schedule cannot be read. Write it anew."
        RoutineRun.objects.fail(trigger, slot, at, why)
