"""Issues with what their shapes need, in a number of queries that does not grow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Prefetch, Q, Subquery
from django.db.models.functions import JSONObject, Left

from agents.models import Run
from issues.models import Claim, Document, Issue, Relation
from issues.models.issue import IssueQuerySet

EXCERPT = 1200


def shown() -> IssueQuerySet:
    """Issues with their labels and decisions, `live_holder_id`, the run that really
    holds each, and `verification`, where its last claim stands."""
    live = Run.objects.live().filter(pk=OuterRef("checkout_run"))
    claims = Claim.objects.filter(issue=OuterRef("pk"), agent__isnull=False)
    told = JSONObject(
        status="status",
        claimId="pk",
        message="said",
        progress="progress",
    )
    held: IssueQuerySet = Issue.objects.annotate(
        live_holder_id=Subquery(live.values("pk")),
        verification=Subquery(
            claims.order_by("-created_at").annotate(told=told).values("told")[:1]
        ),
    )
    return held.prefetch_related("labels", "decisions")


def listed() -> IssueQuerySet:
    """As `shown`, with only the beginning of each description."""
    cut = shown().annotate(excerpt=Left("description", EXCERPT + 1))
    return cut.defer("description")


def with_edges(issues: IssueQuerySet) -> IssueQuerySet:
    edges = Relation.objects.order_by("created_at")
    return issues.prefetch_related(
        Prefetch("blocked_by", edges.select_related("blocker")),
        Prefetch("blocking", edges.select_related("blocked")),
    )


def with_products(issues: IssueQuerySet) -> IssueQuerySet:
    """With work products and documents; the texts are read when they are asked for."""
    documents = Document.objects.told().defer("body")
    return issues.prefetch_related("work_products", Prefetch("documents", documents))


def active_runs(issues: Iterable[Issue]) -> dict[UUID, Run]:
    """The run of each issue that holds it, else one that runs or waits for it."""
    holders = {issue.checkout_run_id: issue.pk for issue in issues}
    ids = [issue.pk for issue in issues]
    open_ones = Run.objects.live() | Run.objects.filter(status=Run.Status.QUEUED)
    rows = open_ones.filter(Q(pk__in=[*holders]) | Q(issue_id__in=ids)).only(
        "id",
        "issue_id",
        "status",
        "agent_id",
        "invocation_source",
        "trigger_detail",
        "started_at",
        "finished_at",
        "created_at",
    )
    found: dict[UUID, Run] = {}
    # The best one last: what waits, what runs, what holds.
    for run in sorted(
        rows, key=lambda run: (run.pk in holders, run.status == "running")
    ):
        for issue_id in {holders.get(run.pk), run.issue_id} - {None}:
            found[issue_id] = run  # type: ignore[index]
    return found


def open_blockers(issues: Iterable[Issue]) -> dict[UUID, list[str]]:
    """The unresolved blockers of each issue that has any."""
    edges = Relation.objects.unresolved().filter(blocked__in=[i.pk for i in issues])
    found: dict[UUID, list[str]] = {}
    for blocked, blocker in edges.values_list("blocked_id", "blocker_id"):
        found.setdefault(blocked, []).append(str(blocker))
    return found


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """`{"status": {"from": "todo", "to": "done"}}`"""
    return {
        name: {"from": before[name], "to": value}
        for name, value in after.items()
        if name not in ("updatedAt", "labels") and before[name] != value
    }
