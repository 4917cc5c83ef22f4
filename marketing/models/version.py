"""The texts that a post has had."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketing.models.site import empty_list
from paperclip.models import Scoped, ScopedQuerySet


class PostVersion(Scoped):
    """One text of a post. `document` is the draft as the model gave it, or as a person
    edited it; `source` the bytes of the file that is committed; `gates` are {rule,
    passed, said} in order."""

    post = models.ForeignKey("marketing.Post", models.CASCADE, related_name="versions")
    number = models.PositiveSmallIntegerField()
    document = models.JSONField()
    source = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    gates = models.JSONField(default=empty_list)
    by_name = models.CharField(max_length=150)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("version of a post")
        ordering = ["post_id", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["post", "number"], name="versions_have_numbers"
            )
        ]

    def __str__(self) -> str:
        return f"{self.post} {self.number}"

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [gate for gate in self.gates if not gate["passed"]]
