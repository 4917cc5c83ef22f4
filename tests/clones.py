"""A clone as an agent has one: real git, and bundles over the API."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from rest_framework.test import APIClient

from agents.models import Agent
from issues.models import Issue
from tests import make

BUNDLE = "application/x-git-bundle"
ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Dev",
    "GIT_AUTHOR_EMAIL": "dev@example.com",
    "GIT_COMMITTER_NAME": "Dev",
    "GIT_COMMITTER_EMAIL": "dev@example.com",
}


def git(at: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(at), *args], env=ENV, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Clone:
    """One agent's clone of an issue's project, on the issue's branch."""

    def __init__(self, place: Path, client: APIClient, issue: Issue) -> None:
        self.place, self.client, self.issue = place, client, issue
        found = client.get(f"/api/issues/{issue.pk}").json()
        self.space: dict[str, Any] = found["currentExecutionWorkspace"]
        place.mkdir(parents=True)
        git(place, "init", "-q")
        assert self.fetch() == 200
        self.git("checkout", "-q", "-b", self.branch, self.base)

    @property
    def branch(self) -> str:
        return str(self.space["branchName"])

    @property
    def base(self) -> str:
        return f"origin/{self.space['baseRef']}"

    def git(self, *args: str) -> str:
        return git(self.place, *args)

    def fetch(self, *have: str) -> int:
        """Get what is new; the status of the answer."""
        url = self.space["repositoryUrl"]
        answer = self.client.get(url, {"have": ",".join(have)} if have else {})
        if answer.status_code == 200:
            file = self.place.with_suffix(".bundle")
            file.write_bytes(b"".join(answer.streaming_content))
            heads = "+refs/heads/*:refs/remotes/origin/*"
            self.git("fetch", "-q", str(file), heads)
        return int(answer.status_code)

    def tips(self) -> list[str]:
        form = "--format=%(objectname)"
        return self.git("for-each-ref", form, "refs/remotes/origin").splitlines()

    def write(self, name: str, text: str) -> str:
        """Commit a file; the commit."""
        file = self.place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Write {name}")
        return self.git("rev-parse", "HEAD")

    def bundle(self, *spec: str) -> bytes:
        file = self.place.with_suffix(".up")
        self.git("bundle", "create", str(file), *(spec or (self.branch,)))
        return file.read_bytes()

    def upload(self, *spec: str) -> Any:
        """Hand the branch over, with its history since the base."""
        data = self.bundle(*(spec or (f"{self.base}..{self.branch}",)))
        return self.send(data)

    def send(self, data: bytes) -> Any:
        url = self.space["branchUrl"]
        return self.client.generic("POST", url, data, content_type=BUNDLE)


def clone(place: Path, issue: Issue, agent: Agent | None = None) -> Clone:
    """The clone of an agent that works on the issue, in a live run that holds it."""
    agent = agent or issue.assignee_agent
    assert agent is not None
    actor = make.working(agent, issue)
    issue.check_out(agent, actor.run, ["todo"], by=actor)
    return Clone(place, make.client_of(agent, run=actor.run), issue)
