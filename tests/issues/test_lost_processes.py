"""What is left when a process dies: nothing that lives, nothing that lies (T-03, T-04)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agents.models import Agent, Run
from issues import sweep
from issues.models import Issue
from paperclip import processes
from paperclip.actors import SYSTEM
from tests import make
from tests.workers import Worker, ended, eventually, running, worker

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = "1.5"


@pytest.fixture
def company() -> Any:
    return make.company()


@pytest.fixture(autouse=True)
def _nothing_is_left(company: Any) -> Iterator[None]:
    yield
    sweep.reap()
    assert processes.live_runs() == set()


def hired(company: Any, script: str, **config: Any) -> Agent:
    made = {"command": "sh", "args": ["-c", script], **config}
    return make.agent(company, adapter_config=made)


def woken(agent: Agent, issue: Issue | None = None) -> Run:
    wakeup = agent.wake(
        "on_demand", "manual", by=SYSTEM, issue_id=issue.pk if issue else None
    )
    assert wakeup.run is not None
    return wakeup.run


def sweep_until(condition: Any, timeout: float = 20) -> None:
    def look() -> Any:
        sweep.sweep()
        sweep.reap()
        return condition()

    eventually(look, timeout)


def test_it_runs_a_program_and_keeps_what_it_printed(company: Any) -> None:
    agent = hired(company, "echo out; echo err >&2; pwd; exit 0")
    with worker():
        run = ended(woken(agent))
    assert (run.status, run.exit_code) == ("succeeded", 0)
    assert run.stdout_excerpt.startswith("out\n") and run.stderr_excerpt == "err\n"
    assert f"/workspaces/{agent.pk}" in run.stdout_excerpt
    assert run.process_pid and run.log_file.stat().st_mode & 0o777 == 0o600


def test_a_program_that_fails_says_so(company: Any) -> None:
    with worker():
        run = ended(woken(hired(company, "exit 7")))
    assert (run.status, run.exit_code, run.error_code) == ("failed", 7, "adapter_failed")
    assert run.agent.state == "error"


def test_a_missing_program_is_named(company: Any) -> None:
    agent = make.agent(company, adapter_config={"command": "no-such-program"})
    with worker():
        run = ended(woken(agent))
    assert run.error_code == "configuration_incomplete"
    assert "no-such-program" in run.error


def test_the_environment_holds_no_secret_of_ours(company: Any) -> None:
    with worker(PAPERCLIP_SECRET_KEY="canary-of-the-server"):
        run = ended(woken(hired(company, "env")))
    assert f"PAPERCLIP_RUN_ID={run.pk}" in run.stdout_excerpt
    for ours in ("DATABASE_URL", "REDIS_URL", "canary", "PAPERCLIP_SECRET_KEY"):
        assert ours not in run.stdout_excerpt


def test_a_run_that_takes_too_long_is_timed_out(company: Any) -> None:
    agent = hired(company, "sleep 60", timeoutSec=1, graceSec=1)
    with worker():
        run = ended(woken(agent))
    assert (run.status, run.error_code) == ("timed_out", "timeout")
    assert not processes.tree(str(run.pk))


# The child ignores SIGTERM, leaves its session and loses its parent (T-03b).
STUBBORN = """
python3 -c 'import os,signal,time
if os.fork(): os._exit(0)
os.setsid(); signal.signal(15, signal.SIG_IGN)
if os.fork(): os._exit(0)
time.sleep(120)'
sleep {seconds}
"""


@pytest.mark.parametrize("how", ["cancel", "timeout", "finish"])
def test_the_whole_tree_is_gone(company: Any, how: str) -> None:
    script = STUBBORN.format(seconds=0.2 if how == "finish" else 120)
    agent = hired(company, script, graceSec=1, timeoutSec=2 if how == "timeout" else 99)
    with worker():
        run = running(woken(agent))
        eventually(lambda: how == "finish" or len(processes.tree(str(run.pk))) > 1)
        if how == "cancel":
            run.cancel(by=SYSTEM, why="a test")
        run = ended(run)
        eventually(lambda: not processes.tree(str(run.pk)), timeout=10)
    expected = {"cancel": "cancelled", "timeout": "timed_out", "finish": "succeeded"}
    assert run.status == expected[how]


def test_a_child_whose_supervisor_died_is_ended_and_its_work_done_again(
    company: Any,
) -> None:
    """T-04a: alive, silent, its handle lost."""
    agent = hired(company, "sleep 120")
    issue = make.issue(company, assignee_agent=agent, status="todo")
    lost = agent.runs.get(issue_id=issue.pk)
    one = Worker(PAPERCLIP_LEASE_SECONDS=LEASE)
    try:
        running(lost)
        issue.check_out(agent, lost, ["todo"], by=SYSTEM)
    finally:
        one.kill()
    sweep_until(lambda: Run.objects.filter(retry_of=lost).exists())
    lost.refresh_from_db()
    assert (lost.status, lost.error_code) == ("failed", "process_lost")
    assert not processes.tree(str(lost.pk))
    issue.refresh_from_db()
    assert issue.live_holder() is None
    assert Run.objects.filter(retry_of=lost).count() == 1
    with worker():
        again = running(Run.objects.get(retry_of=lost))
        issue.check_out(agent, again, ["todo"], by=SYSTEM)
        again.cancel(by=SYSTEM, why="the test is over")
        eventually(lambda: not processes.tree(str(again.pk)))


@pytest.mark.parametrize("moment", ["before the pid file", "running", "finishing"])
def test_kill_9_of_the_worker_leaves_one_child_at_most(
    company: Any, moment: str
) -> None:
    """T-03a, five times in a row."""
    script = "sleep 120" if moment != "finishing" else "exec 1>&- 2>&-; sleep 0.3"
    agent = hired(company, script)
    issue = make.issue(company, assignee_agent=agent, status="todo")
    watch = Watch(str(issue.pk))
    for _ in range(5):
        run = Run.objects.filter(agent=agent, status="queued").get()
        Run.objects.filter(pk=run.pk).update(ready_at=run.created_at)
        if moment == "before the pid file":
            # The shell shim blocks on opening the pipe: forked, and not written yet.
            run.directory.mkdir(parents=True)
            os.mkfifo(run.directory / "pid")
        one = Worker(PAPERCLIP_LEASE_SECONDS=LEASE)
        try:
            sweep.ring_again()
            eventually(lambda r=run: processes.tree(str(r.pk)))
            time.sleep(0.25 if moment == "finishing" else 0.05)
        finally:
            one.kill()
        sweep_until(lambda r=run: Run.objects.filter(retry_of=r).exists())
        assert not processes.tree(str(run.pk))
    watch.stop()
    assert watch.most <= 1
    assert Run.objects.filter(issue_id=issue.pk, status="running").count() == 0
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")


class Watch(threading.Thread):
    """Counts, all the time, the runs that have a process for one issue."""

    def __init__(self, issue_id: str) -> None:
        super().__init__(daemon=True)
        self.issue_id, self.most, self.over = issue_id, 0, threading.Event()
        self.start()

    def run(self) -> None:
        mark = {"PAPERCLIP_TASK_ID": self.issue_id}
        while not self.over.is_set():
            found = processes.carriers(mark)
            runs = {processes.mark_of(one, "PAPERCLIP_RUN_ID") for one in found}
            self.most = max(self.most, len(runs - {""}))
            time.sleep(0.02)

    def stop(self) -> None:
        self.over.set()
        self.join()


def test_a_worker_that_is_stopped_gives_its_work_back(company: Any) -> None:
    agent = hired(company, "sleep 120")
    one = Worker()
    run = running(woken(agent))
    one.stop()
    run = ended(run)
    assert (run.status, run.error_code) == ("failed", "process_lost")
    assert Run.objects.get(retry_of=run).status == "queued"
    assert not processes.tree(str(run.pk))


def test_a_new_run_is_not_reaped_for_the_age_of_the_last_one(company: Any) -> None:
    """T-04c: the lease of a new run starts when it does."""
    agent = hired(company, "sleep 2")
    issue = make.issue(company, assignee_agent=agent, status="todo")
    first = agent.runs.get()
    first.claim(host="test")
    Run.objects.filter(pk=first.pk).update(lease_expires_at=first.created_at)
    sweep.sweep()
    second = Run.objects.get(retry_of=first)
    assert second.claim(host="test")
    sweep.sweep()
    second.refresh_from_db()
    assert second.is_live and issue.live_holder() is None
    second.cancel(by=SYSTEM, why="the test is over")


def test_a_lost_doorbell_is_rung_again(company: Any) -> None:
    agent = hired(company, "echo hello")
    run = woken(agent)
    Run.objects.filter(pk=run.pk).update(rung_at=None)
    with worker():
        sweep.ring_again()
        assert ended(run).status == "succeeded"


def test_a_poisoned_row_does_not_stop_the_sweep(company: Any) -> None:
    broken, fine = hired(company, "true"), hired(company, "true")
    due = {"heartbeat_enabled": True, "next_heartbeat_at": company.created_at}
    Agent.objects.filter(pk__in=[broken.pk, fine.pk]).update(interval_seconds=60, **due)
    # An interval of 0 with a timer that rings makes alarm_after() return None.
    Agent.objects.filter(pk=broken.pk).update(interval_seconds=0)
    sweep.sweep()
    assert fine.runs.count() == 1
