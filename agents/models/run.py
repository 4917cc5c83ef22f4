from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models.claim import Claimable


class Run(Claimable):
    """One heartbeat of one agent. It is live while its lease is held, and its id is the
    fence: lost work goes to a new run, and what the old one writes is refused."""

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
