"""The queue of runs: which of them starts next, and what one that waits is told."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Model, Value
from django.utils.timezone import now

from paperclip import audit, sql
from paperclip.models import Company, ScopedQuerySet

if TYPE_CHECKING:
    from datetime import datetime

    from paperclip.actors import Actor

# Ranks are those of issues' priorities.
CRITICAL, ORDINARY, LOW = 0, 2, 3
# So much earlier or later than its time a rank counts. Nobody starves: what has waited
# this much longer goes first, whatever its rank.
HEAD_START = timedelta(minutes=10)
# A run is told at most so many facts; the rows of the wakeups keep all.
MOST_FACTS = 1000
# What only the engine says of itself is not said twice.
OWN_REASONS = {"process_lost_retry", "transient_failure_retry", "put_off"}

# The next runs in fair order: of every company in turn, fewest running first, the one
# whose time is earliest. Each condition is one of a claim's, looked at without locks.
NEXT_UP = """
SELECT next.id, next.agent_id,
    row_number() OVER (
        ORDER BY busy.running + next.place, next.due_at, next.id) AS turn
FROM paperclip_company c
CROSS JOIN LATERAL (
    SELECT count(*) AS running FROM agents_run l
    WHERE l.company_id = c.id AND l.status = 'running' AND l.lease_expires_at > %(at)s
) busy
CROSS JOIN LATERAL (
    SELECT r.id, r.agent_id, r.due_at,
        row_number() OVER (ORDER BY r.due_at, r.id) AS place
    FROM (
        SELECT q.id, q.agent_id, q.due_at FROM (
            -- In order first, so that the rest looks at no more of them than it needs.
            SELECT id, agent_id, issue_id, waits_for_id, account_id, due_at
            FROM agents_run
            WHERE company_id = c.id AND status = 'queued' AND ready_at <= %(at)s
              AND id <> ALL(%(tried)s::uuid[])
              AND (%(unrung)s::timestamptz IS NULL
                   OR rung_at IS NULL OR rung_at < %(unrung)s)
            ORDER BY due_at, id OFFSET 0
        ) q
        WHERE (SELECT count(*) FROM agents_run o WHERE o.agent_id = q.agent_id
               AND o.status = 'running'
               AND o.issue_id IS NOT DISTINCT FROM q.issue_id) = 0
          AND (q.waits_for_id IS NULL OR (
              SELECT count(*) FROM agents_run h WHERE h.id = q.waits_for_id
              AND h.status = 'running' AND h.lease_expires_at > %(at)s) = 0)
          AND (SELECT count(*) FROM agents_run m WHERE m.agent_id = q.agent_id
               AND m.status = 'running' AND m.lease_expires_at > %(at)s)
              < (SELECT max_concurrent_runs FROM agents_agent WHERE id = q.agent_id)
          AND (q.account_id IS NULL OR (
              SELECT p.max_concurrent_runs IS NULL OR p.max_concurrent_runs > (
                  SELECT count(*) FROM agents_run b WHERE b.account_id = p.id
                  AND b.status = 'running' AND b.lease_expires_at > %(at)s)
              FROM agents_provideraccount p WHERE p.id = q.account_id))
        ORDER BY q.due_at, q.id LIMIT %(limit)s
    ) r
) next
WHERE c.status = 'active'
  AND (c.max_concurrent_runs IS NULL
       OR busy.running + next.place <= c.max_concurrent_runs)
ORDER BY turn LIMIT %(limit)s
"""
# The first of them with its agent and company; nobody else claims or ends a run of it.
TAKE_NEXT = """
SELECT {columns} FROM ({next_up}) up
JOIN agents_run r ON r.id = up.id
JOIN agents_agent a ON a.id = up.agent_id
JOIN paperclip_company c ON c.id = a.company_id
ORDER BY up.turn LIMIT 1 FOR NO KEY UPDATE OF a
"""
# In one order for everybody who locks more than one.
LOCK_AGENTS = """
SELECT id FROM agents_agent WHERE id = ANY(%(agents)s) ORDER BY id FOR NO KEY UPDATE
"""
# The next event of each run in `mine`: its id, and in `seq` the number of the event.
# Run.log_event() is the way to write one; this goes with what changes a run.
SAY = """
INSERT INTO agents_runevent
    (run_id, seq, event_type, stream, level, message, payload, created_at)
SELECT id, seq, %(type)s, 'system', %(level)s, %(message)s, %(payload)s::jsonb,
    clock_timestamp()
FROM mine
"""
# The end of runs that have not started: with their wakeups and their last event, and
# without a word about their agents, who did nothing.
CANCEL = f"""
WITH mine AS (
    UPDATE agents_run SET status = 'cancelled', finished_at = %(at)s,
        updated_at = %(at)s, error = %(why)s, error_code = %(code)s,
        incident_id = %(incident)s, next_event_seq = next_event_seq + 1
    WHERE id = ANY(%(runs)s) AND status = 'queued'
    RETURNING id, company_id, agent_id, next_event_seq - 1 AS seq
), over AS (
    UPDATE agents_wakeup w SET status = 'cancelled', updated_at = %(at)s FROM mine
    WHERE w.run_id = mine.id AND w.status IN ('queued', 'deferred_issue_execution')
), said AS ({SAY})
SELECT id, company_id, agent_id FROM mine
"""  # noqa: S608 (of our own parts)
# The code of a run that a spent budget stopped.
BUDGET = "budget_exceeded"
BATCH = 500
# Of so many one is found whose agent nobody is just seeing to.
AHEAD = 12


def says(
    message: str, kind: str = "lifecycle", level: str = "info", payload: Any = None
) -> dict[str, Any]:
    """What SAY is told."""
    told = json.dumps(payload) if payload else None
    return {"type": kind, "level": level, "message": message, "payload": told}


def due(ready_at: datetime, rank: int) -> datetime:
    """Its place in the queue."""
    return ready_at + (rank - ORDINARY) * HEAD_START


def project_of(issue_id: UUID | None) -> UUID | None:
    if issue_id is None:
        return None
    issues: Any = apps.get_model("issues.Issue")._default_manager
    found: UUID | None = (
        issues.filter(pk=issue_id).values_list("project_id", flat=True).first()
    )
    return found


class Queue(ScopedQuerySet):
    def next_up(
        self, at: datetime, limit: int, *, unrung_since: datetime | None = None
    ) -> list[UUID]:
        """The ids of those that could start now, in fair order: companies share the
        places, an urgent issue goes before an ordinary one, and the older before the
        younger. With `unrung_since`, only those no worker was told of since then."""
        told = {"at": at, "limit": limit, "unrung": unrung_since, "tried": []}
        return [row[0] for row in sql.planned(NEXT_UP, **told)]

    def take_next(self, at: datetime, tried: list[UUID]) -> Any | None:
        """The first of them that was not tried yet, with its agent locked. One whose
        agent somebody else has locked is passed over; when there is no other, that
        lock is waited for."""
        told = {"at": at, "limit": AHEAD, "unrung": None, "tried": tried}
        kinds: dict[str, type[Model]] = {
            "r": self.model,
            "a": apps.get_model("agents.Agent"),
            "c": Company,
        }
        columns = ", ".join(sql.columns(kind, name) for name, kind in kinds.items())
        take_next = TAKE_NEXT.format(columns=columns, next_up=NEXT_UP)
        for statement in (f"{take_next} SKIP LOCKED", take_next):
            for row in sql.planned(statement, **told):
                run, agent, agent.company = sql.made(row, *kinds.values())
                run.agent, run.company = agent, agent.company
                run.agent_is_locked = True
                return run
        return None

    def queue_of(self, account: Any) -> Self:
        """Those that wait until this account opens."""
        return self.filter(account=account, status="queued", ready_at__gt=now())

    def put_off(self, until: datetime, hold: str = "") -> int:
        """Start the queued ones among them not before then, and say why."""
        later = ExpressionWrapper(
            Value(until) + (F("rank") - ORDINARY) * Value(HEAD_START),
            output_field=DateTimeField(),
        )
        return self.filter(status="queued").update(
            ready_at=until, due_at=later, rung_at=None, hold=hold, updated_at=now()
        )

    def cancel_queued(self, *, by: Actor, why: str, incident: Any = None) -> None:
        """End those of them that have not started yet, hundreds at a time."""
        waiting = list(
            self.filter(status="queued")
            .order_by("agent_id")
            .values_list("pk", "agent_id", "company_id")
        )
        for company_id in {row[2] for row in waiting}:
            by.must_write(company_id, "stop a run")
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            runs, agents = [row[0] for row in batch], [row[1] for row in batch]
            self._cancel(runs, sorted(set(agents)), by, why, incident)

    @transaction.atomic(savepoint=False)
    def _cancel(
        self, runs: list[UUID], of: list[UUID], by: Actor, why: str, incident: Any
    ) -> None:
        sql.planned(LOCK_AGENTS, agents=of)
        rows = sql.planned(
            CANCEL,
            runs=runs,
            at=now(),
            why=why,
            code=BUDGET if incident else "cancelled",
            incident=incident and incident.pk,
            **says("run cancelled"),
        )
        for pk, company_id, agent_id in rows:
            run = self.model(pk=pk, company_id=company_id)
            audit.record(by, "heartbeat.cancelled", run, agentId=str(agent_id))

    def owed(self, agent_id: UUID, issue_id: UUID | None) -> list[dict[str, Any]]:
        """The facts that runs of the agent about the issue were told, or waited with,
        and that none has carried to a good end since: the next run is told them. None
        while one runs: it knows them, and what becomes of it is not decided yet."""
        mine = self.filter(agent=agent_id, issue_id=issue_id)
        if mine.filter(status="running").exists():
            return []
        ended = mine.exclude(status__in=["queued", "running"])
        latest = ended.order_by("-created_at").values_list("status", "wakes")
        owed: list[dict[str, Any]] = []
        for status, wakes in latest[:20]:
            if status == "succeeded":
                break
            owed = [*wakes, *owed]
        return [fact for fact in owed if fact["reason"] not in OWN_REASONS]


def in_order(*parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The facts of all parts, each once, as they came."""
    once = {repr(sorted(fact.items())): fact for part in parts for fact in part}
    return sorted(once.values(), key=lambda fact: str(fact["at"]))[-MOST_FACTS:]
