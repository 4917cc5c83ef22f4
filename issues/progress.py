"""Whether a run moved anything: what its issue looks like before and after, and how
often in a row it did not. Words are no progress; a status, an artefact or somebody
else's turn is, but only the first time: a ring that hands the same issue round comes
back to what was seen before.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Max
from django.db.models.functions import MD5

from agents.models import Run
from issues.models import Document, Issue, Relation, WorkProduct
from paperclip import sql
from paperclip.models import Activity

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

# What a run does elsewhere that counts; its own issue is looked at itself.
DEEDS = (
    "issue.created",
    "issue.updated",
    "issue.review_decided",
    "issue.document_created",
    "issue.document_updated",
    "issue.branch_uploaded",
    "issue.work_product_created",
    "project.created",
    "goal.created",
    "approval.created",
)
COMMENTED = "issue.comment_added"
# What it does to its own issue and has to say something about.
MOVES = ("issue.updated", "issue.review_decided")
DID = """
SELECT coalesce(bool_or(action <> %(commented)s AND entity_id <> %(issue)s), false),
    coalesce(bool_or(action = %(commented)s AND entity_id = %(issue)s), false),
    coalesce(bool_or(action = ANY(%(moves)s) AND entity_id = %(issue)s), false)
FROM paperclip_activity
WHERE run_id = %(run)s AND (action = ANY(%(deeds)s) OR action = %(commented)s)
"""


def digest(issue_id: UUID) -> str:
    """The state, the artefacts and the turn of an issue, not its words: 32 letters."""
    own = Issue.objects.filter(pk=issue_id).annotate(text=MD5("description"))
    facts = [
        *own.values_list(
            "status",
            "assignee_agent",
            "assignee_user",
            "executor_agent",
            "title",
            "text",
        ),
        *Document.objects.filter(issue=issue_id).values_list("key", MD5("body")),
        *WorkProduct.objects.filter(issue=issue_id).values_list(
            "type", "external_id", "url", "status", "metadata__commit"
        ),
        *Issue.objects.filter(parent=issue_id).values_list("pk", "status"),
        *Relation.objects.filter(blocked=issue_id).values_list("blocker", "blocked"),
    ]
    told = "\n".join(sorted(map(repr, facts)))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def note_start(run: Run) -> None:
    """Keep what its issue looks like before it works."""
    if run.issue_id is not None:
        run.digest_before = digest(run.issue_id)
        Run.objects.filter(pk=run.pk).update(digest_before=run.digest_before)


def of(run: Run) -> dict[str, str | bool]:
    """The columns that say whether a run which ends now has moved anything."""
    after, moved = "", look_back(run)
    if run.issue_id is not None:
        after = digest(run.issue_id)
        moved = moved or after not in seen(run, since_person(run.issue_id))
    return {"digest": after, "progressed": moved}


def look_back(run: Run) -> bool:
    """Whether it did something of use beside its own issue; and, kept with the run,
    whether it moved that one and said something about it."""
    told = {"run": run.pk, "deeds": list(DEEDS), "issue": str(run.issue_id)}
    told |= {"commented": COMMENTED, "moves": list(MOVES)}
    (row,) = sql.planned(DID, **told)
    elsewhere, run.has_commented, run.has_moved = row
    return bool(elsewhere)


def seen(run: Run, since: datetime | None) -> set[str]:
    """The states its issue was in before, since a person last did something there."""
    runs = Run.objects.filter(issue_id=run.issue_id).exclude(pk=run.pk)
    if since is not None:
        runs = runs.filter(finished_at__gt=since)
    pairs = runs.exclude(digest="").values_list("digest_before", "digest")
    return {one for pair in pairs for one in pair} | {run.digest_before}


def since_person(issue_id: UUID | None) -> datetime | None:
    """When a person last did something about the issue."""
    acts = Activity.objects.filter(
        entity_id=str(issue_id), actor_type="user", run_id=None
    )
    last: datetime | None = acts.aggregate(at=Max("created_at"))["at"]
    return last


def streak(run: Run) -> int:
    """How many runs of its agent about its issue have moved nothing in a row, since
    anybody moved it or a person did something."""
    about = Run.objects.filter(issue_id=run.issue_id, progressed__isnull=False)
    if run.issue_id is None:
        about = about.filter(agent=run.agent_id)
    moved = about.filter(progressed=True).aggregate(at=Max("finished_at"))["at"]
    person = since_person(run.issue_id) if run.issue_id else None
    idle = about.filter(agent=run.agent_id, progressed=False)
    for since in (moved, person):
        if since is not None:
            idle = idle.filter(finished_at__gt=since)
    return idle.count()


def is_stuck(run: Run) -> bool:
    """Whether it was one run too many that moved nothing."""
    return not run.progressed and streak(run) >= settings.PROGRESS_LIMIT
