"""How the six jobs stand, and what their runs have told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from marketing import upcoming
from marketing.models import JobName, JobRun, JobSchedule
from marketing.report import claims_of

if TYPE_CHECKING:
    from datetime import datetime

RECENT = 14
# A run of these has nothing to tell.
QUIET = (JobRun.Status.NOOP,)


@dataclass
class Card:
    """A job as it stands."""

    schedule: JobSchedule
    last: JobRun | None
    next: datetime | None
    # The last runs, the newest at the end.
    recent: list[JobRun]

    @property
    def hours(self) -> int:
        return round(self.schedule.every.total_seconds() / 3600)

    @cached_property
    def proof(self) -> Counter[str]:
        """How many claims of the last run that is over are verified, and how many there
        are ("all")."""
        row = self.last
        if row is None or row.issue is None or row.status == JobRun.Status.RUNNING:
            return Counter()
        claims = claims_of(row.issue)
        return Counter(one.state for one in claims) + Counter(all=len(claims))


@dataclass
class Quiet:
    """Runs one after the other that had nothing to do."""

    runs: list[JobRun]

    @property
    def first(self) -> JobRun:
        return self.runs[-1]

    @property
    def last(self) -> JobRun:
        return self.runs[0]


def cards(company: Any, runs: Sequence[JobRun] = ()) -> list[Card]:
    schedules = JobSchedule.objects.filter(company=company)
    schedules = schedules.select_related("task__interval", "task__crontab")
    by_job = {row.job: row for row in schedules}
    found = []
    for job in JobName:
        if (schedule := by_job.get(job)) is None:
            continue
        rows = JobRun.objects.filter(company=company, job=job, is_dry=False)
        last = rows.select_related("issue").first()
        mine = [one for one in runs if one.job == job and not one.is_dry]
        recent = mine[:RECENT][::-1]
        found.append(Card(schedule, last, upcoming.next_run(schedule), recent))
    return found


def timeline(rows: list[JobRun]) -> list[JobRun | Quiet]:
    """The runs, with those that had nothing to tell put together. Who has asked for a
    dry run wants to see it."""
    found: list[JobRun | Quiet] = []
    for row in rows:
        before = found[-1] if found else None
        if row.status not in QUIET or row.is_dry:
            found.append(row)
        elif isinstance(before, Quiet):
            before.runs.append(row)
        else:
            found.append(Quiet([row]))
    return found
