"""What was really received, byte for byte: evidence is read again from it."""

from __future__ import annotations

import gzip
import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents import retention
from agents.models import Approval
from issues.models import Criterion, Evidence
from issues.models.base import CLOSED
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from uuid import UUID

# What holds a stored answer by its row.
HOLDERS = ("PageSnapshot", "RankReading", "BacklinkLook")


class BlobQuerySet(ScopedQuerySet):
    def keep(self, company_id: UUID, body: bytes, kind: str = "") -> Blob:
        """The stored copy of these bytes; the same bytes are kept once."""
        blob: Blob
        mine = {"company_id": company_id, "sha256": hashlib.sha256(body).hexdigest()}
        # Received again it is new: it is not thrown away under the caller's hands.
        self.filter(**mine).update(updated_at=now())
        blob, _made = self.get_or_create(
            **mine,
            defaults={
                # mtime=0: the same bytes make the same row.
                "packed": gzip.compress(body, mtime=0),
                "size": len(body),
                "content_type": kind[:100],
            },
        )
        return blob

    def out_of_use(self, before: datetime) -> Self:
        """Those last received before then that nothing refers to: no row, and no proof
        that is open or was settled lately, by its digest."""
        free = self.filter(updated_at__lt=before)
        for name in HOLDERS:
            rows: Any = apps.get_model("marketing", name)._default_manager
            free = free.filter(~Exists(rows.filter(blob=OuterRef("pk"))))
        lists = apps.get_model("marketing.Manifest")._default_manager.all()
        for names in (*proofs(), digests(lists, "pages")):
            free = free.exclude(sha256__in=names)
        return free


def proofs() -> list[QuerySet[Any]]:
    """The digests in what is to be proven, in the proofs and in what people decide, as
    long as somebody may look at them again."""
    since = retention.limit("KEEP_PROOFS_DAYS")
    of_issue, decided, sent = Q(), Q(), Q()
    if since is not None:
        late = Q(issue__completed_at__gte=since) | Q(issue__cancelled_at__gte=since)
        of_issue = ~Q(issue__status__in=CLOSED) | late
        decided = Q(status__in=Approval.OPEN) | Q(decided_at__gte=since)
        sent = Q(sent_at__gte=since)
    # What was sent stands in the answers alone, and those are packed.
    told = apps.get_model("marketing.IndexNowSubmission")._default_manager.filter(sent)
    return [
        digests(Criterion.objects.filter(of_issue), "settings"),
        digests(Evidence.objects.filter(of_issue), "facts"),
        digests(Approval.objects.filter(decided), "payload"),
        told.values("payload_sha256"),
    ]


def digests(rows: QuerySet[Any], column: str) -> QuerySet[Any]:
    """Everything in this column that looks like one."""
    found = Digests(Cast(F(column), models.TextField()), Value("[0-9a-f]{64}"))
    named: QuerySet[Any] = rows.order_by().annotate(digest=found).values("digest")
    return named


class Digests(Func):
    """All matches, each as a row."""

    function = "regexp_matches"
    template = "(%(function)s(%(expressions)s, 'g'))[1]"
    output_field = models.CharField()
    set_returning = True


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
