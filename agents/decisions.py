"""What follows when an approval is decided: one table.

The names are dotted, so that the floors above can be named without being imported. Each
takes the approval and `by=` and is called in the transaction of the decision: what it
refuses with undoes the decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.apps import apps
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from agents.models.agent import Agent
    from agents.models.approval import Approval
    from paperclip.actors import Actor


class Effect(NamedTuple):
    on_approved: str = ""
    on_rejected: str = ""


EFFECTS: dict[str, Effect] = {
    "hire_agent": Effect("agents.hiring.take_on", "agents.hiring.turn_away"),
    "budget_override_required": Effect(
        "issues.budgets.approved", "issues.budgets.rejected"
    ),
    "send": Effect(
        "marketing.outreach.approvals.approved",
        "marketing.outreach.approvals.rejected",
    ),
}


def carry_out(approval: Approval, *, by: Actor) -> None:
    """Do what the decision says."""
    effect = EFFECTS.get(approval.type, Effect())
    is_yes = approval.status == "approved"
    if name := effect.on_approved if is_yes else effect.on_rejected:
        import_string(name)(approval, by=by)


def withdraw_hire(agent: Agent, *, by: Actor) -> None:
    """Nobody has to decide any more on one that is dismissed."""
    if agent.status == agent.Status.PENDING:
        cards = apps.get_model("agents.Approval").objects.open()
        for card in cards.filter(type="hire_agent", payload__agentId=str(agent.pk)):
            card.cancel(by=by, note=f"{agent.name} was dismissed.")
