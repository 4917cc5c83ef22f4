"""A run of a job from its first step to its closed issue."""

from __future__ import annotations

import logging
from dataclasses import replace

from django.conf import settings
from django.db import transaction

from agents.models import Run
from agents.texts import storable
from marketing import alerts, report, verification
from marketing.jobs import job_class
from marketing.jobs.base import Blocked, Failed, Stopped, Work
from marketing.models import JobRun, Site
from marketing.writer import Writer
from paperclip.actors import SYSTEM

log = logging.getLogger(__name__)
Status = JobRun.Status


def carry_out(run_id: str, token: str) -> None:
    """Do the job that this heartbeat is about, to the end."""
    run = Run.objects.select_related("agent__company").get(pk=run_id)
    rows = JobRun.objects.select_related("company", "issue")
    row = rows.filter(issue=run.issue_id).first()
    if row is None or row.status != Status.RUNNING:
        return
    # Whoever reads of it later reads words of strangers.
    run.note_outside(f"what the {row.get_job_display()} reads")
    site = Site.objects.of(row.company_id)
    work = Work(
        job_run=row,
        site=site,
        by=replace(SYSTEM, run=run),
        writer=Writer(settings.GATEWAY_URL, token, site.writer_model),
        is_live=lambda: Run.objects.live().filter(pk=run.pk).exists(),
    )
    conduct(work)


def look(job_run_id: str) -> None:
    """Do a dry run that somebody has begun: it looks at everything, touches nothing and
    asks no model."""
    rows = JobRun.objects.live().filter(pk=job_run_id, is_dry=True)
    if (row := rows.select_related("company").first()) is not None:
        site = Site.objects.of(row.company_id)
        conduct(Work(row, site))


def conduct(work: Work) -> JobRun:
    """Run the job, let its claims be checked, close its issue. What it did not foresee
    is a failure with an alert, never a storm."""
    # A second attempt tells its story from the beginning.
    work.job_run.lines, work.job_run.waiting = [], []
    work.job_run.counters = {}
    try:
        work.at("Starts.")
        job_class(work.job_run.job)().run(work)
        status, note = done(work)
    except (Stopped, Blocked) as no:
        status, note = Status.BLOCKED, str(no)
    except Failed as no:
        status, note = Status.FAILED, str(no)
    except Exception as error:
        log.exception("%s failed", work.job_run)
        status = Status.FAILED
        note = storable(f"Paperclip's own fault: {type(error).__name__}: {error}")
    if not work.is_live():
        # Somebody else carries it on, or it was cancelled: nothing more is ours to say.
        return work.job_run
    try:
        verification.verify_run(work)
    except Exception:
        # Unverified as yet: the next run of the job looks again.
        log.exception("the claims of %s could not be checked", work.job_run)
    # All of its end or nothing: killed in between, it would never close its issue.
    with transaction.atomic():
        if work.job_run.finish(status, note, by=work.by):
            report.close_issue(work)
            alerts.note(work)
    return work.job_run


def done(work: Work) -> tuple[str, str]:
    """How a job ended that came to its end."""
    if work.shortfalls:
        return Status.PARTIAL, "\n".join(work.shortfalls)
    something = any(work.job_run.counters.values()) or work.job_run.lines
    return (Status.OK if something else Status.NOOP), ""
