"""What an agent may do beyond its own work, and what it may change in another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agents.models.run import Run
from paperclip.exceptions import NotAllowed

if TYPE_CHECKING:
    from agents.models.agent import Agent
    from paperclip.actors import Actor

ACT = "change an agent"
# What an agent with the grant may write in those that report to it: titles and limits.
# No field that this machine runs, opens or connects to, no instructions, no tool, no
# money, no right, and nobody's manager or reviewer.
WRITABLE = {"title", "capabilities", "heartbeat_enabled"}
WRITABLE |= {"interval_seconds", "skip_unchanged"}
WRITABLE |= {"active_days", "active_from", "active_to", "time_zone"}
WRITABLE_CONFIG = {"maxTurns", "maxTokens", "temperature", "timeoutSec"}


def must_configure(agent: Agent, *, by: Actor) -> None:
    """Refuse with 403 who may not change this agent at all: people by their role;
    agents without the grant, about anybody who does not report to them, and in a run
    that has read text from outside."""
    if by.agent is None:
        by.must_be_operator(agent.company_id, ACT)
        return
    if not by.agent.may("canConfigureAgents"):
        raise NotAllowed(
            "You may not change an agent: ask a person.", code="may_not_configure"
        )
    if by.agent.pk not in {above.pk for above in agent.chain_of_command()}:
        raise NotAllowed(
            f"{agent.name} does not report to you: ask a person.",
            code="not_your_report",
        )
    # Without a run nobody knows what it has read.
    run = by.run_id and Run.objects.filter(pk=by.run_id, outside="").first()
    if agent.company.ask_after_outside_text and not run:
        raise NotAllowed(
            "This run has read text from outside: a person has to change agents.",
            code="outside_text",
        )


def must_write(agent: Agent, fields: Mapping[str, Any], *, by: Actor) -> None:
    """As `must_configure`, and refuse an agent what it may not write. The row is held
    and as it is now."""
    must_configure(agent, by=by)
    if by.agent is None:
        return
    wrong = {name for name in fields if name not in WRITABLE | {"adapter_config"}}
    new = fields.get("adapter_config", agent.adapter_config)
    wrong |= differing(agent.adapter_config, new) - WRITABLE_CONFIG
    if wrong:
        raise NotAllowed(
            f"Agents do not change this in one another: {', '.join(sorted(wrong))}."
            " Ask a person.",
            code="not_yours_to_write",
        )


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    return {key for key in {*old, *new} if old.get(key) != new.get(key)}


def of_hire(hirer: Agent, wanted: Mapping[str, bool] | None) -> dict[str, bool]:
    """The grants of whom an agent hires: those that it names, none of which it lacks
    itself (403)."""
    given: dict[str, bool] = {n: on for n, on in (wanted or {}).items() if on}
    if more := sorted(name for name in given if not hirer.may(name)):
        raise NotAllowed(
            f"You cannot give what you may not do yourself: {', '.join(more)}.",
            code="more_than_own",
        )
    return given
