"""T-17: schedules on a virtual clock. Each slot is accounted for, exactly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import connection, transaction

from issues import routines
from issues.models import Issue, RoutineRun, RoutineTrigger
from paperclip.actors import SYSTEM
from paperclip.home import BASE_DIR
from paperclip.models import Company, Instance
from tests import make
from tests.instance import wait_for
from tests.races import together
from tests.workers import database_url

pytestmark = pytest.mark.django_db
LISBON, NEW_YORK = "Europe/Lisbon", "America/New_York"
SKIP, CAPPED, DROP = "skip_missed", "enqueue_missed_with_cap", "drop_missed"


def moment(text: str) -> datetime:
    """`2026-03-29 00:30`, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def scheduled(
    start: datetime, cron: str, zone: str = "UTC", **fields: Any
) -> RoutineTrigger:
    values = {"concurrency_policy": "always_enqueue", **fields}
    with time_machine.travel(start, tick=False):
        return make.schedule(make.routine(**values), cron, zone)


def pass_time(begin: datetime, end: datetime, step: timedelta) -> None:
    """The clock ticks from one moment to the other."""
    at = begin
    while at <= end:
        with time_machine.travel(at, tick=False):
            routines.fire_due(at)
        at += step


def fired() -> list[str]:
    """The slots that filed an issue, in UTC."""
    runs = RoutineRun.objects.filter(status="issue_created").order_by("slot_at")
    assert runs.count() == Issue.objects.filter(origin_kind="routine_execution").count()
    return [f"{run.slot_at:%Y-%m-%d %H:%M}" for run in runs]


def skipped() -> int:
    return sum(
        RoutineRun.objects.filter(status="skipped").values_list("slots", flat=True)
    )


# --- six hours down ----------------------------------------------------------------

# The clock stops at noon and goes on at 18:05:30, or at 18:00:30 with the last slot
# just due: (cron, policy, back at) -> slots that fire, and how many leave a record.
DOWN = [
    ("0 * * * *", SKIP, "18:05:30", ["18:00"], 5),
    ("0 * * * *", CAPPED, "18:05:30", [f"{h}:00" for h in range(13, 19)], 0),
    ("0 * * * *", DROP, "18:05:30", [], 6),
    ("0 * * * *", SKIP, "18:00:30", ["18:00"], 5),
    ("0 * * * *", DROP, "18:00:30", ["18:00"], 5),
    ("* * * * *", SKIP, "18:00:30", ["18:00"], 359),
    (
        "* * * * *",
        CAPPED,
        "18:00:30",
        [f"17:{m}" for m in range(36, 60)] + ["18:00"],
        335,
    ),
    ("* * * * *", DROP, "18:00:30", ["18:00"], 359),
    ("0 9 * * *", CAPPED, "18:05:30", [], 0),
]


@pytest.mark.parametrize(("cron", "policy", "back", "fires", "records"), DOWN)
def test_six_hours_down(
    cron: str, policy: str, back: str, fires: list[str], records: int
) -> None:
    noon = moment("2026-06-01 12:00")
    trigger = scheduled(noon, cron, catch_up_policy=policy)
    at = moment(f"2026-06-01 {back}")
    pass_time(at, at + timedelta(seconds=5), timedelta(seconds=1))
    assert fired() == [f"2026-06-01 {time}" for time in fires]
    assert skipped() == records
    # However many were skipped, one row says so.
    assert RoutineRun.objects.filter(status="skipped").count() == bool(records)
    trigger.refresh_from_db()
    assert trigger.next_run_at is not None and trigger.next_run_at > at


def test_every_slot_of_a_minute_cron_is_accounted_for() -> None:
    start = moment("2026-06-01 12:00")
    scheduled(start, "* * * * *")
    pass_time(start, start + timedelta(hours=1), timedelta(seconds=7))
    slots = fired()
    assert slots == [f"2026-06-01 12:{m:02}" for m in range(1, 60)]
    assert skipped() == 0


def test_what_was_missed_waits_for_an_open_issue_too() -> None:
    """Catching up, and joining the open issue: one issue, and every slot has a row."""
    noon = moment("2026-06-01 12:00")
    policies = {"catch_up_policy": CAPPED, "concurrency_policy": "coalesce_if_active"}
    scheduled(noon, "0 * * * *", **policies)
    routines.fire_due(moment("2026-06-01 18:05"))
    runs = Counter(RoutineRun.objects.values_list("status", flat=True))
    assert runs == {"issue_created": 1, "coalesced": 5}
    assert Issue.objects.count() == 1


# --- clocks that change ------------------------------------------------------------

# Debian's rules: a fixed hour that clocks skip is made up for right after, one that
# they show twice happens the first time; with a * it goes by the time that passes.
CHANGES = [
    # Lisbon, 29 March: at 01:00 clocks show 02:00. UTC + 0, then UTC + 1.
    (LISBON, "30 1 * * *", "2026-03-28", 3, ["28 01:30", "29 01:00", "30 00:30"]),
    (LISBON, "0 9 * * *", "2026-03-28", 3, ["28 09:00", "29 08:00", "30 08:00"]),
    (LISBON, "0,30 1 * * *", "2026-03-29", 1, ["29 01:00"]),
    # Lisbon, 25 October: at 02:00 clocks show 01:00 again. UTC + 1, then UTC + 0.
    (LISBON, "30 1 * * *", "2026-10-24", 3, ["24 00:30", "25 00:30", "26 01:30"]),
    (LISBON, "30 * * * *", "2026-10-25", 3 / 24, ["25 00:30", "25 01:30", "25 02:30"]),
    # New York, 8 March: at 02:00 clocks show 03:00. UTC - 5, then UTC - 4.
    (NEW_YORK, "30 2 * * *", "2026-03-07", 3, ["07 07:30", "08 07:00", "09 06:30"]),
    (NEW_YORK, "0 9 * * 1-5", "2026-03-06", 4, ["06 14:00", "09 13:00"]),
    # New York, 1 November: at 02:00 clocks show 01:00 again. UTC - 4, then UTC - 5.
    (NEW_YORK, "30 1 * * *", "2026-10-31", 3, ["31 05:30", "01 05:30", "02 06:30"]),
    (NEW_YORK, "0 0 29 2 *", "2027-12-31", 61, ["29 05:00"]),
]


@pytest.mark.parametrize(("zone", "cron", "day", "days", "slots"), CHANGES)
def test_when_clocks_change(
    zone: str, cron: str, day: str, days: float, slots: list[str]
) -> None:
    start = moment(f"{day} 00:00") - timedelta(seconds=1)
    scheduled(start, cron, zone)
    step = timedelta(minutes=15) if days < 7 else timedelta(hours=1)
    pass_time(start, start + timedelta(days=days), step)
    assert [slot[8:] for slot in fired()] == slots
    assert skipped() == 0


def test_a_schedule_made_in_the_hour_that_comes_twice_does_not_fire_in_the_past() -> (
    None
):
    # Clocks show 01:20 for the second time; the first 01:30 was 50 minutes ago.
    start = moment("2026-10-25 01:20")
    trigger = scheduled(start, "30 1 * * *", LISBON)
    assert trigger.next_run_at == moment("2026-10-26 01:30")


def test_a_leap_day() -> None:
    start = moment("2026-01-01 00:00")
    scheduled(start, "0 12 29 2 *", catch_up_policy=CAPPED)
    pass_time(start, moment("2032-12-31 00:00"), timedelta(days=7))
    assert fired() == ["2028-02-29 12:00", "2032-02-29 12:00"]


# --- two schedulers, a broken schedule ----------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_on_one_database_fire_once() -> None:
    start = moment("2026-06-01 12:00")
    scheduled(start, "* * * * *")
    scheduled(start, "* * * * *")
    for minute in range(1, 11):
        at = start + timedelta(minutes=minute, seconds=1)
        counts = together(2, lambda _n, at=at: routines.fire_due(at))
        counts.append(routines.fire_due(at))  # what one has left to the other
        assert sum(counts) == 2, counts
    assert RoutineRun.objects.count() == Issue.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_of_many_claims_of_one_slot_one_holds() -> None:
    start = moment("2026-06-01 12:00")
    pk = scheduled(start, "* * * * *").pk
    at = start + timedelta(seconds=90)
    rows = [RoutineTrigger.objects.get(pk=pk) for _ in range(6)]
    assert sum(together(6, lambda n: rows[n].claim(at))) == 1


def test_a_broken_schedule_does_not_stop_the_others() -> None:
    start = moment("2026-06-01 12:00")
    broken = scheduled(start, "0 * * * *")
    scheduled(start, "1 * * * *")
    RoutineTrigger.objects.filter(pk=broken.pk).update(cron_expression="nonsense")
    at = moment("2026-06-01 13:02")
    assert routines.fire_due(at) == 1
    broken.refresh_from_db()
    assert broken.next_run_at == at + routines.LATER
    run = RoutineRun.objects.get(trigger=broken)
    assert (run.status, run.slot_at) == ("failed", moment("2026-06-01 13:00"))
    assert "cannot be read" in (broken.last_result or "")
    assert routines.fire_due(at + timedelta(minutes=1)) == 0


def test_a_routine_that_cannot_be_fired_moves_its_alarm() -> None:
    start = moment("2026-06-01 12:00")
    agent = make.agent()
    trigger = scheduled(start, "0 * * * *", assignee_agent=agent)
    scheduled(start, "0 * * * *")
    agent.terminate(by=SYSTEM)
    at = moment("2026-06-01 13:00")
    assert routines.fire_due(at) == 2
    run = RoutineRun.objects.get(trigger=trigger)
    assert run.status == "failed" and "is terminated" in (run.failure_reason or "")
    trigger.refresh_from_db()
    assert trigger.next_run_at == moment("2026-06-01 14:00")
    assert len(fired()) == 1


FIRE = """
import sys, datetime, django
django.setup()
from issues import routines
routines.fire_due(datetime.datetime.fromisoformat(sys.argv[1]))
"""


@pytest.mark.django_db(transaction=True)
def test_after_a_crash_the_slot_is_still_due() -> None:
    """The alarm and what it rang for are committed together: a scheduler that is killed
    between them leaves neither."""
    trigger = scheduled(moment("2026-06-01 12:00"), "0 * * * *")
    at = moment("2026-06-01 13:00")
    with transaction.atomic():
        # It has moved the alarm, and waits for the next number of the company.
        Company.objects.select_for_update().get(pk=trigger.company_id)
        child = subprocess.Popen(
            [sys.executable, "-c", FIRE, at.isoformat()],
            cwd=BASE_DIR,
            env=os.environ
            | {"DATABASE_URL": database_url(), "REDIS_URL": settings.REDIS_URL}
            | {"DJANGO_SETTINGS_MODULE": "paperclip.settings"},
        )
        wait_for(is_anybody_waiting, 30)
        child.kill()
        child.wait()
    trigger.refresh_from_db()
    assert trigger.next_run_at == at and not fired()
    wait_for(lambda: routines.fire_due(at) == 1, 10)
    assert fired() == ["2026-06-01 13:00"]


def is_anybody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


# --- what does not ring ------------------------------------------------------------


def test_a_paused_routine_makes_up_for_nothing() -> None:
    start = moment("2026-06-01 12:00")
    trigger = scheduled(start, "0 * * * *", catch_up_policy=CAPPED)
    with time_machine.travel(start, tick=False) as clock:
        trigger.routine.pause(by=SYSTEM)
        assert routines.fire_due(moment("2026-06-01 15:30")) == 0
        clock.move_to(moment("2026-06-01 15:30"))
        trigger.routine.resume(by=SYSTEM)
    assert routines.fire_due(moment("2026-06-01 15:59")) == 0
    assert routines.fire_due(moment("2026-06-01 16:00")) == 1


@pytest.mark.parametrize("what", ["company", "instance"])
def test_what_is_stopped_catches_up_when_it_works_again(what: str) -> None:
    start = moment("2026-06-01 12:00")
    trigger = scheduled(start, "0 * * * *")
    company = what == "company"
    stop: Any = trigger.company if company else Instance.objects.current()
    stop.pause(by=SYSTEM) if company else stop.stop(by=SYSTEM)
    assert routines.fire_due(moment("2026-06-01 15:30")) == 0
    stop.resume(by=SYSTEM)
    assert routines.fire_due(moment("2026-06-01 15:31")) == 1
    assert (fired(), skipped()) == (["2026-06-01 15:00"], 2)


def test_a_switched_off_schedule_and_an_archived_routine_are_silent() -> None:
    start = moment("2026-06-01 12:00")
    off, gone = scheduled(start, "0 * * * *"), scheduled(start, "0 * * * *")
    off.change(by=SYSTEM, enabled=False)
    gone.routine.archive(by=SYSTEM)
    assert routines.fire_due(moment("2026-06-01 15:30")) == 0


def test_a_paused_project_uses_its_slots_up() -> None:
    start = moment("2026-06-01 12:00")
    company = make.company()
    project = make.project(company)
    type(project).objects.filter(pk=project.pk).update(paused_at=start)
    trigger = scheduled(start, "0 * * * *", company=company, project=project)
    routines.fire_due(moment("2026-06-01 13:00"))
    run = RoutineRun.objects.get(trigger=trigger)
    assert run.status == "skipped" and "is paused" in run.result and not fired()


def test_one_round_looks_at_few_rows_of_an_index() -> None:
    """10,000 schedules of which none is due cost one look at the index of alarms."""
    trigger = scheduled(moment("2026-06-01 12:00"), "0 9 * * *")
    RoutineTrigger.objects.bulk_create(
        RoutineTrigger(
            company_id=trigger.company_id,
            routine_id=trigger.routine_id,
            kind="schedule",
            cron_expression="0 9 * * *",
            time_zone="UTC",
            next_run_at=moment("2030-01-01 00:00"),
        )
        for _ in range(10_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE issues_routinetrigger")
    plan = RoutineTrigger.objects.due(moment("2026-06-01 12:30"))[:50].explain()
    assert "routine_alarms" in plan
