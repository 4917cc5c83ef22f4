from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from issues.checkers.base import Checker, Job, Result, failed, passed, unable
from issues.verdicts import CHECKER
from marketing.jobs.base import Blocked, Failed
from marketing.models import Blob, Site
from marketing.ranking import gsc, provider_class
from marketing.ranking.base import Asked, Envelope, Found
from marketing.web.client import Unreachable, Web
from paperclip.api.forms import Form

if TYPE_CHECKING:
    from uuid import UUID

# An average is rounded; and a day that is not final may still move by so much.
CLOSE, FRESH = 0.011, 2.0


class Rank(Checker):
    """Each reading is what its stored answer says; one of Search Console is asked for
    once more."""

    Settings = Form
    of_catalogue = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        number = len(settings.get("readings", []))
        return f"{number} readings are read again from the answers as they came."

    def check(self, job: Job) -> Result:
        told, company = job.settings, job.issue.company_id
        envelopes: dict[str, Envelope] = {}
        for one in told["readings"]:
            job.beat()
            sha = one["answer"]
            try:
                if sha not in envelopes:
                    envelopes[sha] = envelope_of(company, sha)
            except Blob.DoesNotExist:
                return unable(f"The answer {sha[:12]} is not kept any more.")
            except ValueError:
                return failed(f"The answer {sha[:12]} is not what was stored.")
            if wrong := differs(told, one, envelopes[sha]):
                return failed(wrong)
        facts = {"readings": len(told["readings"]), "answers": sorted(envelopes)}
        said = f"{len(told['readings'])} readings are what the answers say."
        if told["provider"] != "gsc":
            return passed(said, **facts)
        return asked_again(company, told, said, facts)


def envelope_of(company: UUID, sha256: str) -> Envelope:
    return Envelope.read(Blob.objects.get(company=company, sha256=sha256).body)


def differs(told: dict[str, Any], one: dict[str, Any], envelope: Envelope) -> str:
    """What a reading claims that its answer does not say; empty when nothing."""
    found = on_day(told, one, envelope)
    name = f"{one['keyword'][0]} on {one['day']}"
    if found is None:
        return f"{name}: its answer says nothing of that day."
    if (found.status, found.url) != (one["status"], one["url"]):
        return f"{name}: the answer says {found.status} {found.url}."
    if not is_close(found.position, one["position"], CLOSE):
        return f"{name}: the answer says {found.position}, not {one['position']}."
    return ""


def on_day(
    told: dict[str, Any], one: dict[str, Any], envelope: Envelope
) -> Found | None:
    kind, asked = provider_class(told["provider"]), Asked(*one["keyword"])
    rows = kind.read_again(envelope, asked, set(told["hosts"]))
    return next((row for row in rows if str(row.day) == one["day"]), None)


def is_close(one: float | None, other: float | None, by: float) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= by


def asked_again(
    company: UUID, told: dict[str, Any], said: str, facts: dict[str, Any]
) -> Result:
    """Ask Search Console itself for one of them."""
    site = Site.objects.of(company)
    one = random.choice(told["readings"])  # noqa: S311 (a sample, not a secret)
    day = date.fromisoformat(one["day"])
    envelope = Envelope("gsc", {"first": str(day), "last": str(day), "today": str(day)})
    only = {"dimension": "query", "operator": "equals", "expression": one["keyword"][0]}
    try:
        with Web.of(site, gsc.SearchConsole.hosts(site), delay=0.0) as web:
            token = gsc.token_of(site, web, by=CHECKER)
            filters = [{"filters": [only]}]
            gsc.fetch(site, web, token, envelope, dimensionFilterGroups=filters)
    except (Unreachable, Failed, Blocked) as no:
        return unable(f"{said} Search Console could not be asked again: {no}", **facts)
    found = on_day(told, one, envelope)
    name = f"{one['keyword'][0]} on {one['day']}"
    position = found.position if found else None
    if not is_close(position, one["position"], FRESH):
        return failed(
            f"Search Console says {position} for {name}, not {one['position']}.",
            **facts,
        )
    return passed(
        f"{said} Asked again, Search Console says the same of {name}.", **facts
    )
