from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from issues.models.project import Project
from paperclip import audit
from paperclip.exceptions import Conflict, Invalid, Missing, NotAllowed
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.issue import Issue
    from paperclip.actors import Actor

# Made and kept up by issues.repositories: what it says of a branch is what git says.
OURS = "git"
# What becomes of a branch that was uploaded: nobody else says so.
OUR_STATUSES = {"pushing", "pushed", "push_failed", "merged"}


class WorkProductQuerySet(ScopedQuerySet):
    @transaction.atomic
    def add(self, issue: Issue, *, by: Actor, **fields: Any) -> WorkProduct:
        """Say what came out of an issue. Its address is shown and never
        opened by us. Conflict when it is named already; refuses as Issue.change does.
        """
        type(issue).objects.select_for_update(no_key=True).get(pk=issue.pk)
        issue.refresh_from_db(fields=["checkout_run", "status", "assignee_agent"])
        issue.must_be_writable(by)
        product = WorkProduct(issue=issue, company_id=issue.company_id)
        product.project_id, product.created_by_run_id = issue.project_id, by.run_id
        product._set(fields)
        product.save(force_insert=True)
        product._record("created", by=by)
        return product


class WorkProduct(Scoped):
    """What came out of an issue and where it is: a branch, a commit, a page."""

    class Type(models.TextChoices):
        BRANCH = "branch", _("branch")
        COMMIT = "commit", _("commit")
        PULL_REQUEST = "pull_request", _("pull request")
        PREVIEW_URL = "preview_url", _("preview")
        RUNTIME_SERVICE = "runtime_service", _("service")
        ARTIFACT = "artifact", _("artifact")
        DOCUMENT = "document", _("document")

    issue = models.ForeignKey(
        "issues.Issue", models.CASCADE, related_name="work_products"
    )
    project = models.ForeignKey(
        Project, models.SET_NULL, null=True, related_name="work_products"
    )
    type = models.CharField(max_length=24, choices=Type.choices)
    provider = models.CharField(max_length=40, default="paperclip")
    external_id = models.CharField(max_length=300, null=True)  # noqa: DJ001
    title = models.CharField(max_length=300)
    url = models.CharField(max_length=2000, null=True)  # noqa: DJ001
    status = models.CharField(max_length=24, default="active")
    review_state = models.CharField(max_length=24, default="none")
    is_primary = models.BooleanField(default=False)
    health_status = models.CharField(max_length=24, default="unknown")
    summary = models.TextField(null=True)  # noqa: DJ001
    metadata = models.JSONField(null=True)
    created_by_run_id = models.UUIDField(null=True)

    objects = WorkProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("work product")
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["issue", "type", "external_id"],
                name="one_work_product_per_thing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.type}: {self.title}"

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Change what is said of it. NotAllowed for a branch that we keep up."""
        self._hold(by=by)
        self._set(fields)
        self.save()
        self._record("updated", by=by, changed=sorted(fields))

    @transaction.atomic
    def remove(self, *, by: Actor) -> None:
        """Take it off the list; the thing itself stays where it is."""
        self._hold(by=by)
        self._record("deleted", by=by)
        self.delete()

    def _hold(self, *, by: Actor) -> None:
        """Keep the row until the commit, if the actor may change it."""
        rows = type(self).objects.select_for_update(no_key=True)
        try:
            self.refresh_from_db(from_queryset=rows)
        except type(self).DoesNotExist:
            raise Missing("Work product not found") from None
        self.issue.must_be_writable(by)
        if self.provider == OURS:
            raise NotAllowed("What is said of an uploaded branch is what git says.")

    def _set(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        is_branch = self.type == self.Type.BRANCH
        if self.provider == OURS or (is_branch and self.status in OUR_STATUSES):
            raise Invalid("A branch is named by uploading it.", code="upload_it")
        project = self.project
        if project is not None and project.company_id != self.company_id:
            raise Invalid("The project belongs to another company.")
        others = WorkProduct.objects.filter(issue=self.issue).exclude(pk=self.pk)
        if self.external_id and others.filter(
            type=self.type, external_id=self.external_id
        ):
            raise Conflict(
                f"{self.issue.identifier} has the {self.type} {self.external_id}"
                " already: change that one."
            )
        if self.is_primary:
            others.filter(type=self.type).update(is_primary=False)

    def _record(self, act: str, *, by: Actor, **details: Any) -> None:
        audit.record(
            by,
            f"issue.work_product_{act}",
            self.issue,
            identifier=self.issue.identifier,
            workProductId=str(self.pk),
            type=self.type,
            title=self.title,
            **details,
        )
