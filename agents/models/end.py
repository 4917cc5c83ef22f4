"""How a run ends: once, whoever says so, and with all that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils.timezone import now

from agents.models.base import RunBase, together
from paperclip import audit, doorbell, sql
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from paperclip.actors import Actor

# One claim or end per agent at a time: two claims could both see its last free place.
# Always before the run's own row, or a claim and a cancel could wait for each other.
LOCK_AGENT = """
SELECT a.updated_at, a.status, c.updated_at, c.status
FROM agents_agent a JOIN paperclip_company c ON c.id = a.company_id
WHERE a.id = %(agent)s FOR NO KEY UPDATE OF a
"""
# Which runs somebody may end.
LIVE = "status = 'running' AND lease_expires_at > %(finished_at)s"
EXPIRED = "status = 'running' AND lease_expires_at <= %(finished_at)s"
OPEN = "status IN ('queued', 'running')"
UPDATE = """
UPDATE agents_run SET {places}, next_event_seq = next_event_seq + 1
WHERE id = %(id)s AND {which} RETURNING id
"""
# What goes with the end of a run: its wakeups, its last event, what it says about its
# agent if it ever started. Answers the queued ones that may have waited for its place.
END = """
WITH mine AS (
    SELECT id, agent_id, started_at, next_event_seq - 1 AS seq FROM agents_run
    WHERE id = %(run)s
), over AS (
    UPDATE agents_wakeup w SET status = %(word)s, updated_at = %(at)s FROM mine
    WHERE w.run_id = mine.id
      AND w.status IN ('queued', 'claimed', 'deferred_issue_execution')
), settled AS (
    UPDATE agents_agent a SET last_heartbeat_at = %(at)s, updated_at = %(at)s,
        status = CASE WHEN a.status IN ('idle', 'error')
            THEN %(state)s ELSE a.status END,
        error_reason = CASE WHEN a.status IN ('idle', 'error')
            THEN %(error)s::text ELSE a.error_reason END
    FROM mine WHERE a.id = mine.agent_id AND mine.started_at IS NOT NULL
), said AS (
    INSERT INTO agents_runevent
        (run_id, seq, event_type, stream, level, message, created_at)
    SELECT id, seq, 'lifecycle', 'system', 'info', %(message)s, clock_timestamp()
    FROM mine
)
SELECT n.id FROM agents_run n
WHERE n.status = 'queued' AND n.ready_at <= %(at)s
  AND (n.agent_id = %(agent)s OR n.waits_for_id = %(run)s)
ORDER BY n.due_at LIMIT 2
"""
# What a wakeup is called whose run ended so.
WORDS = {"succeeded": "completed", "timed_out": "failed"}


class Endable(RunBase):
    class Meta:
        abstract = True

    def finish(self, status: str, **outcome: Any) -> bool:
        """Write down how it went. False, and nothing written, when it had ended before:
        a result that arrives after a cancel or a lost lease does not count."""
        return self._end(LIVE, status, SYSTEM, **outcome)

    def expire(self) -> bool:
        """End it because nobody renewed its lease. Of many callers one gets True."""
        return self._end(
            EXPIRED,
            self.Status.FAILED,
            SYSTEM,
            error="The process that supervised this run is gone.",
            error_code="process_lost",
        )

    def cancel(self, *, by: Actor, why: str) -> bool:
        """End it now. Its supervisor notices within a second and ends the processes."""
        by.must_write(self.company_id, "stop runs")
        return self._end(
            OPEN,
            self.Status.CANCELLED,
            by,
            error=why,
            error_code="cancelled",
        )

    @together
    def _end(self, which: str, status: str, by: Actor, **outcome: Any) -> bool:
        self.lock_agent()
        moment = now()
        columns = {"status": status, "finished_at": moment, "updated_at": moment}
        columns |= outcome
        # The same columns each time, so that it is planned once.
        places = ", ".join(f"{name} = %({name})s" for name in columns)
        statement = UPDATE.format(places=places, which=which)
        if not sql.planned(statement, id=self.pk, **self._told(columns)):
            return False
        for name, value in columns.items():
            setattr(self, name, value)
        failed = status in (self.Status.FAILED, self.Status.TIMED_OUT)
        next_ones = sql.planned(
            END,
            run=self.pk,
            agent=self.agent_id,
            at=moment,
            word=WORDS.get(status, status),
            state="error" if failed else "idle",
            error=self.error if failed else None,
            message=f"run {status.replace('_', ' ')}",
        )
        audit.record(by, f"heartbeat.{status}", self, agentId=str(self.agent_id))
        for (pk,) in next_ones:
            doorbell.ring("issues.tasks.heartbeat", str(pk))
        return True

    def _told(self, columns: dict[str, Any]) -> dict[str, Any]:
        """The values as the database takes them."""
        fields = {field.name: field for field in self._meta.concrete_fields}
        return {
            name: fields[name].get_db_prep_save(value, connection)
            for name, value in columns.items()
        }

    def lock_agent(self) -> None:
        """Nobody else claims or ends a run of the agent until the commit, and `agent`
        is as it is now."""
        agent, company = self.agent, self.agent.company
        known = (agent.updated_at, agent.status, company.updated_at, company.status)
        if sql.planned(LOCK_AGENT, agent=self.agent_id) != [known]:
            agents = type(agent).objects.select_related("company")
            self.agent = agents.get(pk=self.agent_id)
