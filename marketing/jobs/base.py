"""What a job is, and what it is given to work with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.timezone import now

from issues.models import Criterion
from marketing.models import JobRun, JobSchedule, Site
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from agents.models import Agent
    from marketing.writer import Writer
    from paperclip.actors import Actor
    from paperclip.models import Company


class Blocked(Exception):
    """It cannot be done until somebody sets something up: the text names the setting
    and says what it is for."""


class Stopped(Exception):
    """The switch was thrown, or the run is over: nothing further is done."""


class Failed(Exception):
    """Nothing of it came about; the text says why."""


@dataclass
class Work:
    """One run of one job, to its job: whose it is, what it may do, and where it says
    what it did.

    `clock` is the time; `is_live` says whether the run may go on.
    """

    job_run: JobRun
    site: Site
    by: Actor = SYSTEM
    writer: Writer | None = None
    clock: Callable[[], datetime] = now
    is_live: Callable[[], bool] = lambda: True
    # Why it is only partly done.
    shortfalls: list[str] = field(default_factory=list)

    @property
    def company(self) -> Company:
        return self.job_run.company

    @property
    def agent(self) -> Agent | None:
        return self.site.agent

    @property
    def is_dry(self) -> bool:
        """Whether it looks at everything and touches nothing."""
        return self.job_run.is_dry

    # --- telling -------------------------------------------------------------------

    def at(self, progress: str) -> None:
        """Say what it is at, and go on only while it may. Stopped when it may not.
        Call it before each step, and before each effect outside."""
        self.must_go_on()
        self.job_run.tell(progress)

    @property
    def is_wanted(self) -> bool:
        """False once the job, all jobs or the company were switched off, and once the
        run is over."""
        site = Site.objects.filter(pk=self.site.pk, is_stopped=False)
        site = site.filter(company__status="active")
        off = JobSchedule.objects.filter(
            company=self.job_run.company_id, job=self.job_run.job, is_on=False
        )
        return self.is_live() and not off.exists() and site.exists()

    def must_go_on(self) -> None:
        """Stopped when it is not wanted any more."""
        if not self.is_wanted:
            raise Stopped("It was switched off.")

    def did(self, line: str) -> None:
        """A sentence for the report: what was done, with its numbers."""
        self.job_run.lines.append(line)

    def count(self, what: str, number: int = 1) -> None:
        """A figure for the report; figures of the same name add up."""
        counters = self.job_run.counters
        counters[what] = counters.get(what, 0) + number

    def falls_short(self, why: str) -> None:
        """Part of it could not be done: the run is `partial`."""
        self.shortfalls.append(why)

    def waits_for_person(self, text: str, url: str = "") -> None:
        """What somebody has to decide or to do."""
        self.job_run.waiting.append({"text": text, "url": url})

    # --- claiming ------------------------------------------------------------------

    @transaction.atomic
    def claim(self, kind: str, title: str, **settings: Any) -> Criterion | None:
        """Assert something that a checker of the type `kind` shall see for itself, from
        `settings` alone. The same again is the same claim. None in a dry run."""
        issue = self.job_run.issue
        if self.is_dry or issue is None:
            return None
        same = Criterion.objects.filter(issue=issue, type=kind, settings=settings)
        if known := same.first():
            found: Criterion = known
            return found
        return Criterion.objects.create(
            issue=issue,
            company_id=issue.company_id,
            type=kind,
            title=title[:200],
            settings=settings,
            origin=Criterion.Origin.JOB,
        )


class Job(ABC):
    """Work that recurs. Run again after it was killed at any point, it does nothing
    twice."""

    @abstractmethod
    def run(self, work: Work) -> None:
        """Do it. Blocked, Failed and Stopped say why not; what was counted and said
        until then is told all the same."""
