"""The six jobs over HTTP: how they stand, what they did, and running one now."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.outside import reader
from marketing import report, starting
from marketing.api.forms import RunJobForm
from marketing.api.shapes import JobRunDetail, JobRunShape, JobShape, StartedShape
from marketing.models import JobName, JobRun, Site
from marketing.standing import cards
from paperclip.actors import Actor
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.exceptions import Missing
from paperclip.pages import Pages

RUNS = Pages(("-tick_at", "-created_at", "-id"), limit=50)
FROM_OUTSIDE = "what the marketing has read"


def note(by: Actor, shown: Any) -> None:
    """The actor is shown words that came from other people's pages and mails."""
    if shown and (run := reader(by)):
        run.note_outside(FROM_OUTSIDE)


class Jobs(Endpoint):
    @doc(
        "list_jobs",
        "The jobs of a company: when they run, and how they stand",
        gives=JobShape,
    )
    def get(self, request: Request, **path: str) -> Response:
        company = self.company()
        site = Site.objects.filter(company=company).first()
        stopped = company.status != "active" or (site is not None and site.is_stopped)
        shown = JobShape(cards(company, []), many=True, context={"stopped": stopped})
        return Response(shown.data)


class JobEndpoint(Endpoint):
    def job(self) -> str:
        job: str = self.kwargs["job"]
        if job not in JobName.values:
            raise Missing("Job not found")
        return job


class RunJob(JobEndpoint):
    @doc(
        "run_job",
        "Run a job now; the run is there at once, and begins when its agent is free",
        takes=RunJobForm,
        gives=StartedShape,
        status=202,
    )
    def post(self, request: Request, **path: str) -> Response:
        company, job = self.company(), self.job()
        said = self.read(RunJobForm)
        verdict, row = starting.start(company, job, by=self.actor, **said)
        why = row.note if row is not None and row.note else verdict.why
        told = {"verdict": verdict.word, "reason": why, "row": row}
        answer = StartedShape({**told, "approval": verdict.approval})
        return Response(answer.data, status=202)


class JobRuns(JobEndpoint):
    @doc(
        "list_job_runs",
        "The runs of a job, the newest first",
        gives=JobRunShape,
        pages=RUNS,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = JobRun.objects.filter(company=self.company(), job=self.job())
        return self.page(rows, RUNS, JobRunShape)


class OneJobRun(Endpoint):
    @doc(
        "get_job_run",
        "What a run did, what it claims, and what was seen of it",
        gives=JobRunDetail,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = JobRun.objects.select_related("issue")
        row = rows.get_for(self.actor, self.kwargs["run_id"])
        note(self.actor, row)
        row.claims = report.claims_of(row.issue) if row.issue else []
        return Response(JobRunDetail(row).data)
