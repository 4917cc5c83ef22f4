"""Paid vendors of result pages. Off until an operator chooses one and says how much it
may cost a month; we never fetch a result page ourselves."""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import F
from django.utils.timezone import now

from marketing import keys
from marketing.jobs.base import Blocked, Failed
from marketing.models import ProviderSpend, RankReading
from marketing.ranking.base import (
    Asked,
    Envelope,
    Found,
    Metric,
    Provider,
    Reading,
    Status,
    is_ours,
    loaded,
)
from marketing.ranking.countries import COUNTRIES
from marketing.web.addresses import host_of
from marketing.web.client import Unreachable

if TYPE_CHECKING:
    from marketing.models import Keyword, Site
    from marketing.web.client import Web

PER_PAGE, DEPTH = 10, 20
MICROS_A_CENT = 10_000


@dataclass(frozen=True)
class SerpItem:
    url: str
    title: str = ""


@dataclass(frozen=True)
class SerpPage:
    """The organic results of one page, in order. `said`: why there are none."""

    page: int
    items: Sequence[SerpItem] = field(default=())
    said: str = ""

    def rank(self, index: int) -> int:
        """Over all pages: what a vendor numbers from 1 on each page is not used."""
        return (self.page - 1) * PER_PAGE + index + 1


class Vendor(Provider):
    engine, metric = "google", Metric.SERP
    # Millionths of a dollar for a page of ten results.
    price: ClassVar[int]
    # Where it tells of our account, which costs nothing.
    account: ClassVar[str]

    @classmethod
    def missing(cls, site: Site) -> str:
        if site.serp_vendor != cls.name:
            return "SERP vendor"
        if not site.serp_monthly_cents:
            return "cents a month for the vendor"
        return "" if keys.bound(site, "serp_key") else "Key of the SERP vendor"

    @classmethod
    def hosts(cls, site: Site) -> Collection[str]:
        return [host_of(site.endpoint(cls.name))]

    def measure(self, keywords: Sequence[Keyword]) -> Iterator[Reading]:
        key = keys.need(
            self.site, "serp_key", "Result pages cannot be bought.", by=self.work.by
        )
        for keyword in keywords:
            self.work.at(f"{self.title}: {keyword}")
            yield self._look_up(keyword, key)

    def _look_up(self, keyword: Keyword, key: str) -> Reading:
        asked = Asked.of(keyword)
        today = self.work.clock().date()
        envelope = Envelope(self.name, {"today": str(today)})
        for number in self._order(keyword):
            if not spend(self.site, self.name, self.price_of(number)):
                envelope.told["skipped"] = str(number)
                break
            try:
                self._ask(envelope, asked, number, key)
            except Unreachable as error:
                envelope.fail(str(error), page=number)
            here = self.read_again(envelope, asked, self.site.own_hosts)[0]
            if here.status == Status.RANKED:
                break
        found = self.read_again(envelope, asked, self.site.own_hosts)[0]
        return Reading(keyword, found, envelope)

    def _order(self, keyword: Keyword) -> list[int]:
        """The page it was on last time and those beside it first, then the rest."""
        pages = list(range(1, DEPTH // PER_PAGE + 1))
        last = RankReading.objects.filter(
            keyword=keyword, metric=self.metric, status=Status.RANKED
        ).first()
        if last is None:
            return pages
        page = int((last.position - 1) // PER_PAGE) + 1
        return sorted(pages, key=lambda one: (abs(one - page), one))

    @classmethod
    def read_again(
        cls, envelope: Envelope, asked: Asked, hosts: Collection[str]
    ) -> list[Found]:
        today = date.fromisoformat(envelope.told["today"])
        pages = [cls.page_of(answer) for answer in envelope.answers]
        broken = [page for page in pages if page.said]
        ours = [
            (page.rank(index), item.url)
            for page in sorted(pages, key=lambda page: page.page)
            for index, item in enumerate(page.items)
            if is_ours(item.url, hosts)
        ]
        depth = max((page.page for page in pages), default=0) * PER_PAGE
        if ours:
            rank, url = ours[0]
            also = [other for _rank, other in ours[1:] if other != url]
            return [Found(today, Status.RANKED, rank, url, also, depth)]
        if "skipped" in envelope.told:
            said = "The month's cents are spent."
            return [Found(today, Status.SKIPPED, said=said)]
        if len(broken) * 2 > len(pages):
            return [Found(today, Status.ERROR, said=broken[0].said[:300], depth=depth)]
        return [Found(today, Status.NOT_FOUND, depth=depth)]

    @classmethod
    def price_of(cls, page: int) -> int:
        return cls.price

    @classmethod
    def must_know(cls, site: Site, web: Web, key: str) -> None:
        """Failed unless the vendor knows the key. Nothing is bought."""
        url = f"{site.endpoint(cls.name)}{cls.account}"
        got = web.request("GET", url, headers=cls.sign(key))
        if not got.is_ok or not cls.is_fine(loaded(got.text)):
            raise Failed(
                f"{cls.title} does not take “Key of the SERP vendor” ({got.status})."
            )

    @classmethod
    @abstractmethod
    def sign(cls, key: str) -> dict[str, str]:
        """The header that says who asks."""

    @classmethod
    @abstractmethod
    def is_fine(cls, told: Any) -> bool:
        """Whether what it tells of our account is that."""

    @abstractmethod
    def _ask(self, envelope: Envelope, asked: Asked, page: int, key: str) -> None: ...

    @classmethod
    @abstractmethod
    def page_of(cls, answer: dict[str, Any]) -> SerpPage:
        """One kept answer as a page."""


class Serper(Vendor):
    """https://serper.dev: ten results a page, numbered from 1 on each."""

    name, title, price = "serper", "Serper", 1000
    account = "/account"

    @classmethod
    def sign(cls, key: str) -> dict[str, str]:
        return {"X-API-KEY": key}

    @classmethod
    def is_fine(cls, told: Any) -> bool:
        return isinstance(told, dict) and "balance" in told

    def _ask(self, envelope: Envelope, asked: Asked, page: int, key: str) -> None:
        body = {
            "q": asked.text,
            "gl": asked.country.lower(),
            "hl": asked.language,
            "page": page,
        }
        url = f"{self.site.endpoint(self.name)}/search"
        got = self.web.post(url, json=body, headers=self.sign(key))
        if got.status in (401, 403):
            raise Blocked("Serper does not take “Key of the SERP vendor”.")
        envelope.add(got, page=page)

    @classmethod
    def page_of(cls, answer: dict[str, Any]) -> SerpPage:
        number = int(answer["request"]["page"])
        told = loaded(answer["body"]) if answer["status"] == 200 else None
        if not isinstance(told, dict) or "organic" not in told:
            said = f"Serper answers {answer['status']}: {answer['body'][:200]}"
            return SerpPage(number, said=said)
        items = [
            SerpItem(str(row.get("link", "")), str(row.get("title", "")))
            for row in told["organic"]
        ]
        return SerpPage(number, items)


class DataForSeo(Vendor):
    """docs.dataforseo.com/v3/serp/google/organic/live/advanced: errors of a task come
    with HTTP 200."""

    name, title, price = "dataforseo", "DataForSEO", 2000
    account = "/v3/appendix/user_data"
    GOOD = 20000
    # Its number of a country is the ISO one, plus this.
    LOCATION = 2000

    @classmethod
    def price_of(cls, page: int) -> int:
        return cls.price * page

    @classmethod
    def sign(cls, key: str) -> dict[str, str]:
        word = base64.b64encode(key.encode()).decode()
        return {"Authorization": f"Basic {word}"}

    @classmethod
    def is_fine(cls, told: Any) -> bool:
        return isinstance(told, dict) and told.get("status_code") == cls.GOOD

    def _ask(self, envelope: Envelope, asked: Asked, page: int, key: str) -> None:
        task = {
            "keyword": asked.text,
            "location_code": self.LOCATION + COUNTRIES.get(asked.country, ("", 0))[1],
            "language_code": asked.language,
            "device": asked.device,
            "depth": page * PER_PAGE,
        }
        got = self.web.post(
            f"{self.site.endpoint(self.name)}/v3/serp/google/organic/live/advanced",
            json=[task],
            headers=self.sign(key),
        )
        if got.status in (401, 403):
            raise Blocked("DataForSEO does not take “Key of the SERP vendor”.")
        envelope.add(got, page=page)

    @classmethod
    def page_of(cls, answer: dict[str, Any]) -> SerpPage:
        number = int(answer["request"]["page"])
        told = loaded(answer["body"]) if answer["status"] == 200 else None
        tasks = told.get("tasks") if isinstance(told, dict) else None
        task = tasks[0] if tasks else {}
        if task.get("status_code") != cls.GOOD:
            why = task.get("status_message") or answer["body"][:200]
            return SerpPage(number, said=f"DataForSEO: {why}")
        rows = (task.get("result") or [{}])[0].get("items") or []
        organic = [row for row in rows if row.get("type") == "organic"]
        # It answers with all pages up to the depth that was asked for.
        mine = organic[(number - 1) * PER_PAGE : number * PER_PAGE]
        items = [
            SerpItem(str(row.get("url", "")), str(row.get("title", ""))) for row in mine
        ]
        return SerpPage(number, items)


def spend(site: Site, provider: str, micros: int) -> bool:
    """Take the price of one request out of the month's cents. False when they are
    spent: then nothing is asked."""
    month = now().date().replace(day=1)
    row, _made = ProviderSpend.objects.get_or_create(
        company_id=site.company_id, provider=provider, month=month
    )
    left = site.serp_monthly_cents * MICROS_A_CENT - micros
    mine = ProviderSpend.objects.filter(pk=row.pk, micros__lte=left)
    changed = mine.update(micros=F("micros") + micros, requests=F("requests") + 1)
    return bool(changed)


VENDORS: dict[str, type[Vendor]] = {one.name: one for one in (Serper, DataForSeo)}
