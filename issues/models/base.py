from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, Run
from issues.models.authors import Created
from issues.models.goal import Goal
from issues.models.label import Label
from issues.models.project import Project


class Status(models.TextChoices):
    BACKLOG = "backlog", _("backlog")
    TODO = "todo", _("to do")
    IN_PROGRESS = "in_progress", _("in progress")
    IN_REVIEW = "in_review", _("in review")
    BLOCKED = "blocked", _("blocked")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")


class Priority(models.IntegerChoices):
    CRITICAL = 0, _("critical")
    HIGH = 1, _("high")
    MEDIUM = 2, _("medium")
    LOW = 3, _("low")


CLOSED = (Status.DONE, Status.CANCELLED)
# The origin of an issue that tells of one run of a job: its program alone works on it.
JOB = "job"


class IssueBase(Created):
    """The columns of an issue. Its behaviours stand in files of their own, each on top
    of the ones it needs: waiting, checkout, thread, status, and Issue itself."""

    number = models.PositiveIntegerField(editable=False)
    identifier = models.CharField(max_length=24, unique=True, editable=False)
    title = models.CharField(_("title"), max_length=300)
    description = models.TextField(_("description"), null=True, blank=True)  # noqa: DJ001
    status = models.CharField(
        _("status"), max_length=16, choices=Status.choices, default=Status.BACKLOG
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority.choices, default=Priority.MEDIUM
    )
    work_mode = models.CharField(max_length=16, default="standard")
    project = models.ForeignKey(
        Project, models.SET_NULL, null=True, blank=True, related_name="issues"
    )
    goal = models.ForeignKey(
        Goal, models.SET_NULL, null=True, blank=True, related_name="issues"
    )
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children"
    )
    assignee_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, blank=True, related_name="issues"
    )
    assignee_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="issues"
    )
    # The lock: the run that holds this issue, as long as that run is live.
    checkout_run = models.ForeignKey(
        Run, models.SET_NULL, null=True, editable=False, related_name="held_issues"
    )
    # While it is reviewed, the assignee is the reviewer; this is who did the work and
    # gets it back when changes are requested.
    executor_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, editable=False, related_name="reviewed"
    )
    # The stages that its done work goes through, as policy.checked keeps them. Null:
    # one stage, its worker's reviewer.
    review_policy = models.JSONField(null=True, editable=False)
    failed_reviews = models.PositiveSmallIntegerField(default=0, editable=False)
    labels = models.ManyToManyField(Label, blank=True, related_name="issues")
    origin_kind = models.CharField(max_length=40, default="manual")
    origin_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    origin_run_id = models.UUIDField(null=True)
    request_depth = models.PositiveSmallIntegerField(default=0)
    billing_code = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    hidden_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def assignee(self) -> str:
        """Whose it is, by name."""
        return str(self.assignee_agent or self.assignee_user or _("nobody"))

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED
