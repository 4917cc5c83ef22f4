"""What is said to git and what it says: commits by their hashes, lists of names."""

from __future__ import annotations

import re
from pathlib import Path

from paperclip.git.command import GitError, git

COMMIT = re.compile(r"[0-9a-f]{40}")
HEADS = "refs/heads/"


def whole(commit: object) -> str:
    """The full hash of a commit; GitError for whatever else git could obey."""
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise GitError(f"{str(commit)[:60]!r} is not the full hash of a commit.")
    return commit


def names(listed: bytes) -> list[str]:
    """What git lists with -z."""
    return [one.decode(errors="replace") for one in listed.split(b"\0") if one]


def begin(place: Path, branch: str, readme: str) -> None:
    """The first commit of an empty repository."""
    blob = git("hash-object", "-w", "--stdin", at=place, given=readme.encode())
    entry = b"100644 blob " + blob.strip() + b"\tREADME.md\n"
    tree = git("mktree", at=place, given=entry).decode().strip()
    commit = git("commit-tree", tree, "-m", "Begin", at=place).decode().strip()
    git("update-ref", HEADS + branch, commit, at=place)


def must_hold(bundle: Path, branch: str) -> None:
    """GitError for a bundle that holds anything but this branch."""
    heads = git("bundle", "list-heads", str(bundle)).decode().split("\n")
    named = [line.partition(" ")[2] for line in heads if line]
    if named != [HEADS + branch]:
        raise GitError(
            f"The bundle has to hold exactly {HEADS}{branch}, and holds"
            f" {', '.join(named) or 'nothing'}."
        )
