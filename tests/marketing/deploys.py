"""A small Vercel on loopback: it builds what is in a bare repository, serves it, and
tells of its deployments. And a model whose answers are written down beforehand."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.clones import git

SECRET, TOKEN = "h00k-s3cret-0000", "v3rcel-t0ken-0000"
PROJECT = "prj_digiton"
PAGE = """<!doctype html><html lang="en"><head><title>{title}</title>
<link rel="canonical" href="{canonical}">{head}</head><body><nav>Menu</nav><main>
<article><h1>{h1}</h1>{body}</article></main></body></html>"""


@dataclass
class Build:
    uid: str
    commit: str
    polls: int
    state: str = "BUILDING"


@dataclass
class Deploys:
    """`mode`: "good", "error" (every build fails), "stale" (builds are ready, and the
    old one is served) or "pending" (the hook answers, and nothing is ever built).

    A build is ready after it was asked for so many `polls`. `hook_status` is what the
    hook answers; with `by_push` it is not needed.
    """

    server: HTTPServer
    repository: Path
    mode: str = "good"
    polls: int = 0
    hook_status: int = 200
    by_push: bool = True
    head: str = ""
    without_data: bool = False
    h1: str = ""
    builds: list[Build] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    served: str = ""

    def __post_init__(self) -> None:
        hook = f"/v1/integrations/deploy/{PROJECT}/{SECRET}"
        self.server.expect_request(hook, method="POST").respond_with_handler(self.hook)
        listed = self.server.expect_request("/v6/deployments")
        listed.respond_with_handler(self.listed)
        page = self.server.expect_request(re.compile("/blog/.*"))
        page.respond_with_handler(self.page)
        self.hook_url = self.server.url_for(hook)
        self.served = self.at_head() if self.has_head() else ""

    def url(self, path: str) -> str:
        return self.server.url_for(path)

    # --- what is in the repository ---------------------------------------------------

    def has_head(self) -> bool:
        return bool(git(self.repository, "for-each-ref", "refs/heads/main"))

    def at_head(self) -> str:
        return git(self.repository, "rev-parse", "refs/heads/main")

    def file(self, path: str, commit: str = "main") -> str | None:
        done = subprocess.run(
            ["git", "-C", str(self.repository), "show", f"{commit}:{path}"],
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        )
        return done.stdout if done.returncode == 0 else None

    # --- building ---------------------------------------------------------------------

    def hook(self, request: Request) -> Response:
        if self.hook_status != 200:
            return Response("no", status=self.hook_status)
        self.hooks.append(self.at_head())
        if self.mode != "pending":
            self.build(self.at_head())
        job = {"id": f"job{len(self.hooks)}", "state": "PENDING", "createdAt": 1}
        return Response(json.dumps({"job": job}), content_type="application/json")

    def build(self, commit: str) -> None:
        if commit not in [one.commit for one in self.builds]:
            self.builds.append(Build(f"dpl_{len(self.builds)}", commit, self.polls))

    def go_on(self) -> None:
        """A moment passes."""
        if self.by_push and self.mode != "pending" and self.at_head() != self.served:
            self.build(self.at_head())
        for one in self.builds:
            if one.state != "BUILDING":
                continue
            if one.polls > 0:
                one.polls -= 1
            elif self.mode == "error":
                one.state = "ERROR"
            else:
                one.state = "READY"
                if self.mode != "stale":
                    self.served = one.commit

    def listed(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Response("{}", status=403)
        self.go_on()
        rows = [
            {
                "uid": one.uid,
                "readyState": one.state,
                "meta": {"githubCommitSha": one.commit, "githubCommitMessage": "a\tb"},
            }
            for one in reversed(self.builds)
            if request.args["projectId"] == PROJECT
        ]
        # As it is: with raw control characters in the messages of commits.
        text = json.dumps({"deployments": rows}).replace("\\t", "\t")
        return Response(text, content_type="application/json")

    # --- serving ----------------------------------------------------------------------

    def page(self, request: Request) -> Response:
        self.go_on()
        slug = request.path.rpartition("/")[2]
        commit = self.served
        text = self.file(f"content/blog/{slug}.md", commit) if commit else None
        if text is None and self.mode == "stale":
            # An alias that answers from the build before.
            return Response("<html><h1>Welcome</h1></html>", content_type="text/html")
        if text is None:
            return Response("not found", status=404)
        return Response(self.html(text), content_type="text/html; charset=utf-8")

    def html(self, text: str) -> str:
        told, _, body = text[4:].partition("\n---\n")
        head: dict[str, Any] = yaml.safe_load(told)
        kind = "application/ld+json"
        data = f'<script type="{kind}">{head["jsonLd"]}</script>'
        return PAGE.format(
            title=escape(head["title"]),
            canonical=head["canonical"],
            head=self.head + ("" if self.without_data else data)
            + f'<meta name="post-key" content="{head["postKey"]}">',
            h1=self.h1 or escape(head["title"]),
            body=MarkdownIt("commonmark", {"html": True}).render(body),
        )  # fmt: skip


@dataclass
class Model:
    """Answers with these documents, one after the other, and then with the last again;
    what is no document is answered as it is. `asked` is what it was told."""

    server: HTTPServer
    answers: list[Any]
    asked: list[str] = field(default_factory=list)
    status: int = 200
    code: str = ""

    def __post_init__(self) -> None:
        asked = self.server.expect_request("/v1/chat/completions")
        asked.respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        messages = request.get_json()["messages"]
        self.asked.append(messages[-1]["content"])
        if self.status != 200:
            error = {"error": {"message": "It does not.", "code": self.code}}
            return Response(json.dumps(error), self.status)
        n = min(len(self.asked), len(self.answers)) - 1
        told = self.answers[n]
        text = told if isinstance(told, str) else json.dumps(told)
        message = {"role": "assistant", "content": text}
        body = {"choices": [{"message": message}], "usage": {}}
        return Response(json.dumps(body), content_type="application/json")


def repository(place: Path) -> Path:
    """A bare one with a first commit, as a site has it."""
    place.mkdir(parents=True, exist_ok=True)
    git(place, "init", "-q", "--bare", "--initial-branch=main", "site.git")
    other = place / "first"
    git(place, "clone", "-q", str(place / "site.git"), str(other))
    git(other, "checkout", "-q", "-b", "main")
    add(other, "README.md", "# Our site\n")
    return place / "site.git"


def add(clone: Path, path: str, text: str) -> str:
    """Somebody else commits and pushes a file."""
    file = clone / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", f"Write {path}")
    git(clone, "push", "-q", "origin", "HEAD:main")
    return git(clone, "rev-parse", "HEAD")


def hook(repository: Path, name: str, script: str) -> None:
    """A hook of the repository, as a shell script."""
    file = repository / "hooks" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def commits(repository: Path, path: str = "") -> list[str]:
    """The subjects of the commits, the newest first, that touch a path."""
    where = ["--", path] if path else []
    return git(repository, "log", "--format=%s", "main", *where).splitlines()
