"""Text from outside goes from hand to hand: who reads what a run wrote that had read
it, has read it too (see agents.outside). Here: issues, and what fires routines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agents.models import Run
from agents.outside import note_rows, of_runs, reader
from issues.models import Issue, RoutineRun, WorkProduct
from issues.models.work_product import OURS
from paperclip.actors import Actor
from paperclip.models import Activity

CALLED = "what a webhook sent"


def note_reading(by: Actor, *issues: Any) -> None:
    """The actor is shown these issues, or something that belongs to them. Nothing
    happens when it is no run, or is marked already."""
    if issues and (run := reader(by)) and (source := brought_by(issues, run)):
        run.note_outside(source)


def note_surroundings(by: Actor, issue: Any) -> None:
    """The actor is shown an issue with what it is part of, waits for and holds up."""
    if reader(by):
        others = [edge.blocker for edge in issue.blocked_by.all()]
        others += [edge.blocked for edge in issue.blocking.all()]
        note_reading(by, *issue.ancestors(), *others)
        project = issue.project
        note_rows(by, project, issue.goal, project and project.goal)


def note_cloning(by: Actor, project: Any) -> None:
    """The actor gets the branches of the project."""
    if run := reader(by):
        branches = WorkProduct.objects.filter(project=project, provider=OURS)
        if source := of_runs(branches.values("created_by_run_id"), run):
            run.note_outside(source)


def note_firings(by: Actor, firings: Iterable[RoutineRun | None]) -> None:
    """The actor is shown with what routines were fired."""
    if (run := reader(by)) and any(one.trigger_payload for one in firings if one):
        run.note_outside(CALLED)


def brought_by(issues: Iterable[Issue], run: Run) -> str:
    """How text from outside came to be there; empty when none did that we know of."""
    ids = [issue.pk for issue in issues]
    about = Run.objects.filter(issue_id__in=ids).values("pk")
    # Whatever was done to an issue is in the log of acts.
    acts = Activity.objects.filter(entity_id__in=map(str, ids), run_id__isnull=False)
    filed = filter(None, [issue.origin_run_id for issue in issues])
    for pks in (about, acts.values("run_id"), list(filed)):
        if source := of_runs(pks, run):
            return source
    fired = RoutineRun.objects.filter(linked_issue__in=ids, source="webhook")
    return CALLED if fired.exists() else ""
