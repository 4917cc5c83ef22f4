"""The six jobs, and when each runs by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from marketing.models.site import Site
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor

TICK = "marketing.tasks.tick"


class JobName(models.TextChoices):
    CONTENT = "content", _("Content Engine")
    BLOG = "blog", _("Blog Publisher")
    SPY = "spy", _("Competitor Spy")
    BACKLINKS = "backlinks", _("Backlink Outreach")
    RANKS = "ranks", _("Rank Monitor")
    PR = "pr", _("PR Outreach")


EVERY = {
    JobName.CONTENT: timedelta(hours=1),
    JobName.BLOG: timedelta(hours=2),
    JobName.SPY: timedelta(hours=3),
    JobName.BACKLINKS: timedelta(hours=4),
    JobName.RANKS: timedelta(hours=6),
    JobName.PR: timedelta(hours=8),
}


class JobScheduleQuerySet(ScopedQuerySet):
    @transaction.atomic
    def seed(self, site: Site) -> None:
        """The rows that are missing: six jobs, each with its line in Celery Beat. What
        an operator has changed stays."""
        for job, every in EVERY.items():
            if self.filter(company=site.company_id, job=job).exists():
                continue
            hours, _made = IntervalSchedule.objects.get_or_create(
                every=int(every / timedelta(hours=1)), period=IntervalSchedule.HOURS
            )
            task, _made = PeriodicTask.objects.get_or_create(
                name=f"{site.company.issue_prefix}: {job.label}",
                defaults={
                    "task": TICK,
                    "interval": hours,
                    "queue": "runs",
                    "args": f'["{site.company_id}", "{job.value}"]',
                    # A late tick still says that it is time.
                    "expire_seconds": int(every.total_seconds()),
                },
            )
            self.create(company_id=site.company_id, job=job, task=task)


class JobSchedule(Scoped):
    """When a job of a company runs by itself, and whether it may at all."""

    job = models.CharField(max_length=12, choices=JobName.choices)
    is_on = models.BooleanField(_("switched on"), default=True)
    task = models.OneToOneField(PeriodicTask, models.CASCADE, related_name="+")

    objects = JobScheduleQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        ordering = ["company", "job"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "job"], name="one_schedule_per_job"
            )
        ]

    def __str__(self) -> str:
        return str(self.get_job_display())

    @property
    def every(self) -> timedelta:
        """How often; a day when it is by a cron line."""
        interval = self.task.interval
        if interval is None:
            return timedelta(days=1)
        return timedelta(**{interval.period: interval.every})

    @transaction.atomic
    def switch(self, on: bool, *, by: Actor) -> None:
        """Let it run, or not: what runs of it ends before its next effect. The same
        again changes nothing."""
        by.must_be_operator(self.company_id, "switch a job")
        rows = JobSchedule.objects.filter(pk=self.pk, is_on=not on)
        if rows.update(is_on=on, updated_at=now()):
            PeriodicTask.objects.filter(pk=self.task_id).update(enabled=on)
            act = "job.switched_on" if on else "job.switched_off"
            audit.record(by, act, self, job=self.job)
        self.refresh_from_db()

    @transaction.atomic
    def run_every(self, hours: int, *, by: Actor) -> None:
        """Another interval, from 1 to 168 hours. Invalid for any other."""
        by.must_be_operator(self.company_id, "switch a job")
        if not 1 <= hours <= 168:
            raise Invalid("A job runs every 1 to 168 hours.")
        interval, _made = IntervalSchedule.objects.get_or_create(
            every=hours, period=IntervalSchedule.HOURS
        )
        self.task.interval, self.task.crontab = interval, None
        self.task.save()
        audit.record(by, "job.rescheduled", self, job=self.job, hours=hours)
