"""What came out of an issue, to be read: its documents with their revisions, and the
branches of its work products with what they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import unified_diff
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from agents.models import Run
from issues import repositories
from issues.models import Issue
from issues.models.document import DocumentRevision
from issues.views.issue import home, one
from paperclip.desk import page
from paperclip.exceptions import Refused

REVISIONS = 50


class Line(NamedTuple):
    """One line of a diff and what it is: added, removed, place, file or same."""

    kind: str
    text: str


def crumbs_of(issue: Issue) -> list[tuple[str, str]]:
    issues = (_("Issues"), reverse("admin:issues_issue_changelist"))
    return [issues, (issue.identifier, home(issue))]


@require_GET
def document(request: HttpRequest, pk: str, key: str) -> HttpResponse:
    """A document as it is or was, or what a revision changed in it."""
    issue = one(request, pk)
    found = issue.documents.filter(key=key).first()
    if found is None:
        raise Http404(_("Document not found"))
    revisions = found.revisions.select_related("author_agent", "author_user")
    shown = revision_of(revisions, request.GET.get("revision", ""))
    before = revisions.filter(number__lt=shown.number).first() if shown else None
    changes = request.GET.get("view") == "changes" and shown is not None
    return page(
        request,
        "issues/document.html",
        company=issue.company,
        title=f"{issue.identifier} {found}",
        short_title=str(found),
        crumbs=crumbs_of(issue),
        issue=issue,
        document=found,
        shown=shown,
        revisions=revisions[:REVISIONS],
        diff=list(between(before, shown)) if changes and shown else None,
    )


def number_of(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) < 9
    return int(text) if is_number else None


def revision_of(revisions: Any, asked: str) -> Any:
    """The one that was asked for, else the newest; None when there is none."""
    number = number_of(asked)
    rows = revisions if number is None else revisions.filter(number=number)
    found = rows.first()
    if found is None and asked:
        raise Http404(_("There is no such revision."))
    return found


def between(before: DocumentRevision | None, after: DocumentRevision) -> Iterator[Line]:
    """What changed from one revision to the next."""
    old = before.body.splitlines() if before else []
    return lines_of(unified_diff(old, after.body.splitlines(), lineterm=""))


def lines_of(diff: Iterable[str]) -> Iterator[Line]:
    """The lines of a unified diff, each with its kind. What stands above the first
    place of a file only names it."""
    is_head = True
    for text in diff:
        if text.startswith("diff "):
            is_head = True
            yield Line("file", text.rpartition(" b/")[2] or text)
        elif text.startswith("@@"):
            is_head = False
            yield Line("place", text)
        elif not is_head:
            yield Line({"+": "added", "-": "removed"}.get(text[:1], "same"), text)


@require_GET
def product(request: HttpRequest, pk: str, product: str) -> HttpResponse:
    """A branch: its commits, its files and what they change."""
    issue = one(request, pk)
    found = issue.work_products.select_related("project").filter(pk=product).first()
    if found is None:
        raise Http404(_("Work product not found"))
    refusal, patch, is_cut, commits = "", "", False, []
    try:
        if found.type == found.Type.BRANCH:
            patch, is_cut = repositories.diff(found)
            commits = repositories.log(found)
    except Refused as no:
        refusal = str(no)
    return page(
        request,
        "issues/product.html",
        company=issue.company,
        title=f"{issue.identifier} {found}",
        short_title=str(found),
        crumbs=crumbs_of(issue),
        issue=issue,
        product=found,
        run_is_kept=Run.objects.filter(pk=found.created_by_run_id).exists(),
        facts=repositories.facts_of(found),
        commits=commits,
        diff=list(lines_of(patch.splitlines())),
        is_cut=is_cut,
        refusal=refusal,
    )
