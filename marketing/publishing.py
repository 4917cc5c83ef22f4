"""A post into the site's repository: one commit on top of whatever is there, never
forced, and never a second one for the same text."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from issues.models.project import BRANCH, REPO_URL
from marketing import keys
from marketing.jobs.base import Blocked
from marketing.web.guard import LOOPBACK
from paperclip import home
from paperclip.git import Bare, GitError, git
from paperclip.git.words import HEADS, names, whole

if TYPE_CHECKING:
    from marketing.models import Site
    from paperclip.actors import Actor

PATH = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*")
PROTOCOLS = ("https", "http", "ssh")
TRIES, SECONDS = 8, 120.0
BASE = "refs/remotes/origin/"
# What git says when somebody else was faster, and when it may not.
RACED = re.compile(
    r"non-fast-forward|fetch first|cannot lock ref|failed to update ref|stale info"
    r"|incorrect old value|failed to lock|reference already exists",
    re.I,
)
DENIED = re.compile(
    r"\[remote rejected\]|protected branch|hook declined|GH0\d\d"
    r"|authentication failed|could not read (?:username|password)|permission denied"
    r"|access denied|not found|error: 40[13]|403"
    r"|does not appear to be a git repository",
    re.I,
)
LARGEST, NONE = 2_000_000, "0" * 40


class Raced(Exception):
    """Somebody else has pushed meanwhile: try again on top of that."""


class Unreached(Exception):
    """The remote does not answer, or not to the end: nobody knows as yet."""


def worlds(site: Site) -> Path:
    """Where the repositories of a rehearsal are, on this machine."""
    return home.directory("worlds", str(site.company_id))


def must_be_usable(site: Site) -> None:
    """Blocked when a setting of the repository is missing, or leads where a job must
    not go."""
    if not site.repo_url:
        raise Blocked(
            f"“Repository” of {site} is not set: posts are published by a commit."
        )
    where = urlsplit(site.repo_url)
    inside = Path(where.path).resolve().is_relative_to(worlds(site).resolve())
    if where.scheme == "file" and site.company.rehearsal and inside:
        pass
    elif not REPO_URL.fullmatch(site.repo_url):
        raise Blocked(
            f"“Repository” of {site} is https://host/path, ssh://user@host/path or"
            " user@host:path, without a password: the token has a place of its own."
        )
    elif site.company.rehearsal and where.hostname not in LOOPBACK:
        raise Blocked(
            f"“Repository” of {site} is a real one, and this company rehearses: its"
            " posts go to this machine alone."
        )
    if not BRANCH.fullmatch(site.repo_branch):
        raise Blocked(f"“Branch” of {site} is no name of a branch.")
    if "{slug}" not in site.post_path or "{slug}" not in site.post_url:
        raise Blocked(
            f"“File of a post” and “address of a post” of {site} need {{slug}}."
        )
    if not is_path(site.post_path.replace("{slug}", "a")):
        raise Blocked(f"“File of a post” of {site} is no path in a repository.")


def is_path(path: str) -> bool:
    """Whether it is a plain path: no dots first, so no .git and no way up."""
    return bool(PATH.fullmatch(path))


@dataclass
class Remote:
    """A branch of a repository elsewhere, with what is asked for there."""

    url: str
    branch: str
    token: str = ""
    # How long each command may take.
    seconds: float = SECONDS

    @classmethod
    def of(cls, site: Site, *, by: Actor) -> Remote:
        must_be_usable(site)
        token = keys.read(site, "repo_token", by=by)
        return cls(site.repo_url, site.repo_branch, token)

    @property
    def protocols(self) -> tuple[str, ...]:
        return ("file",) if self.url.startswith("file://") else PROTOCOLS

    def speak(self, *args: str, at: Path | None = None) -> str:
        """What git says of the remote. Blocked when it does not let us in; Raced and
        Unreached say what they are."""
        try:
            told = git(
                *args,
                at=at,
                protocols=self.protocols,
                timeout=self.seconds,
                token=self.token,
            )
        except GitError as error:
            raise self.meaning(str(error)) from None
        return told.decode(errors="replace")

    def meaning(self, said: str) -> Exception:
        said = said.replace(self.token, "…") if self.token else said
        if RACED.search(said):
            return Raced(said)
        if DENIED.search(said):
            return Blocked(
                f"The repository does not take it: {said} Look at “Token for the"
                " repository” and at what protects the branch."
            )
        return Unreached(f"The repository cannot be reached: {said}")

    def head(self) -> str | None:
        """The commit that the branch is at, asked for anew; None without the branch."""
        told = self.speak("ls-remote", self.url, HEADS + self.branch).split()
        return told[0] if told else None


@dataclass
class Copy:
    """A bare copy of the remote's branch, to make a commit on."""

    remote: Remote
    bare: Bare

    @classmethod
    def of(cls, site: Site, remote: Remote) -> Copy:
        copy = cls(remote, Bare(f"site-{site.pk}"))
        copy.bare.make(remote.branch)
        return copy

    @cached_property
    def ref(self) -> str:
        return BASE + self.remote.branch

    def fetch(self) -> str:
        """The commit that the branch is at now. Blocked without the branch."""
        spec = f"+{HEADS}{self.remote.branch}:{self.ref}"
        options = ("-q", "--no-tags", "--no-write-fetch-head")
        if self.remote.head() is None:
            raise Blocked(
                f"The repository has no branch {self.remote.branch}: name another"
                " “branch”, or give it a first commit."
            )
        self.remote.speak("fetch", *options, self.remote.url, spec, at=self.bare.path)
        return self.bare.git("rev-parse", self.ref).decode().strip()

    # --- what is there ----------------------------------------------------------------

    def blob_at(self, commit: str, path: str) -> str:
        """The hash of a file at a commit; empty when there is none."""
        asked = ("ls-tree", "-z", whole(commit), "--", path)
        for line in names(self.bare.git(*asked)):
            kind, name = line.split("\t", 1)
            if name == path and kind.split()[1] == "blob":
                return kind.split()[2]
        return ""

    def text_at(self, commit: str, path: str) -> str:
        found = self.bare.read(commit, path, most=LARGEST)
        return (found or b"").decode(errors="replace")

    def blob_of(self, text: str) -> str:
        """The hash of a text as git has it, which is then there."""
        given = text.encode()
        said = self.bare.git("hash-object", "-w", "--stdin", given=given)
        return said.decode().strip()

    def with_key(self, commit: str, key: object, path: str, blob: str) -> str:
        """The commit, up to this one, that brought this very file: by the key of its
        post, or as the last one that changed it; empty when there is none."""
        form = ("log", "--format=%H")
        marked = ("-F", f"--grep=Post-Key: {key}", whole(commit))
        for one in self.bare.git(*form, *marked).decode().split():
            if self.blob_at(one, path) == blob:
                return one
        if self.blob_at(commit, path) != blob:
            return ""
        told = self.bare.git(*form, "-1", whole(commit), "--", path)
        return told.decode().strip()

    def changed_by(self, commit: str) -> list[str]:
        """The files that a commit has changed."""
        asked = ("diff-tree", "--no-commit-id", "--name-only", "-r", "-z", "--root")
        return names(self.bare.git(*asked, whole(commit)))

    # --- what is added ----------------------------------------------------------------

    def commit(
        self,
        base: str,
        changes: Mapping[str, str | None],
        message: str,
        at: datetime,
    ) -> str:
        """A commit on top of `base` with these files; None takes one away. The same on
        the same base is the same commit."""
        date = f"{int(at.timestamp())} +0000"
        with TemporaryDirectory(prefix="index-") as place:
            env = {
                "GIT_INDEX_FILE": f"{place}/index",
                "GIT_AUTHOR_DATE": date,
                "GIT_COMMITTER_DATE": date,
            }
            self.bare.git("read-tree", whole(base), env=env)
            entries = "".join(map(self.entry, changes, changes.values()))
            self.bare.git(
                "update-index", "--index-info", given=entries.encode(), env=env
            )
            tree = self.bare.git("write-tree", env=env).decode().strip()
            made = self.bare.git(
                "commit-tree", tree, "-p", whole(base), given=message.encode(), env=env
            )
        return made.decode().strip()

    def entry(self, path: str, text: str | None) -> str:
        """A line of what the index is to hold."""
        assert is_path(path), path  # noqa: S101 (see must_be_usable)
        if text is None:
            return f"0 {NONE}\t{path}\n"
        return f"100644 {self.blob_of(text)}\t{path}\n"

    def push(self, commit: str) -> None:
        """Put the branch at this commit if nothing was pushed since its parent; never
        by force."""
        spec = f"{whole(commit)}:{HEADS}{self.remote.branch}"
        self.remote.speak("push", "-q", self.remote.url, spec, at=self.bare.path)

    def holds(self, commit: str) -> bool:
        """Whether the remote's branch holds it, asked for anew."""
        return self.bare.holds(commit, self.fetch())


def message(what: str, key: object, trailers: Collection[str] = ()) -> str:
    """A commit's message: one line, and the key of the post by which it is known."""
    line = " ".join(what.split())
    return "\n".join([line, "", f"Post-Key: {key}", *trailers]) + "\n"


def rest(attempt: int, unit: float) -> None:
    """Wait before the next try, so that two do not meet again."""
    time.sleep(unit * random.uniform(0.5, 1.5) * 2 ** min(attempt, 4))  # noqa: S311
