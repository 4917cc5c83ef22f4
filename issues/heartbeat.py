"""One heartbeat, from claim to outcome; and what becomes of work whose run is lost."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.utils.timezone import now

from agents.adapters import adapter_class
from agents.adapters.base import Context, Outcome
from agents.models import Run
from agents.texts import storable
from issues.models import Issue
from paperclip import home, processes
from paperclip.actors import SYSTEM

log = logging.getLogger(__name__)

HOST = platform.node()
# Lost work is tried again: at once, then after 1, 3, 7, 15, 31, 59, 59 ... s.
LOST_TRIES = 10
RETRY = "process_lost_retry"
# What failed and may go well another time is tried again after so many seconds.
TRANSIENT_WAITS = (30, 120)
TRANSIENT = "transient_failure_retry"
# Work that could not begin waits for its time: that is no attempt.
PUT_OFF = "put_off"
# How a database says that it is not there.
AWAY = (InterfaceError, OperationalError)
# Set when this worker shuts down: its runs end and their work is queued again.
leaving = threading.Event()


def beat(run_id: UUID | str) -> None:
    """Run one queued heartbeat here. Nothing happens when it is not ours to start."""
    run = Run.objects.select_related("agent__company").filter(pk=run_id).first()
    if run is None or leaving.is_set():
        return
    token = run.claim(host=HOST)
    if token is None:
        return
    lease = Lease(run)
    adapter = adapter_class(run.agent.adapter_type)()
    env = environment(run, token)
    run.log_event("adapter.invoke", "adapter invocation", **invocation(run, env))
    end_predecessors(run)
    # A heartbeat takes minutes; the connection is for those who need it meanwhile.
    connection.close()
    try:
        outcome = adapter.execute(Context(run=run, env=env, beat=lease.hold))
    except Exception as error:
        said = f"Paperclip's own fault: {error!r}"
        lease.patiently(lambda: lose(run, said, "internal_error"))
        raise
    if lease.left:
        lease.patiently(lambda: lose(run, "The worker was stopped.", "process_lost"))
    else:
        write_down(outcome, lease)


def write_down(outcome: Outcome, lease: Lease) -> None:
    """Conclude its run. An outcome that cannot be written is a failure: another run
    would be paid for, and end the same way."""
    run = lease.run
    try:
        lease.patiently(lambda: conclude(run, outcome))
    except AWAY:
        raise
    except Exception as error:
        columns = {
            "error": storable(f"How it went could not be written down: {error!r}"),
            "error_code": "internal_error",
        }
        lease.patiently(lambda: run.finish(Run.Status.FAILED, **columns))
        raise


@transaction.atomic
def conclude(run: Run, outcome: Outcome) -> None:
    """Write down how it went, and queue the work again if that says so."""
    if not run.finish(outcome.status, **outcome.columns):
        return
    if outcome.put_off is not None:
        work_again(run, PUT_OFF, outcome.put_off, counts=False)
    elif outcome.transient and run.attempt <= len(TRANSIENT_WAITS):
        work_again(run, TRANSIENT, TRANSIENT_WAITS[run.attempt - 1])


class Lease:
    """Keeps one run alive, also through a database that is away for a moment."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.left = False  # whether the run was told to end because we leave
        # A cancel shows at the next renewal: within a second, however long the lease.
        self.every = min(settings.LEASE_SECONDS / 5, 1.0)
        self._renewed()

    def _renewed(self) -> None:
        self.due = time.monotonic() + self.every
        self.ends = time.monotonic() + settings.LEASE_SECONDS

    def hold(self) -> bool:
        """Renew when it is time to; False when the run is over for everyone else."""
        if leaving.is_set():
            self.left = True
            return False
        if time.monotonic() < self.due:
            return True
        try:
            held = self.run.renew()
        except DatabaseError:
            # The lease holds without us for as long as it was given.
            self.due = time.monotonic() + self.every
            return time.monotonic() < self.ends
        finally:
            connection.close()
        self._renewed()
        return bool(held)

    def patiently(self, write: Callable[[], object]) -> None:
        """Write the outcome, again and again while the database is away and the lease
        still holds: after that the run is lost and its work is done anew."""
        while True:
            try:
                write()
                return
            except AWAY:
                if time.monotonic() > self.ends:
                    raise
                connection.close()
                time.sleep(0.5)


def environment(run: Run, token: str) -> dict[str, str]:
    """What the agent's program is told. The token dies with the run."""
    wake = run.wakes[-1] if run.wakes else {}
    env = {
        "PAPERCLIP_AGENT_ID": str(run.agent_id),
        "PAPERCLIP_COMPANY_ID": str(run.company_id),
        "PAPERCLIP_RUN_ID": str(run.pk),
        "PAPERCLIP_API_URL": settings.API_URL,
        "PAPERCLIP_GATEWAY_URL": settings.GATEWAY_URL,
        "PAPERCLIP_API_KEY": token,
        "PAPERCLIP_WAKE_REASON": wake.get("reason", ""),
        "PAPERCLIP_INSTANCE": home.instance_id(),
    }
    if run.issue_id:
        env["PAPERCLIP_TASK_ID"] = str(run.issue_id)
    if run.comment_ids:
        env["PAPERCLIP_WAKE_COMMENT_ID"] = run.comment_ids[-1]
    return env


def invocation(run: Run, env: dict[str, str]) -> dict[str, object]:
    """What the run's events show of the call: no value that could be a secret."""
    config = run.agent.adapter_config
    own = dict.fromkeys(config.get("env", {}), "***")
    return {
        "adapterType": run.agent.adapter_type,
        "command": config.get("command"),
        "commandArgs": config.get("args", []),
        "env": {**own, **env, "PAPERCLIP_API_KEY": "***"},
    }


def end_predecessors(run: Run) -> None:
    """End what still lives here of lost runs about the same issue: this one is about to
    work in the same directory."""
    if run.attempt == 1 and not any(w["reason"] == RETRY for w in run.wakes):
        return
    here = Run.objects.dead().filter(agent=run.agent, issue_id=run.issue_id)
    for pk in here.filter(pk__in=processes.live_runs()).values_list("pk", flat=True):
        processes.end_tree(str(pk), grace=0)


@transaction.atomic
def lose(run: Run, why: str, code: str) -> None:
    """End a run through no fault of its agent, and queue its work again."""
    if run.finish(Run.Status.FAILED, error=why, error_code=code):
        try_again(run)


def try_again(run: Run) -> None:
    """Queue a new run for the work of a lost one, if it still is to be done."""
    if run.attempt >= LOST_TRIES:
        log.error("%s was lost %d times and is left alone", run, run.attempt)
        return
    work_again(run, RETRY, min(60, 2 ** (run.attempt - 1)) - 1)


def work_again(run: Run, reason: str, wait: float, *, counts: bool = True) -> None:
    """Queue a new run for the same work after so many seconds, unless there is nothing
    left to do."""
    if run.issue_id is not None and not still_to_do(run, run.issue_id):
        return
    run.agent.wake(
        "automation",
        reason,
        by=SYSTEM,
        issue_id=run.issue_id,
        retry_of=run,
        ready_at=now() + timedelta(seconds=wait) if wait else None,
        counts=counts,
    )


def still_to_do(run: Run, issue_id: UUID) -> bool:
    """Whether the issue is open and not somebody else's by now."""
    issue = Issue.objects.filter(pk=issue_id).open().first()
    if issue is None:
        return False
    mentioned = any(w["reason"] == "issue_comment_mentioned" for w in run.wakes)
    return mentioned or issue.assignee_agent_id in (None, run.agent_id)
