from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models import Agent
    from issues.models.comment import Comment
    from paperclip.actors import Actor

# Nobody is woken by its own words, nor by what it just took itself.
OWN_DOING = {"issue_commented", "issue_comment_mentioned", "issue_checked_out"}


class Wake(NamedTuple):
    """Somebody whom a change concerns: an agent to wake, and why."""

    agent: Agent | None
    source: str
    reason: str
    issue_id: UUID


def send_wakes(
    wakes: Iterable[Wake], *, by: Actor, said: Comment | None = None
) -> None:
    """Wake each agent once per issue, for the first reason given."""
    done = set()
    for agent, source, reason, issue_id in wakes:
        own = by.agent is not None and agent == by.agent and reason in OWN_DOING
        if agent is None or own or (agent.pk, issue_id) in done:
            continue
        done.add((agent.pk, issue_id))
        agent.wake(
            source,
            reason,
            by=by,
            issue_id=issue_id,
            comment_id=said.pk if said else None,
        )
