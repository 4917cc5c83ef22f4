"""Text from outside goes from hand to hand: who is shown what a run wrote that had read
some, is marked like it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.utils.timezone import now

from agents import workspaces
from agents.loop.desk import SESSIONS
from agents.loop.marks import Span, source_below
from agents.models.run import Run
from paperclip.actors import Actor
from paperclip.models import Activity

# So many earlier runs are looked at: a run is told of them all.
MOST = 1000


def reader(by: Actor) -> Run | None:
    """The run that reads, unless it is marked already."""
    run: Run | None = by.run
    return run if run is not None and not run.outside else None


def note_runs(by: Actor, run_ids: Iterable[UUID | None]) -> None:
    """The actor is shown what these runs wrote."""
    ids = set(filter(None, run_ids))
    if ids and (run := reader(by)) and (source := of_runs(ids, run)):
        run.note_outside(source)


def note_rows(by: Actor, *rows: Any) -> None:
    """The actor is shown these rows. Whatever was done to one is in the log of acts."""
    ids = [str(row.pk) for row in rows if row is not None]
    if ids and (run := reader(by)):
        acts = Activity.objects.filter(entity_id__in=ids, run_id__isnull=False)
        if source := of_runs(acts.values("run_id"), run):
            run.note_outside(source)


def spans_before(run: Run) -> list[Span]:
    """When earlier runs of its agent had read text from outside, the newest first: what
    was changed in its workspace meanwhile may hold some."""
    others = Run.objects.filter(agent=run.agent_id, started_at__isnull=False)
    rows = others.exclude(outside="").exclude(pk=run.pk).order_by("-started_at")
    times = rows.values_list("started_at", "finished_at", "outside")[:MOST]
    return [
        (start.timestamp(), (end or now()).timestamp(), what)
        for start, end, what in times
    ]


def note_workspace(run: Run) -> None:
    """The run is given all of its agent's workspace."""
    if not run.outside:
        place = workspaces.of(run.agent)
        if source := source_below(place, spans_before(run), SESSIONS):
            run.note_outside(source)


def of_runs(pks: Any, run: Run) -> str:
    """What one of these runs has read, and another has now; empty when none has."""
    others = Run.objects.exclude(outside="").exclude(pk=run.pk)
    other = others.filter(pk__in=pks).select_related("agent").first()
    return f"text by {other.agent}, who read: {other.outside}" if other else ""
