"""What tests of claims stand on: a project with tests of its own, an agent that hands
work over, and checks carried out here and now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agents.models import Agent, Run
from issues import checking, repositories
from issues.models import Check, Claim, Issue, Project
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.clones import Clone, clone

UNITTEST = ["python3", "-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."]
TEST = """import unittest

import tool


class Tests(unittest.TestCase):
    def test_it_adds(self):
        self.assertEqual(tool.add(2, 3), 5)
"""
RIGHT = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"


def suite(company: Any, **fields: Any) -> Check:
    settings = {
        "command": UNITTEST,
        "own_files": ["tests"],
        "expects": "OK",
        "seconds": 60,
    }
    values = {"type": "command", "title": "The tests pass", "settings": settings}
    return Check.objects.define(company, by=SYSTEM, key="tests", **values | fields)


def project(company: Any, place: Path) -> Project:
    """A project whose default branch has a test and not yet what it tests."""
    made = make.project(company)
    issue = make.issue(
        company, project=made, assignee_agent=make.agent(company), title="Begin"
    )
    work = clone(place, issue)
    work.write("tests/__init__.py", "")
    work.write("tests/test_tool.py", TEST)
    assert work.upload().status_code == 201
    assert repositories.merge(work.issue, by=SYSTEM).commit is not None
    issue.change(by=SYSTEM, status="done")
    return made


def worked_on(issue: Issue, place: Path, **files: str) -> tuple[Clone, Actor]:
    """A clone in which the issue's agent has written these files (`tool_py` is tool.py)
    and which it has handed over; and the agent, in its live run."""
    work = clone(place, issue)
    for name, text in files.items():
        work.write(name.replace("__", "/").replace("_py", ".py"), text)
    if files:
        assert work.upload().status_code == 201
    issue.refresh_from_db()
    assert issue.assignee_agent is not None
    return work, Actor.of_agent(issue.assignee_agent, issue.live_holder())


def claimed(issue: Issue, by: Actor, **fields: Any) -> Claim:
    """The agent says that it is done; its claim."""
    issue.change(by=by, status="done", comment="Done.", **fields)
    issue.refresh_from_db()
    return issue.claims.first()


def ended(by: Actor) -> None:
    assert by.run is not None
    by.run.finish(Run.Status.SUCCEEDED)


def checked(issue: Issue) -> Claim:
    """The claim after its check."""
    checking.check_on()
    issue.refresh_from_db()
    claim = issue.claims.first()
    assert claim is not None
    return claim


def dev(company: Any = None, **fields: Any) -> Agent:
    return make.agent(company, name="Dev", role="engineer", **fields)
