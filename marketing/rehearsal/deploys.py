"""A small Vercel: it builds what is in a bare repository, some moments after a push,
serves it, and tells of its deployments."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from werkzeug import Request, Response

from marketing.rehearsal.web import missing
from paperclip.git import GitError, git

BRANCH = "refs/heads/main"
PAGE = """<!doctype html><html lang="en"><head><title>{title}</title>
<meta name="description" content="{description}">
<link rel="canonical" href="{canonical}">{head}</head><body><nav>Menu</nav><main>
<article><h1>{h1}</h1>{body}</article></main></body></html>"""


@dataclass
class Build:
    uid: str
    commit: str
    state: str = "BUILDING"
    begun: float = field(default_factory=time.monotonic)


@dataclass
class Deploys:
    """`token` is what its API takes; a build takes so many `seconds`."""

    repository: Path
    token: str
    project: str
    seconds: float = 1.0
    builds: list[Build] = field(default_factory=list)
    served: str = ""

    def __post_init__(self) -> None:
        # What was there before this began was built before, too.
        self.served = self.at_head()
        if self.served:
            self.builds.append(Build("dpl_0", self.served, "READY"))

    # --- what is in the repository ---------------------------------------------------

    def at_head(self) -> str:
        """The newest commit; empty without any."""
        told = self.git("for-each-ref", "--format=%(objectname)", BRANCH)
        return (told or b"").decode().strip()

    def file(self, path: str, commit: str = "main") -> str | None:
        told = self.git("show", f"{commit}:{path}")
        return None if told is None else told.decode(errors="replace")

    def files(self) -> list[str]:
        """The pages that are served, as files."""
        told = self.git("ls-tree", "-r", "--name-only", self.served, "content") or b""
        return [one for one in told.decode().splitlines() if one.endswith(".md")]

    def git(self, *args: str) -> bytes | None:
        try:
            return git(*args, at=self.repository)
        except GitError:
            return None

    # --- building ---------------------------------------------------------------------

    def go_on(self) -> None:
        """A moment has passed: a push begins a build, and a build comes to its end."""
        if self.is_pushed():
            self.build(self.at_head())
        for one in self.builds:
            if one.state == "BUILDING":
                self.finish(one)

    def is_pushed(self) -> bool:
        """Whether the branch has what is not served."""
        return self.at_head() not in ("", self.served)

    def build(self, commit: str) -> None:
        if commit not in [one.commit for one in self.builds]:
            self.builds.append(Build(f"dpl_{len(self.builds)}", commit))

    def finish(self, one: Build) -> None:
        if time.monotonic() - one.begun >= self.seconds:
            one.state, self.served = "READY", one.commit

    def listed(self, request: Request) -> Response:
        """Its deployments, the newest first, as its API tells of them."""
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return Response("{}", status=403)
        self.go_on()
        rows = [
            {
                "uid": one.uid,
                "readyState": one.state,
                "meta": {"githubCommitSha": one.commit, "githubCommitMessage": "a\tb"},
            }
            for one in reversed(self.builds)
            if request.args.get("projectId") == self.project
        ]
        # As it is: with raw control characters in the messages of commits.
        text = json.dumps({"deployments": rows}).replace("\\t", "\t")
        return Response(text, content_type="application/json")

    # --- serving ----------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Our site as it was built last: its pages, sitemap and files."""
        self.go_on()
        path, base = request.path, request.host_url.rstrip("/")
        if path == "/robots.txt":
            said = f"User-agent: *\nAllow: /\nSitemap: {base}/sitemap.xml\n"
            return Response(said, mimetype="text/plain")
        if path == "/sitemap.xml":
            return Response(self.sitemap(base), mimetype="application/xml")
        if path.endswith(".txt"):
            text = self.file(f"public{path}", self.served)
            return missing() if text is None else Response(text, mimetype="text/plain")
        return self.page(path)

    def page(self, path: str) -> Response:
        text = self.file(f"content{path if path != '/' else '/index'}.md", self.served)
        if text is None:
            return missing()
        return Response(self.html(text), content_type="text/html; charset=utf-8")

    def sitemap(self, base: str) -> str:
        names = [
            one.removeprefix("content").removesuffix(".md") for one in self.files()
        ]
        found = [base + name.removesuffix("index") for name in names]
        rows = "".join(f"<url><loc>{escape(one)}</loc></url>" for one in sorted(found))
        space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        return f'<urlset xmlns="{space}">{rows}</urlset>'

    def html(self, text: str) -> str:
        """A file of the repository as a page: its data in front, and Markdown."""
        told, _, body = text[4:].partition("\n---\n")
        head: dict[str, Any] = yaml.safe_load(told)
        return PAGE.format(
            title=escape(head["title"]),
            description=escape(head.get("description", "")),
            canonical=escape(head["canonical"]),
            head=self.in_head(head),
            h1=escape(self.heading(head)),
            body=MarkdownIt("commonmark", {"html": True}).render(body),
        )

    def heading(self, head: dict[str, Any]) -> str:
        return str(head["title"])

    def in_head(self, head: dict[str, Any]) -> str:
        """A post's key and structured data; nothing for other pages."""
        key, data = head.get("postKey", ""), head.get("jsonLd", "")
        script = f'<script type="application/ld+json">{data}</script>' if data else ""
        meta = f'<meta name="post-key" content="{escape(key)}">' if key else ""
        return script + meta
