"""What rivals write about and we do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from marketing.models import Competitor, KeywordGap, PageSnapshot
from paperclip.desk import Desk, attempt, cut, page

PER_PAGE, PAGES = 20, 60
# What a score is made of: in a word for the head of the table, and in full.
PARTS = {
    "coverage": (gettext_lazy("Rivals"), gettext_lazy("how many rivals use it")),
    "prominence": (gettext_lazy("Prominent"), gettext_lazy("how prominently they do")),
    "freshness": (gettext_lazy("New"), gettext_lazy("how new it is")),
    "fit": (gettext_lazy("Fits us"), gettext_lazy("how well it fits our topics")),
    "demand": (gettext_lazy("Sought"), gettext_lazy("how often it is searched for")),
}


# What is taken from a page, and how it was come by, to people.
FIELDS = {
    "title": gettext_lazy("Title"),
    "description": gettext_lazy("Description"),
    "h1": gettext_lazy("Main heading"),
    "h2": gettext_lazy("Headings"),
    "keywords": gettext_lazy("Keywords"),
    "posts": gettext_lazy("Posts"),
    "tech": gettext_lazy("Built with"),
}


@require_GET
def gaps(request: HttpRequest) -> HttpResponse:
    company = Desk.of(request).company
    dismissed = request.GET.get("dismissed") == "1"
    rows = KeywordGap.objects.filter(company=company, is_dismissed=dismissed)
    shown = cut(request, rows.select_related("issue"), PER_PAGE)
    known = {name for gap in shown for name in gap.components if name in PARTS}
    parts = [name for name in PARTS if name in known]
    return page(
        request,
        "marketing/gaps.html",
        title=_("Keyword gaps"),
        rows=shown,
        gaps=[(gap, shares(gap, parts)) for gap in shown],
        parts=[PARTS[name] for name in parts],
        dismissed=dismissed,
        competitors=Competitor.objects.filter(company=company),
    )


def shares(gap: KeywordGap, parts: list[str]) -> list[tuple[Any, Any, int | None]]:
    """Word, meaning and value, of 100, of each part; None where nobody knows it."""
    known = {name: gap.components.get(name) for name in parts}
    return [
        (*PARTS[name], None if value is None else round(100 * value))
        for name, value in known.items()
    ]


@require_POST
def dismiss(request: HttpRequest, pk: str) -> HttpResponse:
    desk = Desk.of(request)
    gap = desk.one(KeywordGap.objects.all(), pk)
    on = request.POST.get("on") != "1"
    word = _("“%(gap)s” is put aside.") if on else _("“%(gap)s” is back.")
    attempt(
        request, lambda: gap.dismiss(by=desk.actor, again=not on), word % {"gap": gap}
    )
    return redirect("admin:gaps")


@require_GET
def rival(request: HttpRequest, pk: str) -> HttpResponse:
    """A competitor: its pages as they are now, and what has changed since."""
    competitor = Desk.of(request).one(Competitor.objects.all(), pk)
    pages = pages_of(competitor)
    return page(
        request,
        "marketing/rival.html",
        title=competitor.name,
        company=competitor.company,
        crumbs=[(_("Keyword gaps"), "/marketing/gaps/")],
        competitor=competitor,
        pages=pages,
        changed=sum(bool(one.changes) for one in pages),
    )


@dataclass(frozen=True)
class Seen:
    """A page as it is now, and what is not as it was before."""

    now: PageSnapshot
    changes: list[tuple[str, str, str]]

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        return [one for one in facts(self.now) if one[1]]

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Name, and why there is none."""
        return [(name, why) for name, value, why in facts(self.now) if not value]

    @property
    def title(self) -> str:
        return shown(self.now.fields.get("title")) or self.now.url


def pages_of(competitor: Competitor) -> list[Seen]:
    """Its pages, those that have changed first, then as they were seen."""
    newest = Window(RowNumber(), partition_by="url", order_by="-last_seen_at")
    rows = PageSnapshot.objects.filter(competitor=competitor).annotate(nth=newest)
    by_url: dict[str, list[PageSnapshot]] = {}
    for row in rows.filter(nth__lte=2).order_by("url", "nth")[: 2 * PAGES]:
        by_url.setdefault(row.url, []).append(row)
    found = [Seen(states[0], changes(states)) for states in by_url.values()]
    return sorted(found, key=lambda one: not one.changes)


def place(name: str) -> int:
    return list(FIELDS).index(name) if name in FIELDS else len(FIELDS)


def facts(state: PageSnapshot) -> list[tuple[str, str, str]]:
    """Field, value, and where it was found or why there is none."""
    return [
        (
            str(FIELDS.get(name, name)),
            shown(field),
            str(field.get("step") or field.get("reason") or ""),
        )
        for name, field in sorted(state.fields.items(), key=lambda one: place(one[0]))
    ]


def changes(states: list[PageSnapshot]) -> list[tuple[str, str, str]]:
    """Field, before and after: what is not as it was in the state before."""
    if len(states) < 2:
        return []
    new, old = states[0].fields, states[1].fields
    told = []
    for name in new:
        before, after = (shown(fields.get(name)) for fields in (old, new))
        if before != after:
            told.append((str(FIELDS.get(name, name)), before, after))
    return told


def named(one: object) -> str:
    """One of a list: a text, or a post or a technology by its name."""
    if isinstance(one, dict):
        return str(one.get("name") or one.get("title") or one.get("url") or "")
    return str(one)


def shown(field: object) -> str:
    value = field.get("value") if isinstance(field, dict) else field
    if isinstance(value, list):
        return ", ".join(map(named, value))
    return "" if value is None else str(value)
