"""The check of a claim, from its start until its answer; and what people add by hand.

The row is the queue: a message only says "look", a lease says who does, and what a
worker that was killed has left is looked at anew.
"""

from __future__ import annotations

import logging
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from agents import scrubbers
from agents.texts import storable
from issues import repositories, verdicts
from issues.check_secrets import Keys
from issues.checkers import checker_class
from issues.checkers.base import Gone, Job, Result, unable
from issues.heartbeat import leaving
from issues.models import Claim, Criterion, Issue
from issues.models.claim import TRIES
from paperclip import doorbell, home
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Instance
from paperclip.scrub import Scrubber

if TYPE_CHECKING:
    from uuid import UUID

log = logging.getLogger(__name__)

HOST = platform.node()
LOST = f"Its check was begun {TRIES} times, and each time its worker was lost."
BELL = "issues.tasks.check_claims"


@dataclass(frozen=True)
class Look:
    """One criterion that was looked at."""

    criterion: Criterion
    result: Result
    began_at: datetime


def check_on() -> None:
    """Checks one after the other, until there is none to begin here."""
    elsewhere: list[UUID] = []
    while not leaving.is_set():
        claim = Claim.objects.take(HOST, settings.HOST_CHECKS, elsewhere)
        if claim is None:
            return
        if is_here(claim):
            carry_out(claim)
        else:
            claim.put_back()
            elsewhere.append(claim.pk)


def is_here(claim: Claim) -> bool:
    """Whether what is to be looked at is on this host: the host that serves the API has
    the repositories."""
    product = repositories.uploads(claim.issue).select_related("project").first()
    project = product.project if product else None
    return project is None or repositories.of(project).exists()


def ring_again() -> None:
    """Let those wait again whose worker is lost, and ring for what nobody came for."""
    # Twice a second, and mostly there is none: known from one small index.
    if not Claim.objects.open().exists():
        return
    Claim.objects.put_back_lost()
    waiting = Claim.objects.unrung()
    if waiting.update(rung_at=now()):
        doorbell.ring(BELL)


def carry_out(claim: Claim) -> None:
    """Look at every criterion of a claim that was taken, and conclude. Gone for good
    or for now, nothing of it counts."""
    try:
        if claim.tries > TRIES:
            verdicts.conclude(claim, None, [], why=LOST)
            return
        issue = Issue.objects.select_related("project", "company").get(
            pk=claim.issue_id
        )
        stand = issue.stand()
        looks = list(looks_at(issue, claim))
        if Instance.objects.holds(claim.company_id):
            raise Gone  # it may have ended what was looked at
        verdicts.conclude(claim, stand, looks)
    except Gone:
        claim.put_back()


def looks_at(issue: Issue, claim: Claim) -> Iterator[Look]:
    """What each criterion that counts is like now."""
    criteria = issue.that_count()
    by_hand = issue.proof([one for one in criteria if one.is_by_hand])
    total = len(criteria)
    for number, criterion in enumerate(criteria, 1):
        if criterion.pk in by_hand and by_hand[criterion.pk].is_good:
            continue
        if not claim.renew(f"{number} of {total}: {criterion.title}"):
            raise Gone
        began = now()
        yield Look(criterion, look(issue, claim, criterion), began)


def look(issue: Issue, claim: Claim, criterion: Criterion) -> Result:
    """What it came to, without any secret: neither one that was read for it, nor one
    that an agent was given and may have written down."""
    keys = Keys(criterion, by=verdicts.CHECKER)
    given = scrubbers.of_company(issue.company_id)
    with scratch() as place:
        try:
            settings = criterion.told
            job = Job(settings, issue, claim, place, Beat(claim), keys.of, given)
            result = checker_class(criterion.type)().check(job)
        except Gone:
            raise
        except (Invalid, Conflict) as no:
            result = unable(str(no))
        except Exception as error:
            # Not the error itself: it may hold what was read.
            at = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s\ncould not check %s of %s", at, criterion, issue)
            result = unable(storable(f"Paperclip's own fault: {error!r}"))
    return masked(result, given, Scrubber(keys.read))


def masked(result: Result, *scrubbers: Scrubber) -> Result:
    for one in scrubbers:
        if one:
            said, facts = one.text(result.said), one.json(result.facts)
            result = Result(result.outcome, said, facts)
    return result


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty directory that is gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="check-", dir=home.directory("checks")))
    work = place / "work"
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Beat:
    """Keeps a check alive while it may go on; Gone when it may not: its lease is lost,
    this worker leaves, or its company is stopped."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.every = min(settings.CHECK_LEASE_SECONDS / 5, 1.0)
        self.due = time.monotonic() + self.every

    def __call__(self) -> None:
        if leaving.is_set():
            raise Gone
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + self.every
        try:
            renewed, company_id = self.claim.renew(), self.claim.company_id
            if not renewed or Instance.objects.holds(company_id):
                raise Gone
        finally:
            connection.close()


def clear_up(older_than: float = 24 * 3600) -> None:
    """Remove the directories of checks whose worker was killed."""
    for place in home.directory("checks").glob("check-*"):
        if time.time() - place.stat().st_mtime > older_than:
            shutil.rmtree(place, ignore_errors=True)
