"""The nine steps of a heartbeat: what agents are taught, and that it can be done by the
built-in loop and by any program."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import tiktoken

from agents.adapters.base import Context
from agents.adapters.process import Process
from agents.loop.tools import TOOL_NAMES
from agents.models import Agent
from agents.skills import HEARTBEAT
from issues.heartbeat import Lease, environment
from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.models import Activity
from tests import make
from tests.loop import stage
from tests.loop.model import calls, says, uses

PROGRAM = Path(__file__).with_name("nine_steps.py")


def test_it_is_shorter_than_2500_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    # LiteLLM brings the table of the tokenizer; importing LiteLLM takes seconds.
    spec = importlib.util.find_spec("litellm")
    assert spec is not None and spec.submodule_search_locations
    place = Path(spec.submodule_search_locations[0], "litellm_core_utils", "tokenizers")
    monkeypatch.setitem(os.environ, "TIKTOKEN_CACHE_DIR", str(place))
    tokens = tiktoken.get_encoding("cl100k_base").encode(HEARTBEAT.read_text())
    assert 500 < len(tokens) < 2500


def test_it_names_tools_that_there_are() -> None:
    text = HEARTBEAT.read_text()
    named = {
        name
        for listed in re.findall(r"tools? ((?:`\w+`(?:, | and )?)+)", text)
        for name in re.findall(r"`(\w+)`", listed)
    }
    assert len(named) > 5 and named <= set(TOOL_NAMES)
    assert len(re.findall(r"^\d\. \*\*", text, re.M)) == 9


@pytest.mark.django_db
def test_it_is_served_as_markdown() -> None:
    answer = make.client_of(make.agent()).get("/api/skills/heartbeat")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer.content.decode() == HEARTBEAT.read_text()
    assert make.client().get("/api/skills/heartbeat").status_code == 401


# --- done by two kinds of agents -------------------------------------------------


@pytest.fixture
def desk(company: Any) -> Any:
    """What a worker finds: one issue that is its own, blocked, and one to do, with a
    thread; and one of somebody else."""

    def fill(worker: Agent) -> Issue:
        goal = make.goal(company, status="active")
        issue = make.issue(company, title="Write", assignee_agent=worker, goal=goal)
        boss = make.by(make.operator(company))
        for text in ("Old news.", "Use capitals."):
            issue.comment(text, by=boss)
        blocked = make.issue(company, title="Wait", assignee_agent=worker)
        blocked.change(by=SYSTEM, status="blocked", blocked_by=[make.issue(company)])
        make.issue(company, title="Theirs", assignee_agent=make.agent(company))
        worker.runs.open().cancel(by=SYSTEM, why="a test starts its own")
        return issue

    return fill


def must_have_done_it(issue: Issue, run: Any) -> None:
    """Taken, delegated and reported: by that run, in that order. It stays open until
    its part is closed."""
    issue.refresh_from_db()
    assert (issue.status, issue.checkout_run_id) == ("in_progress", run.pk)
    child = issue.children.get()
    assert child.goal == issue.goal and child.origin_run_id == run.pk
    said = issue.comments.filter(author_agent=run.agent)
    assert [one.body for one in said] == ["Wrote result.txt and read it again."]
    rows = Activity.objects.filter(run_id=run.pk, entity_type="issue")
    assert list(rows.order_by("seq").values_list("action", flat=True)) == [
        "issue.checked_out",
        "issue.created",
        "issue.comment_added",
        "issue.updated",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_program_goes_the_nine_steps(company: Any, desk: Any) -> None:
    worker = make.agent(
        company, adapter_config={"command": sys.executable, "args": [str(PROGRAM)]}
    )
    issue = desk(worker)
    run, token = make.live_run(worker)
    outcome = Process().execute(Context(run, environment(run, token), Lease(run).hold))
    printed = outcome.columns["stdout_excerpt"]
    assert outcome.status == "succeeded", outcome.columns
    assert "6 context Write ['Use capitals.']" in printed
    assert "7 work WRITE" in printed
    must_have_done_it(issue, run)


@pytest.mark.django_db(transaction=True)
def test_the_built_in_loop_goes_the_nine_steps(company: Any, desk: Any) -> None:
    worker = stage.agent(company)
    issue = desk(worker)
    name = issue.identifier
    played = stage.play(
        worker,
        None,
        uses("inbox"),
        uses("checkout", issue=name),
        uses("read_issue", issue=name),
        calls(
            ("write_file", {"path": "result.txt", "content": "WRITE"}),
            ("read_file", {"path": "result.txt"}),
        ),
        uses("create_subtask", title="Proofread it", description="All of it."),
        uses("request_review", issue=name, comment="Wrote result.txt."),
        uses(
            "update_issue",
            issue=name,
            status="in_progress",
            comment="Wrote result.txt and read it again.",
        ),
        says("Done."),
    )
    assert played.outcome.status == "succeeded"
    assert '"status":"blocked"' in played.results[0] and name in played.results[0]
    assert "Use capitals." in played.results[2] and played.results[4] == "WRITE"
    assert "has open parts" in played.results[6]
    must_have_done_it(issue, played.run)
