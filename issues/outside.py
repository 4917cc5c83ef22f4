"""Text from outside goes from hand to hand: who reads what a run wrote that had read
it, has read it too."""

from __future__ import annotations

from typing import Any

from agents.models import Run
from issues.models import Issue, RoutineRun
from paperclip.actors import Actor


def note_reading(by: Actor, issue: Issue) -> None:
    """The actor is shown the issue, or something that belongs to it. Nothing happens
    when it is no run, or is marked already."""
    run: Any = by.run
    if run is None or run.outside:
        return
    if source := brought_by(issue, run):
        run.note_outside(source)


def brought_by(issue: Issue, reader: Run) -> str:
    """How text from outside came to be there; empty when none did that we know of."""
    others = Run.objects.exclude(outside="").exclude(pk=reader.pk)
    said = list(issue.comments.exclude(run_id=None).values_list("run_id", flat=True))
    wrote = others.filter(pk__in=[*said, *filter(None, [issue.origin_run_id])])
    for found in (others.filter(issue_id=issue.pk), wrote):
        if other := found.select_related("agent").first():
            return f"text by {other.agent}, who read: {other.outside}"
    fired = RoutineRun.objects.filter(linked_issue=issue, source="webhook")
    return "what a webhook sent" if fired.exists() else ""
