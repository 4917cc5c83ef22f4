"""Everything that runs by the clock, in one table.

The rows are made once and are the operator's from then on: a later start does not
overwrite an edited interval.
"""

from datetime import timedelta

from django_celery_beat.models import IntervalSchedule, PeriodicTask

# name: (task, every, queue)
BEAT = {
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
}


def seed() -> None:
    """Make the rows that are missing."""
    for name, (task, every, queue) in BEAT.items():
        if PeriodicTask.objects.filter(name=name).exists():
            continue
        interval, _ = IntervalSchedule.objects.get_or_create(
            every=int(every / timedelta(microseconds=1)),
            period=IntervalSchedule.MICROSECONDS,
        )
        PeriodicTask.objects.create(
            name=name,
            task=task,
            interval=interval,
            queue=queue,
            # A tick that comes late is worth nothing: the next one sees the same.
            expire_seconds=2,
        )
