"""What the pages say of budgets."""

from __future__ import annotations

from typing import Any

from django import template
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from agents.limits import Forecast, Standing
from agents.models import Agent
from issues.models import Issue
from issues.views import budgets as pages
from paperclip.templatetags.console import compact, dollars

register = template.Library()

PLACES = {"agent": "admin:agent", "project": "admin:issues_project_change"}


@register.filter
def bar(standing: Standing) -> dict[str, int]:
    """What of the bar is used and what is reserved, in per cent; together at most
    100."""
    limit = max(1, standing.policy.limit)
    spent = min(100, 100 * standing.counter.spent // limit)
    return {
        "spent": spent,
        "reserved": min(100 - spent, 100 * standing.counter.reserved // limit),
    }


def in_words(standing: Standing, counted: int) -> str:
    metric = standing.policy.metric
    if metric == "billed_cents":
        return dollars(counted)
    amount = -(-counted // standing.policy.unit)
    many = compact(amount) if metric == "tokens" else f"{amount:,}"
    return f"{many} {standing.policy.get_metric_display()}"


@register.filter
def used_in_words(standing: Standing) -> str:
    return in_words(standing, standing.counter.spent)


@register.filter
def held_in_words(standing: Standing) -> str:
    return in_words(standing, standing.counter.reserved)


@register.filter
def limit_in_words(standing: Standing) -> str:
    return in_words(standing, standing.policy.limit)


@register.filter
def outlook(standing: Standing) -> str:
    """For how much longer what is left will do."""
    found = standing.forecast
    left = standing.policy.limit - standing.counter.spent
    lasts = found.lasts(max(0, left))
    if lasts is None or left <= 0 or standing.policy.metric == "runs":
        return ""
    told = {"p50": in_words(standing, found.p50), "p90": in_words(standing, found.p90)}
    use = _("Half of the runs take less than %(p50)s, nine in ten less than %(p90)s")
    return f"{use % told}: {enough_for(lasts[1], lasts[0])}."


def enough_for(few: int, many: int) -> str:
    """For how many runs, told once where both are the same."""
    if not many:
        return _("not enough for another run")
    if not few:
        return _("enough for %(many)s more at best") % {"many": f"{many:,}"}
    if few == many:
        said = ngettext("enough for %(n)s more", "enough for %(n)s more", few)
        return said % {"n": f"{few:,}"}
    return _("enough for %(few)s to %(many)s more") % {
        "few": f"{few:,}",
        "many": f"{many:,}",
    }


@register.filter
def expected(found: Forecast, what: str) -> str:
    """A forecast of money, in words: of a run, or of an issue."""
    if not found.p90:
        return ""
    told = {"p50": dollars(found.p50), "p90": dollars(found.p90), "n": found.count}
    if what == "issue":
        said = ngettext(
            "half of such issues cost less than %(p50)s, nine in ten less than"
            " %(p90)s (%(n)s was looked at)",
            "half of such issues cost less than %(p50)s, nine in ten less than"
            " %(p90)s (%(n)s were looked at)",
            found.count,
        )
    else:
        said = ngettext(
            "half of such runs cost less than %(p50)s, nine in ten less than"
            " %(p90)s (%(n)s was looked at)",
            "half of such runs cost less than %(p50)s, nine in ten less than"
            " %(p90)s (%(n)s were looked at)",
            found.count,
        )
    return said % told


@register.filter
def in_dollars(cents: int) -> str:
    return f"{cents / 100:.2f}"


@register.filter
def address(standing: Standing) -> str:
    """The page of what it is for; empty for the company, whose page this is."""
    kind, subject = standing.policy.scope_type, standing.subject
    if kind == "issue":
        return reverse("admin:issue", args=[subject.identifier])
    return reverse(PLACES[kind], args=[subject.pk]) if kind in PLACES else ""


@register.simple_tag
def budgets_of(subject: Agent | Issue) -> dict[str, Any]:
    """How the limits of an agent or of an issue stand, and what is to be expected."""
    if isinstance(subject, Agent):
        return pages.of_agent(subject)
    return pages.of_issue(subject)


@register.simple_tag
def stops_of(company: Any) -> list[Any]:
    """What budgets stop in a company, or soon will."""
    return [pages.told(one) for one in pages.stops(company)]
