"""Everything that runs by the clock, in one table.

The rows are made once and are the operator's from then on: a later start does not
overwrite an edited time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

# name: (task, when, queue). When is how often, or, as cron says it, at which times of
# the instance's time zone: minute, hour, day of month, month, day of week.
BEAT: dict[str, tuple[str, timedelta | str, str]] = {
    "Sweep": ("issues.tasks.sweep", timedelta(milliseconds=500), "clock"),
    "Wake for waiting issues": (
        "issues.tasks.wake_waiting",
        timedelta(seconds=5),
        "clock",
    ),
    "Reap left-over processes": ("issues.tasks.reap", timedelta(seconds=5), "clock"),
    "Fire due routines": (
        "issues.tasks.fire_routines",
        timedelta(seconds=1),
        "clock",
    ),
    "Push waiting branches": (
        "issues.tasks.push_branches",
        timedelta(seconds=10),
        "runs",
    ),
    "Mail what waits for people": (
        "issues.tasks.mail_waiting",
        timedelta(minutes=1),
        "runs",
    ),
    # On the clock's queue, as the clock's host has the checkpoints.
    "Sign the log of acts": ("issues.tasks.sign_acts", "7 * * * *", "clock"),
    "Verify the log of acts": ("issues.tasks.verify_acts", "25 4 * * *", "clock"),
    # Not on the clock's queue: it may take minutes, and the sweep does not wait.
    "Remove what is old": ("issues.tasks.retain", "15 3 * * *", "runs"),
    "Mail the month's results": ("marketing.tasks.mail_results", "30 7 1 * *", "runs"),
    "Back up": ("issues.tasks.back_up", "45 3 * * *", "runs"),
}
FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
# A tick that comes late is worth nothing: the next one sees the same. What comes once
# in a long time may wait for a worker that has time.
TICK_EXPIRES, CRON_EXPIRES = 2, 12 * 3600


def seed() -> None:
    """Make the rows that are missing."""
    for name, (task, when, queue) in BEAT.items():
        if PeriodicTask.objects.filter(name=name).exists():
            continue
        timing = at_times(when) if isinstance(when, str) else every(when)
        PeriodicTask.objects.create(name=name, task=task, queue=queue, **timing)


def every(span: timedelta) -> dict[str, Any]:
    interval, _ = IntervalSchedule.objects.get_or_create(
        every=int(span / timedelta(microseconds=1)),
        period=IntervalSchedule.MICROSECONDS,
    )
    return {"interval": interval, "expire_seconds": TICK_EXPIRES}


def at_times(cron: str) -> dict[str, Any]:
    crontab, _ = CrontabSchedule.objects.get_or_create(
        **dict(zip(FIELDS, cron.split(), strict=True)), timezone=settings.TIME_ZONE
    )
    return {"crontab": crontab, "expire_seconds": CRON_EXPIRES}
