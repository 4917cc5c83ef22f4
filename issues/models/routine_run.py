from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from issues.models.base import CLOSED, Status
from paperclip import live
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from uuid import UUID

    from issues.models.base import IssueBase
    from issues.models.routine_trigger import RoutineTrigger

# The origin of an issue that a routine has filed.
EXECUTION = "routine_execution"


class RoutineRunQuerySet(ScopedQuerySet):
    def filed(self) -> Self:
        """Those that have an issue of their own."""
        return self.filter(status__in=RoutineRun.FILED)

    def at_work(self) -> Self:
        """Those of them whose issue is open, whatever became of the run: one that was
        closed may have been opened again."""
        there = self.filed().filter(
            linked_issue__isnull=False, linked_issue__hidden_at=None
        )
        return there.exclude(linked_issue__status__in=CLOSED)

    def out_of_use(self, before: datetime) -> Self:
        """Those that were over before then. Never the newest of a routine, which its
        page shows, nor one whose own issue is open: equal work would be filed twice."""
        newer = RoutineRun.objects.filter(
            routine=OuterRef("routine"), triggered_at__gt=OuterRef("triggered_at")
        )
        at_work = RoutineRun.objects.at_work().filter(pk=OuterRef("pk"))
        over = self.filter(triggered_at__lt=before).exclude(completed_at__gte=before)
        return over.filter(Exists(newer), ~Exists(at_work))

    def issue_closed(self, issue: IssueBase) -> None:
        """The issue of a run is closed: so is the run."""
        done = issue.status == Status.DONE
        self.filter(
            linked_issue=issue.pk, status=RoutineRun.Status.ISSUE_CREATED
        ).update(
            status=RoutineRun.Status.COMPLETED if done else RoutineRun.Status.FAILED,
            failure_reason=None if done else f"{issue.identifier} was cancelled.",
            completed_at=now(),
            updated_at=now(),
        )

    def give_up_lost(self, routine: UUID, at: datetime) -> None:
        """End the runs whose issue is not there any more: nobody will close it."""
        lost = self.filter(
            Q(linked_issue=None)
            | Q(linked_issue__hidden_at__isnull=False)
            | Q(linked_issue__status__in=CLOSED),
            routine=routine,
            status=RoutineRun.Status.ISSUE_CREATED,
        )
        lost.update(
            status=RoutineRun.Status.FAILED,
            failure_reason="Its issue was taken away.",
            completed_at=at,
            updated_at=at,
        )

    def pass_over(
        self, trigger: RoutineTrigger, slots: list[datetime], at: datetime
    ) -> RoutineRun:
        """One row for slots that came due while nobody was there to fire."""
        first, last = (f"{one:%Y-%m-%d %H:%M} UTC" for one in (slots[0], slots[-1]))
        when = f"from {first} to {last}" if len(slots) > 1 else f"at {first}"
        policy = trigger.routine.get_catch_up_policy_display()
        return self._without_issue(
            trigger,
            status=RoutineRun.Status.SKIPPED,
            triggered_at=at,
            slot_at=slots[-1],
            slots=len(slots),
            failure_reason=f"Missed {when}. The routine makes up for it: {policy}.",
        )

    def fail(
        self, trigger: RoutineTrigger, slot: datetime, at: datetime, why: str
    ) -> RoutineRun:
        """The slot was taken up and could not be fired."""
        return self._without_issue(
            trigger,
            status=RoutineRun.Status.FAILED,
            triggered_at=at,
            slot_at=slot,
            failure_reason=why,
            completed_at=at,
        )

    def _without_issue(self, trigger: RoutineTrigger, **fields: Any) -> RoutineRun:
        run = RoutineRun(
            company_id=trigger.company_id,
            routine_id=trigger.routine_id,
            trigger=trigger,
            source=RoutineRun.Source.SCHEDULE,
            revision_id=trigger.routine.revision_id,
            **fields,
        )
        run.save(force_insert=True)
        trigger.note(run, fired=False)
        live.changed(run.company_id)
        return run

    def active(self, routine: UUID, fingerprint: str | None) -> RoutineRun | None:
        """The run of this work whose issue is open. That counts also when nobody works
        on it: it is tried again or waits for a person, who is told once, and one more
        of it would change nothing."""
        run: RoutineRun | None = (
            self.at_work()
            .filter(routine=routine, dispatch_fingerprint=fingerprint)
            .select_related("linked_issue")
            .order_by("-triggered_at", "-created_at")
            .first()
        )
        return run


class RoutineRun(Scoped):
    """One firing of a routine and what came of it, or the slots that passed without
    one. Made by Routine.fire in one transaction with its issue, so that none is ever
    seen half done."""

    class Source(models.TextChoices):
        SCHEDULE = "schedule", _("schedule")
        MANUAL = "manual", _("by hand")
        API = "api", _("API")
        WEBHOOK = "webhook", _("webhook")

    class Status(models.TextChoices):
        COALESCED = "coalesced", _("coalesced")
        SKIPPED = "skipped", _("skipped")
        ISSUE_CREATED = "issue_created", _("issue created")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")

    FILED = (Status.ISSUE_CREATED, Status.COMPLETED, Status.FAILED)

    routine = models.ForeignKey("issues.Routine", models.CASCADE, related_name="runs")
    trigger = models.ForeignKey(
        "issues.RoutineTrigger", models.SET_NULL, null=True, related_name="runs"
    )
    source = models.CharField(max_length=16, choices=Source.choices)
    status = models.CharField(max_length=16, choices=Status.choices)
    triggered_at = models.DateTimeField()
    # The time of the schedule that it stands for; of many skipped ones the last.
    slot_at = models.DateTimeField(null=True)
    slots = models.PositiveIntegerField(default=1)
    idempotency_key = models.CharField(max_length=300, null=True)  # noqa: DJ001
    trigger_payload = models.JSONField(null=True)
    # What tells equal work: the routine and the values of its variables.
    dispatch_fingerprint = models.CharField(max_length=64, null=True)  # noqa: DJ001
    # Whether a second open issue of the same work was not wanted.
    is_exclusive = models.BooleanField(default=False)
    revision_id = models.UUIDField(null=True)
    linked_issue = models.ForeignKey(
        "issues.Issue", models.SET_NULL, null=True, related_name="routine_runs"
    )
    coalesced_into = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="+"
    )
    failure_reason = models.TextField(null=True)  # noqa: DJ001
    completed_at = models.DateTimeField(null=True)

    objects = RoutineRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("routine run")
        ordering = ["-triggered_at", "-created_at"]
        constraints = [
            # Whatever the code does, equal work is never open twice.
            models.UniqueConstraint(
                fields=["routine", "dispatch_fingerprint"],
                condition=Q(status="issue_created", is_exclusive=True),
                name="one_open_execution_of_equal_work",
            ),
            # Nor does a slot fire twice, whatever clocks and schedulers do.
            models.UniqueConstraint(
                fields=["trigger", "slot_at"], name="one_run_per_slot"
            ),
            models.UniqueConstraint(
                fields=["routine", "source", "trigger", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                nulls_distinct=False,
                name="one_routine_run_per_key",
            ),
        ]
        indexes = [
            models.Index(fields=["routine", "-triggered_at"], name="runs_of_routine"),
        ]

    def __str__(self) -> str:
        return f"{self.routine} at {self.triggered_at}"

    @property
    def result(self) -> str:
        """What came of it, in a sentence."""
        issue = self.linked_issue.identifier if self.linked_issue else "its issue"
        if self.failure_reason:
            return self.failure_reason
        return {
            self.Status.COALESCED: f"Joined {issue}, which is still open.",
            self.Status.SKIPPED: f"Skipped: {issue} is still open.",
            self.Status.ISSUE_CREATED: f"Filed {issue}.",
            self.Status.COMPLETED: f"{issue} is done.",
        }.get(self.Status(self.status), "Failed.")
