"""Posts on their way, from a brief to a page that was seen live."""

from __future__ import annotations

import difflib
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from issues.views.work import Line, lines_of
from marketing.models import Brief, Post, PostVersion
from marketing.models.keyword import TRUSTED_AFTER
from paperclip.desk import Desk, attempt, cut, page
from paperclip.exceptions import Refused

State = Post.State
# What stands in which column.
COLUMNS = {
    "writing": (
        gettext_lazy("Being written"),
        (State.BRIEF, State.DRAFTED, State.GATED),
    ),
    "waiting": (gettext_lazy("Waits for you"), (State.AWAITING,)),
    "going": (
        gettext_lazy("On its way"),
        (State.APPROVED, State.COMMITTED, State.PUSHED, State.REQUESTED),
    ),
    "live": (gettext_lazy("Live"), (State.LIVE, State.ANNOUNCED)),
    "not-live": (
        gettext_lazy("Not live"),
        (State.UNVERIFIED, State.REFUTED, State.REJECTED, State.UNPUBLISHED),
    ),
}
# What each gate looks at, to people.
GATES = {
    "quota": gettext_lazy("Not too many a day"),
    "unique_keyword": gettext_lazy("No other post is about this keyword"),
    "cannibalisation": gettext_lazy("Takes no readers from a page of ours"),
    "structure": gettext_lazy("Title, headings and questions are there"),
    "facts": gettext_lazy("Each fact has a source"),
    "originality": gettext_lazy("Copies nobody"),
    "near_duplicate": gettext_lazy("Unlike all other posts of ours"),
    "language": gettext_lazy("Easy to read"),
    "links": gettext_lazy("Links lead somewhere"),
    "json_ld": gettext_lazy("What machines read fits the text"),
    "sanitiser": gettext_lazy("Nothing harmful in it"),
}
# So many in each column, and on the page of one.
SHOWN, PER_PAGE = 8, 50


@require_GET
def posts(request: HttpRequest) -> HttpResponse:
    """All columns, or the one that is asked for, page by page."""
    company = Desk.of(request).company
    rows = Post.objects.filter(company=company).order_by("-state_since", "pk")
    only = request.GET.get("column", "")
    if only in COLUMNS:
        title, states = COLUMNS[only]
        shown = cut(request, rows.filter(state__in=states), PER_PAGE)
        return page(
            request,
            "marketing/posts.html",
            title=title,
            crumbs=[(_("Posts"), reverse("admin:posts"))],
            rows=shown,
        )
    counts = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    open_ones = (Brief.State.PROPOSED, Brief.State.APPROVED)
    briefs = Brief.objects.filter(company=company, state__in=open_ones)
    return page(
        request,
        "marketing/posts.html",
        title=_("Posts"),
        columns=[
            (
                name,
                title,
                sum(counts.get(one, 0) for one in states),
                rows.filter(state__in=states)[:SHOWN],
            )
            for name, (title, states) in COLUMNS.items()
        ],
        most=SHOWN,
        briefs=briefs[:20],
    )


def one(request: HttpRequest, pk: str) -> Post:
    rows = Post.objects.select_related(
        "approval", "brief", "cluster", "issue", "company"
    )
    found: Post = Desk.of(request).one(rows, pk)
    return found


@require_GET
def post(request: HttpRequest, pk: str) -> HttpResponse:
    return show(request, one(request, pk))


@require_POST
def edit(request: HttpRequest, pk: str) -> HttpResponse:
    """Another text. Refused, it keeps what was typed and says what each gate says."""
    row, desk = one(request, pk), Desk.of(request)
    version = row.version
    if version is None:
        raise Http404
    document = typed(request.POST, version.document)
    try:
        row.edit(document, by=desk.actor)
    except Refused as no:
        return show(request, row, status=no.status, refusal=no, document=document)
    messages.success(request, _("Saved. It is to be approved as it is now."))
    return redirect("admin:post", pk)


@require_POST
def unpublish(request: HttpRequest, pk: str) -> HttpResponse:
    row, desk = one(request, pk), Desk.of(request)
    said = _("It is taken offline by the next run of the Blog Publisher.")
    attempt(request, lambda: row.unpublish(by=desk.actor), said)
    return redirect("admin:post", pk)


@require_POST
def trust(request: HttpRequest, pk: str) -> HttpResponse:
    """Let posts about the same keywords out unread, or not."""
    row, desk = one(request, pk), Desk.of(request)
    if (cluster := row.cluster) is None:
        raise Http404
    on = request.POST.get("on") == "1"
    said = _("Somebody approves each post before it goes out.")
    if on:
        said = _("Posts about these keywords go out without anybody reading them.")
    attempt(request, lambda: cluster.publish_unasked(on, by=desk.actor), said)
    return redirect("admin:post", pk)


def typed(told: QueryDict, before: dict[str, Any]) -> dict[str, Any]:
    """The document as the form says it; what the form does not show stays."""

    def text(name: str, old: str) -> str:
        # A browser ends lines in its own way.
        return str(told.get(name, old)).replace("\r\n", "\n")

    def rows(kind: str) -> list[dict[str, Any]]:
        return [
            {name: text(f"{kind}-{n}-{name}", old) for name, old in part.items()}
            for n, part in enumerate(before.get(kind, []))
        ]

    plain = ("title", "meta", "slug", "intro")
    parts = {name: text(name, before.get(name, "")) for name in plain}
    return {**before, **parts, "sections": rows("sections"), "faq": rows("faq")}


def show(
    request: HttpRequest,
    row: Post,
    *,
    status: int = 200,
    refusal: Refused | None = None,
    document: dict[str, Any] | None = None,
) -> HttpResponse:
    desk = Desk.of(request)
    versions = list(row.versions.order_by("-number"))
    version = versions[0] if versions else None
    may_edit = desk.may(row.company, "edit a post") and version is not None
    return page(
        request,
        "marketing/post.html",
        title=str(row),
        company=row.company,
        status=status,
        here=reverse("admin:post", args=[row.pk]) if refusal else "",
        crumbs=[(_("Posts"), reverse("admin:posts"))],
        post=row,
        version=version,
        versions=versions,
        body=body_of(version),
        gates=gates_of(version),
        diff=changed(versions),
        wraps=True,
        refusal=refusal,
        document=document or (version.document if version else {}),
        may_edit=may_edit and row.state in row.EDITABLE,
        may_trust=desk.may(row.company, "set the site up"),
        trusted_after=TRUSTED_AFTER,
        may_unpublish=desk.may(row.company, "edit a post") and row.state in row.OUTSIDE,
    )


def gates_of(version: PostVersion | None) -> list[tuple[Any, dict[str, Any]]]:
    """What was looked at, and what was said of it; what failed comes first."""
    gates = version.gates if version else []
    told = [
        (GATES.get(one["rule"], one["rule"].replace("_", " ")), one) for one in gates
    ]
    return sorted(told, key=lambda each: bool(each[1]["passed"]))


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
    diff = lines_of(difflib.unified_diff(old, new, lineterm="", n=2))
    return [line for line in diff if line.kind != "place"]
