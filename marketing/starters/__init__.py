"""What a new site begins with: files for people to edit, beside this one.

The names, addresses and terms in them are from general knowledge and may have changed:
nothing is written to before a person has filled in an address and switched it on.
"""

from __future__ import annotations

import csv
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from marketing import imports
from marketing.models import (
    Contact,
    CountryPolicy,
    Directory,
    Template,
)
from paperclip import audit

if TYPE_CHECKING:
    from marketing.models import Site
    from paperclip.actors import Actor
    from paperclip.models import Company

HERE = Path(__file__).parent


def rows_of(name: str) -> list[dict[str, str]]:
    """The lines of a file of ours, by column."""
    with (HERE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def templates() -> list[dict[str, str]]:
    told = tomllib.loads((HERE / "templates.toml").read_text(encoding="utf-8"))
    found: list[dict[str, str]] = told["template"]
    return found


def rivals() -> list[dict[str, str]]:
    """The owner's competitors: {name, base_url}."""
    return rows_of("competitors")


def keywords() -> str:
    """The owner's keywords, as a table to be imported: keyword, language, country."""
    return (HERE / "keywords.csv").read_text(encoding="utf-8")


@transaction.atomic
def sow(site: Site, *, by: Actor) -> dict[str, int]:
    """Add what the company lacks of policies, templates, outlets (without an address,
    and off) and directories; how many of each. What is there stays as it is."""
    company = site.company
    by.must_be_operator(company.pk, "set the site up")
    made = {
        "policies": sow_policies(company),
        "templates": sow_templates(company),
        "outlets": sow_outlets(company, by=by),
        "directories": sow_directories(company),
    }
    if any(made.values()):
        audit.record(by, "company.starters_sown", site, **made)
    return made


def sow_policies(company: Company) -> int:
    made = [
        CountryPolicy.objects.get_or_create(
            company=company,
            country=one["country"],
            defaults={"rule": one["rule"], "why": one["why"]},
        )[1]
        for one in rows_of("policies")
    ]
    return sum(made)


def sow_templates(company: Company) -> int:
    made = [
        Template.objects.get_or_create(
            company=company,
            category=one["category"],
            language=one["language"],
            defaults={"subject": one["subject"], "body": one["body"].strip()},
        )[1]
        for one in templates()
    ]
    return sum(made)


def sow_outlets(company: Company, *, by: Actor) -> int:
    """By the same way as a person's table; those that are there, with an address or
    without, are left alone."""
    known = set(
        Contact.objects.filter(company=company).values_list("outlet", "category")
    )
    made = 0
    for one in rows_of("outlets"):
        if (one["outlet"], one["category"]) not in known:
            values = {name: value for name, value in one.items() if value}
            made += imports.enter_contact(company, values, by=by) == "made"
    return made


def sow_directories(company: Company) -> int:
    made = []
    for one in rows_of("directories"):
        defaults: dict[str, Any] = {
            name: one[name] for name in ("name", "mode", "terms_url", "link_rel")
        }
        defaults["categories"] = one["categories"].split(";")
        defaults["cost_cents"] = int(one["cost_cents"])
        defaults |= {name: float(one[name]) for name in ("fit", "traffic")}
        made.append(
            Directory.objects.get_or_create(
                company=company, url=one["url"], defaults=defaults
            )[1]
        )
    return sum(made)
