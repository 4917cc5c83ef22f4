from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.adapters import adapter_class
from agents.models.run import Run
from paperclip import audit
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from agents.models.agent import Agent
    from agents.sessions import Thread
    from paperclip.actors import Actor

LONGEST_ID = 128
# The peers' defaults: what lasts longer is about something else by now.
MOST_RUNS, MOST_HOURS = 200, 72
# What a run may add to a session that is resumed: this part of the ceiling at least.
RESERVE = 5
# So often in a row a session may fail before it is taken for the cause.
MOST_FAILURES = 2
# Settings that say how long it may take, not how it works.
LIMITS = {
    *("sessionTokens", "maxSessionRuns", "maxSessionAgeHours"),
    *("timeoutSec", "graceSec", "maxTurns", "maxTokens"),
}
# Reuse of fewer than half of the sessions is an alarm, once that is no chance.
REUSE_DAYS, REUSE_SAMPLE, REUSE_LEAST = 7, 10, 0.5


class Reuse(NamedTuple):
    """Of the runs that had a session to go on with, those that did."""

    resumed: int
    could: int

    @property
    def percent(self) -> int | None:
        """None while there was nothing to reuse."""
        return round(100 * self.resumed / self.could) if self.could else None

    @property
    def is_low(self) -> bool:
        enough = self.could >= REUSE_SAMPLE
        return enough and self.resumed < REUSE_LEAST * self.could


class SessionQuerySet(ScopedQuerySet):
    def of(self, run: Run) -> Self:
        """The one this run could go on with, if there is any."""
        kind = run.agent.adapter_type
        return self.filter(agent=run.agent_id, adapter_type=kind, issue_id=run.issue_id)

    def keep(self, run: Run, thread: Thread) -> None:
        """Write down what the ended run leaves: after a success the session it reports,
        after a failure only the error. What was reset meanwhile stays away."""
        if run.issue_id is None or not thread.adapter_type:
            return
        mine = self.filter(
            agent=run.agent_id,
            adapter_type=thread.adapter_type,
            issue_id=run.issue_id,
        )
        if run.status in (Run.Status.FAILED, Run.Status.TIMED_OUT):
            mine.update(last_error=run.error or "", last_run=run, updated_at=now())
        elif run.status != Run.Status.SUCCEEDED:
            return
        elif run.session_id_before:
            self._go_on(mine, run)
        elif run.session_id_after:
            self._begin(run, thread)
        elif thread.resumes:
            mine.delete()  # nobody knows it any more

    def _go_on(self, mine: Self, run: Run) -> None:
        session = mine.filter(session_id=run.session_id_before).first()
        if session is None:
            return
        context = context_of(run) or session.context_tokens
        mine.filter(pk=session.pk).update(
            session_id=run.session_id_after or session.session_id,
            runs=session.runs + 1,
            context_tokens=context,
            growth=max(0, context - session.context_tokens),
            last_run=run,
            last_error="",
            updated_at=now(),
        )

    def _begin(self, run: Run, thread: Thread) -> None:
        self.update_or_create(
            agent_id=run.agent_id,
            adapter_type=thread.adapter_type,
            issue_id=run.issue_id,
            defaults={
                "company_id": run.company_id,
                "session_id": run.session_id_after,
                "runs": 1,
                "context_tokens": context_of(run),
                "growth": 0,
                "digest": thread.digest,
                "hand_over": thread.hand_over,
                "started_at": run.started_at or now(),
                "last_run": run,
                "last_error": "",
            },
        )

    def reset(self, *, by: Actor) -> int:
        """Forget them all; how many there were."""
        found = list(self.select_related("agent"))
        for session in found:
            session.reset(by=by)
        return len(found)

    def reuse(self, agent: Agent) -> Reuse:
        """How often the agent went on with a session in the last days, of the times
        there was one."""
        since = now() - timedelta(days=REUSE_DAYS)
        before = Run.objects.filter(
            agent=OuterRef("agent"),
            issue_id=OuterRef("issue_id"),
            created_at__lt=OuterRef("created_at"),
            session_id_after__isnull=False,
        )
        mine = Run.objects.filter(
            agent=agent, created_at__gte=since, started_at__isnull=False
        )
        could = mine.exclude(issue_id=None).filter(Exists(before))
        resumed = could.exclude(session_id_before=None)
        return Reuse(resumed.count(), could.count())


class Session(Scoped):
    """The conversation of an agent's program about one issue, which its next run about
    it goes on with. Runs about no issue have none: each begins afresh."""

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="sessions")
    adapter_type = models.CharField(max_length=32)
    issue_id = models.UUIDField()
    # The adapter's own name of it.
    session_id = models.CharField(max_length=LONGEST_ID)
    runs = models.PositiveIntegerField(default=0)
    # What its last call to a model read, cached or not, and what its last run added.
    context_tokens = models.PositiveBigIntegerField(default=0)
    growth = models.PositiveBigIntegerField(default=0)
    # The configuration it began under.
    digest = models.CharField(max_length=64)
    # What it was told of the one before it.
    hand_over = models.TextField(blank=True)
    last_run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="+")
    last_error = models.TextField(blank=True)
    started_at = models.DateTimeField()

    objects = SessionQuerySet.as_manager()

    class Meta:
        verbose_name = _("session")
        ordering = ["-updated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "adapter_type", "issue_id"],
                name="one_session_per_agent_adapter_and_issue",
            )
        ]
        indexes = [models.Index(fields=["issue_id"], name="sessions_of_issue")]

    def __str__(self) -> str:
        return f"{self.agent}: {self.session_id}"

    @property
    def ceiling(self) -> int:
        """The tokens that its context is kept below."""
        usual = adapter_class(self.adapter_type).SESSION_TOKENS
        return int(self.agent.adapter_config.get("sessionTokens", usual))

    def why_over(self, digest: str) -> str:
        """Why it is not resumed under this configuration; empty when it is. Its size is
        looked at whatever the program says of its own care for it."""
        config = self.agent.adapter_config
        most_runs = config.get("maxSessionRuns", MOST_RUNS)
        hours = config.get("maxSessionAgeHours", MOST_HOURS)
        room = max(self.growth, self.ceiling // RESERVE)
        if self.digest != digest:
            return "The configuration of the agent was changed."
        if self.context_tokens + room >= self.ceiling:
            return (
                f"It had {self.context_tokens:,} tokens, and another run could have"
                f" passed the {self.ceiling:,} that are the most."
            )
        if self.runs >= most_runs:
            return f"It took {self.runs} runs, which are the most."
        if self.started_at <= now() - timedelta(hours=hours):
            return f"It was {hours} hours old, which is the most."
        if self._failures() >= MOST_FAILURES:
            return f"{MOST_FAILURES} runs that went on with it failed in a row."
        return ""

    def _failures(self) -> int:
        """Of the runs since its last success, those that failed with it."""
        good = Run.objects.filter(
            agent=self.agent_id,
            issue_id=self.issue_id,
            status=Run.Status.SUCCEEDED,
            session_id_after=self.session_id,
        )
        since = good.order_by("-created_at").values_list("created_at", flat=True)
        failed = Run.objects.filter(
            agent=self.agent_id,
            issue_id=self.issue_id,
            session_id_before=self.session_id,
            status__in=[Run.Status.FAILED, Run.Status.TIMED_OUT],
            created_at__gt=since.first() or self.started_at,
        )
        return failed.count()

    @transaction.atomic
    def reset(self, *, by: Actor) -> None:
        """Forget it: the next run about its issue begins afresh, and is handed nothing
        over. Operators may, and the agent itself."""
        if by.agent is None or by.agent.pk != self.agent_id:
            by.must_be_operator(self.company_id, "reset a session")
        audit.record(
            by,
            "agent.session_reset",
            self.agent,
            sessionId=self.session_id,
            adapterType=self.adapter_type,
            issueId=str(self.issue_id),
        )
        self.delete()


def context_of(run: Run) -> int:
    return int((run.usage or {}).get("contextTokens") or 0)


def digest_of(agent: Agent) -> str:
    """What makes up how the agent works: adapter, command, model, tools, instructions.
    A session of another digest is not resumed."""
    config: dict[str, Any] = dict(agent.adapter_config)
    if "model" in adapter_class(agent.adapter_type).Config().fields:
        config.setdefault("model", settings.DEFAULT_MODEL)
    told = {key: value for key, value in config.items() if key not in LIMITS}
    parts = [agent.adapter_type, told, agent.instructions, sorted(agent.tools)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
