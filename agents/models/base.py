"""A run as a row: what is kept of it, and what can be asked about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.queue import ORDINARY, SAY, Queue, says
from paperclip import home, live, sql, tokens
from paperclip.models import Scoped

if TYPE_CHECKING:
    from pathlib import Path

    from paperclip.actors import Actor
    from paperclip.models import Company

# Why a company is paused that was stopped by the button.
STOPPED = "stopped"
# The acts of a heartbeat, which are done in one transaction of the caller's or a new
# one: a savepoint of each would be a quarter of its statements.
together = transaction.atomic(savepoint=False)
ADD_EVENT = f"""
WITH mine AS (
    UPDATE agents_run SET next_event_seq = next_event_seq + 1
    WHERE id = %(run)s RETURNING id, next_event_seq - 1 AS seq)
{SAY}
"""  # noqa: S608 (of our own parts)
# The cause of an issue, or an agent, at which runs end and nothing moves.
NO_PROGRESS = "no_progress"
MENTIONED = "issue_comment_mentioned"


class RunQuerySet(Queue):
    def open(self) -> Self:
        """Waiting or running."""
        return self.filter(status__in=[RunBase.Status.QUEUED, RunBase.Status.RUNNING])

    def live(self) -> Self:
        """Really running: started, not ended, the lease held. "Running" means this."""
        return self.filter(status=RunBase.Status.RUNNING, lease_expires_at__gt=now())

    def dead(self) -> Self:
        """Ended, or ended in truth because nobody renewed the lease."""
        expired = Q(status=RunBase.Status.RUNNING, lease_expires_at__lte=now())
        return self.filter(expired | Q(status__in=RunBase.ENDED))

    def expired(self) -> Self:
        return self.filter(status=RunBase.Status.RUNNING, lease_expires_at__lte=now())

    def of_token(self, token: str) -> Any | None:
        """The live run that holds the token; None once it has ended."""
        mine = self.live().filter(token_digest=tokens.digest(token))
        return mine.select_related("agent__company").first()

    def cancel(self, *, by: Actor, why: str, incident: Any = None) -> None:
        """End what is open of it. With the incident of a budget, that is why, and what
        goes on when the limit is raised."""
        # What runs first: its supervisor ends it while the others are cancelled. And
        # once more, for one of those may just have started.
        self._cancel_running(by, why, incident)
        self.cancel_queued(by=by, why=why, incident=incident)
        self._cancel_running(by, why, incident)

    def _cancel_running(self, by: Actor, why: str, incident: Any) -> None:
        # In one order, for every run locks its agent.
        running = self.filter(status=RunBase.Status.RUNNING)
        for run in running.select_related("agent__company").order_by("agent_id"):
            run.cancel(by=by, why=why, incident=incident)

    def stop_company(self, company: Company, *, by: Actor) -> None:
        """The big red button: nothing of the company runs until it is resumed."""
        # Not one transaction: once the pause is committed no claim can slip past, and
        # no lock of the company is held while runs and agents are locked.
        company.pause(by=by, reason=STOPPED)
        self.open().filter(company=company).cancel(
            by=by, why=f"{by} stopped everything."
        )


class RunBase(Scoped):
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
    # The project of its issue, as long as it is open.
    project_id = models.UUIDField(null=True)
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
    # Whether what it uses is counted while it runs, for limits that it is under.
    is_budgeted = models.BooleanField(default=False)
    # The spent budget that stopped it, and with which it goes on.
    incident = models.ForeignKey(
        "agents.BudgetIncident", models.SET_NULL, null=True, related_name="runs"
    )
    log_bytes = models.PositiveBigIntegerField(null=True)
    log_sha256 = models.CharField(max_length=64, null=True)  # noqa: DJ001
    stdout_excerpt = models.TextField(null=True)  # noqa: DJ001
    stderr_excerpt = models.TextField(null=True)  # noqa: DJ001
    next_event_seq = models.PositiveIntegerField(default=1)
    # What it was the first to read that people outside wrote; empty: nothing.
    outside = models.CharField(max_length=200, blank=True)
    # The state of the issue when it began and when it ended, as a digest; and whether
    # it moved anything. Null: nobody has looked (it was cancelled, or it runs).
    digest_before = models.CharField(max_length=32, blank=True)
    digest = models.CharField(max_length=32, blank=True)
    progressed = models.BooleanField(null=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        abstract = True

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
        """Where its log is, and an outcome that waits to be delivered."""
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

    def changed(self) -> None:
        """Refresh the open pages."""
        live.changed(self.company_id)

    def log_event(
        self, event_type: str, message: str, *, level: str = "info", **payload: Any
    ) -> None:
        """The next event of this run; numbers rise without gaps."""
        told = says(message, event_type, level, payload)
        sql.planned(ADD_EVENT, run=self.pk, **told)
