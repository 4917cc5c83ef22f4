"""The one place where a model call meets money: `reserve` before it, `settle` after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.gateway.errors import NoAnswer
from agents.models import CostEvent
from agents.models.cost import CENT

if TYPE_CHECKING:
    from uuid import UUID

    from agents.gateway.usage import Usage
    from agents.models import Run


def reserve(run: Run) -> None:
    """Refuse the call when what its agent or its company may spend this month is spent.
    Calls under way are not counted yet: reserving them is the governance release's."""
    ledger, agent = CostEvent.objects.this_month(), run.agent
    for whose, events in (
        (agent, ledger.filter(agent=agent)),
        (agent.company, ledger.filter(company=agent.company)),
    ):
        limit = whose.budget_monthly_cents
        if limit and events.sums()["micros"] >= limit * CENT:
            raise NoAnswer(
                "budget_exceeded",
                f"{whose} has spent its budget of this month"
                f" (${limit / 100:.2f}). An operator can raise it.",
            )


def settle(
    run: Run, call: UUID, *, provider: str, model: str, usage: Usage, cost: int | None
) -> CostEvent:
    """Enter a call into the ledger, once however often it is said; `cost` in millionths
    of a dollar, None if unknown. The month's sums are counted again."""
    told = {
        "company": run.agent.company,
        "agent": run.agent,
        "run": run,
        "issue_id": run.issue_id,
        "provider": provider,
        "biller": provider,
        "billing_type": provider if provider == "rehearsal" else "metered_api",
        "model": model,
        "input_tokens": usage.sent,
        "cached_input_tokens": usage.cached,
        "output_tokens": usage.got,
        "cost_micros": cost,
        "estimated": usage.estimated,
    }
    # The row is there for good before anything is counted, and said again it is counted
    # again: a count that failed is made up for.
    event, _ = CostEvent.objects.get_or_create(id=call, defaults=told)
    event.count()
    return event
