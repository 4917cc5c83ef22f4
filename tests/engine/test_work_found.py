"""T-11d: a run dies with its work half told; the next one is told what there is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agents import found, workspaces
from agents.models import Run, Session
from issues import sweep
from issues.heartbeat import environment
from issues.models import Issue, WorkProduct
from paperclip import processes
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.clones import git
from tests.gateways import gateway
from tests.long import long
from tests.loop import stage
from tests.loop.model import Message, model, says, uses
from tests.workers import Worker, ended, eventually, worker

pytestmark = pytest.mark.django_db(transaction=True)
COMMIT = "cd {name} && echo 1 > parser.py && git add -A && git commit -qm 'Add parser'"


@pytest.fixture
def company() -> Iterator[Any]:
    yield make.company()
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")
    sweep.reap()
    eventually(lambda: not processes.live_runs())


@pytest.fixture(scope="module")
def address(live_server: Any, django_db_setup: None) -> Iterator[dict[str, str]]:
    with gateway() as gate:
        yield {
            "PAPERCLIP_API_URL": live_server.url,
            "PAPERCLIP_GATEWAY_URL": gate.url,
            "PAPERCLIP_LEASE_SECONDS": "2",
        }


class Mind:
    """A model that does not do again what it is told is there."""

    def __init__(self, issue: str, last_act: str) -> None:
        self.issue, self.last_act = issue, last_act
        self.is_stuck, self.is_killed = threading.Event(), threading.Event()
        self.prompts: list[str] = []

    def __call__(self, asked: dict[str, Any]) -> Message:
        messages = asked["messages"]
        wakes = [m for m in messages if str(m["content"]).startswith("Wake:")]
        since = messages[messages.index(wakes[-1]) :]
        done = sum(message["role"] == "tool" for message in since)
        if done == 0:
            self.prompts.append(wakes[-1]["content"])
        told = self.prompts[-1]
        acts = {
            "checkout": uses("checkout", issue=self.issue),
            "commit": uses("shell", command=COMMIT.format(name=self.issue)),
            "hand_over": uses("hand_over", issue=self.issue, message="More"),
            "comment": uses("comment", issue=self.issue, body="The parser is there."),
        }
        if "Add parser" in told or "uploaded at" in told:
            del acts["commit"]
        if "uploaded at" in told:
            del acts["hand_over"]
        names = list(acts)
        if len(self.prompts) == 1 and done > names.index(self.last_act):
            self.is_stuck.set()
            self.is_killed.wait(20)
            return says("Too late.")
        return acts[names[done]] if done < len(acts) else says("Told it.")


@pytest.mark.parametrize("last_act", ["commit", long("hand_over")])
def test_work_of_a_killed_run_is_found_and_not_done_again(
    company: Any, address: dict[str, str], last_act: str
) -> None:
    with model(says("")) as provider:
        dev = stage.agent(company, config={"apiBase": f"{provider.url}/v1"})
        project = make.project(company, name="Site")
        issue = make.issue(company, assignee_agent=dev, project=project)
        mind = Mind(issue.identifier, last_act)
        provider.answers = [mind]
        dead = dev.runs.get()
        first = Worker(**address)
        try:
            assert mind.is_stuck.wait(60)
        finally:
            first.kill()
            mind.is_killed.set()
        again = lost_and_queued(dead)
        with worker(**address):
            again = ended(again, timeout=60)
    assert again.status == "succeeded"
    told = mind.prompts[1]
    if last_act == "commit":
        assert "Work found in your clone: 1 commit not handed over: " in told
        assert "Add parser" in told
    else:
        assert f"Work found: branch {issue.identifier} of {issue.identifier}" in told
        assert f"(by {dev}, run ended: process lost)" in told
    clone = workspaces.of(dev) / issue.identifier
    assert git(clone, "log", "--format=%s", "-1") == "Add parser"
    assert git(clone, "rev-list", "--count", "HEAD", "^origin/main") == "1"
    branch = WorkProduct.objects.get(issue=issue, type="branch")
    assert branch.created_by_run_id == (again if last_act == "commit" else dead).pk
    assert [one.body for one in issue.comments.all()] == ["The parser is there."]
    assert Session.objects.get().session_id == again.session_id_after


def lost_and_queued(dead: Run) -> Run:
    """The run that takes over, once the sweep has seen what happened."""

    def look() -> Any:
        sweep.sweep()
        sweep.reap()
        return Run.objects.filter(retry_of=dead).first()

    again: Run = eventually(look)
    return again


# --- what is told ----------------------------------------------------------------


def test_what_the_dead_left_is_told_until_one_goes_well(company: Any) -> None:
    dev = make.agent(company, name="Dev")
    issue = make.issue(company, assignee_agent=dev, status="backlog")
    dead, _ = make.live_run(dev, issue)
    as_dev = Actor.of_agent(dev, dead)
    issue.check_out(dev, dead, ["backlog"], by=as_dev)
    issue.comment("Half way.", by=as_dev)
    Issue.objects.file(company, by=as_dev, title="Part\nof it", parent=issue)
    dead.cancel(by=SYSTEM, why="a test")
    next_one, token = make.live_run(dev, issue)
    part = Issue.objects.get(parent=issue)
    lines = [
        f"Work found: comment on {issue.identifier} written"
        " (by Dev, run ended: cancelled)",
        f"Work found: issue {part.identifier} filed: Part of it"
        " (by Dev, run ended: cancelled)",
    ]
    assert environment(next_one, token)["PAPERCLIP_WORK_FOUND"].split("\n") == lines
    next_one.finish("succeeded")
    third, token = make.live_run(dev, issue)
    assert "PAPERCLIP_WORK_FOUND" not in environment(third, token)


def test_nothing_is_told_of_a_run_that_left_nothing(company: Any) -> None:
    dev = make.agent(company)
    issue = make.issue(company, assignee_agent=dev, status="backlog")
    dead, _ = make.live_run(dev, issue)
    dead.cancel(by=SYSTEM, why="a test")
    next_one, _ = make.live_run(dev, issue)
    assert found.left_by_the_dead(next_one) == []


def test_a_session_goes_on_after_a_restart_of_the_worker(
    company: Any, address: dict[str, str]
) -> None:
    with model(uses("inbox"), says("I looked.")) as provider:
        dev = stage.agent(company, config={"apiBase": f"{provider.url}/v1"})
        issue = make.issue(company, assignee_agent=dev, status="backlog")
        with worker(**address):
            first = ended(make.queued_run(dev, issue), timeout=60)
        with worker(**address):
            second = ended(make.queued_run(dev, issue), timeout=60)
    assert first.session_id_after == second.session_id_before is not None
    roles = [message["role"] for message in provider.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
