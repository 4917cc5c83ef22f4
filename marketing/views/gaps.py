"""What rivals write about and we do not."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from marketing.models import Competitor, KeywordGap, PageSnapshot
from paperclip.desk import Desk, attempt, page

MOST = 200
PARTS = {
    "coverage": gettext_lazy("how many rivals use it"),
    "prominence": gettext_lazy("how prominently"),
    "freshness": gettext_lazy("how new it is"),
    "fit": gettext_lazy("how well it fits our topics"),
    "demand": gettext_lazy("how often it is searched for"),
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
    return page(
        request,
        "marketing/gaps.html",
        title=_("Keyword gaps"),
        gaps=[
            (
                gap,
                [
                    (PARTS[name], round(100 * value))
                    for name, value in gap.components.items()
                    if name in PARTS and value is not None
                ],
            )
            for gap in rows.select_related("issue")[:MOST]
        ],
        dismissed=dismissed,
        competitors=Competitor.objects.filter(company=company),
    )


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
    rows = PageSnapshot.objects.filter(competitor=competitor)
    by_url: dict[str, list[PageSnapshot]] = {}
    for row in rows.order_by("url", "-last_seen_at")[:400]:
        by_url.setdefault(row.url, []).append(row)
    return page(
        request,
        "marketing/rival.html",
        title=competitor.name,
        company=competitor.company,
        crumbs=[(_("Keyword gaps"), "/marketing/gaps/")],
        competitor=competitor,
        pages=[
            (states[0], facts(states[0]), changes(states)) for states in by_url.values()
        ],
    )


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
