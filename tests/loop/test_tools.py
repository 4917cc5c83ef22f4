"""The tools, each as a model uses them: through a real run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agents import sandbox, workspaces
from agents.loop.tools import DEFAULT_TOOLS, TOOL_NAMES, TOOLS
from agents.loop.tools.base import cut
from agents.models import Agent, EffectPolicy
from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid
from tests import make
from tests.loop import stage
from tests.loop.model import Refusal, calls, model, says

django = pytest.mark.django_db(transaction=True)


def done(worker: Agent, issue: Issue | None, *wanted: tuple[str, Any]) -> list[Any]:
    """What the tools answered, one after another; JSON is read."""
    played = stage.play(worker, issue, calls(*wanted), says("That is all."))
    assert played.outcome.status == "succeeded", played.outcome.columns
    return [read(text) for text in played.results]


def read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


# --- the table -------------------------------------------------------------------


@pytest.mark.parametrize("name", TOOL_NAMES)
def test_each_tool_takes_what_it_says(name: str) -> None:
    tool = TOOLS[name]
    code = tool.function.__code__
    accepted = set(code.co_varnames[1 : code.co_argcount])
    takes_more = bool(code.co_flags & 0x08)
    assert accepted <= set(tool.parameters)
    assert takes_more or accepted == set(tool.parameters)
    schema = tool.schema["function"]
    assert schema["description"] and schema["parameters"]["type"] == "object"
    assert all(one.description for one in tool.parameters.values())
    json.dumps(schema)


def test_the_default_is_to_work_and_not_to_judge() -> None:
    given = {"approve", "request_changes", "run_job"}
    assert set(TOOL_NAMES) - set(DEFAULT_TOOLS) == given


def test_a_text_is_cut_in_its_middle() -> None:
    assert cut("short") == "short"
    text = cut("a" * 20_000 + "z" * 20_000)
    assert text.startswith("aaa") and text.endswith("zzz") and len(text) < 16_100
    assert "24,000 of 40,000 characters were cut" in text


# --- files -----------------------------------------------------------------------


@django
def test_files_are_written_read_and_searched(dev: Agent) -> None:
    answers = done(
        dev,
        None,
        ("write_file", {"path": "a/b.txt", "content": "one\ntwo\nthree\n"}),
        ("read_file", {"path": "a/b.txt"}),
        ("read_file", {"path": "a/b.txt", "offset": 2, "limit": 1}),
        ("edit_file", {"path": "a/b.txt", "old": "two", "new": "2"}),
        ("edit_file", {"path": "a/b.txt", "old": "e", "new": "E"}),
        ("list_files", {}),
        ("search_files", {"pattern": "^t.*e$", "path": "a"}),
        ("search_files", {"pattern": "("}),
        ("read_file", {"path": "missing.txt"}),
    )
    assert answers[1] == "one\ntwo\nthree\n"
    assert answers[2] == "two\n\n[1 more lines: offset 3]"
    assert "3 times" in answers[4]
    assert answers[5] == "a/b.txt" and answers[6] == "a/b.txt:3: three"
    assert "no regular expression" in answers[7]
    assert answers[8] == "Error: There is no file missing.txt."
    assert (workspaces.of(dev) / "a" / "b.txt").read_text() == "one\n2\nthree\n"


@django
def test_a_name_of_a_file_need_not_be_text(dev: Agent) -> None:
    place = workspaces.of(dev)
    Path(os.fsdecode(bytes(place) + b"/caf\xe9.txt")).touch()
    half = says("\ud83d", tool_calls=calls(("list_files", {}))["tool_calls"])
    played = stage.play(dev, None, half, says("I see."))
    assert played.outcome.status == "succeeded"
    assert played.model.told() == ["caf?.txt"]
    assert played.model.requests[1]["messages"][-2]["content"] == "?"


@django
def test_no_path_leads_out_of_the_workspace(dev: Agent, tmp_path: Any) -> None:
    (tmp_path / "secret").write_text("secret")
    place = workspaces.of(dev)
    (place / "link").symlink_to(tmp_path)
    (place / "file").symlink_to(tmp_path / "secret")
    paths = ["../x", "/etc/passwd", "link/secret", "file", "a/../../x"]
    answers = done(
        dev,
        None,
        *[("read_file", {"path": path}) for path in paths],
        *[("write_file", {"path": path, "content": "x"}) for path in paths],
        ("list_files", {"path": "link"}),
        ("search_files", {"pattern": "secret"}),
    )
    assert all("outside of your workspace" in answer for answer in answers[:-1])
    assert answers[-1] == "Nothing matches."
    assert (tmp_path / "secret").read_text() == "secret"


@django
def test_a_request_shows_status_and_text(dev: Agent, api: str) -> None:
    answers = done(
        dev,
        None,
        ("http_request", {"url": f"{api}/api/companies"}),
        ("http_request", {"url": f"{api}/api/health", "method": "HEAD"}),
        ("http_request", {"url": "file:///etc/passwd"}),
        ("http_request", {"url": "http://127.0.0.1:9/"}),
    )
    # It carries no credential of the run.
    first, body = answers[0].split("\n", 1)
    assert first.startswith(f"HTTP 401 (all below was written at {api}/api/companies:")
    assert json.loads(body)["code"]
    assert answers[1] == "HTTP 200"
    assert "Only http://" in answers[2] and "does not answer" in answers[3]


@django
def test_without_walls_there_is_no_network_but_our_own(
    dev: Agent, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = sandbox.State(False, "", "There is no bwrap.")
    monkeypatch.setattr(sandbox, "state", lambda: nothing)
    elsewhere: list[str] = []

    def away(asked: dict[str, Any]) -> Refusal:
        elsewhere.append("asked")
        return Refusal(200)

    with model(away) as other:
        asked = [
            ("http_request", {"url": f"{other.url}/", "method": "POST", "body": "{}"}),
            ("http_request", {"url": f"{api}/api/companies"}),
            ("http_request", {"url": f"{api}@example.org/"}),
        ]
        answers = done(dev, None, *asked)
        assert "no network" in answers[0] and not elsewhere
        assert answers[1].startswith("HTTP 401")
        assert "no network" in answers[2]
        dev.adapter_config["network"] = "open"
        dev.tools = ["http_request"]
        dev.save()
        EffectPolicy.objects.put(dev.company, "post_to_internet", "allow", by=SYSTEM)
        assert done(dev, None, asked[0])[0].startswith("HTTP 200") and elsewhere


# --- the control plane -----------------------------------------------------------


@django
def test_an_issue_is_read_with_all_that_belongs_to_it(dev: Agent, issue: Issue) -> None:
    boss = make.operator(dev.company)
    make.issue(dev.company, parent=issue, title="Part", assignee_agent=dev)
    issue.comment("Please hurry.", by=make.by(boss))
    name = issue.identifier
    answers = done(
        dev,
        issue,
        ("checkout", {"issue": name}),
        ("comment", {"issue": name, "body": "On it."}),
        ("write_document", {"issue": name, "key": "plan", "title": "P", "body": "1"}),
        ("write_document", {"issue": name, "key": "plan", "title": "P", "body": "2"}),
        ("read_document", {"issue": name, "key": "plan"}),
        ("read_issue", {"issue": name}),
        ("inbox", {}),
    )
    assert answers[0]["status"] == "in_progress"
    assert answers[3]["revision"] == 2 and answers[4]["body"] == "2"
    shown = answers[5]
    assert shown["title"] == "Build" and shown["assignee"] == "Dev"
    assert shown["project"] == "Site"
    assert [child["title"] for child in shown["children"]] == ["Part"]
    said = [(one["author"], one["body"]) for one in shown["comments"]]
    assert said == [("a person", "Please hurry."), ("Dev", "On it.")]
    assert shown["documents"] == [{"key": "plan", "title": "P"}]
    assert {row["title"] for row in answers[6]} == {"Build", "Part"}


@django
def test_work_is_delegated_by_name(dev: Agent, issue: Issue) -> None:
    qa = make.agent(dev.company, name="QA")
    dev.permissions = {"canAssignTasks": True}
    dev.save()
    part = {"title": "Test it", "description": "Well.", "assignee": "@qa"}
    answers = done(
        dev,
        issue,
        ("create_subtask", {**part, "priority": "high"}),
        ("create_subtask", part),
        ("create_subtask", {"title": "Alone", "description": "", "parent": ""}),
        ("create_subtask", {**part, "title": "X", "assignee": "Nemo"}),
        ("update_issue", {"issue": issue.identifier, "blocked_by": ["DIG-2"]}),
        ("update_issue", {"issue": issue.identifier}),
        ("list_colleagues", {}),
        ("list_issues", {}),
        ("list_issues", {"status": "todo"}),
    )
    assert answers[0]["assignee"] == "QA" and answers[0]["priority"] == "high"
    assert answers[1]["alreadyThere"] is True
    assert "There are: Dev, QA." in answers[3]
    assert "Say what is to change" in answers[5]
    assert {row["name"] for row in answers[6]} == {"Dev", "QA"}
    told = {row["title"]: row["assignee"] for row in answers[7]}
    assert told == {issue.title: "Dev", "Test it": "QA", "Alone": "nobody"}
    assert answers[8] == [row for row in answers[7] if row["status"] == "todo"]
    child = Issue.objects.get(title="Test it")
    assert (child.parent, child.assignee_agent, child.status) == (issue, qa, "todo")
    assert child.project == issue.project
    assert Issue.objects.get(title="Alone").parent is None
    assert issue.blocked_by.get().blocker == child


@django
def test_a_question_waits_for_a_person_and_the_answer_wakes(
    dev: Agent, issue: Issue
) -> None:
    name = issue.identifier
    answers = done(
        dev,
        issue,
        ("checkout", {"issue": name}),
        ("ask_person", {"issue": name, "question": "Blue or green?"}),
    )
    assert answers[1]["status"] == "blocked"
    boss = make.by(make.operator(dev.company))
    issue.refresh_from_db()
    issue.comment("Green.", by=boss)
    waiting = dev.runs.get(status="queued")
    assert waiting.wakes[-1]["reason"] == "issue_commented"


@django
def test_a_refusal_is_told_with_its_reason(dev: Agent, issue: Issue) -> None:
    other = make.agent(dev.company)
    theirs = make.issue(dev.company, assignee_agent=other)
    answers = done(
        dev,
        issue,
        ("checkout", {"issue": theirs.identifier}),
        ("update_issue", {"issue": theirs.identifier, "status": "done"}),
        ("read_issue", {"issue": "DIG-999"}),
        ("read_issue", {"issue": "../companies"}),
    )
    assert "409" in answers[0] and "assigned_to_other" in answers[0]
    assert "403" in answers[1] and "404" in answers[2] and "404" in answers[3]


@django
def test_unknown_tools_are_refused_at_the_hiring(company: Any) -> None:
    with pytest.raises(Invalid, match="Unknown tools: telepathy"):
        stage.agent(company, tools=["shell", "telepathy"])
    assert stage.agent(company).tools == DEFAULT_TOOLS
    assert stage.agent(company, tools=[]).tools == []
