"""Google's Search Console: the average position over impressions, two or three days
late. No impressions are no row, which says nothing about a rank.

https://developers.google.com/webmaster-tools/v1/searchanalytics/query
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import jwt

from marketing import keys
from marketing.jobs.base import Blocked, Failed
from marketing.models import RankReading
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
from marketing.ranking.countries import COUNTRIES
from marketing.web.addresses import host_of

if TYPE_CHECKING:
    from marketing.models import Keyword, Site
    from marketing.web.client import Page, Web
    from paperclip.actors import Actor

# Its days are those of California.
PACIFIC = ZoneInfo("America/Los_Angeles")
SCOPE = "https://www.googleapis.com/auth/webmasters.readonly"
DIMENSIONS = ["date", "query", "page", "country", "device"]
ROWS = 25_000
# Days are final after so many; older ones are not asked for again.
FINAL_AFTER, WINDOW = 3, 10
QUOTA_SECONDS = 15 * 60.0


class SearchConsole(Provider):
    name, title, engine = "gsc", "Search Console", "google"
    metric = Metric.GSC

    @classmethod
    def missing(cls, site: Site) -> str:
        if not site.gsc_property:
            return "Search Console property"
        there = keys.bound(site, "gsc_credentials")
        return "" if there else "Search Console credentials"

    @classmethod
    def hosts(cls, site: Site) -> Collection[str]:
        return [host_of(site.endpoint("gsc")), host_of(site.endpoint("google_token"))]

    def measure(self, keywords: Sequence[Keyword]) -> Iterator[Reading]:
        today = self.work.clock().astimezone(PACIFIC).date()
        first, last = self._first(today), today - timedelta(days=1)
        if first > last:
            return
        envelope = Envelope(
            self.name, {"first": str(first), "last": str(last), "today": str(today)}
        )
        token = token_of(self.site, self.web, by=self.work.by)
        fetch(self.site, self.web, token, envelope)
        for keyword in keywords:
            for found in self.read_again(envelope, Asked.of(keyword), ()):
                yield Reading(keyword, found, envelope)

    def _first(self, today: date) -> date:
        """The first day that is not known for good."""
        oldest = today - timedelta(days=WINDOW)
        known = RankReading.objects.filter(
            company=self.site.company_id, metric=self.metric, is_final=True
        )
        last = known.order_by("-day").values_list("day", flat=True).first()
        return max(oldest, last + timedelta(days=1)) if last else oldest

    @classmethod
    def read_again(
        cls, envelope: Envelope, asked: Asked, hosts: Collection[str]
    ) -> list[Found]:
        by_day: dict[str, list[dict[str, Any]]] = {}
        for row in rows_of(envelope):
            day, query, _page, country, device = row["keys"]
            wanted = (asked.text.casefold(), country_of(asked), asked.device.upper())
            if (query.casefold(), country, device) == wanted:
                by_day.setdefault(day, []).append(row)
        told = {name: date.fromisoformat(day) for name, day in envelope.told.items()}
        days = (told["last"] - told["first"]).days + 1
        return [
            found_on(
                told["first"] + timedelta(days=n),
                by_day.get(str(told["first"] + timedelta(days=n)), []),
                told["today"],
            )
            for n in range(days)
        ]


def country_of(asked: Asked) -> str:
    return COUNTRIES.get(asked.country, (asked.country.lower(), 0))[0]


def found_on(day: date, rows: list[dict[str, Any]], today: date) -> Found:
    final = (today - day).days >= FINAL_AFTER
    seen = sum(row["impressions"] for row in rows)
    if not seen:
        said = "Nobody was shown a page of ours for it."
        return Found(day, Status.NO_DATA, is_final=final, said=said)
    rows = sorted(rows, key=lambda row: (-row["impressions"], row["keys"][2]))
    position = sum(row["position"] * row["impressions"] for row in rows) / seen
    return Found(
        day,
        Status.RANKED,
        position=round(position, 2),
        url=rows[0]["keys"][2],
        also=[row["keys"][2] for row in rows[1:]],
        clicks=int(sum(row["clicks"] for row in rows)),
        impressions=int(seen),
        is_final=final,
    )


def rows_of(envelope: Envelope) -> Iterator[dict[str, Any]]:
    for answer in envelope.answers:
        yield from (loaded(answer["body"]) or {}).get("rows", [])


def fetch(site: Site, web: Web, token: str, envelope: Envelope, **only: Any) -> None:
    """All rows of its days, page by page, into the envelope. Quota or Failed when it
    says no."""
    property_ = quote(site.gsc_property, safe="")
    url = (
        f"{site.endpoint('gsc')}/webmasters/v3/sites/{property_}/searchAnalytics/query"
    )
    start = 0
    while True:
        request = {
            "startDate": envelope.told["first"],
            "endDate": envelope.told["last"],
            "dimensions": DIMENSIONS,
            "rowLimit": ROWS,
            "startRow": start,
            "dataState": "all",
            **only,
        }
        page = web.post(url, json=request, headers={"Authorization": f"Bearer {token}"})
        must_be_good(page)
        told = envelope.add(page, **request)
        if not isinstance(told, dict):
            # A page of somebody in between is not "no impressions".
            raise Failed(f"Search Console answers {page.status} and no data.")
        rows = told.get("rows", [])
        start += len(rows)
        if len(rows) < ROWS:
            return


def must_be_good(page: Page) -> None:
    if page.is_ok:
        return
    error = (loaded(page.text) or {}).get("error") or {}
    reasons = {one.get("reason") for one in error.get("errors", [])}
    said = f"Search Console: {error.get('message') or page.status}"
    quota = {"quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded"}
    if page.status == 429 or reasons & quota:
        raise Quota(said, QUOTA_SECONDS)
    if page.status in (401, 403):
        raise Blocked(f"{said}. Let the service account read the property.")
    raise Failed(said)


def token_of(site: Site, web: Web, *, by: Actor) -> str:
    """An access token of the site's service account, for an hour (RFC 7523)."""
    told = keys.need(site, "gsc_credentials", "Google positions cannot be read.", by=by)
    endpoint = site.endpoint("google_token")
    try:
        account = json.loads(told)
        issued = int(time.time())
        claims = {
            "iss": account["client_email"],
            "scope": SCOPE,
            # Not the file's own token_uri: who wrote the file does not say where the
            # signed claim goes.
            "aud": endpoint,
            "iat": issued,
            "exp": issued + 3600,
        }
        signed = jwt.encode(claims, account["private_key"], algorithm="RS256")
    except (ValueError, TypeError, KeyError, jwt.PyJWTError):
        raise Blocked(
            "“Search Console credentials” is no key of a service account: paste the"
            " whole JSON file that Google gave you."
        ) from None
    page = web.post(
        endpoint,
        data={
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": signed,
        },
    )
    token = (loaded(page.text) or {}).get("access_token")
    if not page.is_ok or not token:
        raise Blocked(
            f"Google does not take “Search Console credentials” ({page.status})."
        )
    return str(token)
