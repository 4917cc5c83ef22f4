"""How a run ends: once, whoever says so, and with all that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import connection
from django.utils.timezone import now

from agents.models import metering
from agents.models.base import NO_PROGRESS, RunBase, together
from agents.models.grant import Scopes
from agents.models.queue import BUDGET, SAY, says
from paperclip import audit, doorbell, sql
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from paperclip.actors import Actor

# One claim or end per agent at a time: two claims could both see its last free place.
# Always before the run's own row, or a claim and a cancel could wait for each other.
LOCK_AGENT = """
SELECT a.updated_at, a.status, c.updated_at AS company_updated_at,
    c.status AS company_status
FROM agents_agent a JOIN paperclip_company c ON c.id = a.company_id
WHERE a.id = %(agent)s FOR NO KEY UPDATE OF a
"""
# Which runs somebody may end.
LIVE = "r.status = 'running' AND r.lease_expires_at > %(finished_at)s"
EXPIRED = "r.status = 'running' AND r.lease_expires_at <= %(finished_at)s"
OPEN = "r.status IN ('queued', 'running')"
# The end of a run, with its wakeups, its last event, the faults that do not count any
# more when it went well, the notices that another one has to be told when it did not,
# and what it says about its agent if it ever started. Answers the agent as locked, and
# the queued runs that may have waited for its place. It never waits: it would go on
# with what it saw before.
END = f"""
WITH locked AS MATERIALIZED ({LOCK_AGENT} SKIP LOCKED), mine AS (
    UPDATE agents_run r SET {{places}}, next_event_seq = r.next_event_seq + 1
    FROM locked WHERE r.id = %(id)s AND {{which}}
    RETURNING r.id, r.agent_id, r.issue_id, r.started_at, r.is_budgeted,
        r.next_event_seq - 1 AS seq
), over AS (
    UPDATE agents_wakeup w SET status = %(word)s, updated_at = %(finished_at)s FROM mine
    WHERE w.run_id = mine.id
      AND w.status IN ('queued', 'claimed', 'deferred_issue_execution')
), forgiven AS (
    DELETE FROM agents_attempt t USING mine
    WHERE %(word)s = 'completed' AND t.agent_id = mine.agent_id
      AND t.cause <> '{NO_PROGRESS}'
      AND (t.whole_agent OR t.issue_id IS NOT DISTINCT FROM mine.issue_id)
), untold AS (
    UPDATE agents_notice n SET told_run_id = NULL, told_at = NULL FROM mine
    WHERE n.told_run_id = mine.id AND %(word)s <> 'completed'
), settled AS (
    UPDATE agents_agent a SET last_heartbeat_at = %(finished_at)s,
        updated_at = %(finished_at)s,
        status = CASE WHEN a.status IN ('idle', 'error')
            THEN %(state)s ELSE a.status END,
        error_reason = CASE WHEN a.status IN ('idle', 'error')
            THEN %(reason)s::text ELSE a.error_reason END
    FROM mine WHERE a.id = mine.agent_id AND mine.started_at IS NOT NULL
), said AS ({SAY})
SELECT locked.*, ARRAY(
    SELECT n.id FROM agents_run n
    WHERE n.status = 'queued' AND n.ready_at <= %(finished_at)s AND n.id <> %(id)s
      AND (n.agent_id = %(agent)s OR n.waits_for_id = %(id)s)
    ORDER BY n.due_at LIMIT 2), mine.is_budgeted
FROM mine, locked
"""  # noqa: S608 (of our own parts)
# What a wakeup is called whose run ended so.
WORDS = {"succeeded": "completed", "timed_out": "failed"}


class Endable(RunBase):
    # Whether it moved its issue on and wrote something there, as who ended it saw.
    has_moved, has_commented = False, True

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

    def cancel(self, *, by: Actor, why: str, incident: Any = None) -> bool:
        """End it now. Its supervisor notices within a second and ends the processes.
        With the incident of a spent budget, that is why."""
        by.must_write(self.company_id, "stop a run")
        more = {"incident_id": incident.pk} if incident else {}
        code = BUDGET if incident else "cancelled"
        return self._end(
            OPEN, self.Status.CANCELLED, by, error=why, error_code=code, **more
        )

    def stop_for_budget(self) -> None:
        """End it for a spent budget. An incident that is there has it go on when the
        budget is raised; one that comes finds it by the code."""
        incidents = apps.get_model("agents.BudgetIncident")._default_manager
        stops = incidents.unresolved().filter(scope_id__in=Scopes.of(self).ids)
        said: dict[str, Any] = {"error": "Its budget is spent.", "error_code": BUDGET}
        if (pk := stops.values_list("pk", flat=True).first()) is not None:
            said["incident_id"] = pk
        self._end(OPEN, self.Status.CANCELLED, SYSTEM, **said)

    def was_stopped_for_budget(self) -> bool:
        """Whether somebody has ended it for that."""
        mine = type(self)._default_manager.filter(pk=self.pk, error_code=BUDGET)
        return mine.exists()

    @together
    def _end(self, which: str, status: str, by: Actor, **outcome: Any) -> bool:
        outcome["status"] = status
        rows = self._write_end(which, outcome)
        if not rows:
            # It is over, or somebody sees to its agent just now.
            self.lock_agent()
            rows = self._write_end(which, outcome)
        if not rows:
            return False
        *locked, next_ones, self.is_budgeted = rows[0]
        self._must_know_agent(tuple(locked))
        for name, value in outcome.items():
            setattr(self, name, value)
        audit.record(by, f"heartbeat.{status}", self, agentId=str(self.agent_id))
        metering.close(self)
        for pk in next_ones:
            doorbell.ring("issues.tasks.heartbeat", str(pk))
        return True

    def _write_end(self, which: str, outcome: dict[str, Any]) -> list[sql.Row]:
        status = outcome["status"]
        failed = status in (self.Status.FAILED, self.Status.TIMED_OUT)
        outcome["finished_at"] = outcome["updated_at"] = now()
        # The same columns each time, so that it is planned once.
        places = ", ".join(f"{name} = %({name})s" for name in outcome)
        return sql.planned(
            END.format(places=places, which=which),
            id=self.pk,
            agent=self.agent_id,
            word=WORDS.get(status, status),
            state="error" if failed else "idle",
            reason=outcome.get("error") if failed else None,
            **self._told(outcome),
            **says(f"run {status.replace('_', ' ')}"),
        )

    def _told(self, columns: dict[str, Any]) -> dict[str, Any]:
        """The values as the database takes them."""
        fields = {field.column: field for field in self._meta.concrete_fields}
        return {
            name: fields[name].get_db_prep_save(value, connection)
            for name, value in columns.items()
        }

    def lock_agent(self) -> None:
        """Nobody else claims or ends a run of the agent until the commit, and `agent`
        is as it is now."""
        rows = sql.planned(LOCK_AGENT, agent=self.agent_id)
        self._must_know_agent(rows[0])

    def _must_know_agent(self, locked: sql.Row) -> None:
        """Read it again when it is not as it was when it was locked."""
        agent, company = self.agent, self.agent.company
        known = (agent.updated_at, agent.status, company.updated_at, company.status)
        if known != locked:
            agents = type(agent).objects.select_related("company")
            self.agent = agents.get(pk=self.agent_id)
