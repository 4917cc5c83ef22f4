"""Bing Webmaster: the whole history of each query in daily or weekly buckets.

https://learn.microsoft.com/en-us/bingwebmaster/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from marketing import keys
from marketing.jobs.base import Blocked, Failed
from marketing.ranking.base import (
    Asked,
    Envelope,
    Found,
    Metric,
    Provider,
    Quota,
    Reading,
    Status,
    loaded,
)
from marketing.web.addresses import host_of

if TYPE_CHECKING:
    from marketing.models import Keyword, Site
    from marketing.web.client import Web

DATE = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")
WINDOW = timedelta(days=30)
QUOTA_SECONDS = 15 * 60.0


class BingWebmaster(Provider):
    name, title, engine = "bing", "Bing Webmaster", "bing"
    metric = Metric.BING

    @classmethod
    def missing(cls, site: Site) -> str:
        if not site.bing_site:
            return "Bing site"
        return "" if keys.bound(site, "bing_key") else "Bing Webmaster API key"

    @classmethod
    def hosts(cls, site: Site) -> Collection[str]:
        return [host_of(site.endpoint("bing"))]

    def measure(self, keywords: Sequence[Keyword]) -> Iterator[Reading]:
        key = keys.need(
            self.site, "bing_key", "Bing positions cannot be read.", by=self.work.by
        )
        today = self.work.clock().astimezone(UTC).date()
        envelope = Envelope(self.name, {"today": str(today)})
        fetch(self.site, self.web, key, envelope)
        for keyword in keywords:
            for found in self.read_again(envelope, Asked.of(keyword), ()):
                yield Reading(keyword, found, envelope)

    @classmethod
    def read_again(
        cls, envelope: Envelope, asked: Asked, hosts: Collection[str]
    ) -> list[Found]:
        """Its statistics have no country and no device: they are of all of them."""
        today = date.fromisoformat(envelope.told["today"])
        by_day: dict[date, list[dict[str, Any]]] = {}
        rows = (loaded(envelope.answers[0]["body"]) or {}).get("d") or []
        for row in rows:
            day = day_of(row.get("Date", ""))
            same = str(row.get("Query", "")).casefold() == asked.text.casefold()
            if day is not None and same and today - day <= WINDOW:
                by_day.setdefault(day, []).append(row)
        if not by_day:
            said = "Bing has shown no page of ours for it lately."
            return [Found(today, Status.NO_DATA, said=said)]
        return [weighted(day, rows) for day, rows in sorted(by_day.items())]


def fetch(site: Site, web: Web, key: str, envelope: Envelope) -> None:
    """The statistics of all queries, into the envelope. Quota, Blocked or Failed when
    it says no."""
    told = {"siteUrl": site.bing_site}
    page = web.request(
        "GET",
        f"{site.endpoint('bing')}/GetQueryStats",
        params={**told, "apikey": key},
    )
    answer = envelope.add(page, **told)
    if page.status == 429:
        raise Quota("Bing Webmaster asks to be left alone.", QUOTA_SECONDS)
    if page.status in (401, 403):
        raise Blocked("Bing does not take “Bing Webmaster API key”.")
    if not page.is_ok or not isinstance(answer, dict) or "d" not in answer:
        raise Failed(f"Bing Webmaster answers {page.status} and no statistics.")


def weighted(day: date, rows: list[dict[str, Any]]) -> Found:
    seen = sum(int(row["Impressions"]) for row in rows)
    if not seen:
        return Found(day, Status.NO_DATA, said="No impressions.")
    position = sum(
        float(row["AvgImpressionPosition"]) * int(row["Impressions"]) for row in rows
    )
    return Found(
        day,
        Status.RANKED,
        position=round(position / seen, 2),
        clicks=sum(int(row.get("Clicks", 0)) for row in rows),
        impressions=seen,
    )


def day_of(told: str) -> date | None:
    """The day of `/Date(1316156400000-0700)/`: milliseconds since 1970, in UTC
    whatever its zone says."""
    found = DATE.fullmatch(str(told))
    if found is None:
        return None
    return datetime.fromtimestamp(int(found[1]) / 1000, UTC).date()
