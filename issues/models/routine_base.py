from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models.authors import Edited
from issues.models.base import Priority
from issues.models.goal import Goal
from issues.models.issue import Issue
from issues.models.project import Project


class RoutineBase(Edited):
    """The columns of a routine. Firing stands on top of it, and Routine on that."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        ARCHIVED = "archived", _("archived")

    class Concurrency(models.TextChoices):
        COALESCE = "coalesce_if_active", _("join the open issue")
        SKIP = "skip_if_active", _("skip this time")
        ALWAYS = "always_enqueue", _("file another issue")

    class CatchUp(models.TextChoices):
        SKIP_MISSED = "skip_missed", _("once")
        ENQUEUE = "enqueue_missed_with_cap", _("each time, 25 at most")
        DROP = "drop_missed", _("not at all")

    title = models.CharField(_("title"), max_length=300)
    description = models.TextField(_("description"), null=True, blank=True)  # noqa: DJ001
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.ACTIVE
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.MEDIUM
    )
    assignee_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, blank=True, related_name="routines"
    )
    project = models.ForeignKey(
        Project, models.SET_NULL, null=True, blank=True, related_name="routines"
    )
    goal = models.ForeignKey(
        Goal, models.SET_NULL, null=True, blank=True, related_name="routines"
    )
    parent_issue = models.ForeignKey(
        Issue, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    concurrency_policy = models.CharField(
        max_length=32, choices=Concurrency.choices, default=Concurrency.COALESCE
    )
    catch_up_policy = models.CharField(
        max_length=32, choices=CatchUp.choices, default=CatchUp.SKIP_MISSED
    )
    # [{name, label, type, default, required, options}], see issues.variables
    variables = models.JSONField(default=list, blank=True)
    # [{check, parameters}], see issues.models.routine_criteria
    criteria = models.JSONField(default=list, blank=True)
    origin_kind = models.CharField(max_length=40, default="manual")
    revision_number = models.PositiveIntegerField(default=0, editable=False)
    revision_id = models.UUIDField(null=True, editable=False)
    last_triggered_at = models.DateTimeField(null=True, editable=False)
    last_enqueued_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
