"""Heartbeat runs over HTTP: what runs, what ran, what it printed, and stopping it."""

from __future__ import annotations

from django.db.models import OuterRef, Subquery
from rest_framework.request import Request
from rest_framework.response import Response

from agents import runlog
from agents.api.forms import EventFilter, LogFilter, OutsideForm, RunFilter
from agents.api.shapes import (
    DoneShape,
    LiveRunShape,
    LogShape,
    RunEventShape,
    RunRow,
    RunShape,
)
from agents.models import Run, Wakeup
from agents.models.base import RunQuerySet
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.exceptions import NotAllowed
from paperclip.pages import Pages

RUNS = Pages(("-created_at", "-id"), limit=100, maximum=500)
EVENTS = Pages(("seq",), limit=500, maximum=1000)
PRINTED = ("stdout_excerpt", "stderr_excerpt", "result")


def with_wakeup(runs: RunQuerySet) -> RunQuerySet:
    """Adds `wakeup_id`: the wake that made the run."""
    first = Wakeup.objects.filter(run=OuterRef("pk")).order_by("created_at")
    return runs.annotate(wakeup_id=Subquery(first.values("pk")[:1]))


class RunEndpoint(Endpoint):
    def run(self) -> Run:
        runs = with_wakeup(Run.objects.all())
        run: Run = runs.get_for(self.actor, self.kwargs["run_id"])
        return run

    def may_read(self, run: Run) -> bool:
        """What a run printed is for people and for its own agent: it may hold what
        nobody thought of as a secret."""
        return self.actor.agent is None or self.actor.agent.pk == run.agent_id

    def readable_run(self) -> Run:
        run = self.run()
        if not self.may_read(run):
            raise NotAllowed("An agent can only read what its own runs did.")
        return run


class Runs(Endpoint):
    @doc(
        "list_runs",
        "The runs of a company, the newest first",
        gives=RunRow,
        query=RunFilter,
        pages=RUNS,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Run.objects.filter(company=self.company()).defer(*PRINTED)
        rows = rows.filter(**self.query(RunFilter))
        return self.page(with_wakeup(rows), RUNS, RunRow)


class LiveRuns(Endpoint):
    @doc(
        "list_live_runs",
        "What runs now or waits to",
        gives=LiveRunShape,
        pages=RUNS,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Run.objects.filter(company=self.company())
        live = rows.live() | rows.filter(status=Run.Status.QUEUED)
        live = live.select_related("agent").defer(*PRINTED)
        return self.page(live, RUNS, LiveRunShape)


class OneRun(RunEndpoint):
    @doc("get_run", "A run; to other agents without what it printed", gives=RunShape)
    def get(self, request: Request, **path: str) -> Response:
        run = self.run()
        shape = RunShape if self.may_read(run) else RunRow
        return Response(shape(run).data)


class RunEvents(RunEndpoint):
    @doc(
        "list_run_events",
        "The steps of a run's life",
        gives=RunEventShape,
        query=EventFilter,
        pages=EVENTS,
    )
    def get(self, request: Request, **path: str) -> Response:
        after = self.query(EventFilter)["afterSeq"]
        events = self.readable_run().events.filter(seq__gt=after)
        return self.page(events.select_related("run"), EVENTS, RunEventShape)


class RunLog(RunEndpoint):
    @doc(
        "get_run_log",
        "What it printed, from a byte on",
        gives=LogShape,
        query=LogFilter,
    )
    def get(self, request: Request, **path: str) -> Response:
        run, asked = self.readable_run(), self.query(LogFilter)
        content, following = runlog.read(run, asked["offset"], asked["limitBytes"])
        answer = {
            "runId": str(run.pk),
            "store": "local_file",
            "logRef": f"{run.pk}/{run.log_file.name}",
            "content": content,
        }
        return Response(
            answer if following is None else {**answer, "nextOffset": following}
        )


class CancelRun(RunEndpoint):
    @doc("cancel_run", "End a run and its processes", gives=RunShape)
    def post(self, request: Request, **path: str) -> Response:
        run = self.run()
        self.actor.must_be_operator(run.company_id, "stop a run")
        run.cancel(by=self.actor, why=f"Cancelled by {self.actor}.")
        return Response(RunShape(self.run()).data)


class Outside(Endpoint):
    @doc(
        "note_outside_text",
        "This run reads text from outside, and is treated so from now on",
        takes=OutsideForm,
        gives=DoneShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        run = self.actor.run
        if run is None:
            raise NotAllowed("Only a run says what it reads.", code="run_required")
        run.note_outside(self.read(OutsideForm)["origin"])
        return Response({"ok": True})
