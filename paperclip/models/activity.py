from __future__ import annotations

from typing import Any, NoReturn
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

from paperclip.models.scope import ScopedQuerySet


class ActivityQuerySet(ScopedQuerySet):
    def update(self, **fields: Any) -> NoReturn:
        raise TypeError("Activity is append-only.")

    def delete(self) -> NoReturn:
        raise TypeError("Activity is append-only.")


class Activity(models.Model):
    """One act: who did what to which row, through which run. Append-only.

    It points at nothing but its company, so it outlives what it describes; a company
    that has acts is archived, never deleted. Only `audit.record` writes one; a trigger
    refuses to change or remove it, also to raw SQL.
    """

    seq = models.BigAutoField(primary_key=True)
    id = models.UUIDField(unique=True, default=uuid4, editable=False)
    company = models.ForeignKey(
        "paperclip.Company", models.PROTECT, related_name="+", db_index=False
    )
    actor_type = models.CharField(max_length=8)
    actor_id = models.CharField(max_length=64)
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=64)
    entity_type = models.CharField(max_length=32)
    entity_id = models.CharField(max_length=64)
    agent_id = models.UUIDField(null=True)
    run_id = models.UUIDField(null=True)
    details = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ActivityQuerySet.as_manager()

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activity")
        ordering = ["-seq"]
        indexes = [
            models.Index(fields=["company", "-seq"], name="activity_feed"),
            models.Index(fields=["entity_id", "-seq"], name="activity_of_entity"),
            models.Index(fields=["agent_id", "-seq"], name="activity_of_agent"),
            models.Index(
                fields=["run_id"],
                condition=models.Q(run_id__isnull=False),
                name="activity_of_run",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Activity is append-only, and written by audit.record().")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Activity is append-only.")
