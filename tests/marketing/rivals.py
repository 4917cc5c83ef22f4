"""The rehearsal's six competitors at work, and what has to be taken from them although
each is broken (golden/*.json)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketing.rehearsal.rivals import SITES, Answer, article, html

__all__ = ["SITES", "Rival", "article", "html", "running", "simple"]

GOLDEN = Path(__file__).parent / "golden"


@dataclass
class Hit:
    at: float
    path: str
    agent: str


@dataclass
class Rival:
    """One site: its pages may be changed while it runs."""

    name: str
    pages: dict[str, Answer]
    server: HTTPServer
    hits: list[Hit] = field(default_factory=list)

    @property
    def url(self) -> str:
        return str(self.server.url_for("/"))

    @property
    def paths(self) -> list[str]:
        return [hit.path for hit in self.hits]

    def answer(self, request: Request) -> Response:
        agent = request.headers.get("User-Agent", "")
        self.hits.append(Hit(time.monotonic(), request.path, agent))
        found = self.pages.get(request.path)
        if found is None:
            return Response("Not found", 404)
        # A Response can be called, too.
        return found if isinstance(found, Response) else found(request)

    def golden(self) -> dict[str, Any]:
        text = (GOLDEN / f"{self.name}.json").read_text()
        told: dict[str, Any] = json.loads(text.replace("{base}", self.url))
        return told

    def compared(
        self, status: str, pages: list[tuple[str, dict[str, Any]]]
    ) -> list[tuple[str, Any, Any]]:
        """Each field with what it has to be, and what it is."""
        told = self.golden()
        found: list[tuple[str, Any, Any]] = [("status", told["status"], status)]
        if told["status"] != "ok":
            return found
        home = dict(pages)[self.url]
        for name, wanted in told["home"].items():
            found.append((name, wanted, simple(home, name)))
        posts = [simple(fields, "posts") for _url, fields in pages if "posts" in fields]
        wanted = told["posts"]
        return [*found, ("posts", wanted, wanted if wanted in posts else posts)]


def simple(fields: dict[str, Any], name: str) -> list[Any]:
    """A field as the golden answers have it: its value, and the step."""
    told = fields[name]
    value = told["value"]
    if name == "tech" and value:
        value = [one["name"] for one in value]
    if name == "posts" and value:
        value = [[one["title"], one["url"]] for one in value]
    return [value, told["step"]]


@contextmanager
def running(names: str = "altair boreal cirrus dunaj eclipse fjord") -> Iterator[Any]:
    """The sites by name, and "tracker", which nobody is to ask for anything."""
    found: dict[str, Rival] = {}
    try:
        for name in ("tracker", *names.split()):
            server = HTTPServer(port=0, threaded=True)
            server.start()
            found[name] = rival = Rival(name, {}, server)
            everything = re.compile(".*")
            server.expect_request(everything).respond_with_handler(rival.answer)
        for name in names.split():
            found[name].pages.update(SITES[name](found["tracker"].url))
        yield found
    finally:
        for rival in found.values():
            rival.server.stop()
