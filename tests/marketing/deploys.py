"""A small Vercel that may be told to err, on loopback. And a model whose answers are
written down beforehand."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketing.rehearsal import deploys as rehearsal
from tests.clones import git

SECRET, TOKEN = "h00k-s3cret-0000", "v3rcel-t0ken-0000"
PROJECT = "prj_digiton"


class Deploys(rehearsal.Deploys):
    """The rehearsal's, told how to go wrong. `mode`: "good", "error" (every build
    fails), "stale" (builds are ready, and the old one is served) or "pending" (the hook
    answers, and nothing is ever built).

    A build is ready after it was asked for so many `polls`. `hook_status` is what the
    hook answers; with `by_push` it is not needed.
    """

    def __init__(self, server: HTTPServer, repository: Path) -> None:
        super().__init__(repository, TOKEN, PROJECT)
        self.server, self.mode, self.polls = server, "good", 0
        self.hook_status, self.by_push = 200, True
        self.head, self.h1, self.without_data = "", "", False
        self.hooks: list[str] = []
        self.left: dict[str, int] = {}
        hook = f"/v1/integrations/deploy/{PROJECT}/{SECRET}"
        self.server.expect_request(hook, method="POST").respond_with_handler(self.hook)
        listed = self.server.expect_request("/v6/deployments")
        listed.respond_with_handler(self.listed)
        page = self.server.expect_request(re.compile("/blog/.*"))
        page.respond_with_handler(self.answer)
        self.hook_url = self.server.url_for(hook)

    def url(self, path: str) -> str:
        return self.server.url_for(path)

    # --- building ---------------------------------------------------------------------

    def hook(self, request: Request) -> Response:
        if self.hook_status != 200:
            return Response("no", status=self.hook_status)
        self.hooks.append(self.at_head())
        if self.mode != "pending":
            self.build(self.at_head())
        job = {"id": f"job{len(self.hooks)}", "state": "PENDING", "createdAt": 1}
        return Response(json.dumps({"job": job}), content_type="application/json")

    def is_pushed(self) -> bool:
        return self.by_push and self.mode != "pending" and super().is_pushed()

    def finish(self, one: rehearsal.Build) -> None:
        left = self.left.setdefault(one.uid, self.polls)
        if left > 0:
            self.left[one.uid] -= 1
            return
        one.state = "ERROR" if self.mode == "error" else "READY"
        if self.mode not in ("error", "stale"):
            self.served = one.commit

    # --- serving ----------------------------------------------------------------------

    def page(self, path: str) -> Response:
        found = super().page(path)
        if found.status_code == 404 and self.mode == "stale":
            # An alias that answers from the build before.
            return Response("<html><h1>Welcome</h1></html>", content_type="text/html")
        return found

    def in_head(self, head: dict[str, Any]) -> str:
        told = head | ({"jsonLd": ""} if self.without_data else {})
        return self.head + super().in_head(told)

    def heading(self, head: dict[str, Any]) -> str:
        return self.h1 or super().heading(head)


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
