"""The fix that a review asks for: a part of the issue, which waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from issues.models.base import Status
from issues.models.relation import Relation
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from agents.models import Agent

FIX = "review_fix"


def file_fix(issue: Any, worker: Agent | None, comment: str) -> None:
    issues: Any = type(issue)._default_manager
    fix = issues.file(
        issue.company,
        by=SYSTEM,
        title=f"Fix: {issue.title}"[:300],
        description=f"The review of {issue.identifier} asks for changes:\n\n"
        + "\n".join(f"> {line}" for line in comment.splitlines()),
        status=Status.TODO,
        priority=issue.priority,
        parent=issue,
        assignee_agent=worker,
        origin_kind=FIX,
        origin_id=str(issue.pk),
    )
    edges = Relation.objects.filter(blocked_id=issue.pk).select_related("blocker")
    issue.block_on([*(edge.blocker for edge in edges), fix], by=SYSTEM)
