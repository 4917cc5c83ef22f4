from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from paperclip.models import Scoped, ScopedQuerySet

KEY = RegexValidator(r"^[a-z0-9][a-z0-9_-]{0,63}$")


class Document(Scoped):
    """A text that belongs to an issue, in Markdown, by its key: `plan`, `report`. The
    newest body stands here, all of them in its revisions."""

    issue = models.ForeignKey("issues.Issue", models.CASCADE, related_name="documents")
    key = models.CharField(_("key"), max_length=64, validators=[KEY])
    title = models.CharField(_("title"), max_length=300, blank=True, default="")
    body = models.TextField(_("text"))
    revision_number = models.PositiveIntegerField(default=1)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("document")
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(
                fields=["issue", "key"], name="one_document_per_key"
            )
        ]

    def __str__(self) -> str:
        return self.title or self.key


class DocumentRevision(models.Model):
    """One version of a document. Added, never changed."""

    id = models.UUIDField(primary_key=True, editable=False)
    document = models.ForeignKey(Document, models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    title = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField()
    change_summary = models.CharField(max_length=500, null=True)  # noqa: DJ001
    author_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="+"
    )
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    run_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "number"], name="one_revision_per_number"
            )
        ]

    def __str__(self) -> str:
        return f"{self.document} #{self.number}"
