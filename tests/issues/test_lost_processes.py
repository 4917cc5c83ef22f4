"""What is left when a process dies: nothing that lives, nothing that lies."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agents import workspaces
from agents.models import Run
from issues import sweep
from paperclip import processes
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.long import long
from tests.workers import Worker, ended, eventually, hired, running, woken, worker

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


def sweep_until(condition: Any, timeout: float = 20) -> None:
    def look() -> Any:
        sweep.sweep()
        sweep.reap()
        return condition()

    eventually(look, timeout)


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
        issue.check_out(agent, lost, ["todo"], by=Actor.of_agent(agent, lost))
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
        issue.check_out(agent, again, ["todo"], by=Actor.of_agent(agent, again))
        again.cancel(by=SYSTEM, why="the test is over")
        eventually(lambda: not processes.tree(str(again.pk)))


@pytest.mark.parametrize(
    "moment", ["before its pid is known", "running", long("finishing")]
)
def test_kill_9_of_the_worker_leaves_one_child_at_most(
    company: Any, moment: str, request: pytest.FixtureRequest
) -> None:
    """T-03a, five times in a row (twice in the short suite)."""
    script = "sleep 120" if moment != "finishing" else "exec 1>&- 2>&-; sleep 0.3"
    agent = hired(company, script)
    issue = make.issue(company, assignee_agent=agent, status="todo")
    watch = Watch(str(issue.pk))
    for _ in range(5 if request.config.getoption("--long") else 2):
        run = Run.objects.filter(agent=agent, status="queued").get()
        Run.objects.filter(pk=run.pk).update(ready_at=run.created_at)
        one = Worker(PAPERCLIP_LEASE_SECONDS=LEASE)
        try:
            sweep.ring_again()
            eventually(lambda r=run: processes.tree(str(r.pk)))
            if moment == "running":
                eventually(lambda r=run: Run.objects.get(pk=r.pk).process_pid)
            if moment == "finishing":
                eventually(lambda r=run: not processes.tree(str(r.pk)))
        finally:
            one.kill()
        sweep_until(lambda r=run: not Run.objects.open().filter(pk=r.pk).exists())
        if not Run.objects.filter(status="queued").exists():
            woken(agent, issue)  # it had finished before the kill
        assert not processes.tree(str(run.pk))
    watch.stop()
    assert watch.most <= 1
    assert Run.objects.filter(issue_id=issue.pk, status="running").count() == 0
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")


# It takes a while to end, and does not go on twice as fast when it is asked twice.
TIDY = """
import os, signal, time
def tidy(*told):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(1.5)
    open("tidy", "w").close()
    os._exit(0)
signal.signal(signal.SIGTERM, tidy)
time.sleep(120)
"""


@pytest.mark.parametrize("how", ["cancel", "interrupt"])
def test_the_next_run_begins_when_the_cancelled_one_has_tidied_up(
    company: Any, how: str
) -> None:
    agent = hired(company, f"exec python3 -c '{TIDY}'")
    person = Actor.of_user(make.owner_of(company))
    issue = make.issue(company, assignee_agent=agent, status="todo")
    first = agent.runs.get()
    watch = Watch(str(issue.pk))
    with worker():
        running(first)
        if how == "cancel":
            first.cancel(by=person, why="a test")
            woken(agent, issue)
        else:
            issue.comment("Stop, the colour is red.", by=person, interrupt=True)
        second = running(agent.runs.exclude(pk=first.pk).get())
        watch.stop()
        assert watch.most == 1
        assert (workspaces.of(agent) / "tidy").exists()
        second.cancel(by=person, why="the test is over")
        eventually(lambda: not processes.tree(str(second.pk)))


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
