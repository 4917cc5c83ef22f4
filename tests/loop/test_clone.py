"""Work on a repository: the clone, the hand-over, and the way through the review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents import sandbox, workspaces
from agents.models import Agent
from issues import repositories
from issues.models import Issue
from tests import make
from tests.loop import stage
from tests.loop.model import calls, says
from tests.loop.test_tools import done

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def qa(dev: Agent) -> Agent:
    tools = ["shell", "checkout", "read_issue", "approve", "request_changes"]
    reviewer = stage.agent(dev.company, name="QA", tools=tools)
    dev.reviewer = reviewer
    dev.save()
    return reviewer


def test_a_branch_goes_through_review_and_is_merged(
    dev: Agent, qa: Agent, issue: Issue
) -> None:
    name = issue.identifier
    answers = done(
        dev,
        issue,
        ("checkout", {"issue": name}),
        ("write_file", {"path": f"{name}/site/index.html", "content": "<h1>Hi</h1>"}),
        ("request_review", {"issue": name, "comment": "Made the page."}),
    )
    assert answers[2]["status"] == "in_review" and answers[2]["assignee"] == "QA"
    answers = done(
        qa,
        issue,
        ("checkout", {"issue": name}),
        ("shell", {"command": f"cat {name}/site/index.html; git -C {name} log -1"}),
        ("request_changes", {"issue": name, "comment": "No title: grep found none."}),
    )
    assert "<h1>Hi</h1>" in answers[1] and "Author: Dev" in answers[1]
    fix = Issue.objects.get(origin_kind="review_fix")
    assert fix.assignee_agent == dev
    answers = done(
        dev,
        fix,
        ("checkout", {"issue": fix.identifier}),
        (
            "write_file",
            {"path": f"{fix.identifier}/site/index.html", "content": "<title>Hi"},
        ),
        ("request_review", {"issue": fix.identifier, "comment": "Added."}),
    )
    assert f"on branch {name}" in answers[0]["workspace"]
    answers = done(
        qa,
        issue,
        ("checkout", {"issue": name}),
        ("shell", {"command": f"cat {name}/site/index.html"}),
        ("approve", {"issue": name, "comment": "The title is there."}),
    )
    assert answers[1] == "exit code: 0\n<title>Hi"
    issue.refresh_from_db()
    assert issue.status == "done"
    merged = repositories.of(issue.project).read("main", "site/index.html")
    assert merged == b"<title>Hi"


def test_what_was_not_handed_over_is_still_there(dev: Agent, issue: Issue) -> None:
    name = issue.identifier
    done(dev, issue, ("write_file", {"path": f"{name}/draft.txt", "content": "half"}))
    answers = done(
        dev,
        issue,
        ("read_file", {"path": f"{name}/draft.txt"}),
        ("hand_over", {"issue": name, "message": "A draft"}),
        ("hand_over", {"issue": name, "message": "Again"}),
    )
    assert answers[0] == "half"
    assert answers[1]["metadata"]["files"] == ["draft.txt"]
    assert "nothing new" in answers[2]


def test_a_reviewers_own_files_do_not_stop_the_next_look(
    dev: Agent, qa: Agent, issue: Issue
) -> None:
    name = issue.identifier

    def hand_over(content: str) -> None:
        file = {"path": f"{name}/a.txt", "content": content}
        again = {"issue": name, "message": content}
        done(dev, issue, ("write_file", file), ("hand_over", again))

    hand_over("one")
    change = f"cd {name} && cat a.txt && echo mine > a.txt && echo new > test.txt"
    assert done(qa, issue, ("shell", {"command": change})) == ["exit code: 0\none"]
    hand_over("two")
    played = stage.play(
        qa,
        issue,
        calls(("shell", {"command": f"cd {name} && cat a.txt && git stash list"})),
        says("Seen."),
    )
    assert "git stash" in played.of("prompt")[0]["text"]
    assert played.results[0].startswith("exit code: 0\ntwostash@{0}")


def test_an_issue_without_a_project_has_no_clone(dev: Agent) -> None:
    alone = make.issue(dev.company, assignee_agent=dev)
    name = alone.identifier
    answers = done(
        dev,
        alone,
        ("checkout", {"issue": name}),
        ("hand_over", {"issue": name, "message": "x"}),
        ("request_review", {"issue": name, "comment": "Thought about it."}),
    )
    assert "workspace" not in answers[0] and "no project" in answers[1]
    assert answers[2]["status"] == "done"
    assert [file.name for file in workspaces.of(dev).iterdir()] == [".sessions"]


def test_leaving_the_branch_is_noticed(dev: Agent, issue: Issue) -> None:
    name = issue.identifier
    answers: list[Any] = done(
        dev,
        issue,
        ("shell", {"command": f"git -C {name} checkout -q -b elsewhere"}),
        ("hand_over", {"issue": name, "message": "x"}),
    )
    assert "You left the branch" in answers[1]


# --- git starts nothing that an agent wrote --------------------------------------


@pytest.fixture
def no_walls(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = sandbox.State(False, "", "There is no bwrap.")
    monkeypatch.setattr(sandbox, "state", lambda: nothing)


def evil(mark: Path) -> str:
    """Settings, each of which makes git run a command."""
    command = f"touch {mark}; cat"
    return (
        f'[core]\n\tfsmonitor = "{command}"\n\thooksPath = hooks\n'
        f'[filter "run"]\n\tclean = "{command}"\n\tsmudge = "{command}"\n'
    )


def worked_on(dev: Agent, issue: Issue, mark: Path) -> list[Any]:
    name = issue.identifier
    hook = {"content": f"#!/bin/sh\ntouch {mark}\n"}
    return done(
        dev,
        issue,
        ("checkout", {"issue": name}),
        ("write_file", {"path": f"{name}/.gitattributes", "content": "* filter=run"}),
        ("write_file", {"path": f"{name}/a.txt", "content": "a"}),
        ("write_file", {"path": ".gitconfig", "content": evil(mark)}),
        ("write_file", {"path": ".config/git/config", "content": evil(mark)}),
        ("write_file", {"path": f"{name}/.git/config", "content": evil(mark)}),
        ("write_file", {"path": f"{name}/.GIT/hooks/pre-commit", **hook}),
        ("edit_file", {"path": f"{name}/.git/HEAD", "old": "ref:", "new": ""}),
        ("hand_over", {"issue": name, "message": "Work"}),
    )


@pytest.mark.parametrize("tools", [["shell"], []])
@pytest.mark.usefixtures("no_walls")
def test_without_walls_git_runs_nothing(
    dev: Agent, issue: Issue, tmp_path: Path, tools: list[str]
) -> None:
    dev.tools = [*tools, "write_file", "edit_file", "checkout", "hand_over"]
    dev.save()
    mark = tmp_path / "ran"
    answers = worked_on(dev, issue, mark)
    assert all("git's own" in answers[n] for n in (3, 5, 6, 7))
    assert answers[8]["metadata"]["files"] == [".gitattributes", "a.txt"]
    assert not mark.exists()


@pytest.mark.usefixtures("no_walls")
def test_settings_from_better_times_are_not_obeyed(
    dev: Agent, issue: Issue, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    worked_on(dev, issue, mark)
    # As a command in a sandbox could have left it.
    clone = workspaces.of(dev) / issue.identifier
    (clone / ".git" / "config").write_text(evil(mark))
    (clone / ".git" / "info" / "attributes").parent.mkdir(exist_ok=True)
    (clone / ".git" / "info" / "attributes").write_text("* filter=run")
    (workspaces.of(dev) / ".gitconfig").write_text(evil(mark))
    (clone / "b.txt").write_text("b")
    hand_over = ("hand_over", {"issue": issue.identifier, "message": "More"})
    assert "b.txt" in done(dev, issue, hand_over)[0]["metadata"]["files"]
    assert not mark.exists()


def test_behind_walls_git_runs_nothing_for_one_without_a_shell(
    dev: Agent, issue: Issue
) -> None:
    dev.tools = ["write_file", "edit_file", "checkout", "hand_over"]
    dev.save()
    mark = workspaces.of(dev) / "ran"
    assert worked_on(dev, issue, mark)[8]["metadata"]["files"]
    assert not mark.exists()


@pytest.mark.usefixtures("no_walls")
def test_a_clone_is_not_followed_out_of_the_workspace(
    dev: Agent, issue: Issue, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (workspaces.of(dev) / issue.identifier).symlink_to(tmp_path)
    played = stage.play(dev, issue, says("Seen."))
    assert "outside of your workspace" in played.of("prompt")[0]["text"]
    assert not (tmp_path / ".git").exists()
