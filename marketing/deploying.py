"""From a commit to a page: the deploy hook, what Vercel says of its builds, and the
page itself, which is what counts (https://vercel.com/docs/deploy-hooks)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from marketing import keys, render
from marketing.jobs.base import Blocked
from marketing.web.addresses import host_of, normal
from marketing.web.client import SECONDS, NotAllowed, Unreachable, Web
from marketing.web.document import Document
from marketing.web.guard import LOOPBACK
from marketing.words import squeezed

if TYPE_CHECKING:
    from collections.abc import Callable

    from marketing.models import Site
    from paperclip.actors import Actor

READY, ERROR = "READY", "ERROR"
MOST = 50
GONE = (404, 410)


class HookFailed(Exception):
    """The hook did not answer well this time. Its address is in no text."""


@dataclass(frozen=True)
class Deployment:
    id: str
    state: str
    commit: str


@dataclass(frozen=True)
class Seen:
    """What the page is: "live", "stale" (not this post as yet), "wrong" (this post, and
    not as it was approved) or "gone"; why, and the facts."""

    state: str
    said: str
    facts: dict[str, Any] = field(default_factory=dict)
    content_hash: str = ""


def call_hook(site: Site, *, by: Actor) -> str:
    """Ask for a deployment; the id of the job that it started, which says nothing of
    how that goes. Blocked when the hook is not there; HookFailed for a bad moment."""
    url = keys.need(site, "deploy_hook", "without it nothing is deployed.", by=by)
    host = host_of(url)
    if site.company.rehearsal and host not in LOOPBACK:
        raise Blocked(
            f"“Address of the deploy hook” of {site} is a real one, and this company"
            " rehearses."
        )
    try:
        with Web.of(site, {host}) as web:
            answer = web.post(url, most=100_000)
    except NotAllowed:
        raise Blocked(f"“Address of the deploy hook” of {site} is none.") from None
    except Unreachable:
        raise HookFailed("The deploy hook does not answer.") from None
    if 400 <= answer.status < 500:
        raise Blocked(
            f"“Address of the deploy hook” of {site} answers {answer.status}: copy it"
            " anew from Vercel."
        )
    if not answer.is_ok:
        raise HookFailed(f"The deploy hook answers {answer.status}.")
    try:
        return str(json.loads(answer.text, strict=False)["job"]["id"])[:100]
    except (ValueError, KeyError, TypeError):
        return ""


def token_of(site: Site, *, by: Actor) -> str:
    """What Vercel is asked with. Each reading is on record: read it once."""
    return keys.read(site, "vercel_token", by=by)


def deployments(
    site: Site, token: str, *, seconds: float = SECONDS
) -> list[Deployment] | None:
    """The latest of the project, the newest first; None without a token to ask with.
    Unreachable when nobody knows."""
    if not token or not site.vercel_project:
        return None
    base = site.endpoint("vercel")
    asked = urlencode(
        {"projectId": site.vercel_project, "target": "production", "limit": MOST}
    )
    with Web.of(site, {host_of(base)}, seconds=seconds) as web:
        page = web.get(
            f"{base}/v6/deployments?{asked}", Authorization=f"Bearer {token}"
        )
    if not page.is_ok:
        raise Unreachable(f"Vercel answers {page.status} about its deployments.")
    try:
        # Messages of commits are in it as they are, with whatever is in them.
        rows = json.loads(page.text, strict=False)["deployments"]
        return [
            Deployment(
                str(row.get("uid") or ""),
                str(row.get("readyState") or row.get("state") or ""),
                str((row.get("meta") or {}).get("githubCommitSha") or ""),
            )
            for row in rows
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unreachable("Vercel's answer about its deployments is none.") from None


def of_commit(
    rows: list[Deployment], commit: str, holds: Callable[[str], bool]
) -> Deployment | None:
    """The deployment of this commit; or one that is ready of a later commit, which
    `holds` it: the earlier build is given up when another push comes."""
    mine = next((one for one in rows if one.commit == commit), None)
    if mine is not None and mine.state == READY:
        return mine
    later = (one for one in rows if one.state == READY and one.commit != commit)
    return next((one for one in later if one.commit and holds(one.commit)), mine)


def look(web: Web, url: str, key: str, title: str, graph_hash: str) -> Seen:
    """The page of a post as a visitor gets it."""
    try:
        page = web.get(url)
    except Unreachable as no:
        return Seen("stale", str(no))
    facts: dict[str, Any] = {"status": page.status, "pageSha256": page.sha256}
    if page.status in GONE:
        return Seen("gone", f"{url} answers {page.status}.", facts)
    document = Document(page.text, page.url, page.headers.get("x-robots-tag", ""))
    if page.status != 200:
        return Seen("stale", f"{url} answers {page.status}.", facts)
    if normal(page.url) != normal(url):
        return Seen("stale", f"{url} leads to {page.url}.", facts)
    if key not in page.text:
        said = f"{url} answers 200 and is not this post: an older build is served."
        return Seen("stale", said, facts)
    if wrong := differs(document, title, graph_hash):
        return Seen("wrong", f"{url} {wrong}", facts)
    said = f"{url} shows the post as it was approved."
    return Seen("live", said, facts, document.content_hash)


def differs(document: Document, title: str, graph_hash: str) -> str:
    """What of the page is not as it was approved; empty when nothing."""
    if document.is_noindex:
        return "forbids search engines to show it (noindex)."
    if normal(document.canonical) != normal(document.url):
        return f"says that {document.canonical} is the page."
    if squeezed(title) not in document.headings:
        return "has not the post's title as its heading (h1)."
    ours = [one for one in document.structured if is_at(one, document.url)]
    if not ours:
        return "has not the post's structured data: put `jsonLd` of the file into it."
    if render.graph_hash(ours) != graph_hash:
        return "has other structured data than the post."
    return ""


def is_at(thing: dict[str, Any], url: str) -> bool:
    """Whether it is about a part of this page."""
    at, mark, _name = str(thing.get("@id", "")).partition("#")
    return bool(mark) and normal(at) == normal(url)
