"""Text from outside goes from hand to hand: who reads what a run wrote that had read
it, has read it too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agents.models import Run
from issues.models import Issue, RoutineRun, WorkProduct
from issues.models.work_product import OURS
from paperclip.actors import Actor
from paperclip.models import Activity


def note_reading(by: Actor, *issues: Any) -> None:
    """The actor is shown these issues, or something that belongs to them. Nothing
    happens when it is no run, or is marked already."""
    run: Any = by.run
    if run is None or run.outside or not issues:
        return
    if source := brought_by(issues, run):
        run.note_outside(source)


def note_cloning(by: Actor, project: Any) -> None:
    """The actor gets the branches of the project."""
    run: Any = by.run
    if run is None or run.outside:
        return
    branches = WorkProduct.objects.filter(project=project, provider=OURS)
    if source := of_run(branches.values("created_by_run_id"), run):
        run.note_outside(source)


def brought_by(issues: Iterable[Issue], reader: Run) -> str:
    """How text from outside came to be there; empty when none did that we know of."""
    ids = [issue.pk for issue in issues]
    about = Run.objects.filter(issue_id__in=ids).values("pk")
    # Whatever was done to an issue is in the log of acts.
    acts = Activity.objects.filter(entity_id__in=map(str, ids), run_id__isnull=False)
    filed = filter(None, [issue.origin_run_id for issue in issues])
    for pks in (about, acts.values("run_id"), list(filed)):
        if source := of_run(pks, reader):
            return source
    fired = RoutineRun.objects.filter(linked_issue__in=ids, source="webhook")
    return "what a webhook sent" if fired.exists() else ""


def of_run(pks: Any, reader: Run) -> str:
    """What one of these runs has read and another has now."""
    others = Run.objects.exclude(outside="").exclude(pk=reader.pk)
    other = others.filter(pk__in=pks).select_related("agent").first()
    return f"text by {other.agent}, who read: {other.outside}" if other else ""
