"""The page of budgets: how each stands, what it stops, and what to do about that."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from agents import limits
from agents.models import Agent, BudgetIncident, BudgetPolicy
from agents.models.counter import FULL
from agents.models.metering import MICROS_A_TOKEN, TOKENS_A_SECOND
from issues import budgets as acts
from issues import worth
from issues.budget_form import BudgetForm
from issues.models import Issue
from paperclip.desk import Desk, attempt, back, page
from paperclip.models import Company

ENDED = 10


@require_GET
def budgets(request: HttpRequest) -> HttpResponse:
    return show(request, BudgetForm(company=Desk.of(request).company))


def show(request: HttpRequest, form: BudgetForm) -> HttpResponse:
    company = Desk.of(request).company
    ours = BudgetIncident.objects.filter(company=company).select_related("counter")
    return page(
        request,
        "issues/budgets.html",
        title=_("Budgets"),
        status=422 if form.errors else 200,
        standings=limits.standings(company),
        incidents=[told(one) for one in stops(company)],
        over=[told(one) for one in ours.filter(status="resolved")[:ENDED]],
        form=form,
        rates={"tokens": f"{TOKENS_A_SECOND:,}", "price": f"${MICROS_A_TOKEN}"},
    )


def stops(company: Company) -> Any:
    """What holds something up now, or warns that it soon will."""
    ours = BudgetIncident.objects.filter(company=company)
    return ours.exclude(status=BudgetIncident.Status.RESOLVED).select_related("counter")


def told(incident: Any) -> Any:
    """The incident, with what the page says of it."""
    policy: BudgetPolicy | None = incident.counter.policy
    incident.policy = policy
    if policy is not None:
        counter = policy.counter(now())
        incident.used = policy.in_words(-(-counter.spent // policy.unit))
        incident.of = policy.in_words(policy.amount)
        # Another month has begun, and nobody has looked at it since.
        incident.is_past = counter.pk != incident.counter_id
        incident.is_spent = counter.reached >= FULL
        incident.suggestion = suggestion(policy, counter.spent)
    kinds = Counter(incident.runs.values_list("agent__name", flat=True))
    incident.stopped = sorted(kinds.items())
    return incident


def suggestion(policy: BudgetPolicy, spent: int) -> int:
    """Half as much again, or as it was when that is enough."""
    if spent < policy.limit:
        return policy.amount
    return max(policy.amount, -(-spent // policy.unit)) * 3 // 2 + 1


@require_POST
def put(request: HttpRequest) -> HttpResponse:
    """Set a limit by the form."""
    desk = Desk.of(request)
    form = BudgetForm(request.POST, company=desk.company)
    if not form.is_valid():
        return show(request, form)
    values = form.values()
    attempt(request, lambda: acts.put(desk.company, by=desk.actor, **values), outcome)
    return back(request, "admin:budgets")


def outcome(policy: BudgetPolicy) -> str:
    """What came of a limit that was set."""
    if not policy.amount:
        return _("There is no such limit any more.")
    if policy.hard_stop and policy.counter(now()).reached >= FULL:
        return _("The limit is set, and used up already: what it is for is paused.")
    return _("The limit is set.")


@require_POST
def take_away(request: HttpRequest, pk: str) -> HttpResponse:
    """No limit any more."""
    desk = Desk.of(request)
    policy = desk.one(BudgetPolicy.objects.all(), pk)
    told = {name: getattr(policy, name) for name in ("scope_type", "scope_id")}
    told |= {name: getattr(policy, name) for name in ("metric", "window_kind")}
    attempt(
        request,
        lambda: acts.put(policy.company, by=desk.actor, amount=0, **told),
        _("The limit is taken away."),
    )
    return back(request, "admin:budgets")


@require_POST
def resolve(request: HttpRequest, pk: str) -> HttpResponse:
    """Raise and resume, or keep it paused."""
    desk = Desk.of(request)
    incident = desk.one(BudgetIncident.objects.select_related("counter"), pk)
    name = incident.name
    if request.POST.get("action") == "keep":
        attempt(
            request,
            lambda: acts.keep_paused(incident, by=desk.actor),
            _("%(name)s stays paused.") % {"name": name},
        )
        return back(request, "admin:budgets")
    attempt(
        request,
        lambda: acts.raise_and_resume(
            incident, BudgetForm.amount_of(request.POST, incident), by=desk.actor
        ),
        _("%(name)s goes on, with what was stopped.") % {"name": name},
    )
    return back(request, "admin:budgets")


def of_agent(agent: Agent) -> dict[str, Any]:
    """For the page of an agent."""
    return {
        "standings": limits.standings(agent.company, scope_id=agent.pk),
        "incidents": [
            told(one) for one in stops(agent.company).filter(scope_id=agent.pk)
        ],
        "forecast": limits.forecast("agent", agent.pk),
    }


def of_issue(issue: Issue) -> dict[str, Any]:
    """For the page of an issue."""
    return {
        "standings": limits.standings(issue.company, scope_id=issue.pk),
        "forecast": worth.forecast(issue),
    }
