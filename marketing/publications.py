"""What follows when somebody decides about a post (agents/decisions.py), and when a
checker has seen it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from agents.models import Approval
from marketing import render
from marketing.models import (
    IndexNowSubmission,
    JobName,
    JobRun,
    JobSchedule,
    KeywordCluster,
    Post,
    Site,
)
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid, Refused

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from marketing.models import PostVersion
    from paperclip.actors import Actor

State = Post.State
TAKE_OFFLINE = "take offline"
LONGEST_TEXT = 40_000
# What may still be seen live, or be refuted.
SENT = (State.PUSHED, State.REQUESTED, State.UNVERIFIED)


@transaction.atomic
def ask(
    post: Post, version: PostVersion, *, at: datetime, run: JobRun | None = None
) -> None:
    """Ask a person whether exactly this version may be published."""
    approval = Approval.objects.request(
        post.company,
        Approval.Type.PUBLISH,
        {
            "title": f"Publish “{post.title}”",
            "address": post.url,
            "keyword": post.keyword,
            "text": version.source[:LONGEST_TEXT],
            "postId": str(post.pk),
            "version": version.number,
            "sha256": version.sha256,
        },
        by=SYSTEM,
        issue_ids=[run.issue_id] if run and run.issue_id else [],
    )
    before = (State.GATED, State.AWAITING)
    post.move(before, State.AWAITING, by=SYSTEM, at=at, approval=approval)


def hurry(post: Post, *, by: Actor) -> None:
    """Let the job run now, if it may run by itself at all."""
    on = JobSchedule.objects.filter(
        company=post.company_id, job=JobName.BLOG, is_on=True
    )
    if not on.exists() or Site.objects.of(post.company_id).is_stopped:
        return
    try:
        with transaction.atomic():
            JobRun.objects.start(post.company, JobName.BLOG, by=by)
    except Refused:
        # It is at work already: its next run sees to it.
        return


def approved(approval: Approval, *, by: Actor) -> None:
    """Let exactly this version be published. Invalid when it was changed since."""
    post = Post.objects.filter(approval=approval).first()
    if post is None:
        return  # It is about something else that leaves the building.
    if approval.payload.get("act") == TAKE_OFFLINE:
        post.unpublish(by=by)
        return
    version, sha = post.version, str(approval.payload.get("sha256"))
    source = version.source if version else ""
    is_same = version is not None and version.sha256 == sha == render.sha256(source)
    if not is_same or not post.move(
        (State.AWAITING,), State.APPROVED, by=by, at=now(), approved_sha256=sha
    ):
        raise Invalid(
            "The post is no longer what is shown here: look at its newest approval.",
            code="changed",
        )
    if by.is_person and post.cluster_id:
        mine = KeywordCluster.objects.filter(pk=post.cluster_id)
        mine.update(approvals=F("approvals") + 1)
    hurry(post, by=by)


def rejected(approval: Approval, *, by: Actor) -> None:
    post = Post.objects.filter(approval=approval, state=State.AWAITING).first()
    if post is not None:
        said = approval.decision_note or f"Rejected by {by.name}."
        post.reject([said], by=by, at=now())


# --- what a checker saw -----------------------------------------------------------


@transaction.atomic
def seen_live(company_id: UUID, key: Any, at: datetime, content_hash: str) -> None:
    """It is live, and search engines are to be told of it."""
    post = Post.objects.filter(company=company_id, key=key).first()
    if post is None:
        return
    columns: dict[str, Any] = {
        "live_at": post.live_at or at,
        "checked_at": at,
        "reasons": [],
    }
    if post.move(SENT, State.LIVE, by=SYSTEM, at=at, **columns):
        host = Site.objects.of(company_id).host
        IndexNowSubmission.objects.queue(company_id, host, post.url, content_hash)


def seen_refuted(company_id: UUID, key: Any, at: datetime, why: str) -> None:
    """It is not what was approved, or could not be built."""
    post = Post.objects.filter(company=company_id, key=key).first()
    if post is not None:
        columns: dict[str, Any] = {"checked_at": at, "reasons": [why]}
        post.move(SENT, State.REFUTED, by=SYSTEM, at=at, **columns)


@transaction.atomic
def propose_taking_offline(post: Post, *, at: datetime) -> None:
    """Ask a person whether a post that was refuted is to be taken back. Asked once."""
    if post.approval is not None and post.approval.payload.get("act") == TAKE_OFFLINE:
        return
    approval = Approval.objects.request(
        post.company,
        Approval.Type.PUBLISH,
        {
            "title": f"Take “{post.title}” offline: {' '.join(post.reasons)}",
            "act": TAKE_OFFLINE,
            "address": post.url,
            "commit": post.commit,
            "postId": str(post.pk),
        },
        by=SYSTEM,
    )
    post.move((State.REFUTED,), State.REFUTED, by=SYSTEM, at=at, approval=approval)
