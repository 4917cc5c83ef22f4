"""What makes the log of acts tamper-evident: see paperclip.sealing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NoReturn, Self

from django.db import models
from django.db.models import Exists, OuterRef
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from paperclip.models.activity import Activity

LATE = timedelta(minutes=1)


class Seal(models.Model):
    """The link of one act in its company's chain. Added, never changed or removed.

    `seq` is the act's, without a foreign key: a removed act leaves its seal behind.
    `number` counts the company's seals from 1, without a gap.
    """

    seq = models.BigIntegerField(primary_key=True)
    company = models.ForeignKey(
        "paperclip.Company", models.PROTECT, related_name="+", db_index=False
    )
    number = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)

    class Meta:
        verbose_name = _("seal")
        constraints = [
            models.UniqueConstraint(fields=["company", "number"], name="one_seal_each")
        ]

    def __str__(self) -> str:
        return f"seal {self.number}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Only the sweep seals.")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Seals are never removed.")


class UnsealedQuerySet(models.QuerySet["Unsealed"]):
    def late(self) -> Self:
        """What the sweep should have sealed long ago."""
        old = Activity.objects.filter(created_at__lt=now() - LATE)
        return self.filter(Exists(old.filter(seq=OuterRef("seq"))))


class Unsealed(models.Model):
    """An act that waits for its seal. Written with the act, gone with the seal."""

    seq = models.BigIntegerField(primary_key=True)
    # No constraint: the act beside it has one, and this is written hundreds of times
    # a second.
    company = models.ForeignKey(
        "paperclip.Company",
        models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )

    objects = UnsealedQuerySet.as_manager()

    class Meta:
        verbose_name = _("act to be sealed")

    def __str__(self) -> str:
        return f"act {self.seq}"


class Chain(models.Model):
    """Where the seals of a company end, and what was last found about them.

    Whoever adds seals holds this row, so that a company has one chain.
    """

    company = models.OneToOneField(
        "paperclip.Company", models.PROTECT, primary_key=True, related_name="+"
    )
    length = models.BigIntegerField(default=0)
    head = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField(null=True)
    # The newest signed checkpoint: up to which seal, and when.
    checkpoint = models.BigIntegerField(default=0)
    checkpoint_at = models.DateTimeField(null=True)
    # The last verification: how many entries, and what was wrong: `said`, and the
    # `seq` of the act where one is known.
    verified = models.BigIntegerField(default=0)
    verified_at = models.DateTimeField(null=True)
    findings = models.JSONField(default=list)

    class Meta:
        verbose_name = _("chain")

    def __str__(self) -> str:
        return f"chain of {self.company_id}"

    @property
    def is_stale(self) -> bool:
        """Whether two nights have passed without a look at it."""
        return (self.verified_at or self.company.created_at) < now() - timedelta(days=2)
