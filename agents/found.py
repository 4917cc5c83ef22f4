"""What runs left behind, read from the log of acts: for the run that comes after one
that died, and for a conversation that follows another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from agents.models.run import Run
from paperclip.models import Activity

if TYPE_CHECKING:
    from agents.models.base import RunQuerySet

# The acts that leave something one can find, in words; the names are of their details.
ACTS = {
    "issue.branch_uploaded": "branch {branch} of {identifier} uploaded at {commit}",
    "issue.document_created": "document {key} of {identifier} written",
    "issue.document_updated": "document {key} of {identifier} written",
    "issue.work_product_created": "{type} {title} of {identifier} recorded",
    "issue.comment_added": "comment on {identifier} written",
    "issue.created": "issue {identifier} filed: {title}",
    "issue.review_requested": "review of {identifier} requested",
    "issue.review_decided": "review of {identifier} decided: {outcome}",
}
MOST, MOST_RUNS, LONGEST = 20, 5, 160


def acts_of(runs: Iterable[Run]) -> list[str]:
    """One line for each thing they left, the oldest first and none twice."""
    ids = {run.pk: run.agent_id for run in runs}
    # By agent, which the log is indexed by.
    acts = Activity.objects.filter(agent_id__in=set(ids.values()), run_id__in=ids)
    rows = acts.filter(action__in=ACTS).order_by("-seq")[:MOST]
    lines = [in_words(row) for row in reversed(rows)]
    return list(dict.fromkeys(f"- {line}" for line in lines))


def in_words(row: Activity) -> str:
    details = {name: plain(value) for name, value in row.details.items()}
    if "commit" in details:
        details["commit"] = details["commit"][:10]
    # Acts of before have had fewer details.
    return ACTS[row.action].format_map(Forgiving(details))[:LONGEST]


class Forgiving(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "?"


def plain(value: object) -> str:
    return " ".join(str(value).split())


def wrote_anything(run: Run) -> bool:
    """Whether the run has done anything through the API."""
    return Activity.objects.filter(agent_id=run.agent_id, run_id=run.pk).exists()


def left_by_the_dead(run: Run) -> list[str]:
    """What runs about the same issue left that ended before they were done, since one
    went well: `Work found: ...`, a line each. None when the last one went well."""
    if run.issue_id is None:
        return []
    lines = []
    for dead in dead_before(run.issue_id, run.created_at, run.pk):
        how = str(dead.error_code or dead.status).replace("_", " ")
        for act in acts_of([dead]):
            lines.append(f"Work found: {act[2:]} (by {dead.agent}, run ended: {how})")
    return lines[-MOST:]


def dead_before(issue_id: UUID, moment: object, pk: UUID) -> list[Run]:
    about = Run.objects.filter(issue_id=issue_id, started_at__isnull=False)
    about = about.exclude(pk=pk)
    good = about.filter(status=Run.Status.SUCCEEDED).order_by("-started_at")
    ended: RunQuerySet = about.dead().exclude(status=Run.Status.SUCCEEDED)
    if since := good.values_list("started_at", flat=True).first():
        ended = ended.filter(started_at__gt=since)
    rows = ended.select_related("agent").defer("stdout_excerpt", "stderr_excerpt")
    return list(rows.order_by("-started_at")[:MOST_RUNS])[::-1]
