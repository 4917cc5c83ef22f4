"""A webhook that is verified with one of the company's secrets, in place of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents import bindings
from agents.models.secret_binding import TRIGGER
from issues import webhooks
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from agents.models import Secret
    from issues.models import RoutineTrigger
    from paperclip.actors import Actor


def bind(trigger: RoutineTrigger, secret: Secret | None, *, by: Actor) -> None:
    """Verify its calls with this; with None the webhook has a secret of its own again.
    Operators bind; whoever may change the trigger lets go. The caller saves it."""
    if secret is None:
        if binding := webhooks.bound_to(trigger):
            bindings.release(binding, by=by)
        return
    if trigger.kind != trigger.Kind.WEBHOOK or trigger.signing_mode == "none":
        raise Invalid("Only a webhook with a signature has a secret.")
    if secret.company_id != trigger.company_id:
        raise Invalid(f"There is no secret {secret.pk} in {trigger.company}.")
    secret.bind(TRIGGER, trigger.pk, "webhook", label=trigger.routine.title, by=by)
    trigger.secret = ""
