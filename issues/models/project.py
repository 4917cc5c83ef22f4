from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues.models.goal import Goal
from paperclip import audit
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Company, Scoped, ScopedQuerySet
from paperclip.models.spender import SPENT

if TYPE_CHECKING:
    from paperclip.actors import Actor


# Where a remote may be: over https or ssh, or over http on this machine. No password in
# it: see paperclip/git/command.py for where that goes.
REPO_URL = re.compile(
    r"https://[\w.-]+(:\d+)?/[^\s:@?#]+"
    r"|http://(localhost|127\.0\.0\.1)(:\d+)?/[^\s:@?#]+"
    r"|ssh://([\w.-]+@)?[\w][\w.-]*(:\d+)?/[^\s]+"
    r"|[\w.-]+@[\w][\w.-]*:[^\s:-][^\s:]*",
    re.ASCII,
)
BRANCH = re.compile(
    r"(?!.*(//|\.\.|/\.|\.lock(/|$)))[A-Za-z0-9][\w./-]*(?<![./])", re.A
)
# The control plane opens the address and serves the branch.
OPERATORS_ONLY = {"repo_url", "default_branch"}


class ProjectQuerySet(ScopedQuerySet):
    @transaction.atomic
    def plan(self, company: Company, *, by: Actor, name: str, **fields: Any) -> Project:
        """A new project of the company."""
        by.must_write(company.pk, "plan projects")
        project = Project(company=company, name=name)
        project._set(fields, by=by)
        project.save(force_insert=True)
        audit.record(by, "project.created", project, name=name)
        return project


class Project(Scoped):
    """Issues that belong together."""

    class Status(models.TextChoices):
        BACKLOG = "backlog", _("backlog")
        PLANNED = "planned", _("planned")
        IN_PROGRESS = "in_progress", _("in progress")
        COMPLETED = "completed", _("completed")
        CANCELLED = "cancelled", _("cancelled")

    name = models.CharField(_("name"), max_length=200)
    description = models.TextField(_("description"), null=True, blank=True)  # noqa: DJ001
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.BACKLOG
    )
    goal = models.ForeignKey(
        Goal, models.SET_NULL, null=True, blank=True, related_name="projects"
    )
    lead = models.ForeignKey(
        Agent, models.SET_NULL, null=True, blank=True, related_name="projects"
    )
    target_date = models.DateField(null=True, blank=True)
    color = models.CharField(max_length=7, null=True, blank=True)  # noqa: DJ001
    # Only an operator sets them: the control plane opens the address.
    repo_url = models.CharField(
        _("remote repository"), max_length=500, blank=True, default=""
    )
    default_branch = models.CharField(
        _("default branch"), max_length=100, default="main"
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=32, null=True, blank=True)  # noqa: DJ001
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        verbose_name = _("project")
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.name

    @transaction.atomic
    def pause(self, *, by: Actor, reason: str = "manual") -> None:
        """Nothing of it is checked out until resume. Safe to do again. Paused for its
        budget, it is not resumed with that any more."""
        by.must_be_operator(self.company_id, "pause a project")
        may = models.Q(paused_at=None)
        if reason != SPENT:
            may |= models.Q(pause_reason=SPENT)
        if Project.objects.filter(may, pk=self.pk).update(
            paused_at=now(), pause_reason=reason, updated_at=now()
        ):
            audit.record(by, "project.paused", self, reason=reason)
        self.refresh_from_db()

    @transaction.atomic
    def resume(self, *, by: Actor) -> None:
        by.must_be_operator(self.company_id, "resume a project")
        mine = Project.objects.filter(pk=self.pk, paused_at__isnull=False)
        if not mine.update(paused_at=None, pause_reason=None, updated_at=now()):
            raise Conflict(f"{self.name} is not paused.")
        self.refresh_from_db()
        audit.record(by, "project.resumed", self)

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        by.must_write(self.company_id, "change projects")
        self._set(fields, by=by)
        self.save(update_fields=[*fields, "updated_at"])
        audit.record(by, "project.updated", self, changed=sorted(fields))

    def _set(self, fields: dict[str, Any], *, by: Actor) -> None:
        if any(
            getattr(self, name) != fields[name] for name in OPERATORS_ONLY & {*fields}
        ):
            by.must_be_operator(self.company_id, "say where a repository is")
        if not REPO_URL.fullmatch(fields.get("repo_url") or "https://a/b"):
            raise Invalid(
                "A remote repository is https://host/path, ssh://user@host/path or"
                " user@host:path, without a password in it.",
                code="repo_url",
            )
        if not BRANCH.fullmatch(fields.get("default_branch", "main")):
            raise Invalid("This is no name of a branch.", code="default_branch")
        for name, value in fields.items():
            setattr(self, name, value)
        for other in (self.goal, self.lead):
            if other is not None and other.company_id != self.company_id:
                raise Invalid(f"{other} belongs to another company.")
