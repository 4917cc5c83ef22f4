from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from paperclip.models import Scoped, ScopedQuerySet


class RelationQuerySet(ScopedQuerySet):
    def unresolved(self) -> RelationQuerySet:
        """Edges that still block. Only `done` resolves one: a cancelled blocker leaves
        a decision to be made, not a go-ahead."""
        return self.exclude(blocker__status="done")


class Relation(Scoped):
    """The issue `blocked` waits for the issue `blocker`. Made by Issue.block_on."""

    blocker = models.ForeignKey("issues.Issue", models.CASCADE, related_name="blocking")
    blocked = models.ForeignKey(
        "issues.Issue", models.CASCADE, related_name="blocked_by"
    )

    objects = RelationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["blocker", "blocked"], name="one_edge_per_pair"
            ),
            models.CheckConstraint(
                condition=~Q(blocker=F("blocked")), name="no_issue_blocks_itself"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.blocker} blocks {self.blocked}"
