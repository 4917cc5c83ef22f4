"""What follows when an approval is decided: one table.

The names are dotted, so that the floors above can be named without being imported. Each
takes the approval and `by=` and is called in the transaction of the decision: what it
refuses with undoes the decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from agents.models.approval import Approval
    from paperclip.actors import Actor


class Effect(NamedTuple):
    on_approved: str = ""
    on_rejected: str = ""


EFFECTS: dict[str, Effect] = {}


def carry_out(approval: Approval, *, by: Actor) -> None:
    """Do what the decision says."""
    effect = EFFECTS.get(approval.type, Effect())
    is_yes = approval.status == "approved"
    if name := effect.on_approved if is_yes else effect.on_rejected:
        import_string(name)(approval, by=by)
