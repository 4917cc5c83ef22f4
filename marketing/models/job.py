"""Every run of a job, and what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Run, Wakeup
from agents.models.attempt import Attempt
from issues.models import Issue
from issues.models.base import CLOSED, JOB
from marketing.models.schedule import JobName, JobSchedule
from marketing.models.site import Site
from paperclip import audit, live
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Missing, NotAllowed
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import Company

# What wakes the agent for it: a run that is told so is the job's program.
JOB_DUE = "job_due"
# The origin of the one alert of a job that fails.
ALERT = "job_alert"


class JobRunQuerySet(ScopedQuerySet):
    def live(self) -> Self:
        return self.filter(status=JobRun.Status.RUNNING)

    def tick(self, company_id: Any, job: str, at: datetime) -> JobRun | None:
        """The clock says that it is time. None when this tick was taken, the job is
        off, or its last run is not over: ticks are never made up for."""
        schedule = JobSchedule.objects.filter(company=company_id, job=job).first()
        site = Site.objects.filter(company=company_id).first()
        if schedule is None or site is None or site.is_stopped or not schedule.is_on:
            return None
        moment = at.replace(second=0, microsecond=0)
        try:
            row = self.start(site.company, job, by=SYSTEM, tick_at=moment)
        except Conflict:
            return None
        row.replace_its_like()
        return row

    @transaction.atomic
    def start(
        self,
        company: Company,
        job: str,
        *,
        by: Actor,
        tick_at: datetime | None = None,
        dry: bool = False,
    ) -> JobRun:
        """Begin a run of the job: its issue is opened, and its agent's next heartbeat
        about that is the job's program. A dry one looks at everything and touches
        nothing.

        Refused as `site_for` says, with Conflict while the last run goes on, and for a
        tick that was taken. A run that may not start now (agent paused, company
        stopped, budget spent) is there all the same, blocked, and says why.
        """
        site = self.site_for(company, job, by=by)
        self.end_lost(company, job)
        row = JobRun(company=company, job=job, tick_at=tick_at or now(), is_dry=dry)
        row.started_by = by.name[:150]
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict(
                f"{JobName(job).label} is at work already.", code="job_at_work"
            ) from error
        if not dry:
            row._wake(site, by=by)
        audit.record(by, "job.started", row, job=job, dry=dry)
        live.changed(company.pk)
        return row

    def site_for(self, company: Company, job: str, *, by: Actor) -> Site:
        """The site of a job that this actor may run. Of agents only the one whose jobs
        they are. Missing without a site, and for a job that there is not."""
        by.must_write(company.pk, "run a job")
        if job not in JobName.values:
            raise Missing(f"There is no job {job}. There are: {', '.join(JobName)}.")
        sites = Site.objects.select_related("agent").filter(company=company)
        site: Site | None = sites.first()
        if by.agent is not None and (site is None or site.agent_id != by.agent.pk):
            raise NotAllowed(
                "The jobs are another agent's: ask it to run one.", code="not_your_job"
            )
        if site is None:
            raise Missing("Set the site up first: nobody knows whose marketing it is.")
        return site

    def out_of_use(self, before: datetime) -> Self:
        """Those that were over before then, but the newest of each job, and those with
        something still to be proven. Their issues stay."""
        newer = JobRun.objects.filter(
            company=OuterRef("company"),
            job=OuterRef("job"),
            tick_at__gt=OuterRef("tick_at"),
        )
        over = self.filter(Exists(newer), finished_at__lt=before)
        return over.filter(Q(issue=None) | Q(issue__status__in=CLOSED))

    def end_lost(self, company: Company, job: str) -> None:
        """Close what says "running" of a run that nobody carries on any more."""
        for row in self.live().filter(company=company, job=job):
            if row.is_lost:
                row.finish(JobRun.Status.FAILED, "Its program was lost.", by=SYSTEM)


class JobRun(Scoped):
    """One run of one job, from its tick to what was verified of it."""

    class Status(models.TextChoices):
        RUNNING = "running", _("running")
        OK = "ok", _("done")
        NOOP = "noop", _("nothing to do")
        PARTIAL = "partial", _("partly done")
        FAILED = "failed", _("failed")
        BLOCKED = "blocked", _("blocked")

    job = models.CharField(max_length=12, choices=JobName.choices)
    tick_at = models.DateTimeField()
    status = models.CharField(
        max_length=8, choices=Status.choices, default=Status.RUNNING
    )
    is_dry = models.BooleanField(default=False)
    started_by = models.CharField(max_length=150)
    issue = models.OneToOneField(
        Issue, models.SET_NULL, null=True, related_name="job_run"
    )
    # What was counted, in order: {"pages read": 12, ...}.
    counters = models.JSONField(default=dict)
    # What it did, in sentences; what waits for people: {text, url}.
    lines = models.JSONField(default=list)
    waiting = models.JSONField(default=list)
    progress = models.CharField(max_length=200, blank=True)
    # Why it failed, is blocked, or was only partly done.
    note = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("job run")
        ordering = ["-tick_at", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "job", "tick_at"], name="one_run_per_tick"
            ),
            models.UniqueConstraint(
                fields=["company", "job"],
                condition=models.Q(status="running"),
                name="one_run_of_a_job_at_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "job", "-tick_at"], name="job_runs_of_job")
        ]

    def __str__(self) -> str:
        return f"{self.get_job_display()} {self.tick_at:%Y-%m-%d %H:%M}"

    @property
    def is_lost(self) -> bool:
        """Whether it says "running" and nobody carries it on."""
        if self.status != self.Status.RUNNING:
            return False
        if self.issue_id is None:
            return self.created_at < now() - timedelta(minutes=5)
        runs = Run.objects.open().filter(issue_id=self.issue_id)
        waits = Attempt.objects.filter(issue_id=self.issue_id, parked_at=None)
        return not runs.exists() and not waits.exists()

    def _wake(self, site: Site, *, by: Actor) -> None:
        if site.agent is None:
            said = "No agent does the marketing: name one in the site's settings."
            self.finish(self.Status.BLOCKED, said, by=by)
            return
        wakeup = Wakeup(
            company=self.company,
            agent=site.agent,
            source=Wakeup.Source.AUTOMATION,
            reason=JOB_DUE,
        )
        wakeup.project_id = site.project_id
        if refusal := wakeup.refusal():
            self.finish(self.Status.BLOCKED, refusal, by=SYSTEM)
            return
        self.issue = Issue.objects.file(
            self.company,
            by=SYSTEM,
            title=f"{self.get_job_display()}, {self.tick_at:%Y-%m-%d %H:%M} UTC",
            origin_kind=JOB,
            origin_id=str(self.pk),
            project=site.project,
            goal=site.goal,
        )
        self.save(update_fields=["issue", "updated_at"])
        # Before the agent has the issue: why it wakes is the job, not an assignment.
        wakeup = Wakeup.objects.request(
            site.agent,
            wakeup.source,
            JOB_DUE,
            by=SYSTEM,
            issue_id=self.issue.pk,
            payload={"job": self.job, "jobRunId": str(self.pk)},
        )
        self.issue.change(by=SYSTEM, status="in_progress", assignee_agent=site.agent)
        if wakeup.status == Wakeup.Status.SKIPPED:
            self.finish(self.Status.BLOCKED, wakeup.note, by=SYSTEM)

    def replace_its_like(self) -> None:
        """Of ticks in a row that were refused for the same reason the last is kept: a
        CMO that is paused for a week is one line, not some hundred."""
        if self.status != self.Status.BLOCKED or self.issue_id:
            return
        of_job = JobRun.objects.filter(company=self.company_id, job=self.job)
        last = of_job.exclude(pk=self.pk).first()
        if last and (last.status, last.note) == (self.status, self.note):
            of_job.filter(pk=last.pk, issue=None).delete()

    def tell(self, progress: str) -> None:
        """What it is at, for who looks on."""
        self.progress = progress[:200]
        JobRun.objects.filter(pk=self.pk).update(
            progress=self.progress,
            counters=self.counters,
            lines=self.lines,
            waiting=self.waiting,
            updated_at=now(),
        )
        live.changed(self.company_id)

    @transaction.atomic
    def finish(self, status: str, note: str = "", *, by: Actor) -> bool:
        """The end of it, once. False when it had ended already."""
        mine = JobRun.objects.filter(pk=self.pk, status=self.Status.RUNNING)
        if not mine.update(
            status=status,
            note=note,
            counters=self.counters,
            lines=self.lines,
            waiting=self.waiting,
            progress="",
            finished_at=now(),
            updated_at=now(),
        ):
            return False
        self.refresh_from_db()
        audit.record(by, f"job.{status}", self, job=self.job)
        live.changed(self.company_id)
        return True
