from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from paperclip.models import Scoped, ScopedQuerySet


class Comment(Scoped):
    """One message in an issue's thread, in Markdown. Who wrote it follows from the
    credential it came with. Made by Issue.comment."""

    issue = models.ForeignKey("issues.Issue", models.CASCADE, related_name="comments")
    author_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="comments"
    )
    author_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="comments"
    )
    run_id = models.UUIDField(null=True)
    body = models.TextField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("comment")
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(fields=["issue", "created_at", "id"], name="comments_of_issue")
        ]

    def __str__(self) -> str:
        return f"{self.author}: {self.body[:60]}"

    @property
    def author(self) -> str:
        return str(self.author_agent or self.author_user or "Paperclip")

    @property
    def author_type(self) -> str:
        if self.author_agent_id:
            return "agent"
        return "user" if self.author_user_id else "system"
