"""Posts on their way, from a brief to a page that was seen live."""

from __future__ import annotations

import difflib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from issues.views.work import Line, lines_of
from marketing.models import Brief, Post, PostVersion
from paperclip.desk import Desk, page

State = Post.State
# What stands in which column.
COLUMNS = [
    (gettext_lazy("Being written"), (State.BRIEF, State.DRAFTED, State.GATED)),
    (gettext_lazy("Waits for you"), (State.AWAITING,)),
    (
        gettext_lazy("On its way"),
        (State.APPROVED, State.COMMITTED, State.PUSHED, State.REQUESTED),
    ),
    (gettext_lazy("Live"), (State.LIVE, State.ANNOUNCED)),
    (
        gettext_lazy("Not live"),
        (State.UNVERIFIED, State.REFUTED, State.REJECTED, State.UNPUBLISHED),
    ),
]
MOST = 50


@require_GET
def posts(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    rows = Post.objects.filter(company=company).order_by("-state_since")
    open_ones = (Brief.State.PROPOSED, Brief.State.APPROVED)
    briefs = Brief.objects.filter(company=company, state__in=open_ones)
    return page(
        request,
        "marketing/posts.html",
        title=_("Posts"),
        columns=[
            (title, list(rows.filter(state__in=states)[:MOST]))
            for title, states in COLUMNS
        ],
        briefs=briefs[:20],
    )


def one(request: HttpRequest, pk: str) -> Post:
    rows = Post.objects.select_related("approval", "brief", "issue", "company")
    found: Post = Desk.of(request).one(rows, pk)
    return found


@require_GET
def post(request: HttpRequest, pk: str) -> HttpResponse:
    return show(request, one(request, pk))


def show(request: HttpRequest, row: Post, **more: Any) -> HttpResponse:
    versions = list(row.versions.order_by("-number"))
    version = versions[0] if versions else None
    return page(
        request,
        "marketing/post.html",
        title=str(row),
        company=row.company,
        crumbs=[(_("Posts"), "/marketing/posts/")],
        post=row,
        version=version,
        versions=versions,
        body=body_of(version),
        diff=changed(versions),
        wraps=True,
        **more,
    )


def body_of(version: PostVersion | None) -> str:
    """The Markdown of the file, without what stands before it for the site."""
    source = version.source if version else ""
    if not source.startswith("---\n"):
        return source
    return source.partition("\n---\n")[2]


def changed(versions: list[PostVersion]) -> list[Line]:
    """What the newest version has that the one before has not, and the other way."""
    if len(versions) < 2:
        return []
    new, old = (version.source.splitlines() for version in versions[:2])
    return list(lines_of(difflib.unified_diff(old, new, lineterm="", n=2)))
