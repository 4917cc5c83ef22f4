"""The clone of a project's repository that an agent works in, one for each branch.

It comes and goes as git bundles over the HTTP API, so a worker on another host needs
nothing else. Nothing an agent left in its clone is ever thrown away.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.loop import offline
from agents.loop.api import Api
from agents.loop.errors import ToolError
from agents.loop.fence import one_line

SECONDS = 120
# Of the commits that an earlier run left, so many and so much of each are told.
MOST_COMMITS, SUBJECT = 10, 80
# What a setting could start, off: what we do with git, git does alone.
SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "commit.gpgSign": "false",
    "diff.ignoreSubmodules": "all",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "protocol.file.allow": "always",  # a bundle is one
}
# All that a clone of ours needs to be one.
PLAIN = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"


class Clone:
    """`space` is the issue's currentExecutionWorkspace. Where commands are refused,
    `plain`, no setting in it is obeyed, whoever wrote it; else what one starts has no
    more of a network than a command, `without_network`."""

    def __init__(
        self,
        path: Path,
        space: dict[str, Any],
        who: Mapping[str, str],
        *,
        plain: bool = False,
        without_network: bool = False,
    ) -> None:
        self.path, self.branch = path, str(space["branchName"])
        self._space, self._is_plain, self._is_offline = space, plain, without_network
        self._environment = {**environment(path / ".git", path), **who}
        self._note = ""

    def described(self, issue: dict[str, Any]) -> str:
        project = (issue.get("project") or {}).get("name", "the project")
        text = f"git clone of project {one_line(project)} on branch {self.branch}"
        text += f", in the directory {self.path.name}"
        return f"{text} ({self._note})" if self._note else text

    def prepare(self, api: Api) -> None:
        """Make or refresh it, and be on the issue's branch."""
        if not (self.path / ".git").is_dir():
            self.path.mkdir(parents=True, exist_ok=True)
            self._git("init", "-q", "--template=", "-b", self.branch)
        if self._is_plain:
            self._forget_settings()
        self._fetch(api)
        if self._known(f"refs/heads/{self.branch}"):
            if self._git("branch", "--show-current") != self.branch:
                self._git("checkout", "-q", self.branch)
            self._catch_up()
        else:
            self._git("checkout", "-q", "--no-track", "-B", self.branch, self._start())

    def hand_over(self, api: Api, message: str) -> dict[str, Any] | None:
        """Commit everything and upload what is new; the work product, or None when
        nothing changed since the last time."""
        if self._git("branch", "--show-current") != self.branch:
            raise ToolError(f"You left the branch {self.branch}: check it out again.")
        self._git("add", "-A")
        if self._git("status", "--porcelain"):
            self._git("commit", "-q", "-m", message)
        mine = f"refs/heads/{self.branch}"
        fresh = self._git("rev-list", "--count", mine, "--not", "--remotes=origin")
        if fresh == "0":
            return None
        with tempfile.TemporaryDirectory() as scratch:
            bundle = Path(scratch) / "branch.bundle"
            new = ("--not", "--remotes=origin")
            self._git("bundle", "create", "-q", str(bundle), mine, *new)
            product: dict[str, Any] = api.upload(self._space["branchUrl"], bundle)
        self._git("update-ref", f"refs/remotes/origin/{self.branch}", mine)
        return product

    def has_changes(self) -> bool:
        """Whether there is something that was not handed over."""
        if self._git("status", "--porcelain"):
            return True
        new = ("rev-list", "--count", "HEAD", "--not", "--remotes=origin")
        return self._git(*new) != "0"

    def left_over(self) -> str:
        """What earlier runs left here and did not hand over, in a line; or nothing."""
        parts = []
        if self._known(f"refs/heads/{self.branch}"):
            new = ("log", "--format=%h %s", self.branch, "--not", "--remotes=origin")
            if commits := self._git(*new).splitlines():
                told = commits[:MOST_COMMITS]
                shown = "; ".join(one_line(line, SUBJECT) for line in told)
                parts.append(f"{counted(commits, 'commit')} not handed over: {shown}")
        if changed := self._git("status", "--porcelain").splitlines():
            parts.append(f"{counted(changed, 'file')} changed")
        return f"Work found in your clone: {'; '.join(parts)}" if parts else ""

    def _fetch(self, api: Api) -> None:
        known = self._git("for-each-ref", "--format=%(objectname)", "refs/remotes")
        have = sorted(set(known.split()))[:100]
        with tempfile.TemporaryDirectory() as scratch:
            bundle = Path(scratch) / "repository.bundle"
            if not api.download(self._space["repositoryUrl"], bundle, have):
                return
            heads = "+refs/heads/*:refs/remotes/origin/*"
            self._git("fetch", "-q", str(bundle), heads)

    def _start(self) -> str:
        for ref in (f"origin/{self.branch}", f"origin/{self._space['baseRef']}"):
            if self._known(f"refs/remotes/{ref}"):
                return ref
        return str(self._space["baseRef"])

    def _catch_up(self) -> None:
        """Take over what the branch has upstream, or, before anything was handed over,
        what was merged meanwhile; own work stays as it is."""
        upstream = f"refs/remotes/{self._start()}"
        self._note = ""
        if not self._known(upstream) or self._is_ancestor(upstream, "HEAD"):
            return
        if not self._is_ancestor("HEAD", upstream):
            if upstream.endswith(f"/origin/{self.branch}"):
                self._note = f"origin/{self.branch} has other commits: merge them"
            return
        if self._git("status", "--porcelain"):
            self._git("stash", "push", "-q", "--include-untracked")
            self._note = "your uncommitted changes of before are in git stash"
        self._git("merge", "-q", "--ff-only", upstream)

    def _known(self, ref: str) -> bool:
        return self._run("show-ref", "--verify", "-q", ref).returncode == 0

    def _is_ancestor(self, old: str, new: str) -> bool:
        return self._run("merge-base", "--is-ancestor", old, new).returncode == 0

    def _forget_settings(self) -> None:
        file = self.path / ".git" / "config"
        try:
            # Removed first: it could be a link to anywhere.
            file.unlink(missing_ok=True)
            file.write_text(PLAIN)
        except OSError as error:
            raise ToolError(f"The clone cannot be used: {error}") from error

    def _git(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode:
            said = (done.stderr or done.stdout).strip()[-1000:]
            raise ToolError(f"git {arguments[0]} failed: {said}")
        return done.stdout.strip()

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = (part for one in SETTINGS.items() for part in ("-c", "=".join(one)))
        argv = ["git", *settings, *arguments]
        try:
            return subprocess.run(
                offline.wrap(argv) if self._is_offline else argv,
                cwd=self.path,
                env=self._environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"git {arguments[0]}: {error}") from error


def counted(lines: list[str], what: str) -> str:
    return f"{len(lines)} {what}{'s' if len(lines) != 1 else ''}"


def environment(repository: Path, tree: Path) -> dict[str, str]:
    """What git may know: no file of settings but the repository's, nothing to find
    around it, and of our own environment only where the programs are."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",  # ours is the workspace
        "GIT_DIR": str(repository),
        "GIT_COMMON_DIR": str(repository),
        "GIT_WORK_TREE": str(tree),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
