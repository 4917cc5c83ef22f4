"""Mail to people outside: to whom, and to whom not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, models, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from marketing.models.managed import Managed
from marketing.models.outreach import Category
from marketing.words import identity, masked_address
from paperclip import audit
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from paperclip.actors import Actor
    from paperclip.models import Company


class Contact(Managed):
    """Whom we may write to. `identity` is their address without its disguises: whoever
    was written to by any job is never written to again."""

    name = models.CharField(_("name"), max_length=120, blank=True)
    email = models.EmailField(_("address"), blank=True)
    identity = models.CharField(max_length=254, blank=True, editable=False)
    # The same person at another address, as somebody found out.
    alias_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="aliases"
    )
    outlet = models.CharField(_("outlet"), max_length=120)
    outlet_url = models.URLField(max_length=300, blank=True)
    feed_url = models.URLField(max_length=300, blank=True)
    category = models.CharField(max_length=8, choices=Category.choices)
    country = models.CharField(max_length=2, blank=True)
    timezone = models.CharField(max_length=40, default="Europe/Lisbon")
    language = models.CharField(max_length=8, default="en")
    source_url = models.URLField(_("where the address is from"), blank=True)
    source_date = models.DateField(null=True, blank=True)
    lawful_basis = models.CharField(max_length=200, blank=True)
    is_on = models.BooleanField(_("may be written to"), default=False)

    TAKES = "change who is written to"

    class Meta:
        verbose_name = _("contact")
        ordering = ["category", "outlet", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "identity"],
                condition=~Q(identity=""),
                name="a_contact_is_there_once",
            ),
            models.CheckConstraint(
                condition=Q(is_on=False) | ~Q(email=""),
                name="who_is_written_to_has_an_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.outlet}"

    def save(self, *args: Any, **options: Any) -> None:
        self.identity = identity(self.email)
        if (fields := options.get("update_fields")) is not None:
            options["update_fields"] = {*fields, "identity"}
        super().save(*args, **options)

    @property
    def masked(self) -> str:
        return masked_address(self.email)

    @property
    def identities(self) -> list[str]:
        """Every address this person is known by, without its disguises."""
        rows = self._rows.values_list("identity", flat=True)
        return sorted({self.identity, *rows} - {""})

    @property
    def others(self) -> list[Contact]:
        """The further rows of this person."""
        return list(self._rows.exclude(pk=self.pk))

    @property
    def _rows(self) -> QuerySet[Contact]:
        root = self.alias_of_id or self.pk
        rows: QuerySet[Contact] = Contact.objects.filter(Q(pk=root) | Q(alias_of=root))
        return rows

    @transaction.atomic
    def switch(self, on: bool, *, by: Actor) -> None:
        """Let them be written to, or not. Invalid without an address."""
        by.must_be_operator(self.company_id, "change who is written to")
        if on and not self.identity:
            raise Invalid(f"{self} has no address: fill it in first.")
        if self.is_on != on:
            self.is_on = on
            self.save(update_fields=["is_on", "updated_at"])
            act = "contact.switched_on" if on else "contact.switched_off"
            audit.record(by, act, self)

    @transaction.atomic
    def is_same_as(self, other: Contact, *, by: Actor) -> None:
        """Both are one person: whoever was written to at one address is not written to
        at the other. Invalid for itself, or another company's."""
        by.must_be_operator(self.company_id, "change who is written to")
        root = other.alias_of or other
        if root.pk == self.pk or other.company_id != self.company_id:
            raise Invalid("Choose another contact of this company.")
        Contact.objects.filter(alias_of=self).update(alias_of=root)
        self.alias_of = root
        self.save(update_fields=["alias_of", "updated_at"])
        audit.record(by, "contact.merged", self, into=str(root.pk))

    @transaction.atomic
    def stands_alone(self, *, by: Actor) -> None:
        """It is another person after all. Conflict when nobody said anything else."""
        by.must_be_operator(self.company_id, "change who is written to")
        if self.alias_of_id is None:
            raise Conflict(f"{self} is not known as somebody else.")
        self.alias_of = None
        self.save(update_fields=["alias_of", "updated_at"])
        audit.record(by, "contact.parted", self)


class CountryPolicyQuerySet(ScopedQuerySet):
    def rule(self, company_id: UUID, country: str) -> str:
        """What holds for people in this country: deny where nobody said anything, and
        where nobody knows the country."""
        rows = self.filter(company=company_id, country=country.strip().upper())
        found = rows.values_list("rule", flat=True).first()
        return str(found or CountryPolicy.Rule.DENY)

    @transaction.atomic
    def put(
        self, company: Company, country: str, rule: str, *, by: Actor, why: str = ""
    ) -> CountryPolicy:
        """The rule for a country, as an ISO code of two letters. Invalid for others."""
        by.must_be_operator(company.pk, "change who is written to")
        code = country.strip().upper()
        if len(code) != 2 or not code.isalpha() or not code.isascii():
            raise Invalid("Name the country by its ISO code of two letters, as PT.")
        if rule not in CountryPolicy.Rule.values:
            raise Invalid(f"A rule is one of: {', '.join(CountryPolicy.Rule.values)}.")
        row: CountryPolicy
        row, _made = self.update_or_create(
            company=company, country=code, defaults={"rule": rule, "why": why[:300]}
        )
        audit.record(by, "country_policy.put", row, country=code, rule=rule)
        return row


class CountryPolicy(Scoped):
    """Whether people in a country may be written to at all. Without a row: no."""

    class Rule(models.TextChoices):
        ALLOW = "allow", _("may be written to")
        ASK = "ask", _("each needs an approval")
        DENY = "deny", _("is never written to")

    country = models.CharField(max_length=2)
    rule = models.CharField(max_length=8, choices=Rule.choices)
    why = models.CharField(max_length=300, blank=True)

    objects = CountryPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("country policy")
        ordering = ["country"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "country"], name="one_policy_per_country"
            )
        ]

    def __str__(self) -> str:
        return f"{self.country}: {self.rule}"


class SuppressionQuerySet(ScopedQuerySet):
    def covering(self, company_id: UUID, identities: Collection[str]) -> Any:
        """Those that forbid mail to any of these addresses: the address itself, or its
        domain, or one above that."""
        values = set(identities)
        for one in identities:
            labels = one.rpartition("@")[2].split(".")
            values |= {"@" + ".".join(labels[i:]) for i in range(len(labels) - 1)}
        return self.filter(company=company_id, value__in=values)

    @transaction.atomic
    def add(
        self,
        company: Company,
        value: str,
        reason: str,
        *,
        by: Actor,
        said: str = "",
    ) -> Suppression:
        """Never write to this address, or to anybody at this domain (@press.example),
        again. The same again changes nothing. Invalid for what is neither."""
        by.must_write(company.pk, "write to people outside")
        name = value.strip()
        # A name before a domain, only for the look at its form.
        at = name.startswith("@")
        clean = identity(f"x{name}")[1:] if at else identity(name)
        if not clean or "." not in clean.rpartition("@")[2]:
            raise Invalid("Give an address, or a domain as @press.example.")
        fields = {"reason": reason, "said": said[:300], "by_name": by.name[:150]}
        row: Suppression
        try:
            with transaction.atomic():
                row = self.create(company=company, value=clean[:254], **fields)
        except IntegrityError:
            return self.get(company=company, value=clean[:254])  # type: ignore[no-any-return]
        audit.record(by, "suppression.added", row, reason=reason)
        return row


class Suppression(Scoped):
    """Somebody, or a whole domain, that is never written to (again)."""

    class Reason(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        BOUNCED = "bounced", _("address does not exist")
        SOFT = "soft_bounces", _("bounced three times")
        COMPLAINT = "complaint", _("complained")
        MANUAL = "manual", _("entered by a person")

    # An identity, or a domain with its @ in front.
    value = models.CharField(max_length=254)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    said = models.CharField(max_length=300, blank=True)
    by_name = models.CharField(max_length=150, blank=True)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        verbose_name = _("suppression")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "value"], name="a_suppression_is_there_once"
            )
        ]

    def __str__(self) -> str:
        return self.value

    @transaction.atomic
    def lift(self, *, by: Actor) -> None:
        """Allow mail there again. Conflict for one that the person it is about, or
        their server, asked for."""
        by.must_be_operator(self.company_id, "change who is written to")
        if self.reason != self.Reason.MANUAL:
            raise Conflict(
                f"{self.get_reason_display()}: that was not ours to say, and stays."
            )
        audit.record(by, "suppression.lifted", self)
        self.delete()
