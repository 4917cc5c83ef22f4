"""Where an agent sits during one run: its directory, its issue, and the line to the
control plane. Every tool is handed this."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from agents.loop import marks, offline
from agents.loop.api import Api
from agents.loop.clone import Clone
from agents.loop.errors import ToolError
from agents.loop.fence import one_line
from agents.loop.web import Broken

GITS_OWN = {".git", ".gitconfig"}
# Where conversations are kept from run to run; no file of the agent's.
SESSIONS = ".sessions"
# Of what has to be allowed a person is shown so much; the hash stands for the rest.
SHOWN = 20_000
LONGEST_ERROR = 1000


@dataclass
class Desk:
    api: Api
    agent: dict[str, Any]
    root: Path  # the agent's workspace
    deadline: float  # of the run, on the monotonic clock
    may_shell: bool = True
    # Addresses that http_request may ask. None: the walls of the sandbox decide.
    doors: Sequence[str] | None = None
    # Paperclip's own addresses: what is there is not outside.
    near: Sequence[str] = ()
    is_open: bool = False  # whether anything else can be reached at all
    has_read_outside: bool = False
    marked: Sequence[
        marks.Span
    ] = ()  # when earlier runs here had read text of strangers
    issue: dict[str, Any] | None = None
    clones: dict[str, Clone] = field(default_factory=dict)  # by the issue's identifier

    def __post_init__(self) -> None:
        self.root = self.root.resolve()

    @property
    def seconds_left(self) -> float:
        return max(1.0, self.deadline - time.monotonic())

    def note_outside(self, source: str) -> None:
        """Say that this run reads text of strangers, before the model does. No text
        without it: what such a run may do is decided by that."""
        if not self.has_read_outside:
            self.api.post("/heartbeat-runs/me/outside", {"origin": source[:200]})
            self.has_read_outside = True

    def note_file(self, place: Path) -> None:
        """The model is shown something of this file."""
        source = marks.source_of(place, self.marked) if self.marked else ""
        if source and not self.has_read_outside:
            self.note_outside(source)

    def note_workspace(self) -> None:
        """The model is shown whatever a command makes of the files here."""
        spans = () if self.has_read_outside else self.marked
        if source := marks.source_below(self.root, spans, SESSIONS):
            self.note_outside(source)

    def must_be_allowed(
        self, effect: str, payload: dict[str, Any], summary: str
    ) -> None:
        """Ask before something leaves the building; ToolError unless it may, now."""
        issue_ids = [self.issue["id"]] if self.issue else []
        body = {"effect": effect, "payload": payload, "summary": summary[:300]}
        answer = self.api.post("/effects/authorize", {**body, "issueIds": issue_ids})
        if answer["verdict"] != "allowed":
            raise ToolError(f"Not sent: {answer['verdict']}. {answer['reason']}")

    @property
    def environment(self) -> dict[str, str]:
        """What commands see: there is no secret in it."""
        return {**os.environ, **identity(self.agent)}

    def place(self, path: str) -> Path:
        """The path if it is inside the workspace, also after following links."""
        found = (self.root / path).resolve()
        if not found.is_relative_to(self.root):
            raise ToolError(f"{path!r} is outside of your workspace.")
        return found

    def place_to_write(self, path: str) -> Path:
        """As place, but never where git keeps settings: git obeys them, and could be
        made to run anything by a tool that only writes."""
        found = self.place(path)
        names = {part.casefold() for part in found.relative_to(self.root).parts}
        if names & GITS_OWN:
            raise ToolError(f"{path!r} is git's own: it cannot be written.")
        if SESSIONS in names:
            raise ToolError(f"{path!r} is Paperclip's own: it cannot be written.")
        return found

    def named(self, path: Path) -> str:
        """A path as the model knows it."""
        return str(path.relative_to(self.root))

    def take_up(self, issue: dict[str, Any]) -> str:
        """Work on this issue from now on. Says which clone of its project's repository
        there is to work in, and at the beginning what an earlier run left there;
        nothing when it has no project."""
        self.issue = issue
        space, name = issue.get("currentExecutionWorkspace"), issue["identifier"]
        if not space:
            return ""
        if name not in self.clones:
            try:
                clone = Clone(
                    self.place(name),
                    space,
                    identity(self.agent),
                    plain=not self.may_shell,
                    without_network=self.is_open and offline.works(),
                )
                clone.prepare(self.api)
            except (ToolError, *Broken) as error:
                # Words of a server elsewhere may be in it.
                said = one_line(str(error), LONGEST_ERROR)
                return f"none, the repository cannot be had: {said}"
            self.clones[name] = clone
            left = clone.left_over()
            return f"{clone.described(issue)}\n{left}".strip()
        return self.clones[name].described(issue)

    def clone_of(self, name: str) -> Clone | None:
        """Where the branch of an issue is worked on; None when it has no project."""
        issue = self.api.issue(name)
        if issue["identifier"] in self.clones:
            return self.clones[issue["identifier"]]
        if issue.get("currentExecutionWorkspace"):
            raise ToolError(f"You have no clone for {name}: check it out first.")
        return None


def digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()


def identity(agent: dict[str, Any]) -> dict[str, str]:
    """Who git says has done it."""
    mail = f"{agent['id']}@agents.paperclip.invalid"
    who: dict[str, str] = {}
    for role in ("AUTHOR", "COMMITTER"):
        who |= {f"GIT_{role}_NAME": agent["name"], f"GIT_{role}_EMAIL": mail}
    return who
