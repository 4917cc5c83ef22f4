"""T-06: what a program's next run goes on with, and what it does not."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import workspaces
from agents.adapters.report import report_in
from agents.models import Agent, Run, Session
from agents.models.session import digest_of
from agents.sessions import Thread
from issues.models import Issue
from paperclip import processes
from paperclip.actors import SYSTEM
from tests import make
from tests.workers import ended, eventually, woken, worker

pytestmark = pytest.mark.django_db(transaction=True)
CLI = str(Path(__file__).parent / "cli.py")
SHAPES = ["error json", "exit 42", "unparseable", "empty", "stderr"]


@pytest.fixture(scope="module", autouse=True)
def _worker(django_db_setup: None, live_server: Any) -> Iterator[None]:
    address = live_server.url
    with worker(PAPERCLIP_API_URL=address, PAPERCLIP_PROGRESS_LIMIT="99"):
        yield


@pytest.fixture
def company() -> Iterator[Any]:
    yield make.company()
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")
    eventually(lambda: not processes.live_runs())


def hired(company: Any, shape: str = "", **config: Any) -> Agent:
    env = {"SHAPE": shape, **config.pop("env", {})}
    made = {
        "command": sys.executable,
        "args": [CLI],
        "resumeArgs": ["--resume", "{sessionId}"],
        "env": env,
    }
    return make.agent(company, adapter_config={**made, **config})


def issue_of(agent: Agent) -> Issue:
    """One that nothing else wakes it for."""
    return make.issue(agent.company, assignee_agent=agent, status="backlog")


def run_of(agent: Agent, issue: Issue | None) -> Run:
    run: Run = ended(woken(agent, issue), timeout=60)
    return run


def calls_of(agent: Agent, run: Run | None = None) -> list[dict[str, Any]]:
    """How the program was started, in this run or in all."""
    text = (workspaces.of(agent) / "cli" / "calls").read_text()
    calls = [json.loads(line) for line in text.splitlines()]
    return [one for one in calls if run is None or one["RUN_ID"] == str(run.pk)]


def session_events(run: Run) -> list[str]:
    events = run.events.filter(event_type="session")
    return list(events.values_list("message", flat=True))


def test_a_session_is_resumed_while_nothing_changes(company: Any) -> None:
    """T-06d."""
    agent = hired(company)
    issue = issue_of(agent)
    first, second, third = (run_of(agent, issue) for _ in range(3))
    session = Session.objects.get()
    assert first.session_id_before is None
    ids = [first.session_id_after, second.session_id_before, second.session_id_after]
    assert ids == [session.session_id] * 3
    assert third.session_id_before == session.session_id
    assert [one["resumes"] for one in calls_of(agent)] == [None, *[ids[0]] * 2]
    assert [one["SESSION_ID"] for one in calls_of(agent)] == [None, *[ids[0]] * 2]
    assert (session.runs, session.context_tokens, session.growth) == (3, 60_000, 20_000)
    assert session.last_run == third
    assert third.usage == {
        "inputTokens": 5_000,
        "cachedInputTokens": 55_000,
        "outputTokens": 10,
        "contextTokens": 60_000,
    }
    assert third.result["result"] == "This was turn 3."
    reuse = Session.objects.reuse(agent)
    assert (reuse.resumed, reuse.could, reuse.percent) == (2, 2, 100)
    assert not reuse.is_low


def test_another_issue_has_another_session(company: Any) -> None:
    agent = hired(company)
    one, two = issue_of(agent), issue_of(agent)
    runs = [run_of(agent, issue) for issue in (one, two, one)]
    assert runs[1].session_id_before is None
    assert runs[2].session_id_before == runs[0].session_id_after
    assert Session.objects.count() == 2


def test_a_run_about_nothing_begins_afresh(company: Any) -> None:
    agent = hired(company)
    runs = [run_of(agent, None) for _ in range(2)]
    assert {run.session_id_before for run in runs} == {None}
    assert not Session.objects.exists()


def test_a_session_ends_before_its_ceiling(company: Any) -> None:
    """T-06a: 20,000 tokens more a run, whatever the program claims of its own care."""
    agent = hired(company, sessionTokens=100_000)
    issue = issue_of(agent)
    runs = [run_of(agent, issue) for _ in range(6)]
    contexts = [run.usage["contextTokens"] for run in runs if run.usage]
    assert contexts == [20_000, 40_000, 60_000, 80_000, 20_000, 40_000]
    fresh = calls_of(agent, runs[4])[0]
    assert fresh["resumes"] is fresh["SESSION_ID"] is None
    text = fresh["HAND_OVER"]
    assert text.startswith("<<< hand-over of your earlier conversation (")
    assert f"session {runs[3].session_id_after}, runs: 4" in text
    assert "It had 80,000 tokens" in text and "This was turn 4." in text
    assert "80,000 tokens" in session_events(runs[4])[0]
    session = Session.objects.get()
    assert session.session_id == runs[4].session_id_after and session.runs == 2
    assert "This was turn 4." in session.hand_over
    assert calls_of(agent, runs[5])[0]["HAND_OVER"] is None


@pytest.mark.parametrize(
    ("limit", "said"),
    [({"maxSessionRuns": 1}, "It took 1 runs"), ({"maxSessionAgeHours": 1}, "1 hours")],
)
def test_a_session_ends_after_so_many_runs_or_hours(
    company: Any, limit: dict[str, int], said: str
) -> None:
    agent = hired(company, **limit)
    issue = issue_of(agent)
    run_of(agent, issue)
    long_ago = Session.objects.get().started_at.replace(year=2020)
    Session.objects.update(started_at=long_ago)
    second = run_of(agent, issue)
    assert second.session_id_before is None and said in session_events(second)[0]


def changes(agent: Agent) -> dict[str, dict[str, Any]]:
    config = dict(agent.adapter_config)
    return {
        "instructions": {"instructions": "Work slowly."},
        "arguments": {"adapter_config": {**config, "args": [CLI, "-v"]}},
    }


@pytest.mark.parametrize("what", ["instructions", "arguments"])
def test_another_configuration_begins_afresh(company: Any, what: str) -> None:
    agent = hired(company)
    issue = issue_of(agent)
    first = run_of(agent, issue)
    agent.change(by=SYSTEM, **changes(agent)[what])
    second, third = run_of(agent, issue), run_of(agent, issue)
    assert second.session_id_before is None
    assert second.session_id_after != first.session_id_after
    assert third.session_id_before == second.session_id_after
    assert "configuration" in session_events(second)[0]


def test_a_longer_time_limit_is_no_other_configuration(company: Any) -> None:
    agent = hired(company)
    issue = issue_of(agent)
    run_of(agent, issue)
    agent.change(
        by=SYSTEM,
        adapter_config={**agent.adapter_config, "timeoutSec": 60, "maxSessionRuns": 9},
    )
    assert run_of(agent, issue).session_id_before is not None


def forget(agent: Agent) -> None:
    """The program loses its sessions."""
    for file in (workspaces.of(agent) / "cli").iterdir():
        if file.name != "calls":
            file.unlink()


@pytest.mark.parametrize("shape", SHAPES)
def test_an_unknown_session_is_tried_once_and_begun_anew(
    company: Any, shape: str
) -> None:
    """T-06b."""
    agent = hired(company, shape)
    issue = issue_of(agent)
    first = run_of(agent, issue)
    forget(agent)
    second = run_of(agent, issue)
    assert (second.status, second.exit_code) == ("succeeded", 0)
    resumed, fresh = calls_of(agent, second)
    assert (resumed["resumes"], fresh["resumes"]) == (first.session_id_after, None)
    assert "could not be found" in fresh["HAND_OVER"]
    assert second.session_id_before is None
    assert second.session_id_after not in (None, first.session_id_after)
    assert Session.objects.get().session_id == second.session_id_after
    assert any("unknown" in said for said in session_events(second))
    log = second.log_file.read_bytes()
    assert second.log_bytes == len(log)
    assert second.log_sha256 == hashlib.sha256(log).hexdigest()
    assert [json.loads(line)["seq"] for line in log.splitlines()] == list(
        range(1, log.count(b"\n") + 1)
    )
    assert Session.objects.reuse(agent).percent == 0


def test_a_session_is_kept_when_nothing_works(company: Any) -> None:
    """One fresh try, no more; and what failed twice is not tried a third time."""
    agent = hired(company)
    issue = issue_of(agent)
    first = run_of(agent, issue)
    forget(agent)
    config = {**agent.adapter_config, "env": {"SHAPE": "dead"}}
    Agent.objects.filter(pk=agent.pk).update(adapter_config=config)
    agent.refresh_from_db()
    Session.objects.update(digest=digest_of(agent))
    run = run_of(agent, issue)
    assert (run.status, run.exit_code, run.session_id_after) == ("failed", 42, None)
    assert [one["resumes"] for one in calls_of(agent, run)] == [
        first.session_id_after,
        None,
    ]
    session = Session.objects.get()
    assert session.session_id == first.session_id_after
    assert (session.last_error, session.last_run) == (run.error, run)
    assert session.runs == 1


def test_a_run_that_did_something_is_not_started_again(company: Any) -> None:
    agent = hired(company, env={"COMMENT": "1"})
    issue = issue_of(agent)
    first = run_of(agent, issue)
    forget(agent)
    second = run_of(agent, issue)
    assert (second.status, second.exit_code) == ("failed", 42)
    assert len(calls_of(agent, second)) == 1
    assert issue.comments.count() == 1
    assert second.session_id_before == first.session_id_after


def test_an_error_that_a_program_reports_is_a_failure(company: Any) -> None:
    script = """echo '{"is_error": true, "result": "No credit.", "session_id": "a1"}'"""
    agent = make.agent(
        company, adapter_config={"command": "sh", "args": ["-c", script]}
    )
    run = run_of(agent, issue_of(agent))
    assert (run.status, run.error) == ("failed", "No credit.")
    assert run.session_id_after is None and not Session.objects.exists()


def test_what_fails_twice_with_a_session_begins_afresh(company: Any) -> None:
    agent = hired(company)
    issue = issue_of(agent)
    first = run_of(agent, issue)
    session = Session.objects.get()
    for _ in range(2):
        Run.objects.create(
            company=company,
            agent=agent,
            issue_id=issue.pk,
            status="failed",
            session_id_before=session.session_id,
        )
    third = run_of(agent, issue)
    assert third.session_id_before is None
    assert third.session_id_after != first.session_id_after
    assert "failed in a row" in session_events(third)[0]
    assert run_of(agent, issue).session_id_before == third.session_id_after


def test_what_is_reset_while_it_runs_stays_reset(company: Any) -> None:
    agent = hired(company)
    issue = issue_of(agent)
    run_of(agent, issue)
    session = Session.objects.get()
    thread = Thread(session.session_id, "", session.digest, session.adapter_type)
    run = run_of(agent, issue)
    Session.objects.get().reset(by=SYSTEM)
    Session.objects.keep(run, thread)
    assert not Session.objects.exists()


# --- what programs print ---------------------------------------------------------

USAGE = {"input_tokens": 10, "cache_read_input_tokens": 90, "output_tokens": 5}


def test_a_report_is_read_from_one_line_many_lines_or_a_stream() -> None:
    said = {"session_id": "s-1", "is_error": False, "result": "Hi", "usage": USAGE}
    call = {"type": "assistant", "message": {"usage": USAGE}}
    for printed in (
        f"working\n{json.dumps(said)}\n",
        f"working\n{json.dumps(said, indent=2)}",
        f"{json.dumps(call)}\n{json.dumps(said)}\n{json.dumps({'type': 'end'})}",
    ):
        report = report_in(printed)
        assert (report.session_id, report.text, report.is_good) == ("s-1", "Hi", True)
        assert report.usage and report.usage["contextTokens"] == 100
    assert report_in('{"sessionId": "s-2"}').session_id == "s-2"


def test_a_sum_over_many_calls_is_not_taken_for_the_context() -> None:
    many = {"input_tokens": 1_000, "cache_read_input_tokens": 99_000}
    report = report_in(json.dumps({"usage": many, "num_turns": 10}))
    assert report.usage and report.usage["contextTokens"] == 10_000
    call = {"message": {"usage": {"input_tokens": 12_345}}}
    stream = f"{json.dumps(call)}\n{json.dumps({'usage': many, 'num_turns': 10})}"
    report = report_in(stream)
    assert report.usage and report.usage["contextTokens"] == 12_345


@pytest.mark.parametrize(
    "name", ["--dangerous", "", "a b", "x" * 129, 7, None, "a\n", "é"]
)
def test_a_session_id_cannot_pass_for_an_option(name: Any) -> None:
    assert report_in(json.dumps({"session_id": name})).session_id is None


def test_other_json_is_no_report() -> None:
    for printed in ("", "{", "[]", '{"result": "x"}', "null", '"session_id"'):
        assert report_in(printed).said == {}
