"""The one place where a model call meets money: `reserve` before it, `settle` after."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Ceil, Coalesce
from django.utils.timezone import now

from agents.gateway.errors import NoAnswer
from agents.models import Agent, CostEvent
from paperclip import live
from paperclip.models import Company

if TYPE_CHECKING:
    from agents.gateway.usage import Usage
    from agents.models import Run

CENT = 10_000  # millionths of a dollar


def month_of(moment: datetime) -> datetime:
    """The start of its calendar month, UTC."""
    return moment.astimezone(UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )


def reserve(run: Run) -> None:
    """Refuse the call when what its agent or its company may spend this month is spent.
    Calls under way are not counted yet: reserving them is the governance release's."""
    this_month = CostEvent.objects.filter(occurred_at__gte=month_of(now()))
    agent, company = run.agent, run.agent.company
    for whose, events in (
        (agent, this_month.filter(agent=agent)),
        (company, this_month.filter(company=company)),
    ):
        if not (limit := whose.budget_monthly_cents):
            continue
        spent = events.aggregate(sum=Coalesce(Sum("cost_micros"), 0))["sum"]
        if spent >= limit * CENT:
            raise NoAnswer(
                "budget_exceeded",
                f"{whose} has spent its budget of this month"
                f" (${limit / 100:.2f}). An operator can raise it.",
            )


@transaction.atomic
def settle(
    run: Run, *, provider: str, model: str, usage: Usage, cost: int | None
) -> CostEvent:
    """Enter a call into the ledger; `cost` in millionths of a dollar, None if unknown.
    The month's sums of agent and company are counted again from the ledger."""
    event: CostEvent = CostEvent.objects.create(
        company_id=run.company_id,
        agent_id=run.agent_id,
        run=run,
        issue_id=run.issue_id,
        provider=provider,
        biller=provider,
        billing_type=provider if provider == "rehearsal" else "metered_api",
        model=model,
        input_tokens=usage.sent,
        cached_input_tokens=usage.cached,
        output_tokens=usage.got,
        cost_micros=cost,
        estimated=usage.estimated,
    )
    if cost:
        count_again(run)
    live.changed(run.company_id)
    return event


def count_again(run: Run) -> None:
    this_month = CostEvent.objects.filter(occurred_at__gte=month_of(now())).order_by()
    for model, pk, column in (
        (Agent, run.agent_id, "agent"),
        (Company, run.company_id, "company"),
    ):
        own = this_month.filter(**{column: OuterRef("pk")}).values(column)
        cents: Any = own.annotate(c=Ceil(Sum("cost_micros") / float(CENT))).values("c")
        model._default_manager.filter(pk=pk).update(
            spent_monthly_cents=Coalesce(Subquery(cents), 0)
        )
