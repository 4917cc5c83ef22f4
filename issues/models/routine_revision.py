from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models.base import Priority
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.routine import Routine
    from issues.models.routine_trigger import RoutineTrigger
    from paperclip.actors import Actor


class RoutineRevisionQuerySet(ScopedQuerySet):
    def keep(
        self,
        routine: Routine,
        *,
        by: Actor,
        summary: str,
        restored_from: RoutineRevision | None = None,
    ) -> RoutineRevision:
        """What the routine and its triggers are from now on. The caller holds the
        routine's row and saves it."""
        routine.revision_number += 1
        revision: RoutineRevision = self.create(
            company_id=routine.company_id,
            routine=routine,
            number=routine.revision_number,
            title=routine.title,
            description=routine.description,
            snapshot=snapshot_of(routine),
            change_summary=summary,
            restored_from=restored_from,
            author_agent=by.agent,
            author_user=by.user,
            run_id=by.run_id,
        )
        routine.revision_id = revision.pk
        return revision


class RoutineRevision(Scoped):
    """A routine and its triggers as they were after one change."""

    routine = models.ForeignKey(
        "issues.Routine", models.CASCADE, related_name="revisions"
    )
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300)
    description = models.TextField(null=True)  # noqa: DJ001
    snapshot = models.JSONField()
    change_summary = models.CharField(max_length=500, null=True)  # noqa: DJ001
    restored_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, related_name="+"
    )
    author_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="+"
    )
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    run_id = models.UUIDField(null=True)

    objects = RoutineRevisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("routine revision")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["routine", "number"], name="one_routine_revision_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.routine}, revision {self.number}"


def snapshot_of(routine: Routine) -> dict[str, Any]:
    """A routine as clients see it. No secrets: a restored webhook gets a new one."""
    triggers = routine.triggers.order_by("created_at", "id")
    return {
        "version": 1,
        "routine": {
            "id": str(routine.pk),
            "companyId": str(routine.company_id),
            "title": routine.title,
            "description": routine.description,
            "assigneeAgentId": text_of(routine.assignee_agent_id),
            "projectId": text_of(routine.project_id),
            "goalId": text_of(routine.goal_id),
            "parentIssueId": text_of(routine.parent_issue_id),
            "priority": Priority(routine.priority).name.lower(),
            "status": routine.status,
            "concurrencyPolicy": routine.concurrency_policy,
            "catchUpPolicy": routine.catch_up_policy,
            "variables": routine.variables,
            "criteria": routine.criteria,
        },
        "triggers": [trigger_snapshot(trigger) for trigger in triggers],
    }


def trigger_snapshot(trigger: RoutineTrigger) -> dict[str, Any]:
    return {
        "id": str(trigger.pk),
        "kind": trigger.kind,
        "label": trigger.label,
        "enabled": trigger.enabled,
        "cronExpression": trigger.cron_expression,
        "timezone": trigger.time_zone,
        "publicId": trigger.public_id,
        "signingMode": trigger.signing_mode,
        "replayWindowSec": trigger.replay_window_sec,
    }


def text_of(pk: Any) -> str | None:
    return str(pk) if pk else None
