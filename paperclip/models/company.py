from __future__ import annotations

import re
import unicodedata
from itertools import product
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Missing, NotAllowed
from paperclip.models.spender import SPENT, Spender
from paperclip.roles import Role

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models.user import User


class CompanyQuerySet(models.QuerySet["Company"]):
    def visible_to(self, actor: Actor) -> Self:
        """The companies a person is a member of, for the administrator of the instance
        all; an agent's own one."""
        if actor.kind == "system":
            return self
        if actor.agent is not None:
            return self.filter(pk=actor.agent.company_id)
        if actor.user is not None and actor.user.is_superuser:
            return self
        return self.filter(memberships__user=actor.user)

    def get_for(self, actor: Actor, pk: Any) -> Company:
        try:
            return self.visible_to(actor).get(pk=pk)
        except (self.model.DoesNotExist, ValidationError, ValueError):
            raise Missing("Company not found") from None

    @transaction.atomic
    def found(
        self, *, owner: User, by: Actor, name: str, prefix: str = "", **fields: Any
    ) -> Company:
        """A new company with its first owner and a prefix of its own: the given one,
        lengthened when it is taken, or one made of the name.

        NotAllowed for a person who is only a viewer wherever there is a company.
        """
        if by.user is not None and not by.user.may_found():
            raise NotAllowed("A viewer cannot found a company.")
        prefix = self._free_prefix(prefix or name)
        company = self.create(name=name, issue_prefix=prefix, **fields)
        company.memberships.create(user=owner, role=Role.OWNER)
        audit.record(by, "company.created", company, name=name)
        company.put_budget(by=SYSTEM, is_new=True)
        return company

    def _free_prefix(self, name: str) -> str:
        """Three letters of the name, lengthened until nobody has them."""
        latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub("[^A-Z]", "", latin.upper())[:3] or "CO"
        taken = set(
            self.model.objects.filter(issue_prefix__startswith=stem).values_list(
                "issue_prefix", flat=True
            )
        )
        tails = (
            "".join(t) for n in range(4) for t in product(ascii_uppercase, repeat=n)
        )
        return next(stem + tail for tail in tails if stem + tail not in taken)


class Company(Spender):
    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        ARCHIVED = "archived", _("archived")

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(_("name"), max_length=120)
    description = models.TextField(_("description"), null=True, blank=True)  # noqa: DJ001 (null on the wire)
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.ACTIVE
    )
    pause_reason = models.CharField(max_length=32, null=True, blank=True)  # noqa: DJ001
    paused_at = models.DateTimeField(null=True, blank=True)
    issue_prefix = models.CharField(max_length=10, unique=True)
    issue_counter = models.PositiveIntegerField(default=0)
    require_approval_for_hires = models.BooleanField(default=False)
    # A run that has read what strangers wrote asks before each effect outside.
    ask_after_outside_text = models.BooleanField(
        _("ask after outside text"), default=True
    )
    # So many runs at once, over all its agents; null: as many as the workers take.
    max_concurrent_runs = models.PositiveSmallIntegerField(
        _("runs at the same time"), null=True, blank=True
    )
    # A rehearsal is a company of its own: nothing of it can get among real results.
    rehearsal = models.BooleanField(_("rehearsal"), default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CompanyQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        verbose_name = _("company")
        verbose_name_plural = _("companies")

    def __str__(self) -> str:
        return self.name

    @property
    def company_id(self) -> UUID:
        """A company is scoped to itself, so that one check fits every row."""
        return self.pk

    @property
    def state(self) -> str:
        """Its status as people are told it: what pauses it is the button that stops."""
        paused = self.status == self.Status.PAUSED
        return "stopped" if paused else str(self.status)

    def next_issue_number(self) -> int:
        """The next number of this company's issues. Call it where the issue is made."""
        mine = Company.objects.filter(pk=self.pk)
        mine.update(issue_counter=F("issue_counter") + 1)
        return mine.values_list("issue_counter", flat=True).get()

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        by.must_be_operator(self.pk, "change the company")
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=[*fields, "updated_at"])
        audit.record(by, "company.updated", self, changed=sorted(fields))
        if "budget_monthly_cents" in fields:
            self.put_budget(by=by)

    @transaction.atomic
    def pause(self, *, by: Actor, reason: str = "manual") -> None:
        """No agent of this company starts a run until resume. Paused for its budget, it
        is not resumed with that any more."""
        by.must_be_operator(self.pk, "stop the company")
        may = models.Q(status=self.Status.ACTIVE)
        if reason != SPENT:
            may |= models.Q(status=self.Status.PAUSED, pause_reason=SPENT)
        if Company.objects.filter(may, pk=self.pk).update(
            status=self.Status.PAUSED,
            pause_reason=reason,
            paused_at=now(),
            updated_at=now(),
        ):
            audit.record(by, "company.paused", self, reason=reason)
        self.refresh_from_db()

    @transaction.atomic
    def archive(self, *, by: Actor) -> None:
        """Close it: nothing of it runs, and the console shows it no more. What it did
        stays. Conflict when it is archived already."""
        by.must_be_operator(self.pk, "archive the company")
        there = Company.objects.filter(pk=self.pk).exclude(status=self.Status.ARCHIVED)
        if not there.update(
            status=self.Status.ARCHIVED,
            pause_reason="company_archived",
            paused_at=now(),
            updated_at=now(),
        ):
            raise Conflict(f"{self.name} is archived already.")
        self.refresh_from_db()
        audit.record(by, "company.archived", self)

    @transaction.atomic
    def restore(self, *, by: Actor) -> None:
        """Take it out of the archive, stopped as yet."""
        by.must_be_operator(self.pk, "archive the company")
        mine = Company.objects.filter(pk=self.pk, status=self.Status.ARCHIVED)
        if not mine.update(
            status=self.Status.PAUSED, pause_reason="manual", updated_at=now()
        ):
            raise Conflict(f"{self.name} is not archived.")
        self.refresh_from_db()
        audit.record(by, "company.restored", self)

    @transaction.atomic
    def resume(self, *, by: Actor) -> None:
        by.must_be_operator(self.pk, "resume the company")
        paused = Company.objects.filter(pk=self.pk, status=self.Status.PAUSED)
        if not paused.update(
            status=self.Status.ACTIVE,
            pause_reason=None,
            paused_at=None,
            updated_at=now(),
        ):
            raise Conflict(f"{self.name} is not stopped.")
        self.refresh_from_db()
        audit.record(by, "company.resumed", self)
