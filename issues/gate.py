"""The no-change gate: a timer starts an agent only when there is something to do.

That is an open issue of its own that it can go on with, or a fact it may act on that
somebody else has changed since its last run began. Everything else that is to happen
regularly is a routine, which files issues.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import CharField, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Cast
from django.utils.timezone import now

from agents.models import Agent, Attempt, Run, Wakeup
from agents.models.agent import AgentQuerySet
from agents.models.hours import HOURS
from issues.models import Issue
from issues.models.base import CLOSED
from issues.models.issue import IssueQuerySet
from paperclip import sql
from paperclip.actors import SYSTEM
from paperclip.models import Activity

log = logging.getLogger(__name__)

UNCHANGED = "Nothing has changed."
# What others do to an issue that leaves nothing to be done about it.
NO_NEWS = ("issue.checked_out", "issue.checkout_lock_adopted")
TIMER = "heartbeat_timer"
# So many start in a round: it takes ten times as long as to skip one, and a long round
# would hold up the rest of the sweep.
STARTS = 50
# Of an agent, what decides whether and when it rings.
NEEDED = ("company_id", "skip_unchanged", *HOURS)
# In the order in which everybody locks more than one.
MOVE = """
WITH due AS MATERIALIZED (
    SELECT a.id, v.next_at FROM agents_agent a
    JOIN unnest(%(agents)s::uuid[], %(rang)s::timestamptz[], %(nexts)s::timestamptz[])
        AS v(id, rang_at, next_at) ON v.id = a.id AND v.rang_at = a.next_heartbeat_at
    ORDER BY a.id FOR NO KEY UPDATE OF a
)
UPDATE agents_agent a SET next_heartbeat_at = due.next_at
FROM due WHERE a.id = due.id RETURNING a.id
"""
# A record for each agent; equal ones in a row count up on the last one.
SKIP = """
WITH told AS (
    SELECT a.id, a.company_id, t.last_wakeup
    FROM unnest(%(agents)s::uuid[], %(last)s::uuid[]) AS t(id, last_wakeup)
    JOIN agents_agent a ON a.id = t.id
), rolled AS (
    UPDATE agents_wakeup w SET times = times + 1, updated_at = %(at)s FROM told
    WHERE w.id = told.last_wakeup AND w.status = 'skipped'
      AND w.reason = %(reason)s AND w.note = %(why)s
    RETURNING w.agent_id
)
INSERT INTO agents_wakeup (id, company_id, agent_id, source, trigger_detail, reason,
    payload, status, times, note, requested_by_type, requested_by_id, created_at,
    updated_at)
SELECT gen_random_uuid(), company_id, id, 'timer', 'system', %(reason)s,
    '{}', 'skipped', 1, %(why)s, %(type)s, %(by)s, %(at)s, %(at)s
FROM told WHERE id NOT IN (SELECT agent_id FROM rolled)
"""


def with_gate(agents: AgentQuerySet) -> AgentQuerySet:
    """Adds `has_work`, `has_news`, `is_busy` and `last_wakeup`, all in one query."""
    own = Issue.objects.filter(assignee_agent=OuterRef("pk"))
    open_runs = Run.objects.open().filter(agent=OuterRef("pk"))
    stuck = Attempt.objects.parked().filter(agent=OuterRef("pk"), issue_id=None)
    changed = Activity.objects.filter(
        entity_id=Cast(OuterRef("pk"), CharField()),
        action="agent.updated",
        created_at__gt=OuterRef("last_run_started_at"),
    )
    latest = Wakeup.objects.filter(agent=OuterRef("pk")).order_by("-created_at")
    return agents.annotate(
        has_work=Exists(own.workable()) & ~Exists(stuck),
        has_news=Exists(news()) | Exists(changed),
        is_busy=Exists(open_runs),
        last_wakeup=Subquery(latest.values("pk")[:1]),
    )


def news() -> IssueQuerySet:
    """Issues that concern an agent (of the outer query) and in which somebody else has
    done something since its last run began."""
    began = OuterRef(OuterRef("last_run_started_at"))
    theirs = Activity.objects.filter(created_at__gt=began).exclude(
        Q(agent_id=OuterRef(OuterRef("pk"))) | Q(action__in=NO_NEWS)
    )
    concerned = (
        Q(assignee_agent=OuterRef("pk"))
        | Q(created_by_agent=OuterRef("pk"))
        | Q(executor_agent=OuterRef("pk"))
    )
    lately = ~Q(status__in=CLOSED) | Q(updated_at__gt=OuterRef("last_run_started_at"))
    about = theirs.filter(entity_id=Cast(OuterRef("pk"), CharField()))
    return Issue.objects.shown().filter(concerned, lately, Exists(about))


def wake_due(at: datetime, limit: int) -> int:
    """Decide for the agents whose timer rang, at most so many: wake them or write down
    why not. The alarms are moved first and each for itself, so that an agent that
    cannot be woken rings once and not for ever. How many were decided: of those that
    may start, the first STARTS."""
    rang = Agent.objects.due(at).order_by("next_heartbeat_at")
    due = list(with_gate(rang).only(*NEEDED)[:limit])
    opens = {agent.pk: agent.opens_at(at) for agent in due}
    shut = {agent.pk: refusal(agent, opens[agent.pk]) for agent in due}
    starting = [agent for agent in due if not shut[agent.pk]][:STARTS]
    skipped = [agent for agent in due if shut[agent.pk]]
    moved = move_alarms([*starting, *skipped], opens, at)
    for agent in starting:
        if agent.pk in moved:
            wake(agent)
    for why in {shut[agent.pk] for agent in skipped}:
        skip([a for a in skipped if a.pk in moved and shut[a.pk] == why], why)
    return len(moved)


def refusal(agent: Any, opens_at: datetime | None) -> str:
    """Why its timer may not start it now; empty when it may."""
    if opens_at is not None:
        return "Outside its active hours."
    if agent.is_busy:
        return "The last run has not ended yet."
    shut = agent.skip_unchanged and not (agent.has_work or agent.has_news)
    return UNCHANGED if shut else ""


def wake(agent: Any) -> None:
    """Start it. With news, what it was stuck with may go well."""
    try:
        if agent.has_news:
            agent.attempts.filter(issue_id=None, whole_agent=False).reopen()
        whole = Agent.objects.select_related("company").get(pk=agent.pk)
        whole.wake("timer", TIMER, by=SYSTEM)
    except Exception:
        # One that cannot be woken does not keep the others asleep.
        log.exception("the timer could not wake %s", agent)


def move_alarms(
    agents: Sequence[Any], opens: dict[UUID, datetime | None], at: datetime
) -> set[UUID]:
    """Set each one's next alarm; the ids of those that nobody else has moved."""
    nexts = [agent.alarm_after(opens[agent.pk] or at) for agent in agents]
    rows = sql.planned(
        MOVE,
        agents=[agent.pk for agent in agents],
        rang=[agent.next_heartbeat_at for agent in agents],
        nexts=nexts,
    )
    return {row[0] for row in rows}


def skip(agents: Sequence[Any], why: str) -> None:
    """Leave a record; equal ones in a row count up on one row."""
    sql.planned(
        SKIP,
        agents=[agent.pk for agent in agents],
        last=[agent.last_wakeup for agent in agents],
        at=now(),
        reason=TIMER,
        why=why,
        type=SYSTEM.kind,
        by=SYSTEM.id,
    )
