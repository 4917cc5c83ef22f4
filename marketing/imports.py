"""Keywords and contacts from a table: all lines that fit, in one go, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction

from marketing.models import Category, Contact, Keyword, Suppression
from marketing.models.site import problems_of
from marketing.tables import (
    Imported,
    country_of,
    day_of,
    flag,
    number_of,
    read_table,
    take,
)
from marketing.words import identity
from paperclip import audit, live
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from paperclip.actors import Actor
    from paperclip.models import Company

# What a column may be called, spelt as `column` does.
KEYWORD = {
    "text": ("keyword", "text", "query", "term", "palavra_chave"),
    "language": ("language", "lang", "língua"),
    "country": ("country", "país"),
    "device": ("device",),
    "target_url": ("target_url", "url", "page"),
    "volume": ("volume", "search_volume", "avg_monthly_searches"),
    "is_tracked": ("tracked", "is_tracked"),
}
CONTACT = {
    "name": ("name", "contact", "nome"),
    "email": ("email", "e_mail", "mail", "address"),
    "outlet": ("outlet", "publication", "company", "meio"),
    "outlet_url": ("outlet_url", "website", "site"),
    "feed_url": ("feed_url", "feed", "rss"),
    "category": ("category", "categoria"),
    "country": ("country", "país"),
    "timezone": ("timezone", "time_zone"),
    "language": ("language", "lang", "língua"),
    "source_url": ("source_url", "source"),
    "source_date": ("source_date", "date"),
    "lawful_basis": ("lawful_basis", "basis"),
    "is_on": ("active", "is_on", "may_be_written_to"),
}


class _Tried(Exception):
    pass


def tried(
    bring: Callable[..., Imported], company: Company, data: str, *, by: Actor
) -> Imported:
    """What would come of it. Nothing is changed."""
    done = Imported()
    try:
        with transaction.atomic():
            done = bring(company, data, by=by)
            raise _Tried
    except _Tried:
        return done


@transaction.atomic
def import_keywords(company: Company, data: bytes | str, *, by: Actor) -> Imported:
    """Enter the keywords of a table, or of a bare list. Invalid when it cannot be read
    at all."""
    by.must_write(company.pk, "change keywords")

    def enter(values: dict[str, str]) -> str:
        fields: dict[str, Any] = dict(values)
        text = fields.pop("text", "")
        if "country" in fields:
            fields["country"] = country_of(fields["country"])
        if "volume" in fields:
            fields["volume"] = number_of(fields["volume"])
        if "is_tracked" in fields:
            fields["is_tracked"] = flag(fields["is_tracked"])
        fields |= {n: fields[n].lower() for n in ("language", "device") if n in fields}
        _row, made = Keyword.objects.enter(
            company, text, by=by, source="import", **fields
        )
        return "made" if made else "known"

    return take(read_table(data, KEYWORD), enter)


@transaction.atomic
def import_contacts(company: Company, data: bytes | str, *, by: Actor) -> Imported:
    """Enter the contacts of a table. They may not be written to unless a column
    “active” says so. A line for an outlet that has no address yet fills it in. Invalid
    when the table cannot be read at all."""
    by.must_write(company.pk, "change who is written to")
    done = take(
        read_table(data, CONTACT), lambda values: enter_contact(company, values, by=by)
    )
    live.changed(company.pk)
    return done


def enter_contact(company: Company, values: dict[str, str], *, by: Actor) -> str:
    fields = checked_contact(values)
    rows = Contact.objects.filter(company=company)
    known = fields["identity"]
    if known and rows.filter(identity=known).exists():
        return "known"
    if fields["is_on"]:
        must_be_welcome(company, known)
    place = {"outlet": fields["outlet"], "category": fields["category"]}
    row = rows.filter(**place, email="").order_by("created_at").first()
    if row is not None and not known:
        return "known"
    filled = row is not None
    row = row or Contact(company=company)
    for name, value in fields.items():
        setattr(row, name, value)
    problems_of(row, exclude={"company"})
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        return "known"
    act = "contact.changed" if filled else "contact.entered"
    audit.record(by, act, row, outlet=row.outlet, active=row.is_on)
    return "filled" if filled else "made"


def checked_contact(values: dict[str, str]) -> dict[str, Any]:
    """The fields of a contact. Invalid for the first that does not fit."""
    fields: dict[str, Any] = dict(values)
    if not fields.get("outlet"):
        raise Invalid("It names no outlet.")
    fields["category"] = category_of(fields.get("category", ""))
    fields["email"] = address_of(fields.get("email", ""))
    fields["identity"] = identity(fields["email"]) if fields["email"] else ""
    fields["is_on"] = flag(fields.get("is_on", ""))
    if "country" in fields:
        fields["country"] = country_of(fields["country"])
    if "timezone" in fields:
        fields["timezone"] = timezone_of(fields["timezone"])
    if "source_date" in fields:
        fields["source_date"] = day_of(fields["source_date"])
    lacks = [n for n in ("email", "country", "source_url") if not fields.get(n)]
    if fields["is_on"] and lacks:
        raise Invalid(
            f"Who may be written to needs {', '.join(lacks)}: their country decides"
            " whether they may, and the mail says where the address is from."
        )
    return fields


def must_be_welcome(company: Company, known: str) -> None:
    no = Suppression.objects.covering(company.pk, [known]).first()
    if no is not None:
        raise Invalid(f"They are never written to: {no.get_reason_display()}.")


def timezone_of(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"“{text}” is no time zone, as Europe/Lisbon is.") from None


def address_of(text: str) -> str:
    if not text:
        return ""
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as error:
        raise Invalid(f"“{text}” is no mail address: {error}") from None


def category_of(text: str) -> str:
    for value, label in Category.choices:
        if text.strip().lower() in (value, str(label).lower()):
            return str(value)
    known = ", ".join(f"{value} ({label})" for value, label in Category.choices)
    raise Invalid(f"“{text}” is no category. There are: {known}.")
