"""What follows when somebody decides about a mail (agents/decisions.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.timezone import now

from marketing.models import Message
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from agents.models import Approval
    from paperclip.actors import Actor

State = Message.State


def approved(approval: Approval, *, by: Actor) -> None:
    """Let exactly this mail be sent. Invalid when it was changed since."""
    message = Message.objects.filter(approval=approval).first()
    if message is None:
        return  # It is about somebody else's mail.
    bound = approval.payload.get("sha256") == message.sha256
    waits = message.is_as_approved and bound
    said = f"Approved by {by.name}."
    if not waits or not message.move((State.AWAITING,), State.APPROVED, said, at=now()):
        raise Invalid(
            "The mail is no longer what is shown here: look at its newest approval.",
            code="changed",
        )


def rejected(approval: Approval, *, by: Actor) -> None:
    message = Message.objects.filter(approval=approval).first()
    if message is not None:
        said = approval.decision_note or f"Rejected by {by.name}."
        message.move((State.AWAITING,), State.DROPPED, said, at=now())
