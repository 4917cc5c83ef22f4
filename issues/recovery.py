"""What becomes of the work of a run that has ended: it is done, goes on, is tried again
or is parked. It never makes an issue."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.timezone import now

from agents.faults import LOST, Fault, fault_of
from agents.models import Attempt, Run
from agents.models.base import NO_PROGRESS
from agents.models.claim import LONGEST_STAGGER
from issues import progress
from issues.models import Comment, Issue
from paperclip import audit, sql
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from uuid import UUID

log = logging.getLogger(__name__)

# Why a run of an earlier one's work was queued.
RETRY = "process_lost_retry"
TRANSIENT = "transient_failure_retry"
# Work that could not begin waits for its time: that is no attempt.
PUT_OFF = "put_off"
# It ended, and its issue is still to be done by the same agent.
UNFINISHED = "issue_unfinished"
# Until the next run of unfinished work: after progress, after none, after none again.
UNFINISHED_WAITS = (5.0, 30.0, 120.0)
# It moved its issue on without a word.
MISSING = "missing_issue_comment"
HAS_OPEN = """
SELECT 1 FROM issues_issue WHERE assignee_agent_id = %(agent)s
AND status IN ('todo', 'in_progress', 'in_review') LIMIT 1
"""
# The cause of an attempt at unfinished work that is not parked.
STUCK = Fault(NO_PROGRESS, "doubtful")


def follow_up(run: Run) -> None:
    """See to the work of a run that has just ended, in the same transaction."""
    if run.status == Run.Status.SUCCEEDED:
        go_on(run)
    elif run.status in (Run.Status.FAILED, Run.Status.TIMED_OUT):
        try_again(run)


def put_off(run: Run, seconds: float) -> None:
    """A provider was closed: begin anew when it opens, a second later for each that
    waits for the same account already."""
    run.refresh_from_db(fields=["account"])
    ahead = Run.objects.queue_of(run.account).count() if run.account else 0
    work_again(run, PUT_OFF, seconds + min(ahead, LONGEST_STAGGER), counts=False)


def try_again(run: Run) -> None:
    """Count the fault, and queue the work again or park it."""
    fault = fault_of(run)
    if not has_work(run):
        return
    reason = f"{run.error or 'It failed without a word.'}"
    attempt = Attempt.objects.count_try(run, fault, reason)
    wait = fault.wait(run, attempt.tries)
    if wait is None:
        attempt.park(f"{reason} {fault.todo}".strip())
        return
    Attempt.objects.filter(pk=attempt.pk).update(
        next_at=now() + timedelta(seconds=wait)
    )
    # Work about nothing in particular that failed by itself has its timer.
    if run.issue_id is not None or fault.kind != "doubtful":
        work_again(run, RETRY if fault is LOST else TRANSIENT, wait)


def go_on(run: Run) -> None:
    """A run has ended well. When its issue is still its agent's to do, it goes on; when
    that moved nothing time after time, everybody is kept off it."""
    if run.issue_id is None:
        go_on_at_large(run)
        return
    stuck = progress.is_stuck(run)
    if stuck:
        park_stuck(run, f"runs of {run.agent} ended")
    elif run.progressed:
        Attempt.objects.filter(issue_id=run.issue_id, cause=NO_PROGRESS).reopen()
    mine = Issue.objects.workable().filter(pk=run.issue_id, assignee_agent=run.agent_id)
    if not stuck and mine.exists():
        idle = 0 if run.progressed else progress.streak(run)
        wait = UNFINISHED_WAITS[min(idle, len(UNFINISHED_WAITS) - 1)]
        attempt = Attempt.objects.count_try(run, STUCK, "It is not finished yet.")
        Attempt.objects.filter(pk=attempt.pk).update(
            tries=idle, next_at=now() + timedelta(seconds=wait)
        )
        work_again(run, UNFINISHED, wait, counts=False)
    elif not run.has_commented:
        ask_for_comment(run)


def ask_for_comment(run: Run) -> None:
    """What it did with its issue nobody is told: it is woken for that once more, and
    when it says nothing then either, that is written down. Who moved nothing has
    nothing to say."""
    was_asked = any(one["reason"] == MISSING for one in run.wakes)
    if not (run.has_moved or was_asked):
        return
    mine = Comment.objects.filter(issue=run.issue_id, author_agent=run.agent_id)
    # With a key that names no run.
    if mine.filter(created_at__gte=run.started_at).exists():
        return
    if was_asked:
        run.log_event("comment", "It left no comment on its issue, asked for one too.")
        told = {"agentId": str(run.agent_id), "issueId": str(run.issue_id)}
        audit.record(SYSTEM, "heartbeat.comment_missing", run, **told)
        return
    run.agent.wake(
        "automation",
        MISSING,
        by=SYSTEM,
        issue_id=run.issue_id,
        retry_of=run,
        ready_at=now() + timedelta(seconds=UNFINISHED_WAITS[0]),
        counts=False,
        rank=run.rank,
    )


def go_on_at_large(run: Run) -> None:
    """A run about nothing in particular has ended well. An agent that has work and
    moves nothing is not woken for that by its timer any more."""
    if run.progressed:
        Attempt.objects.filter(agent=run.agent_id, issue_id=None).reopen()
        return
    # Most have nothing open, which is known sooner.
    if not sql.planned(HAS_OPEN, agent=run.agent_id):
        return
    work = Issue.objects.workable().filter(assignee_agent=run.agent_id)
    if work.exists() and progress.is_stuck(run):
        park_stuck(run, f"its timer woke {run.agent}, which had work to do")


def park_stuck(run: Run, how: str) -> None:
    """Keep everybody off the issue; one alert, whoever ends next. What is queued about
    it is cancelled when its turn comes."""
    stuck = Attempt.objects.parked().filter(cause=NO_PROGRESS, issue_id=run.issue_id)
    if run.issue_id is not None and stuck.exists():
        return
    times = settings.PROGRESS_LIMIT
    attempt = Attempt.objects.count_try(run, STUCK, "")
    attempt.park(
        f"{times} times in a row {how} and nothing moved: no change of status, no"
        " document, no file, nobody else's turn. Say what is missing in a comment, give"
        " it to somebody else, or try it again."
    )


def work_again(run: Run, reason: str, wait: float, *, counts: bool = True) -> None:
    """Queue a new run for the same work after so many seconds, unless there is nothing
    left to do."""
    if not has_work(run):
        return
    run.agent.wake(
        "automation",
        reason,
        by=SYSTEM,
        issue_id=run.issue_id,
        retry_of=run,
        ready_at=now() + timedelta(seconds=wait) if wait else None,
        counts=counts,
        rank=run.rank,
    )


def has_work(run: Run) -> bool:
    return run.issue_id is None or still_to_do(run, run.issue_id)


def still_to_do(run: Run, issue_id: UUID) -> bool:
    """Whether the issue is open and not somebody else's by now."""
    issue = Issue.objects.filter(pk=issue_id).open().first()
    if issue is None:
        return False
    mentioned = any(w["reason"] == "issue_comment_mentioned" for w in run.wakes)
    return mentioned or issue.assignee_agent_id in (None, run.agent_id)
