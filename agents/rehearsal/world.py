"""The web of the rehearsal, to be read only: our site as it is merged, and six rivals.

<mount>/<seed>/<project id>/              where everything is
<mount>/<seed>/<project id>/site/...      ours, from the project's default branch
<mount>/<seed>/<project id>/rivals/<name>/

Whoever reaches the gateway may read it, so of all repositories it shows none but those
that are marked as a rehearsal's; for others there is what there is before any merge.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterable
from html import unescape
from typing import Any
from uuid import UUID

from agents.rehearsal import sites
from agents.rehearsal.plot import Plot, seed_of
from paperclip.git import Bare

BRANCH = "main"
# What the repository of a rehearsal's project is marked with.
PLAYED = "rehearsal"
ROOM = "site/"
Answer = tuple[str, str, bytes]
MISSING: Answer = (
    "404 Not Found",
    "text/plain; charset=utf-8",
    b"rehearsal: no page\n",
)
HTML = "text/html; charset=utf-8"


def address(base: str, model: str, project_id: str) -> str:
    """Where the world of a story is, below the gateway's address."""
    return f"{base}/rehearsal/{seed_of(model)}/{project_id}/"


def world(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """The WSGI application."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        status, kind, body = "405 Method Not Allowed", "text/plain", b"read only\n"
    else:
        status, kind, body = look_up(environ.get("PATH_INFO", "/"))
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("X-Robots-Tag", "noindex"),
        ("X-Rehearsal", "yes"),
        # Its pages are written by agents: they may show themselves and nothing more.
        ("Content-Security-Policy", "sandbox; default-src 'self' 'unsafe-inline'"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    start_response(status, headers)
    return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def look_up(path: str) -> Answer:
    """What this world has at a path."""
    seed, _, rest = path.lstrip("/").partition("/")
    project, _, rest = rest.partition("/")
    try:
        plot, repository = Plot.of(int(seed)), Bare(str(UUID(project)))
    except ValueError:
        return MISSING
    if not rest:
        return found(sites.index(plot))
    room, _, rest = rest.partition("/")
    if room == "rivals":
        return found(sites.rival_home(plot, rest.rstrip("/")))
    if room == "site":
        return ours(plot, repository, rest)
    return MISSING


def is_played(repository: Bare) -> bool:
    """Whether it is a rehearsal's: everything else is nobody's business here."""
    return repository.is_marked(PLAYED)


def found(page: str | None) -> Answer:
    return MISSING if page is None else ("200 OK", HTML, page.encode())


def ours(plot: Plot, repository: Bare, path: str) -> Answer:
    """A file of our site as it was merged; without one of ours, the start page."""
    name = path + "index.html" if not path or path.endswith("/") else path
    body = repository.read(BRANCH, ROOM + name) if is_played(repository) else None
    if body is not None:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return "200 OK", HTML if kind == "text/html" else kind, body
    return found(sites.our_home(plot, posts(repository))) if not path else MISSING


def posts(repository: Bare) -> list[tuple[str, str]]:
    """The addresses and titles of the posts that were merged."""
    if not is_played(repository):
        return []
    names = [n for n in repository.files(BRANCH, ROOM + "blog") if n.endswith(".html")]
    titled = []
    for name in names:
        text = (repository.read(BRANCH, name) or b"").decode(errors="replace")
        title = re.search(r"<title>(.*?)</title>", text, flags=re.S)
        titled.append((name.removeprefix(ROOM), unescape(title[1]) if title else name))
    return titled
