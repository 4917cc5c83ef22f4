"""How a run starts: once, on one host, when there is room for it and nothing against
it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.utils.timezone import now

from agents.adapters import adapter_class
from agents.models import counting, metering
from agents.models.account import ProviderAccount
from agents.models.base import together
from agents.models.incident import SHUT
from agents.models.lease import Leased
from agents.models.queue import SAY, in_order, says
from paperclip import sql, tokens
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Self
    from uuid import UUID

    from agents.models.agent import Agent
    from agents.models.wakeup import WakeupQuerySet

# Seconds between the first and the last that a closed account lets begin again.
LONGEST_STAGGER = 60
# What a claim looks at, once nobody else may start a run of the agent. `may_be_parked`,
# `may_owe` and `may_be_told` say where to look closer.
LOOK = """
SELECT
    r.status = 'queued' AS is_queued,
    r.ready_at <= %(at)s
        AND NOT EXISTS (
            SELECT 1 FROM agents_run o WHERE o.status = 'running'
            AND o.agent_id = r.agent_id AND o.issue_id IS NOT DISTINCT FROM r.issue_id)
        AND NOT EXISTS (
            SELECT 1 FROM agents_run h WHERE h.id = r.waits_for_id
            AND h.status = 'running' AND h.lease_expires_at > %(at)s)
        AS may_start,
    -- As it is by now: what was read with the agent's lock is older than a wait for it.
    c.status <> 'active'
        OR EXISTS (SELECT 1 FROM paperclip_instance WHERE stopped_at IS NOT NULL)
        AS is_stopped,
    EXISTS (
        SELECT 1 FROM agents_attempt p WHERE p.parked_at IS NOT NULL
        AND (p.agent_id = r.agent_id OR p.issue_id = r.issue_id)) AS may_be_parked,
    (SELECT count(*) FROM agents_run l WHERE l.status = 'running'
        AND l.lease_expires_at > %(at)s AND l.agent_id = r.agent_id) AS of_agent,
    CASE WHEN c.max_concurrent_runs IS NULL THEN 0 ELSE (
        SELECT count(*) FROM agents_run l WHERE l.status = 'running'
        AND l.lease_expires_at > %(at)s AND l.company_id = r.company_id)
        END AS of_company,
    CASE WHEN %(host)s::text IS NULL THEN 0 ELSE (
        SELECT count(*) FROM agents_run l WHERE l.status = 'running'
        AND l.lease_expires_at > %(at)s AND l.host = %(host)s) END AS of_host,
    EXISTS ({shut}) AS is_shut,
    ARRAY(SELECT DISTINCT p.metric FROM agents_budgetpolicy p WHERE p.is_active
        AND p.scope_id = ANY({scopes}))::text[] AS limited,
    coalesce((
        SELECT e.status <> 'succeeded' FROM agents_run e
        WHERE e.agent_id = r.agent_id AND {about_the_same}
        AND e.status NOT IN ('queued', 'running')
        ORDER BY e.created_at DESC LIMIT 1), false) AS may_owe,
    EXISTS (SELECT 1 FROM agents_notice n WHERE n.agent_id = r.agent_id
        AND n.told_at IS NULL) AS may_be_told
FROM agents_run r JOIN paperclip_company c ON c.id = r.company_id
WHERE r.id = %(run)s
"""
SCOPES = "ARRAY[r.company_id, r.agent_id, r.project_id, r.issue_id]"
LOOK = LOOK.replace("{shut}", SHUT.format(scopes=SCOPES)).replace("{scopes}", SCOPES)
# Two texts, for one could not use the index of runs by issue.
ABOUT = LOOK.format(about_the_same="e.issue_id = r.issue_id")
AT_LARGE = LOOK.format(about_the_same="e.issue_id IS NULL")
# The claim itself, with all that goes with it: its row is held until the commit, so a
# fact that comes now waits, and finds it started.
CLAIM = f"""
WITH mine AS (
    UPDATE agents_run SET status = 'running', started_at = %(at)s,
        lease_expires_at = %(until)s, token_digest = %(digest)s, host = %(host)s,
        account_id = %(account)s, hold = '', outside = %(outside)s, updated_at = %(at)s,
        is_budgeted = %(budgeted)s,
        next_event_seq = next_event_seq + 1
    WHERE id = %(run)s AND status = 'queued' AND ready_at <= %(at)s
      -- What was read as a mention alone may have become more meanwhile.
      AND (issue_id IS NULL OR NOT %(aside)s OR NOT EXISTS (
          SELECT 1 FROM jsonb_array_elements(wakes) w
          WHERE w ->> 'reason' <> 'issue_comment_mentioned'))
    RETURNING id, agent_id, wakes, next_event_seq - 1 AS seq
), at_work AS (
    UPDATE agents_agent a SET last_run_started_at = %(at)s FROM mine
    WHERE a.id = mine.agent_id
), told AS (
    UPDATE agents_wakeup w SET status = 'claimed', updated_at = %(at)s FROM mine
    WHERE w.run_id = mine.id AND w.status IN ('queued', 'deferred_issue_execution')
), said AS ({SAY})
SELECT wakes FROM mine
"""  # noqa: S608 (of our own parts)
# What the agent has to be told, and no other run of it that waits will be told.
TELL = """
UPDATE agents_notice n SET told_run_id = %(run)s, told_at = %(at)s, updated_at = %(at)s
WHERE n.agent_id = %(agent)s AND n.told_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM agents_run q WHERE q.agent_id = n.agent_id AND q.status = 'queued'
    AND q.issue_id IS NOT DISTINCT FROM n.issue_id)
RETURNING n.id
"""
STARTED = """
UPDATE agents_run SET process_pid = %(pid)s, process_started_at = %(at)s
WHERE id = %(run)s
"""


class Look(NamedTuple):
    """A row of LOOK."""

    is_queued: bool
    may_start: bool
    is_stopped: bool
    may_be_parked: bool
    of_agent: int
    of_company: int
    of_host: int
    is_shut: bool
    limited: list[str]
    may_owe: bool
    may_be_told: bool


def outside_from_start(agent: Agent) -> str:
    """Why a run of the agent may read anything, whatever it says; empty when we see
    what it reads."""
    return adapter_class(agent.adapter_type).reads_outside(agent)


class Claimable(Leased):
    if TYPE_CHECKING:
        wakeups: WakeupQuerySet

    # The notices that it was started with (see Notice).
    told: Sequence[UUID] = ()
    # Whether that was done when it was read, in this very transaction.
    agent_is_locked = False
    # Whether the run of the same work before it did not end well, as its claim saw it.
    last_went_badly = False

    class Meta:
        abstract = True

    @together
    def claim(self, *, host: str) -> str | None:
        """Start this run here, and get its token. None when somebody else started it,
        its agent, its company or this host has no room, or it may not run: then there
        is nothing to do. It is told what earlier runs did not bring to an end."""
        if not self.agent_is_locked:
            self.lock_agent()
        self.agent_is_locked = False  # not in another transaction
        self._lock_places(host)
        moment = now()
        look = self._look(moment, host)
        if not look.is_queued:
            return None
        if why := self._refusal(look):
            self.cancel(by=SYSTEM, why=why)
            return None
        if look.is_shut:
            self.stop_for_budget()
            return None
        if not (look.may_start and self._may_call() and self._has_room(look)):
            return None
        if not metering.admit(self, look.limited):
            return None
        self.last_went_badly = look.may_owe
        token = self._start(moment, host, owes=look.may_owe)
        if token and look.may_be_told:
            rows = sql.planned(TELL, run=self.pk, agent=self.agent_id, at=moment)
            self.told = [row[0] for row in rows]
        return token

    def _lock_places(self, host: str) -> None:
        """Of the claims that compete for the last place of a company, a provider's
        account or a host, one at a time. After the agent's lock, and in this order for
        everybody."""
        names = [f"host {host}"] if settings.HOST_RUNS else []
        if self.agent.company.max_concurrent_runs is not None:
            names.insert(0, f"company {self.company_id}")
        if self.agent.adapter_type == "litellm" and not self.agent.company.rehearsal:
            names.append("accounts")
        for name in names:
            sql.lock(name)

    def _look(self, moment: datetime, host: str) -> Look:
        counted = host if settings.HOST_RUNS else None
        statement = ABOUT if self.issue_id else AT_LARGE
        ever, month = counting.windows(moment)
        told = {"run": self.pk, "at": moment, "host": counted}
        return Look(*sql.planned(statement, **told, ever=ever, month=month)[0])

    def _refusal(self, look: Look) -> str:
        if not self.agent.is_invokable or look.is_stopped:
            return f"{self.agent} cannot run now."
        return self.agent.parked_at_work(self.issue_id) if look.may_be_parked else ""

    def _may_call(self) -> bool:
        """Whether a provider would answer it; else it is put off until one opens, a
        second later for each that waits already."""
        self.account, opens_at = ProviderAccount.objects.opening_for(self.agent)
        if self.account is None or opens_at is None:
            return True
        runs = type(self).objects
        ahead = runs.queue_of(self.account).exclude(pk=self.pk).count()
        runs.filter(pk=self.pk).update(account=self.account)
        runs.filter(pk=self.pk).put_off(
            opens_at + timedelta(seconds=min(ahead, LONGEST_STAGGER)),
            f"{self.account} is closed until {opens_at:%H:%M:%S} UTC:"
            f" {self.account.said}",
        )
        return False

    def _has_room(self, look: Look) -> bool:
        """Whether its agent, its company, this host and the account that pays may have
        one run more."""
        caps = [
            (self.agent.max_concurrent_runs, look.of_agent),
            (self.agent.company.max_concurrent_runs, look.of_company),
            (settings.HOST_RUNS or None, look.of_host),
        ]
        has_room = all(cap is None or count < cap for cap, count in caps)
        return has_room and self._is_payable()

    def _is_payable(self) -> bool:
        if self.account is None or self.account.max_concurrent_runs is None:
            return True
        paid = type(self).objects.live().filter(account=self.account)
        if paid.count() < self.account.max_concurrent_runs:
            return True
        # So that the queue passes over it while that account has no place.
        type(self).objects.filter(pk=self.pk).update(account=self.account)
        return False

    def _start(self, moment: datetime, host: str, *, owes: bool) -> str | None:
        runs, token = type(self).objects, tokens.new("pcr")
        owed = runs.owed(self.agent_id, self.issue_id) if owes else []
        columns = {
            "status": self.Status.RUNNING,
            "started_at": moment,
            "lease_expires_at": self._lease_end(),
            "token_digest": tokens.digest(token),
            "host": host,
            "hold": "",
            "outside": outside_from_start(self.agent),
            "updated_at": moment,
        }
        rows = sql.planned(
            CLAIM,
            run=self.pk,
            at=moment,
            until=columns["lease_expires_at"],
            digest=columns["token_digest"],
            host=host,
            outside=columns["outside"],
            account=self.account_id,
            aside=self.is_aside,
            budgeted=self.is_budgeted,
            **says("run started"),
        )
        if not rows:
            metering.give_back(self)
            return None
        columns["wakes"] = in_order(owed, json.loads(rows[0][0]))
        if owed:
            runs.filter(pk=self.pk).update(wakes=columns["wakes"])
        for name, value in columns.items():
            setattr(self, name, value)
        return token

    def note_outside(self, source: str) -> None:
        """It has read what people outside wrote; the first source is kept."""
        unmarked = type(self).objects.filter(pk=self.pk, outside="")
        if unmarked.update(outside=source[:200] or "unknown", updated_at=now()):
            self.log_event("outside", f"It reads text from outside: {source[:200]}")
        self.refresh_from_db(fields=["outside"])

    def defer(self, holder: Self, hold: str) -> None:
        """Let the live run of another agent finish first; its end rings for this."""
        type(self).objects.filter(pk=self.pk, status=self.Status.QUEUED).update(
            waits_for=holder, hold=hold, updated_at=now()
        )
        self.wakeups.filter(status="queued").update(
            status="deferred_issue_execution", updated_at=now()
        )
        self.changed()

    def started_process(self, pid: int) -> None:
        """Remember the process that does the work."""
        sql.planned(STARTED, run=self.pk, pid=pid, at=now())
