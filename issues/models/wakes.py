from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models import Agent
    from issues.models.base import IssueBase
    from issues.models.comment import Comment
    from paperclip.actors import Actor

# Nobody is woken by its own words, nor by what it just took itself.
OWN_DOING = {
    "issue_commented",
    "issue_comment_mentioned",
    "issue_checked_out",
    "issue_reopened_via_comment",
}


class Wake(NamedTuple):
    """Somebody whom a change concerns: an agent to wake, why, and about which issue."""

    agent: Agent | None
    source: str
    reason: str
    issue: IssueBase


def send_wakes(
    wakes: Iterable[Wake], *, by: Actor, said: Comment | None = None
) -> None:
    """Wake each agent once per issue, for the first reason given. Whose doing it is,
    its run says, whatever credential it used."""
    doer = by.doer
    first: dict[tuple[UUID, UUID], tuple[Agent, Wake]] = {}
    for wake in wakes:
        own = doer is not None and wake.agent == doer
        if wake.agent is not None and not (own and wake.reason in OWN_DOING):
            key = wake.agent.pk, wake.issue.pk
            first.setdefault(key, (wake.agent, wake))
    # In one order for everybody: two that wake the same agents do not wait for each
    # other in a circle.
    for agent, wake in (first[key] for key in sorted(first)):
        agent.wake(
            wake.source,
            wake.reason,
            by=by,
            issue_id=wake.issue.pk,
            comment_id=said.pk if said else None,
            rank=wake.issue.priority,
        )
