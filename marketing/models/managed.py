"""Rows that people keep by hand, in a form: one way to enter and to change them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from paperclip import audit
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import Company


class ManagedQuerySet(ScopedQuerySet):
    @transaction.atomic
    def enter(self, company: Company, *, by: Actor, **fields: Any) -> Any:
        """A new row. Invalid names each wrong field; Conflict when it is there."""
        row = self.model(company=company)
        return row._put(fields, by=by, act="added")


class Managed(Scoped):
    # What it takes to change one: an act of paperclip.roles.
    TAKES = ""

    objects = ManagedQuerySet.as_manager()

    class Meta:
        abstract = True

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Other values. Invalid names each wrong field; Conflict for a twin."""
        self._put(fields, by=by, act="changed")

    def prepare(self) -> None:
        """Fill in what follows from the rest, before it is saved."""

    def _put(self, fields: dict[str, Any], *, by: Actor, act: str) -> Any:
        by.must_be_operator(self.company_id, self.TAKES)
        for name, value in fields.items():
            setattr(self, name, value)
        self.prepare()
        kind = self._meta.model_name
        try:
            with transaction.atomic():
                self.full_clean(
                    # What is not there yet, and may be missing, is no empty answer.
                    exclude=[
                        one.name
                        for one in self._meta.fields
                        if one.null and getattr(self, one.attname) is None
                    ],
                    validate_unique=False,
                    validate_constraints=False,
                )
                self.save()
        except ValidationError as error:
            told = {name: " ".join(texts) for name, texts in error.message_dict.items()}
            raise Invalid(" ".join(told.values()), **told) from error
        except IntegrityError as error:
            raise Conflict(
                f"There is a {self._meta.verbose_name} like this already, or a part of"
                " it does not fit the rest.",
                code="duplicate",
            ) from error
        audit.record(by, f"{kind}.{act}", self, changed=sorted(fields))
        return self
