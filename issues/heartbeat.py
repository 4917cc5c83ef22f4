"""One heartbeat, from claim to outcome; and what becomes of work whose run is lost."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from agents.adapters import adapter_class
from agents.adapters.base import Context
from agents.models import Run
from issues.models import Issue
from paperclip import home
from paperclip.actors import SYSTEM

log = logging.getLogger(__name__)

HOST = platform.node()
# A run whose supervisor vanished is tried again: at once, then after 1, 2, 4 ... 60 s.
LOST_TRIES = 10
RENEWALS_PER_LEASE = 5
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
    adapter = adapter_class(run.agent.adapter_type)()
    env = environment(run, token)
    run.log_event("adapter.invoke", "adapter invocation", **invocation(run, env))
    context = Context(run=run, env=env, beat=renewer(run))
    # A heartbeat takes minutes; the connection is for those who need it meanwhile.
    connection.close()
    try:
        outcome = adapter.execute(context)
    except Exception as error:
        run.finish(Run.Status.FAILED, error=repr(error), error_code="internal_error")
        raise
    if leaving.is_set():
        lose(run)
    else:
        run.finish(outcome.status, **outcome.columns)


def renewer(run: Run) -> Callable[[], bool]:
    """A function that keeps the lease, and says whether to go on."""
    every = settings.LEASE_SECONDS / RENEWALS_PER_LEASE
    # A cancel shows at the next renewal: within a second, however long the lease.
    every = min(every, 1.0)
    due = time.monotonic() + every

    def renew() -> bool:
        nonlocal due
        if leaving.is_set():
            return False
        if time.monotonic() < due:
            return True
        due = time.monotonic() + every
        held = run.renew()
        connection.close()
        return held

    return renew


def environment(run: Run, token: str) -> dict[str, str]:
    """What the agent's program is told (behaviour 3.12). The token dies with the run."""
    wake = run.wakes[-1] if run.wakes else {}
    env = {
        "PAPERCLIP_AGENT_ID": str(run.agent_id),
        "PAPERCLIP_COMPANY_ID": str(run.company_id),
        "PAPERCLIP_RUN_ID": str(run.pk),
        "PAPERCLIP_API_URL": settings.API_URL,
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
        "pid": os.getpid(),
    }


def lose(run: Run) -> None:
    """End a run whose supervisor is going, and queue its work again at once."""
    ended = run.finish(
        Run.Status.FAILED,
        error="The worker was stopped.",
        error_code="process_lost",
    )
    if ended:
        try_again(run)


def try_again(run: Run) -> None:
    """Queue a new run for the work of a lost one, if it still is to be done."""
    if run.issue_id and not still_to_do(run):
        return
    if run.attempt >= LOST_TRIES:
        log.error("%s was lost %d times and is left alone", run, run.attempt)
        return
    wait = 0 if run.attempt == 1 else min(60, 2 ** (run.attempt - 2))
    for wake in run.wakes:
        comment = wake.get("commentId")
        run.agent.wake(
            "automation",
            "process_lost_retry" if wake == run.wakes[0] else wake["reason"],
            by=SYSTEM,
            issue_id=run.issue_id,
            comment_id=UUID(comment) if comment else None,
            retry_of=run,
            ready_at=now() + timedelta(seconds=wait) if wait else None,
        )


def still_to_do(run: Run) -> bool:
    """Whether the issue is open and not somebody else's by now."""
    issue = Issue.objects.filter(pk=run.issue_id).open().first()
    if issue is None:
        return False
    mentioned = any(w["reason"] == "issue_comment_mentioned" for w in run.wakes)
    return mentioned or issue.assignee_agent_id in (None, run.agent_id)
