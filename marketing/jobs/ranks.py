"""The Rank Monitor: where we are found, as far as somebody measures it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction

from marketing import verification
from marketing.jobs.base import Blocked, Failed, Job
from marketing.models import Blob, HostCircuit, JobName, Keyword, RankReading
from marketing.ranking import PROVIDERS, movements, provider_class
from marketing.ranking.base import Quota
from marketing.web.client import Unreachable, Web

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.ranking.base import Provider, Reading

Status = RankReading.Status
MEASURED = (Status.RANKED, Status.NOT_FOUND)
# What was not measured is nothing to be proven.
UNMEASURED = (Status.ERROR, Status.BLOCKED, Status.SKIPPED)
MOST_REVISIONS = 20


class RankMonitor(Job):
    def run(self, work: Work) -> None:
        if not work.is_dry:
            verification.verify_open(work.company.pk, JobName.RANKS, work.clock())
        keywords = list(
            Keyword.objects.filter(company=work.company, is_tracked=True).order_by(
                "text"
            )
        )
        if not keywords:
            raise Blocked("No keyword is watched: enter some under Keywords.")
        missing = {name: provider_class(name).missing(work.site) for name in PROVIDERS}
        asked = [provider_class(name) for name in PROVIDERS if not missing[name]]
        if not asked:
            raise Blocked(
                "Nobody can be asked: “Search Console property” and “Search Console"
                " credentials”, or “Bing site” and its key, of the site are not set."
            )
        tell_missing(work, missing)
        if work.is_dry:
            for kind in asked:
                number = sum(is_of(one, kind) for one in keywords)
                work.did(f"{kind.title} would be asked for {number} keywords.")
            return
        measured: set[Any] = set()
        for kind in asked:
            measured |= self.ask(kind, work, keywords)
        work.count("keywords", len(keywords))
        work.count("keywords measured", len(measured))
        movements.note(work, keywords, len(measured))

    def ask(
        self, kind: type[Provider], work: Work, keywords: Sequence[Keyword]
    ) -> set[Any]:
        """Measure with one provider; the keywords that it knew something of."""
        work.at(f"{kind.title} is asked.")
        circuit = (work.company.pk, kind.name, JobName.RANKS)
        if closed := HostCircuit.objects.closed(*circuit, work.clock()):
            until = f"{closed.until:%H:%M} UTC"
            work.falls_short(f"{kind.title} asked to be left alone until {until}.")
            return set()
        keywords = [one for one in keywords if is_of(one, kind)]
        known = measured_now(work, kind)
        wanted = [one for one in keywords if one.pk not in known]
        try:
            with Web.of(work.site, kind.hosts(work.site), delay=0.0) as web:
                # Each at once: what a killed run has paid for is not asked again.
                for reading in kind(work, web).measure(wanted):
                    keep(work, kind, reading)
        except Quota as no:
            rest = timedelta(seconds=no.seconds)
            HostCircuit.objects.close(*circuit, at=work.clock(), why=str(no), rest=rest)
            work.falls_short(str(no))
        except (Failed, Blocked, Unreachable) as no:
            work.falls_short(str(no))
        kept = list(
            RankReading.objects.filter(job_run=work.job_run, provider=kind.name)
            .select_related("keyword", "blob")
            .order_by("keyword__text", "day")
        )
        claim(work, kind, kept, len(keywords))
        return {row.keyword_id for row in kept if row.status in MEASURED}


def tell_missing(work: Work, missing: dict[str, str]) -> None:
    """Say what is not measured because it is not set up; a vendor is not missed."""
    for name in ("gsc", "bing"):
        if missing[name]:
            title = provider_class(name).title
            work.did(f"{title} was not asked: “{missing[name]}” is not set.")


def is_of(keyword: Keyword, kind: type[Provider]) -> bool:
    return not keyword.engines or kind.engine in keyword.engines


def measured_now(work: Work, kind: type[Provider]) -> set[Any]:
    """The keywords that this very tick has measured already, before it was killed."""
    rows = RankReading.objects.filter(
        company=work.company, metric=kind.metric, tick_at=work.job_run.tick_at
    )
    return set(rows.values_list("keyword", flat=True))


@transaction.atomic
def keep(work: Work, kind: type[Provider], reading: Reading) -> RankReading:
    """Write a measurement down. One of a day that is not final yet takes the place of
    the one before, which it keeps as a revision."""
    keyword, found, envelope = reading
    blob = Blob.objects.keep(work.company.pk, envelope.raw, "application/json")
    serp = kind.metric == RankReading.Metric.SERP
    place = {
        "keyword": keyword,
        "engine": kind.engine,
        "country": keyword.country,
        "device": keyword.device,
        "metric": kind.metric,
        "day": found.day,
        "tick_at": work.job_run.tick_at if serp else None,
    }
    values = {
        "status": found.status,
        "position": found.position,
        "url": found.url[:500],
        "also": list(found.also),
        "depth": found.depth,
        "clicks": found.clicks,
        "impressions": found.impressions,
        "is_final": found.is_final,
        "said": found.said[:300],
        "provider": kind.name,
        "blob": blob,
        "job_run": work.job_run,
    }
    row = RankReading.objects.select_for_update().filter(**place).first()
    if row is None:
        return RankReading.objects.create(company_id=work.company.pk, **place, **values)
    before = {"status": row.status, "position": row.position, "clicks": row.clicks}
    if before != {name: values[name] for name in before}:
        told = {**before, "until": work.clock().isoformat()}
        row.revisions = [*row.revisions, told][-MOST_REVISIONS:]
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row


def claim(
    work: Work, kind: type[Provider], rows: Sequence[RankReading], asked: int
) -> None:
    """That these are what the provider said: each can be read again from its answer."""
    wrong = [row for row in rows if row.status == Status.ERROR]
    if wrong:
        work.falls_short(
            f"{kind.title}: {len(wrong)} of {asked} keywords could not be measured."
            f" {wrong[0].said}"
        )
    rows = [row for row in rows if row.status not in UNMEASURED]
    if not rows:
        return
    known = len({row.keyword_id for row in rows if row.status in MEASURED})
    work.count(f"readings from {kind.title}", len(rows))
    work.did(f"{kind.title}: {known} of {asked} keywords measured.")
    work.claim(
        "rank",
        f"{kind.title}: {known} of {asked} keywords measured",
        provider=kind.name,
        hosts=sorted(work.site.own_hosts),
        readings=[
            {
                "keyword": [
                    *(row.keyword.text, row.country, row.device, row.keyword.language)
                ],
                "day": str(row.day),
                "status": row.status,
                "position": row.position,
                "url": row.url,
                "answer": row.blob.sha256 if row.blob else "",
            }
            for row in rows
        ],
    )
