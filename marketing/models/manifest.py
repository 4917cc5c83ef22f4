"""What was taken from the pages of a site in one reading: a claim names it by its
digest, and the same again is kept once."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from marketing.models.blob import proofs
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from uuid import UUID


def digest_of(pages: list[dict[str, Any]]) -> str:
    text = json.dumps(pages, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class ManifestQuerySet(ScopedQuerySet):
    def keep(self, company_id: UUID, pages: list[dict[str, Any]]) -> Manifest:
        """The row of exactly these."""
        row: Manifest
        mine = {"company_id": company_id, "sha256": digest_of(pages)}
        # Found again it is new: it is not thrown away under the caller's hands.
        self.filter(**mine).update(updated_at=now())
        row, _made = self.get_or_create(**mine, defaults={"pages": pages})
        return row

    def out_of_use(self, before: datetime) -> Self:
        """Those last found before then that no proof names which is open or was settled
        lately."""
        free = self.filter(updated_at__lt=before)
        for digests in proofs():
            free = free.exclude(sha256__in=digests)
        return free


class Manifest(Scoped):
    sha256 = models.CharField(max_length=64)
    # Of each page its address, the digests of its bytes and of what was taken from
    # them, and how they were read.
    pages = models.JSONField()

    objects = ManifestQuerySet.as_manager()

    class Meta:
        verbose_name = _("list of pages")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "sha256"], name="the_same_pages_are_listed_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} ({len(self.pages)} pages)"

    @property
    def is_whole(self) -> bool:
        """Whether it says what it said."""
        return digest_of(self.pages) == self.sha256
