"""What was really received, byte for byte: evidence is read again from it."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from uuid import UUID


class BlobQuerySet(ScopedQuerySet):
    def keep(self, company_id: UUID, body: bytes, kind: str = "") -> Blob:
        """The stored copy of these bytes; the same bytes are kept once."""
        blob: Blob
        blob, _made = self.get_or_create(
            company_id=company_id,
            sha256=hashlib.sha256(body).hexdigest(),
            defaults={
                # mtime=0: the same bytes make the same row.
                "packed": gzip.compress(body, mtime=0),
                "size": len(body),
                "content_type": kind[:100],
            },
        )
        return blob


class Blob(Scoped):
    sha256 = models.CharField(max_length=64)
    packed = models.BinaryField()
    size = models.PositiveIntegerField()
    content_type = models.CharField(max_length=100, blank=True)

    objects = BlobQuerySet.as_manager()

    class Meta:
        verbose_name = _("stored answer")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "sha256"], name="the_same_bytes_are_kept_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} ({self.size} bytes)"

    @property
    def body(self) -> bytes:
        """The bytes. ValueError when they are not what they were."""
        body = gzip.decompress(bytes(self.packed))
        if hashlib.sha256(body).hexdigest() != self.sha256:
            raise ValueError(f"{self} was changed.")
        return body
