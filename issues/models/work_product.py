from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from issues.models.project import Project
from paperclip import audit
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from issues.models.issue import Issue
    from paperclip.actors import Actor

# Made and kept up by issues.repositories: what it says of a branch is what git says.
OURS = "git"


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
        product._set(fields, by=by)
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
        self.issue.must_be_writable(by)
        self._set(fields, by=by)
        self.save()
        self._record("updated", by=by, changed=sorted(fields))

    @transaction.atomic
    def remove(self, *, by: Actor) -> None:
        """Take it off the list; the thing itself stays where it is."""
        self.issue.must_be_writable(by)
        self._must_not_be_ours(by)
        self._record("deleted", by=by)
        self.delete()

    def _set(self, fields: dict[str, Any], *, by: Actor) -> None:
        if not self._state.adding:
            self._must_not_be_ours(by)
        if fields.get("provider") == OURS:
            raise Invalid("A branch is named by uploading it.", code="upload_it")
        for name, value in fields.items():
            setattr(self, name, value)
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

    def _must_not_be_ours(self, by: Actor) -> None:
        if self.provider == OURS and by.agent is not None:
            raise NotAllowed("What is said of an uploaded branch is what git says.")

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
