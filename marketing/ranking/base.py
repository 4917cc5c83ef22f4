"""What a measurement is, and how a provider is asked for some."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from marketing.jobs.base import Failed
from marketing.models import RankReading
from marketing.web.addresses import bare_host

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.models import Keyword, Site
    from marketing.web.client import Page, Web

Status = RankReading.Status
Metric = RankReading.Metric


class Asked(NamedTuple):
    """What is looked for, without the row it is kept in."""

    text: str
    country: str
    device: str
    language: str = "en"

    @classmethod
    def of(cls, keyword: Keyword) -> Asked:
        return cls(keyword.text, keyword.country, keyword.device, keyword.language)


@dataclass(frozen=True)
class Found:
    """What was measured on a day. `position` is None unless it is ranked."""

    day: date
    status: str
    position: float | None = None
    url: str = ""
    also: Sequence[str] = ()
    depth: int | None = None
    clicks: int | None = None
    impressions: int | None = None
    is_final: bool = True
    said: str = ""


@dataclass
class Envelope:
    """What was asked and answered, as it came: a measurement can be read again from
    it. Keys and tokens are never in it."""

    provider: str
    told: dict[str, Any] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)

    def add(self, got: Page, /, **request: Any) -> Any:
        """Keep an answer; its JSON, or None when it is none."""
        self.answers.append(
            {"request": request, "status": got.status, "body": got.text}
        )
        return loaded(got.text)

    def fail(self, why: str, /, **request: Any) -> None:
        self.answers.append({"request": request, "status": None, "body": why})

    @property
    def raw(self) -> bytes:
        told = {"provider": self.provider, "told": self.told, "answers": self.answers}
        return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def read(cls, raw: bytes) -> Envelope:
        return cls(**json.loads(raw))


class Reading(NamedTuple):
    keyword: Keyword
    found: Found
    envelope: Envelope


class Provider(ABC):
    """One source. Its positions are of one metric and stand in series of their own."""

    name: ClassVar[str]
    title: ClassVar[str]
    engine: ClassVar[str]
    metric: ClassVar[str]

    def __init__(self, work: Work, web: Web) -> None:
        self.work, self.site, self.web = work, work.site, web

    @classmethod
    @abstractmethod
    def missing(cls, site: Site) -> str:
        """The setting without which it cannot be asked; empty when it can be."""

    @classmethod
    @abstractmethod
    def hosts(cls, site: Site) -> Collection[str]:
        """Where it goes."""

    @abstractmethod
    def measure(self, keywords: Sequence[Keyword]) -> Iterator[Reading]:
        """A reading for each keyword, or several days of one. Failed when the provider
        as a whole does not answer."""

    @classmethod
    @abstractmethod
    def read_again(
        cls, envelope: Envelope, asked: Asked, hosts: Collection[str]
    ) -> list[Found]:
        """What an envelope says of a keyword: the same that `measure` made of it."""


class Quota(Failed):
    """The provider wants to be left alone for `seconds`."""

    def __init__(self, said: str, seconds: float) -> None:
        super().__init__(said)
        self.seconds = seconds


def loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def is_ours(url: str, hosts: Collection[str]) -> bool:
    """Whether an address is on one of our hosts: `www.` is the same site, another
    subdomain is not."""
    bare = {host.removeprefix("www.") for host in hosts}
    return bare_host(url) in bare
