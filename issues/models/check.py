"""The catalogue: what an operator lets be checked, to be named by criteria."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.roles import ROLES
from issues import check_secrets, parameters
from issues.checkers import CHECKERS, checked_settings, checker_class
from paperclip import audit
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Company, Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor

KEY = RegexValidator(r"^[a-z0-9][a-z0-9_-]{0,63}$")


class CheckQuerySet(ScopedQuerySet):
    def offered(self) -> Self:
        return self.filter(archived_at=None)

    @transaction.atomic
    def define(self, company: Company, *, by: Actor, key: str, **fields: Any) -> Check:
        """A new check of the catalogue. Operators only. Conflict when the key is taken;
        Invalid for settings that its type does not take, or a secret that the company
        has not."""
        by.must_be_operator(company.pk, "change the catalogue of checks")
        if self.filter(company=company, key=key).exists():
            raise Conflict(f"There is a check {key} already.", code="duplicate_key")
        check = Check(company=company, key=key)
        check._set(fields)
        check.save(force_insert=True)
        check_secrets.bind(check, by=by)
        audit.record(by, "check.created", check, key=key, type=check.type)
        return check


class Check(Scoped):
    """One way to see whether work is done: a type, the settings of that type, and the
    parameters they leave open. Written by operators alone; others name it."""

    key = models.CharField(_("key"), max_length=64, validators=[KEY])
    type = models.CharField(
        _("type"), max_length=16, choices=[(name, name) for name in CHECKERS]
    )
    title = models.CharField(_("title"), max_length=200)
    settings = models.JSONField(default=dict, blank=True)
    parameters = models.JSONField(default=list, blank=True)
    # Whose work is checked so when an issue has no criteria of its own.
    roles = ArrayField(models.CharField(max_length=16), default=list, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = CheckQuerySet.as_manager()

    class Meta:
        verbose_name = _("check")
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(fields=["company", "key"], name="one_check_per_key")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def in_words(self) -> str:
        """What is looked at, in a line, with the names of its parameters in braces."""
        return checker_class(self.type)().in_words(self.settings)

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Change it for everything that is not proven yet; what it has proven counts no
        more. With `archived` it is offered no longer."""
        by.must_be_operator(self.company_id, "change the catalogue of checks")
        if "archived" in fields:
            self.archived_at = now() if fields.pop("archived") else None
        fields.pop("key", None)
        self._set(fields)
        self.save()
        check_secrets.bind(self, by=by)
        audit.record(by, "check.updated", self, key=self.key, changed=sorted(fields))

    def _set(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        if not KEY.regex.fullmatch(self.key):  # type: ignore[union-attr]
            raise Invalid("A key is a-z, 0-9, - and _, such as tests.", key="wrong")
        if unknown := sorted(set(self.roles) - set(ROLES)):
            raise Invalid(f"There is no role {', '.join(unknown)}.")
        self.settings = checked_settings(self.type, self.settings)
        parameters.check(self.parameters, self.settings)
        open_ones = [p["name"] for p in self.parameters if p.get("default") is None]
        if self.roles and open_ones:
            raise Invalid(
                "What is checked for a whole role is asked for nothing: give"
                f" {', '.join(open_ones)} a default.",
                code="bad_parameter",
            )
