from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.validators import RegexValidator
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _

from paperclip import audit
from paperclip.exceptions import Conflict
from paperclip.models import Company, Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor


class LabelQuerySet(ScopedQuerySet):
    @transaction.atomic
    def define(self, company: Company, *, by: Actor, name: str, color: str) -> Label:
        """A new label; 409 when the company has one of that name."""
        by.must_write(company.pk, "define labels")
        try:
            with transaction.atomic():
                label: Label = self.create(company=company, name=name, color=color)
        except IntegrityError as error:
            raise Conflict(f"There is a label {name!r} already.") from error
        audit.record(by, "label.created", label, name=name)
        return label


class Label(Scoped):
    name = models.CharField(_("name"), max_length=48)
    color = models.CharField(
        _("colour"), max_length=7, validators=[RegexValidator("^#[0-9a-fA-F]{6}$")]
    )

    objects = LabelQuerySet.as_manager()

    class Meta:
        verbose_name = _("label")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "name"], name="one_label_per_name"
            )
        ]

    def __str__(self) -> str:
        return self.name
