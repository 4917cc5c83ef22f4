"""May this leave the building? Asked by everything that has an effect outside, before
it has it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.utils.timezone import now

from agents.models.approval import Approval
from agents.models.approval_base import digest
from agents.models.policy import KINDS, Effect, EffectPolicy, Rule
from paperclip import audit
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from agents.models import Agent, Run
    from paperclip.actors import Actor

# What a person has refused is not asked again so soon.
NO_MEANS_NO = timedelta(days=1)


class Verdict(NamedTuple):
    """`allowed`, `pending` (ask again with the same payload once it is decided) or
    `refused`; and why."""

    word: str
    why: str
    approval: Approval | None = None


@transaction.atomic
def authorize(
    agent: Agent,
    effect: str,
    payload: dict[str, Any],
    *,
    by: Actor,
    run: Run | None,
    **card: Any,
) -> Verdict:
    """Whether the agent may have this effect with exactly this payload, once: `allowed`
    uses up the approval that says so. Without one, a person is asked when the rules say
    so, or when the run has read text from outside. Invalid for an unknown effect.

    `card`: what else a person is shown, `summary` and `issue_ids`; and `asker`, who is
    told what comes of it, the agent unless it is None."""
    if effect not in KINDS:
        raise Invalid(f"There is no effect {effect}. Known: {', '.join(KINDS)}.")
    rule, why = rule_for(agent, effect, run)
    bound = {"effect": effect, "agentId": str(agent.pk), **payload}
    verdict = Verdict("allowed" if rule == Rule.ALLOW else "refused", why)
    if rule == Rule.ASK:
        asked = {"by": by, "run": run, "asker": agent, **card}
        verdict = ask(agent, effect, bound, why, **asked)
    audit.record(
        by,
        f"effect.{verdict.word}",
        agent,
        effect=effect,
        payloadHash=digest(bound),
        **({"approvalId": str(verdict.approval.pk)} if verdict.approval else {}),
    )
    return verdict


def rule_for(agent: Agent, effect: str, run: Run | None) -> tuple[str, str]:
    """What counts for this effect of this run, and why."""
    company = agent.company
    rule = EffectPolicy.objects.rule(company, agent, effect)
    label = Effect(effect).label
    if rule != Rule.ALLOW:
        said = "is refused here" if rule == Rule.REFUSE else "needs an approval"
        return rule, f"To {label} {said}."
    if source := outside_text(agent, run):
        return Rule.ASK, f"This run has read text from outside ({source})."
    return rule, f"To {label} is allowed."


def outside_text(agent: Agent, run: Run | None) -> str:
    """What makes the run one that strangers may have talked to; empty when nothing
    does, or the company does not mind."""
    company = agent.company
    if company.rehearsal or not company.ask_after_outside_text:
        return ""
    if run is None:
        return "an agent without a run may have read anything"
    return type(run).objects.values_list("outside", flat=True).get(pk=run.pk)


def ask(
    agent: Agent,
    effect: str,
    bound: dict[str, Any],
    why: str,
    *,
    by: Actor,
    run: Run | None,
    asker: Agent | None,
    summary: str = "",
    issue_ids: Collection[UUID] = (),
) -> Verdict:
    type_ = KINDS[effect][1]
    known = Approval.objects.filter(
        company=agent.company_id, type=type_, payload_hash=digest(bound)
    )
    if used := known.use():
        return Verdict("allowed", f"It was approved: {used}.", used)
    lately = known.filter(status="rejected", decided_at__gt=now() - NO_MEANS_NO)
    if no := lately.first():
        return Verdict("refused", f"A person said no. {no.decision_note or ''}", no)
    approval = Approval.objects.request(
        agent.company,
        type_,
        bound,
        by=by,
        agent=asker,
        run=run if asker else None,
        issue_ids=issue_ids,
        summary=summary or str(Effect(effect).label),
    )
    more = " You are woken when it is decided. Then ask again with the same payload."
    told = f"{why} A person was asked.{more if asker else ''}"
    return Verdict("pending", told, approval)
