"""A job that fails again and again is one alert: an issue that counts, and closes when
the job works again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from issues.models import Issue
from marketing.models import JobRun
from marketing.models.job import ALERT
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from marketing.jobs.base import Work

BAD = (JobRun.Status.FAILED, JobRun.Status.BLOCKED)


def open_alert(row: JobRun) -> Issue | None:
    """The alert of this job, if it has one."""
    rows = Issue.objects.open().filter(company=row.company_id, origin_kind=ALERT)
    found: Issue | None = rows.filter(origin_id=row.job).first()
    return found


def note(work: Work) -> None:
    """Raise, count up or close the alert of this job."""
    row = work.job_run
    if row.is_dry:
        return
    # What ended because people wanted it to is no failure.
    if row.status in BAD and work.is_wanted:
        raise_alert(work)
    elif row.status not in BAD and (known := open_alert(row)) is not None:
        known.change(by=SYSTEM, status="done", comment="It works again.")


@transaction.atomic
def raise_alert(work: Work) -> None:
    row = work.job_run
    title = f"{row.get_job_display()} {row.get_status_display()}: {row.note}"[:300]
    known = open_alert(row)
    if known is None:
        Issue.objects.file(
            work.company,
            by=SYSTEM,
            title=title.splitlines()[0],
            description=f"{row.note}\n\nSince {row.tick_at:%Y-%m-%d %H:%M} UTC.",
            origin_kind=ALERT,
            origin_id=row.job,
            priority=1,
            status="todo",
            project=work.site.project,
            goal=work.site.goal,
        )
        return
    said = f"{row.note}\n\nAgain at {row.tick_at:%Y-%m-%d %H:%M} UTC."
    known.change(by=SYSTEM, title=title.splitlines()[0], description=said)
