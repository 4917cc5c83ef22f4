from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from marketing import conduct, report
from marketing.jobs.base import Work
from marketing.models import JobName, JobRun, Site
from paperclip.commands import PaperclipCommand, actor, company_named

POLL = 0.5


class Command(PaperclipCommand):
    help = "Run a marketing job now and follow it. Exits with 0 when it went well."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", choices=JobName.values)
        parser.add_argument("--company", help="its prefix or name")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="look at everything, touch nothing, ask no model",
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=1800,
            metavar="S",
            help="stop following after so long; the job goes on (default: 1800)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        company, job = company_named(options["company"]), options["job"]
        dry = options["dry_run"]
        row = JobRun.objects.start(company, job, by=actor(), dry=dry)
        if dry:
            row = conduct.conduct(Work(row, Site.objects.of(company.pk)))
        else:
            row = self._follow(row, time.monotonic() + options["wait"])
        self.stdout.write(report.body_of(row))
        if row.status in (JobRun.Status.FAILED, JobRun.Status.BLOCKED):
            raise CommandError(f"{row.get_job_display()}: {row.note or row.status}")

    def _follow(self, row: JobRun, until: float) -> JobRun:
        told = ""
        while row.status == JobRun.Status.RUNNING:
            if row.progress != told:
                told = row.progress
                self.stderr.write(told)
            if time.monotonic() > until:
                raise CommandError("It is still at work; its issue tells how it goes.")
            time.sleep(POLL)
            row.refresh_from_db()
        return row
