"""The repository of our site, as it is before any job has run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from marketing.rehearsal import story
from paperclip.git import git

if TYPE_CHECKING:
    from marketing.rehearsal.plan import Plan

NAME = "site.git"


def make_repository(place: Path, plan: Plan) -> Path:
    """A bare one with a first commit: some pages, and the key file of IndexNow."""
    files = {f"public/{plan.indexnow_key}.txt": plan.indexnow_key + "\n"}
    for name, (title, description, text) in story.PAGES.items():
        head = {
            "title": title,
            "description": description,
            "canonical": plan.url("site", "/" if name == "index" else f"/{name}"),
        }
        told = yaml.safe_dump(head, sort_keys=False, width=10**9)
        files[f"content/{name}.md"] = f"---\n{told}---\n\n{text}\n"
    return bare(place / NAME, files)


def bare(where: Path, files: Mapping[str, str]) -> Path:
    """A bare repository whose branch main has one commit, of these files."""
    git("init", "-q", "--bare", "--initial-branch=main", str(where))
    who = f"Digiton <site@digiton.example> {int(time.time())} +0000"
    parts = [f"commit refs/heads/main\ncommitter {who}\n{data('Begin our site')}"]
    parts += [f"M 100644 inline {path}\n{data(text)}" for path, text in files.items()]
    git("fast-import", "--quiet", at=where, given="".join(parts).encode())
    return where


def data(text: str) -> str:
    """A text with its length before it."""
    return f"data {len(text.encode())}\n{text}\n"
