"""Hires by agents: limited, and where the company says so, decided by a person."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from agents import grants
from agents.effects import rule_for
from agents.models import Agent, Approval
from agents.models.policy import Effect, Rule
from paperclip import audit, words
from paperclip.exceptions import Invalid, NotAllowed, TooMany
from paperclip.models import Company

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from paperclip.actors import Actor

DAY = timedelta(days=1)
# What a person has to see before it counts: it reaches outside, or runs on the machine.
OUTWARD = {"network", "apiBase", "fallbackModels"}
# What the card of a hire shows, besides its configuration.
SHOWN = ("role", "title", "capabilities", "instructions", "tools", "adapter_type")
MASK = "***REDACTED***"


@transaction.atomic
def hire(
    company: Company,
    *,
    by: Actor,
    reason: str = "",
    issue_ids: Collection[UUID] = (),
    **fields: Any,
) -> tuple[Agent, Approval | None]:
    """A new agent, idle; or pending until a person has decided, with the approval.

    An agent needs the permission `canCreateAgents` (403) and gives none that it does
    not have itself (403), may not hire more than so many a day for one manager (429),
    and has to say why it needs a second one of the same role (422, `reason_needed`).
    Missing for an issue that is not the company's. What else it refuses,
    Agent.objects.hire does."""
    issues = apps.get_model("issues.Issue")._default_manager
    for pk in issue_ids:
        issues.get_for(by, pk)
    if by.agent is None:
        return Agent.objects.hire(company, by=by, **fields), None
    if not by.agent.may("canCreateAgents"):
        raise NotAllowed("You may not hire: ask your manager.", code="may_not_hire")
    Company.objects.select_for_update(no_key=True).get(pk=company.pk)
    fields["reports_to"] = fields.get("reports_to") or by.agent
    fields["permissions"] = grants.of_hire(by.agent, fields.get("permissions"))
    must_be_needed(by.agent, reason, fields)
    asks = must_ask(by.agent, by, fields)
    status = Agent.Status.PENDING if asks else Agent.Status.IDLE
    agent = Agent.objects.take_on(
        company, by=by, status=status, hired_by=by.agent, **fields
    )
    if not asks:
        return agent, None
    approval = Approval.objects.request(
        company,
        Approval.Type.HIRE,
        card(agent, reason),
        by=by,
        issue_ids=issue_ids,
        summary=f"{agent.name}, {words.role(agent.role)}",
    )
    return agent, approval


def must_ask(hirer: Agent, by: Actor, fields: dict[str, Any]) -> bool:
    """Whether a person decides of it first. NotAllowed where nobody is hired at all."""
    rule, _why = rule_for(hirer, Effect.HIRE, by.run)
    if rule == Rule.REFUSE:
        raise NotAllowed("Agents may not hire here.", code="hires_refused")
    return bool(rule == Rule.ASK) or reaches_out(fields)


def must_be_needed(hirer: Agent, reason: str, fields: dict[str, Any]) -> None:
    manager, role = fields["reports_to"], fields.get("role", "general")
    theirs = Agent.objects.filter(company=hirer.company_id, reports_to=manager)
    lately = Agent.objects.filter(
        Q(reports_to=manager) | Q(hired_by=hirer),
        company=hirer.company_id,
        hired_by__isnull=False,
        created_at__gt=now() - DAY,
    )
    if lately.count() >= settings.HIRES_PER_DAY:
        raise TooMany(
            f"{manager or hirer} has had {settings.HIRES_PER_DAY} hires within a day."
            " Work with those, or ask a person to hire.",
            retry_after=int(DAY.total_seconds()),
        )
    twin = theirs.employed().filter(role=role).first()
    if twin is not None and not reason.strip():
        raise Invalid(
            f"{twin} is {role} there already. Say in `reason` why one more is needed.",
            code="reason_needed",
            agentId=str(twin.pk),
        )


def reaches_out(fields: dict[str, Any]) -> bool:
    """Whether a person has to look, whatever the rules say: an agent never writes by
    itself what this machine then runs or where it connects."""
    config = fields.get("adapter_config") or {}
    permissions = fields.get("permissions") or {}
    return (
        fields.get("adapter_type", "process") != "litellm"
        or bool(OUTWARD & set(config))
        or any(permissions.values())
    )


def card(agent: Agent, reason: str) -> dict[str, Any]:
    """What a person decides on: no value of its environment."""
    config = dict(agent.adapter_config)
    if "env" in config:
        config["env"] = dict.fromkeys(config["env"], MASK)
    facts = {name: getattr(agent, name) for name in SHOWN if getattr(agent, name)}
    camel = {"adapter_type": "adapterType"}
    return {
        "agentId": str(agent.pk),
        "name": agent.name,
        **{camel.get(name, name): value for name, value in facts.items()},
        "adapterConfig": config,
        "reportsTo": agent.reports_to.name if agent.reports_to else None,
        "permissions": {k: v for k, v in agent.permissions.items() if v},
        "budgetMonthlyCents": agent.budget_monthly_cents,
        "reason": reason,
    }


def take_on(approval: Approval, *, by: Actor) -> None:
    """The hire is approved: the agent may be woken. Invalid when it is gone."""
    agent = agent_of(approval)
    if agent is None:
        raise Invalid("The agent is not waiting any more: it was dismissed.")
    Agent.objects.filter(pk=agent.pk).update(
        status=Agent.Status.IDLE,
        next_heartbeat_at=agent.alarm_after(now()),
        updated_at=now(),
    )
    audit.record(by, "agent.approved", agent, approvalId=str(approval.pk))


def turn_away(approval: Approval, *, by: Actor) -> None:
    """The hire is rejected."""
    if agent := agent_of(approval):
        agent.terminate(by=by)


def agent_of(approval: Approval) -> Agent | None:
    """The agent that waits for this approval, locked."""
    waiting = Agent.objects.select_for_update(no_key=True, of=["self"]).filter(
        pk=approval.payload.get("agentId"),
        company=approval.company_id,
        status=Agent.Status.PENDING,
    )
    return waiting.select_related("company").first()
