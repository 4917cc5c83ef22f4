"""Competitor Spy: what others have on their pages, and what of it we have not."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import transaction

from marketing import directories, gaps, titles, verification
from marketing.crawl import discovery, fields
from marketing.crawl.browser import Chromium
from marketing.crawl.reading import Look, Reader, Reading
from marketing.jobs.base import Blocked, Failed, Job
from marketing.models import (
    Blob,
    Competitor,
    HostCircuit,
    JobName,
    KeywordGap,
    Manifest,
    PageSnapshot,
)
from marketing.models.gap import builder_of
from marketing.web.addresses import netloc_of
from marketing.web.client import AGENT

if TYPE_CHECKING:
    from marketing.jobs.base import Work

Pages = dict[Competitor, list[PageSnapshot]]


class CompetitorSpy(Job):
    def __init__(self, browser: str | None = None) -> None:
        self._browser = browser

    def run(self, work: Work) -> None:
        if not work.is_dry:
            verification.verify_open(work.company.pk, JobName.SPY, work.clock())
        rows = Competitor.objects.filter(company=work.company, is_on=True)
        rivals = list(rows.order_by("created_at"))
        if not rivals:
            raise Blocked("“Competitors” is empty: there is nobody to read.")
        read = self._read(work, rivals)
        said = f"{len(read)} of {len(rivals)} sites were read"
        if not read:
            raise Failed(f"{said}: {'; '.join(work.shortfalls)}")
        work.did(f"{said}.")
        work.at("Compares.")
        compare(work, read, f"{len(read)} of {len(rivals)} sites")

    def _read(self, work: Work, rivals: list[Competitor]) -> Pages:
        """The pages of each site that could be read. One site never fails the run."""
        found: Pages = {}
        agent = f"{AGENT} (+{work.site.base_url})"
        with Chromium(agent, self._browser) as chromium:
            for rival in rivals:
                work.at(f"Reads {rival}.")
                pages = read_before(work, rival) or one_site(work, rival, chromium)
                if pages:
                    found[rival] = pages
            if chromium.problem:
                work.falls_short(
                    f"Pages were read without a browser: {chromium.problem}"
                )
            elif chromium.crashes:
                work.falls_short("The browser crashed, and was started again.")
        return found


def read_before(work: Work, rival: Competitor) -> list[PageSnapshot]:
    """What this run has read of it before it was killed."""
    began = work.job_run.created_at
    if rival.status != "ok" or rival.read_at is None or rival.read_at < began:
        return []
    rows = PageSnapshot.objects.filter(competitor=rival, job_run=work.job_run)
    pages = list(rows.filter(status=PageSnapshot.Status.OK))
    work.count("sites read", 1 if pages else 0)
    return pages


def one_site(work: Work, rival: Competitor, chromium: Chromium) -> list[PageSnapshot]:
    """Read it, keep what it says, and tell what is new."""
    if closed := HostCircuit.objects.closed(*circuit_of(rival), work.clock()):
        until = f"{closed.until:%H:%M} UTC"
        work.falls_short(f"{rival}: it asked to be left alone until {until}.")
        return []
    reading = Reader(work.site, rival, chromium, rival.source()).read()
    if reading.status != "ok":
        work.falls_short(f"{rival}: {reading.status}. {reading.said}")
        if not work.is_dry:
            keep_wall(work, rival, reading)
        return []
    work.count("sites read")
    work.count("pages read", len(reading.read))
    static = sum(1 for one in reading.read if one.said)
    if unchanged := sum(1 for one in reading.read if one.same):
        work.count("pages unchanged", unchanged)
    work.did(f"{rival}: {len(reading.read)} pages{told(reading, static)}.")
    if work.is_dry:
        return [row_of(work, rival, look) for look in reading.read]
    pages = keep(work, rival, reading)
    claim(work, rival, pages)
    return pages


def told(reading: Reading, static: int) -> str:
    parts = [f"{static} of them without a browser"] if static else []
    bad = len(reading.looks) - len(reading.read)
    parts += [f"{bad} could not be read"] if bad else []
    return "".join(f", {one}" for one in [*parts, *reading.notes[:3]]).rstrip(".")


# --- keeping -----------------------------------------------------------------------


def columns(work: Work, look: Look) -> dict[str, Any]:
    sight = look.sight
    return {
        "job_run": work.job_run,
        "status": look.status,
        "http_status": look.http_status,
        "how": look.how,
        "said": look.said,
        "headers": dict(sight.headers) if sight else {},
        "fields": look.fields,
        "text": look.text,
        "seconds": look.seconds,
        "megabytes": look.megabytes,
        "last_seen_at": work.clock(),
    }


def row_of(work: Work, rival: Competitor, look: Look) -> PageSnapshot:
    """As it would be kept."""
    return PageSnapshot(
        company=work.company,
        competitor=rival,
        url=at(look),
        **columns(work, look),
    )


def at(look: Look) -> str:
    return (look.sight.url if look.sight else look.url)[:500]


@transaction.atomic
def keep(work: Work, rival: Competitor, reading: Reading) -> list[PageSnapshot]:
    """Each page that was read; what changed and what drifted is told."""
    directories.note_rival(rival, [one.sight for one in reading.looks if one.sight])
    pages, changed = [], 0
    for look in reading.looks:
        row, made = keep_one(work, rival, look)
        if look.status != "ok":
            continue
        pages.append(row)
        was = row.before() if made else None
        changed += bool(was and row.changes(was))
        for one in row.drift(was) if was else []:
            work.count("selector drifts")
            path = urlsplit(row.url).path or "/"
            work.did(f"Selector drift at {rival}, {path}: {one}.")
    if changed:
        work.count("pages changed", changed)
        work.did(f"{rival}: {changed} pages are others than last time.")
    rival.status, rival.said, rival.read_at = "ok", reading.said, work.clock()
    rival.save(update_fields=["status", "said", "read_at", "updated_at"])
    return pages


def keep_one(work: Work, rival: Competitor, look: Look) -> tuple[PageSnapshot, bool]:
    """The row of this state of the page, and whether it is a new one."""
    if look.same is not None:
        look.same.seen_again(work.job_run, look.fields, work.clock())
        return look.same, False
    body = look.sight.body if look.sight else look.said.encode()
    fields_of = columns(work, look)
    if look.sight:
        kind = look.sight.headers.get("content-type", "")
        fields_of["blob"] = Blob.objects.keep(work.company.pk, body, kind)
    digest = hashlib.sha256(body).hexdigest()
    return PageSnapshot.objects.keep(rival, at(look), digest, **fields_of)


@transaction.atomic
def keep_wall(work: Work, rival: Competitor, reading: Reading) -> None:
    """It could not be read: what was read before stays, with its date."""
    rival.status, rival.said = reading.status, reading.said
    rival.save(update_fields=["status", "said", "updated_at"])
    for look in reading.looks:
        if look.status != "ok":
            keep_one(work, rival, look)
    if reading.rest:
        HostCircuit.objects.close(
            *circuit_of(rival), at=work.clock(), why=reading.said, rest=reading.rest
        )


def circuit_of(rival: Competitor) -> tuple[Any, str, str]:
    return rival.company_id, netloc_of(rival.base_url), JobName.SPY


def claim(work: Work, rival: Competitor, pages: list[PageSnapshot]) -> None:
    rows = [
        {
            "url": row.url,
            "sha256": row.body_hash,
            "status": row.http_status,
            "kind": kind_of(row),
            "headers": row.headers,
            "selectors": rival.selectors,
            "fields": fields.digest(row.fields),
        }
        for row in sorted(pages, key=lambda row: row.url)
    ]
    with transaction.atomic():
        kept = Manifest.objects.keep(work.company.pk, rows)
        work.claim(
            "crawl",
            f"{len(pages)} pages of {rival} say what was taken from them",
            competitor=str(rival.pk),
            manifest=kept.sha256,
            pages=len(pages),
        )


def kind_of(row: PageSnapshot) -> str:
    """What it was read as: a feed, a sitemap, or a page in one of two ways."""
    step = row.fields.get("posts", {}).get("step")
    return str(step if step in discovery.READERS else row.how)


# --- comparing ---------------------------------------------------------------------


def compare(work: Work, read: Pages, scope: str) -> None:
    """What they write about and we do not, and who is to do something about it."""
    found = gaps.find(work.site, read, work.clock(), keep=not work.is_dry)
    work.count("gaps", len(found))
    high = [one for one in found if one.priority == KeywordGap.Priority.HIGH]
    capped = ", capped at medium: too few sites" if len(read) < gaps.FEWEST else ""
    work.did(f"{len(found)} gaps by {scope}, {len(high)} of them high{capped}.")
    if work.is_dry:
        return
    titles.suggest(work, found, read)
    hand_over(work)


def hand_over(work: Work) -> None:
    """High gaps that a page of the site closes become issues of who builds it; the
    others are what the briefs for posts are made of."""
    if builder_of(work.company.pk) is None:
        return
    for gap in KeywordGap.objects.for_the_site(work.company.pk):
        work.must_go_on()
        if issue := gap.hand_over(work.site, by=work.by):
            work.count("gaps handed over")
            work.did(f"“{gap.term}” is {issue.identifier} now.")
