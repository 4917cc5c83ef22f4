"""Where we could be listed: which first, and what a person needs to list us there. No
form is filled in and no account opened by a program."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from agents.models import Approval
from marketing.crawl.sight import href
from marketing.models import Directory, Mailbox, SubmissionPacket
from marketing.web.addresses import absolute, bare_host
from marketing.web.document import Document
from marketing.web.robots import page_at
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from marketing.crawl.sight import Sight
    from marketing.jobs.base import Work
    from marketing.models import Competitor, Site

State = Directory.State
# So many packets wait for people at the same time.
MOST_OPEN = 3
# Rivals that are listed there, from which on it counts in full.
ENOUGH_RIVALS = 3
LENGTHS = {"short": 140, "middle": 350, "long": 900}


def score(row: Directory) -> float:
    """From 0 to 1, by what the directory is and who is in it."""
    rivals = min(len(row.rivals_listed) / ENOUGH_RIVALS, 1.0)
    followed = not {"nofollow", "sponsored", "ugc"} & set(row.link_rel.lower().split())
    return round(
        0.4 * row.fit
        + 0.2 * row.traffic
        + 0.2 * followed
        + 0.1 * (row.cost_cents == 0)
        + 0.1 * rivals,
        4,
    )


def note_rival(rival: Competitor, sights: Iterable[Sight]) -> None:
    """Where the rival's pages link to a directory, it is listed there."""
    linked = {
        bare_host(absolute(one.url, href(node)))
        for one in sights
        for node in one.nodes("a[href]")
    }
    for row in Directory.objects.filter(company=rival.company_id):
        is_there = bare_host(row.url) in linked
        if is_there and rival.name not in row.rivals_listed:
            row.rivals_listed = [*row.rivals_listed, rival.name]
            row.save(update_fields=["rivals_listed", "updated_at"])


def rank(work: Work) -> list[Directory]:
    """Those we are not listed in, the best first, with their scores written down."""
    rows = Directory.objects.filter(company=work.company)
    for row in rows:
        if row.score != (now := score(row)):
            row.score = now
            row.save(update_fields=["score", "updated_at"])
    return list(rows.filter(state=State.OPEN).order_by("-score", "name"))


def read_terms(work: Work, row: Directory) -> bool:
    """Whether the directory's terms are those that were read. Others freeze it until a
    person has read them; terms that cannot be had say nothing new."""
    if not row.terms_url:
        return True
    page = page_at(work.site, row.terms_url)
    if page is None:
        return bool(row.terms_hash)
    found = Document(page.text, page.url).content_hash
    if not row.terms_hash:
        row.terms_hash, row.terms_read_at = found, work.clock()
    elif row.terms_hash != found:
        freeze(work, row)
        return False
    row.save(update_fields=["terms_hash", "terms_read_at", "updated_at"])
    return True


@transaction.atomic
def freeze(work: Work, row: Directory) -> None:
    row.state = State.FROZEN
    row.save(update_fields=["state", "updated_at"])
    work.count("frozen")
    work.waits_for_person(
        f"The terms of {row} have changed: read them, and say whether we want to be"
        " listed there.",
        f"/marketing/listing/{row.pk}",
    )


def packet(work: Work, row: Directory) -> SubmissionPacket | None:
    """What somebody needs to submit us by hand, waiting for a yes. None when there is
    one open already."""
    site, told = work.site, body_of(work.site, row)
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    try:
        with transaction.atomic():
            made = SubmissionPacket.objects.create(
                company=work.company,
                directory=row,
                host=site.host,
                body=told,
                sha256=sha256,
            )
            made.approval = ask(work, made)
            made.issue = work.job_run.issue
            made.save(update_fields=["approval", "issue", "updated_at"])
            Directory.objects.filter(pk=row.pk).update(state=State.PACKET)
    except IntegrityError:
        return None
    return made


def ask(work: Work, made: SubmissionPacket) -> Approval:
    issue = work.job_run.issue
    approval: Approval = Approval.objects.request(
        work.company,
        Approval.Type.BOARD,
        {
            "title": f"Submit us to {made.directory}, by hand",
            "packetId": str(made.pk),
            "sha256": made.sha256,
            **made.body,
        },
        by=SYSTEM,
        issue_ids=[issue.pk] if issue else [],
    )
    return approval


def body_of(site: Site, row: Directory) -> dict[str, Any]:
    """The same name and address everywhere, and in each directory other words: its own
    choice of the facts, in three lengths."""
    facts = list(site.facts_by_id().values())
    # The next one begins where this one did not.
    turn = SubmissionPacket.objects.filter(company=site.company_id).count()
    turned = facts[turn % len(facts) :] + facts[: turn % len(facts)] if facts else []
    return {
        "directory": row.name,
        "url": row.form_url or row.url,
        "terms": row.terms_url,
        "costCents": row.cost_cents,
        "name": site.name,
        "website": site.base_url,
        **reached_at(site),
        "categories": row.categories or site.topics,
        "descriptions": {
            name: shortened(turned, most) for name, most in LENGTHS.items()
        },
        "screenshots": [site.base_url],
        "notes": (
            "Open the account as a person. Ask nobody for a review, and pay nothing"
            " that was not approved."
        ),
    }


def reached_at(site: Site) -> dict[str, str]:
    """Phone and postal address, as far as we have them: the same in every directory."""
    box = Mailbox.objects.filter(company=site.company_id).exclude(postal_address="")
    address = box.values_list("postal_address", flat=True).first() or ""
    told = {"phone": site.phone, "address": address}
    return {name: value for name, value in told.items() if value}


def shortened(facts: list[str], most: int) -> str:
    """As many of the facts, whole, as fit."""
    text = ""
    for fact in facts:
        longer = f"{text} {fact}".strip()
        if len(longer) > most:
            break
        text = longer
    return text or (facts[0][:most] if facts else "")


def set_listed(row: Directory, profile_url: str, at: datetime) -> None:
    Directory.objects.filter(pk=row.pk).update(
        state=State.LISTED, profile_url=profile_url[:500], updated_at=at
    )
