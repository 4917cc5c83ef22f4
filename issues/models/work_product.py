from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from issues.models.project import Project
from paperclip.models import Scoped, ScopedQuerySet


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

    objects = ScopedQuerySet.as_manager()

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
