"""One heartbeat, from claim to outcome; and what becomes of work whose run is lost."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import Q
from django.utils.timezone import now

from agents import found, notices, outcomes, sessions
from agents.adapters import program_of
from agents.adapters.base import Context, Outcome
from agents.models import Run, Session
from agents.texts import storable
from issues import progress, recovery
from paperclip import home, processes, sql

if TYPE_CHECKING:
    from psutil import Process

log = logging.getLogger(__name__)

HOST = platform.node()
# How a database says that it is not there.
AWAY = (InterfaceError, OperationalError)
# Set when this worker shuts down: its runs end and their work is queued again.
leaving = threading.Event()

# An outcome waits so many seconds for a database that is away.
PATIENCE = 6 * 3600
# A worker looks at so many runs for one that it can start.
LOOK_AT = 9
# So many seconds a cancelled run's program has to tidy up before the next one begins.
PARTING = 5


def beat_on() -> None:
    """Heartbeats one after the other, until there is none to start here: a message only
    says "look"."""
    while beat():
        pass


def beat() -> bool:
    """Start the run whose turn it is, and see it to its end. False when none is ours to
    start."""
    tried: list[UUID] = []
    while len(tried) < LOOK_AT and not leaving.is_set():
        with transaction.atomic():
            run = Run.objects.take_next(now(), tried)
            token = claim(run) if run else None
        if run is None:
            break
        if token is not None:
            carry_out(run, token)
            return True
        tried.append(run.pk)
    return False


def claim(run: Run) -> str | None:
    """Its token when it starts here and now. It lets another agent's run about the same
    issue finish first, unless it was only mentioned there."""
    if run.issue_id is None or run.is_aside:
        return run.claim(host=HOST)
    return claim_in_turn(run)


@transaction.atomic(savepoint=False)
def claim_in_turn(run: Run) -> str | None:
    run.lock_agent()
    # Of two agents that start on one issue at once, the second sees the first.
    sql.lock(f"issue {run.issue_id}")
    others = Run.objects.live().exclude(agent=run.agent_id).select_related("agent")
    about = Q(issue_id=run.issue_id) | Q(held_issues=run.issue_id)
    for other in others.filter(about).order_by("started_at"):
        if not other.is_aside or other.held_issues.filter(pk=run.issue_id).exists():
            run.defer(other, f"{other.agent} is at work on it.")
            return None
    return run.claim(host=HOST)


def carry_out(run: Run, token: str) -> None:
    """The claimed run, from its start to its outcome."""
    lease = Lease(run)
    progress.note_start(run)
    adapter = program_of(run)()
    env = environment(run, token)
    run.log_event("adapter.invoke", "adapter invocation", **invocation(run, env))
    end_predecessors(run, lease)
    thread = sessions.begin(run)
    try:
        context = Context(run=run, env=env, beat=lease.hold, thread=thread)
        outcome = replace(adapter.execute(context), thread=thread)
    except Exception as error:
        said = storable(f"Paperclip's own fault: {type(error).__name__}: {error}")
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
        lease.patiently(
            lambda: conclude(run, outcome), lambda: outcomes.keep(run, outcome)
        )
    except AWAY:
        raise
    except Exception as error:
        columns = unwritable(error)
        lease.patiently(lambda: run.finish(Run.Status.FAILED, **columns))
        raise


def deliver(run: Run, outcome: Outcome) -> None:
    """Conclude it for a worker that is gone, in the caller's transaction."""
    try:
        with transaction.atomic():
            conclude(run, outcome)
    except AWAY:
        raise
    except Exception as error:
        log.exception("the outcome of %s could not be written down", run)
        transaction.on_commit(lambda: outcomes.forget(run))
        run.finish(Run.Status.FAILED, **unwritable(error))


def unwritable(error: Exception) -> dict[str, str]:
    said = storable(f"How it went could not be written down: {error!r}")
    return {"error": said, "error_code": "internal_error"}


@transaction.atomic
def conclude(run: Run, outcome: Outcome) -> None:
    """Write down how it went, and see to what becomes of its work."""
    columns = outcome.columns
    if outcome.status == Run.Status.SUCCEEDED:
        columns = columns | progress.of(run)
    # It is told once, by whom ever: what was kept of it is of no use any more.
    transaction.on_commit(lambda: outcomes.forget(run))
    if not run.finish(outcome.status, **columns):
        return
    Session.objects.keep(run, outcome.thread)
    if outcome.put_off is not None:
        recovery.put_off(run, outcome.put_off)
    else:
        recovery.follow_up(run)


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

    def patiently(
        self, write: Callable[[], object], keep: Callable[[], object] = lambda: None
    ) -> None:
        """Write the outcome, again and again while the database is away: nobody else
        can take the work over meanwhile, and when it is back, the sweep gives every
        lease a little longer (T-04d). What was taken over all the same stays so. It is
        kept before it is waited for: when this worker ends too, the sweep delivers."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                write()
                return
            except AWAY:
                keep()
                if leaving.is_set() or time.monotonic() > until:
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
    if left := found.left_by_the_dead(run):
        env["PAPERCLIP_WORK_FOUND"] = "\n".join(left)
    return {**env, **notices.told(run)} if run.told else env


def invocation(run: Run, env: dict[str, str]) -> dict[str, Any]:
    """What the run's events show of the call: no value that could be a secret."""
    config = run.agent.adapter_config
    own = dict.fromkeys(config.get("env", {}), "***")
    return {
        "adapterType": run.agent.adapter_type,
        "command": config.get("command"),
        "commandArgs": config.get("args", []),
        "env": {**own, **env, "PAPERCLIP_API_KEY": "***"},
    }


def end_predecessors(run: Run, lease: Lease) -> None:
    """End what still lives here of earlier runs of the same work: this one is about to
    work in the same directory. What was cancelled just now is given time to tidy up."""
    if not run.last_went_badly:
        return

    def wait(asked: list[Process], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not processes.wait_gone(asked, processes.POLL_SECONDS):
            if time.monotonic() > until or not lease.hold():
                return False
        return True

    here = Run.objects.dead().filter(agent=run.agent, issue_id=run.issue_id)
    found = here.filter(pk__in=processes.live_runs()).values_list("pk", "status")
    for pk, status in found:
        grace = PARTING if status == Run.Status.CANCELLED else 0
        processes.end_tree(str(pk), grace, wait)


@transaction.atomic
def lose(run: Run, why: str, code: str) -> None:
    """End a run through no fault of its agent, and queue its work again."""
    if run.finish(Run.Status.FAILED, error=why, error_code=code):
        recovery.follow_up(run)
