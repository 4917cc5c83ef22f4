"""Where an agent sits during one run: its directory, its issue, and the line to the
control plane. Every tool is handed this."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.loop.api import Api
from agents.loop.clone import Clone
from agents.loop.errors import ToolError


@dataclass
class Desk:
    api: Api
    agent: dict[str, Any]
    root: Path  # the agent's workspace
    deadline: float  # of the run, on the monotonic clock
    may_shell: bool = True
    issue: dict[str, Any] | None = None
    clone: Clone | None = None
    cwd: Path = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        self.cwd = self.root

    @property
    def seconds_left(self) -> float:
        return max(1.0, self.deadline - time.monotonic())

    @property
    def environment(self) -> dict[str, str]:
        """What commands see: there is no secret in it."""
        return {**os.environ, **identity(self.agent), "PWD": str(self.cwd)}

    def place(self, path: str) -> Path:
        """The path if it is inside the workspace, also after following links."""
        found = (self.cwd / path).resolve()
        if not found.is_relative_to(self.root):
            raise ToolError(f"{path!r} is outside of your workspace.")
        return found

    def named(self, path: Path) -> str:
        """A path as the model knows it: from where it works."""
        base = self.cwd if path.is_relative_to(self.cwd) else self.root
        return str(path.relative_to(base))

    def take_up(self, issue: dict[str, Any]) -> str:
        """Work on this issue from now on. Says what the working directory is: the
        clone of its project's repository, when it has one."""
        self.issue = issue
        space = issue.get("currentExecutionWorkspace")
        if not space:
            self.clone, self.cwd = None, self.root
            return ""
        if self.clone and self.clone.branch == space["branchName"]:
            return self.clone.described(issue)
        clone = Clone(self.root / space["branchName"], space, self.environment)
        try:
            clone.prepare(self.api)
        except ToolError as error:
            self.clone, self.cwd = None, self.root
            return f"no clone of the project's repository: {error}"
        self.clone, self.cwd = clone, clone.path
        return clone.described(issue)


def identity(agent: dict[str, Any]) -> dict[str, str]:
    """Who git says has done it."""
    mail = f"{agent['id']}@agents.paperclip.invalid"
    who: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": agent["name"], f"GIT_{role}_EMAIL": mail}
    return who
