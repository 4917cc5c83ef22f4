from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.account import ProviderAccount
from agents.models.queue import ORDINARY, Queue, in_order
from paperclip import audit, doorbell, home, live, tokens
from paperclip.actors import SYSTEM
from paperclip.models import Company, Scoped

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from agents.models.agent import Agent
    from paperclip.actors import Actor


# Why a company is paused that was stopped by the button.
STOPPED = "stopped"
# The acts of a heartbeat, which are done in one transaction of the caller's or a new
# one: a savepoint of each would be a quarter of its statements.
together = transaction.atomic(savepoint=False)
# Seconds between the first and the last that a closed account lets begin again.
LONGEST_STAGGER = 60
ADD_EVENT = """
WITH mine AS (
    UPDATE agents_run SET next_event_seq = next_event_seq + 1
    WHERE id = %s RETURNING id, next_event_seq - 1 AS seq)
INSERT INTO agents_runevent
    (run_id, seq, event_type, stream, level, message, payload, created_at)
SELECT id, seq, %s, 'system', %s, %s, NULLIF(%s::jsonb, 'null'), clock_timestamp()
FROM mine
"""
MENTIONED = "issue_comment_mentioned"


class RunQuerySet(Queue):
    def open(self) -> Self:
        """Waiting or running."""
        return self.filter(status__in=[Run.Status.QUEUED, Run.Status.RUNNING])

    def live(self) -> Self:
        """Really running: started, not ended, the lease held. "Running" means this."""
        return self.filter(status=Run.Status.RUNNING, lease_expires_at__gt=now())

    def dead(self) -> Self:
        """Ended, or ended in truth because nobody renewed the lease."""
        expired = Q(status=Run.Status.RUNNING, lease_expires_at__lte=now())
        return self.filter(expired | Q(status__in=Run.ENDED))

    def expired(self) -> Self:
        return self.filter(status=Run.Status.RUNNING, lease_expires_at__lte=now())

    def of_token(self, token: str) -> Run | None:
        """The live run that holds the token; None once it has ended."""
        mine = self.live().filter(token_digest=tokens.digest(token))
        return mine.select_related("agent__company").first()

    def cancel(self, *, by: Actor, why: str) -> None:
        # In one order, for every run locks its agent.
        for run in self.select_related("agent").order_by("agent_id", "created_at"):
            run.cancel(by=by, why=why)

    def stop_company(self, company: Company, *, by: Actor) -> None:
        """The big red button: nothing of the company runs until it is resumed."""
        # Not one transaction: once the pause is committed no claim can slip past, and
        # no lock of the company is held while runs and agents are locked.
        company.pause(by=by, reason=STOPPED)
        self.open().filter(company=company).cancel(
            by=by, why=f"{by} stopped everything."
        )


class Run(Scoped):
    """One heartbeat of one agent. It is live while its lease is held, and its id is the
    fence: lost work goes to a new run, and what the old one writes is refused."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        TIMED_OUT = "timed_out", _("timed out")

    ENDED = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.TIMED_OUT)

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="runs")
    issue_id = models.UUIDField(null=True)
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.QUEUED
    )
    invocation_source = models.CharField(max_length=16)
    trigger_detail = models.CharField(max_length=16, default="system")
    # Why it was woken: each fact {source, reason, detail, by, commentId, at}, in order.
    wakes = models.JSONField(default=list)
    ready_at = models.DateTimeField(default=now)
    rung_at = models.DateTimeField(null=True)
    token_digest = models.CharField(max_length=64, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True)
    # The live run of another agent that this one lets finish first.
    waits_for = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")
    # Who pays for its calls, once that is known.
    account = models.ForeignKey(
        "agents.ProviderAccount", models.SET_NULL, null=True, related_name="runs"
    )
    # In words, why it has not been started yet.
    hold = models.TextField(blank=True)
    # 0 is critical, 3 is low, as an issue's priority.
    rank = models.PositiveSmallIntegerField(default=ORDINARY)
    # Its place in the queue: when it is ready, earlier or later by its rank.
    due_at = models.DateTimeField(default=now)
    attempt = models.PositiveSmallIntegerField(default=1)
    error = models.TextField(null=True)  # noqa: DJ001 (null on the wire)
    error_code = models.CharField(max_length=40, null=True)  # noqa: DJ001
    exit_code = models.IntegerField(null=True)
    signal = models.CharField(max_length=16, null=True)  # noqa: DJ001
    process_pid = models.PositiveIntegerField(null=True)
    process_started_at = models.DateTimeField(null=True)
    host = models.CharField(max_length=120, blank=True)
    result = models.JSONField(null=True)
    # The session it went on with (null: it began afresh), the one it left, and the
    # tokens that its program says it used.
    session_id_before = models.CharField(max_length=128, null=True)  # noqa: DJ001
    session_id_after = models.CharField(max_length=128, null=True)  # noqa: DJ001
    usage = models.JSONField(null=True)
    log_bytes = models.PositiveBigIntegerField(null=True)
    log_sha256 = models.CharField(max_length=64, null=True)  # noqa: DJ001
    stdout_excerpt = models.TextField(null=True)  # noqa: DJ001
    stderr_excerpt = models.TextField(null=True)  # noqa: DJ001
    next_event_seq = models.PositiveIntegerField(default=1)
    # The state of the issue when it began and when it ended, as a digest; and whether
    # it moved anything. Null: nobody has looked (it was cancelled, or it runs).
    digest_before = models.CharField(max_length=32, blank=True)
    digest = models.CharField(max_length=32, blank=True)
    progressed = models.BooleanField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("heartbeat run")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "issue_id"],
                condition=Q(status="running"),
                nulls_distinct=False,
                name="one_running_run_per_agent_and_issue",
            ),
            models.UniqueConstraint(
                fields=["agent", "issue_id"],
                condition=Q(status="queued"),
                nulls_distinct=False,
                name="one_queued_run_per_agent_and_issue",
            ),
            models.CheckConstraint(
                condition=~Q(status="running") | Q(lease_expires_at__isnull=False),
                name="a_running_run_has_a_lease",
            ),
        ]
        indexes = [
            models.Index(fields=["company", "-created_at"], name="runs_of_company"),
            models.Index(fields=["agent", "-created_at"], name="runs_of_agent"),
            models.Index(fields=["issue_id", "-created_at"], name="runs_of_issue"),
            models.Index(
                fields=["lease_expires_at"],
                condition=Q(status="running"),
                name="runs_leased",
            ),
            models.Index(
                fields=["company", "due_at"],
                condition=Q(status="queued"),
                name="runs_queued",
            ),
            models.Index(
                fields=["company"], condition=Q(status="running"), name="runs_running"
            ),
            models.Index(
                fields=["waits_for"],
                condition=Q(status="queued"),
                name="runs_deferred",
            ),
            models.Index(
                fields=["token_digest"],
                condition=Q(status="running"),
                name="runs_by_token",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.created_at:%Y-%m-%d %H:%M:%S} ({self.status})"

    # --- questions ---------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        running = self.status == self.Status.RUNNING
        return running and bool(self.lease_expires_at and self.lease_expires_at > now())

    @property
    def is_open(self) -> bool:
        return self.status in (self.Status.QUEUED, self.Status.RUNNING)

    @property
    def directory(self) -> Path:
        """Where its pid file and its log are."""
        return home.path() / "runs" / str(self.pk)

    @property
    def log_file(self) -> Path:
        return self.directory / "log.ndjson"

    @property
    def comment_ids(self) -> list[str]:
        return [wake["commentId"] for wake in self.wakes if wake.get("commentId")]

    @property
    def is_aside(self) -> bool:
        """Whether it was only mentioned: it may speak beside whoever works there."""
        return bool(self.wakes) and all(w["reason"] == MENTIONED for w in self.wakes)

    # --- verbs -------------------------------------------------------------------

    @together
    def claim(self, *, host: str) -> str | None:
        """Start this run here, and get its token. None when somebody else started it,
        its agent, its company or this host has no room, or it may not run: then there
        is nothing to do. It is told what earlier runs did not bring to an end."""
        self._lock_places(host)
        agent = self._lock_agent()
        if why := agent.refusal(self.issue_id):
            self.cancel(by=SYSTEM, why=why)
            return None
        if not (self._may_call(agent) and self._has_room(agent, host)):
            return None
        token, moment = tokens.new("pcr"), now()
        owed = Run.objects.owed(self.agent_id, self.issue_id)
        mine = Run.objects.startable(moment).filter(pk=self.pk)
        # Held from here on: a fact that comes now waits, and finds it started.
        told = mine.select_for_update(of=["self"]).values_list("wakes", flat=True)
        if (wakes := told.first()) is None:
            return None
        Run.objects.filter(pk=self.pk).update(
            status=self.Status.RUNNING,
            wakes=in_order(owed, wakes),
            started_at=moment,
            lease_expires_at=self._lease_end(),
            token_digest=tokens.digest(token),
            host=host,
            account=self.account,
            hold="",
            updated_at=moment,
        )
        self.refresh_from_db()
        self.agent = agent
        type(agent).objects.filter(pk=agent.pk).update(last_run_started_at=moment)
        waited = self.wakeups.filter(status__in=["queued", "deferred_issue_execution"])
        waited.update(status="claimed", updated_at=moment)
        self.log_event("lifecycle", "run started")
        return token

    def _may_call(self, agent: Agent) -> bool:
        """Whether a provider would answer it; else it is put off until one opens, a
        second later for each that waits already."""
        self.account, opens_at = ProviderAccount.objects.opening_for(agent)
        if self.account is None or opens_at is None:
            return True
        ahead = Run.objects.queue_of(self.account).exclude(pk=self.pk).count()
        Run.objects.filter(pk=self.pk).update(account=self.account)
        Run.objects.filter(pk=self.pk).put_off(
            opens_at + timedelta(seconds=min(ahead, LONGEST_STAGGER)),
            f"{self.account} is closed until {opens_at:%H:%M:%S} UTC:"
            f" {self.account.said}",
        )
        return False

    def _lock_places(self, host: str) -> None:
        """Of the claims that compete for the last place of a company, a provider's
        account or a host, one at a time. Before the agent's lock, and in this order for
        everybody."""
        names = [f"host {host}"] if settings.HOST_RUNS else []
        if self.agent.company.max_concurrent_runs is not None:
            names.insert(0, f"company {self.company_id}")
        if self.agent.adapter_type == "litellm" and not self.agent.company.rehearsal:
            names.append("accounts")
        with connection.cursor() as cursor:
            for name in names:
                cursor.execute(
                    "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name]
                )

    def _has_room(self, agent: Agent, host: str) -> bool:
        """Whether its agent, its company and this host may have one run more."""
        live = Run.objects.live()
        caps = [
            (agent.max_concurrent_runs, live.filter(agent=agent)),
            (agent.company.max_concurrent_runs, live.filter(company=agent.company_id)),
            (settings.HOST_RUNS or None, live.filter(host=host)),
            (
                self.account.max_concurrent_runs if self.account else None,
                live.filter(account=self.account),
            ),
        ]
        return all(cap is None or runs.count() < cap for cap, runs in caps)

    def defer(self, holder: Run, hold: str) -> None:
        """Let the live run of another agent finish first; its end rings for this."""
        Run.objects.filter(pk=self.pk, status=self.Status.QUEUED).update(
            waits_for=holder, hold=hold, updated_at=now()
        )
        self.wakeups.filter(status="queued").update(
            status="deferred_issue_execution", updated_at=now()
        )
        self.changed()

    def _lock_agent(self) -> Agent:
        # One claim or end per agent at a time: two claims could both see the last free
        # place. Always before the run's own row, or a claim and a cancel could wait
        # for each other.
        agents = type(self.agent).objects.select_for_update(of=["self"], no_key=True)
        locked: Agent = agents.select_related("company").get(pk=self.agent_id)
        return locked

    def renew(self) -> bool:
        """Hold the lease a little longer. False once the run has ended: stop then."""
        return bool(
            Run.objects.live()
            .filter(pk=self.pk)
            .update(lease_expires_at=self._lease_end())
        )

    def _lease_end(self) -> datetime:
        return now() + timedelta(seconds=settings.LEASE_SECONDS)

    def started_process(self, pid: int) -> None:
        """Remember the process that does the work."""
        mine = Run.objects.filter(pk=self.pk)
        mine.update(process_pid=pid, process_started_at=now())

    def finish(self, status: str, **outcome: Any) -> bool:
        """Write down how it went. False, and nothing written, when it had ended before:
        a result that arrives after a cancel or a lost lease does not count."""
        return self._end(Run.objects.live(), status, SYSTEM, **outcome)

    def expire(self) -> bool:
        """End it because nobody renewed its lease. Of many callers one gets True."""
        return self._end(
            Run.objects.expired(),
            self.Status.FAILED,
            SYSTEM,
            error="The process that supervised this run is gone.",
            error_code="process_lost",
        )

    def cancel(self, *, by: Actor, why: str) -> bool:
        """End it now. Its supervisor notices within a second and ends the processes."""
        by.must_write(self.company_id, "stop runs")
        return self._end(
            Run.objects.open(),
            self.Status.CANCELLED,
            by,
            error=why,
            error_code="cancelled",
        )

    @together
    def _end(self, among: RunQuerySet, status: str, by: Actor, **outcome: Any) -> bool:
        agent = self._lock_agent()
        ended = among.filter(pk=self.pk).update(
            status=status, finished_at=now(), updated_at=now(), **outcome
        )
        if not ended:
            return False
        self.refresh_from_db()
        self.agent = agent
        words = {"succeeded": "completed", "timed_out": "failed"}
        open_wakeups = ["queued", "claimed", "deferred_issue_execution"]
        self.wakeups.filter(status__in=open_wakeups).update(
            status=words.get(status, status), updated_at=now()
        )
        self.log_event("lifecycle", f"run {status.replace('_', ' ')}")
        self.agent.settle(self)
        audit.record(by, f"heartbeat.{status}", self, agentId=str(self.agent_id))
        # The place it leaves may be what the next one waits for.
        waiting = Run.objects.filter(status=self.Status.QUEUED, ready_at__lte=now())
        next_ones = waiting.filter(Q(agent=self.agent_id) | Q(waits_for=self))
        for pk in next_ones.order_by("due_at").values_list("pk", flat=True)[:2]:
            doorbell.ring("issues.tasks.heartbeat", str(pk))
        return True

    def changed(self) -> None:
        """Refresh the open pages."""
        live.changed(self.company_id)

    def log_event(
        self, event_type: str, message: str, *, level: str = "info", **payload: Any
    ) -> None:
        """The next event of this run; numbers rise without gaps."""
        said = json.dumps(payload or None)
        told = [str(self.pk), event_type, level, message, said]
        with connection.cursor() as cursor:
            cursor.execute(ADD_EVENT, told)
