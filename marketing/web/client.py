"""Reading the web for a job: only the hosts it named, never a private address, slowly,
and no more of a page than was agreed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import httpx
from django.conf import settings

from marketing.web.guard import Guarded

if TYPE_CHECKING:
    from marketing.models import Site

AGENT = "PaperclipBot/1.0"
SECONDS, LARGEST, MOST_REDIRECTS = 20.0, 5_000_000, 5
# Between two requests to one host (RFC 9309 says nothing; this is what is polite).
DELAY = 5.0
LOCAL_DELAY = 0.02
LONGEST_REST = timedelta(hours=24)


class Unreachable(Exception):
    """The page could not be had: the text says why."""


class NotAllowed(Unreachable):
    """The address is none that this job may go to."""


@dataclass(frozen=True)
class Page:
    """What came back. `url` is where it was found in the end; the names of headers are
    in lower case."""

    asked: str
    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        charset = self.headers.get("content-type", "")
        name = charset.partition("charset=")[2].split(";")[0].strip(" \"'") or "utf-8"
        try:
            return self.body.decode(name, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Web:
    """A client for one run of a job. `hosts` are the names it may go to (None: any
    public one); `local` says that this machine's own addresses are meant, as in a
    rehearsal. Use it as a context."""

    contact: str
    hosts: Collection[str] | None = None
    local: bool = False
    # Whether it may go nowhere else.
    stays: bool = False
    delay: float = DELAY
    sleep: Callable[[float], None] = time.sleep
    # How long each request may take.
    seconds: float = SECONDS
    # What hosts ask for themselves, in seconds; see Robots.
    delays: dict[str, float] = field(default_factory=dict)
    _last: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, site: Site, hosts: Collection[str] | None = None, **more: Any) -> Web:
        """The client for a site's job."""
        local = site.company.rehearsal
        wanted: dict[str, Any] = {"local": local, "stays": local, "hosts": hosts}
        wanted["delay"] = LOCAL_DELAY if local else DELAY
        return cls(contact=site.base_url, **wanted | more)

    def __post_init__(self) -> None:
        transport = Guarded(self._is_local, self.stays)
        self._guard = transport.guard
        self._client = httpx.Client(
            transport=transport,
            timeout=self.seconds,
            headers={"User-Agent": f"{AGENT} (+{self.contact})"},
            follow_redirects=False,
        )

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, url: str, *, most: int = LARGEST, **headers: str) -> Page:
        """The page, at the end of its redirects within the allowed hosts. Any status
        is an answer; Unreachable when there was none, or more than `most` bytes."""
        return self._request("GET", url, most=most, headers=headers)

    def post(self, url: str, **how: Any) -> Page:
        """What a service answers; it is not followed elsewhere. `how` as httpx takes
        it: json, content, headers, auth."""
        return self._request("POST", url, follow=False, **how)

    def request(self, method: str, url: str, **how: Any) -> Page:
        return self._request(method, url, follow=False, **how)

    def wait(self, host: str, delay: float | None = None) -> None:
        """Leave the host alone for as long as is polite since the last request."""
        pause = max(self.delay, delay or 0.0, self.delays.get(host, 0.0))
        since = time.monotonic() - self._last.get(host, float("-inf"))
        if since < pause:
            self.sleep(pause - since)
        self._last[host] = time.monotonic()

    def must_be_allowed(self, url: str) -> str:
        """The host. NotAllowed for one that is not on the list."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme not in ("http", "https") or not host or parts.username:
            raise NotAllowed(f"{url} is no address of a page.")
        if self.hosts is not None and not self._is_named(host, parts.port):
            raise NotAllowed(f"{host} is not a host that this job goes to.")
        return host

    def _is_named(self, host: str, port: int | None) -> bool:
        assert self.hosts is not None  # noqa: S101 (for the type checker)
        return host in self.hosts or f"{host}:{port}" in self.hosts

    def _is_local(self, host: str, port: int) -> bool:
        return self.local or f"{host}:{port}" in settings.LOCAL_HOSTS

    def _request(
        self,
        method: str,
        url: str,
        *,
        most: int = LARGEST,
        follow: bool = True,
        **how: Any,
    ) -> Page:
        asked, began = url, time.monotonic()
        for _hop in range(MOST_REDIRECTS + 1):
            self.wait(self.must_be_allowed(url))
            until = self._guard.until = time.monotonic() + self.seconds
            try:
                with self._client.stream(method, url, **how) as answer:
                    to = answer.headers.get("location")
                    if follow and answer.is_redirect and to:
                        url = urljoin(url, to)
                        continue
                    body = read(answer, most, until)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                said = str(error) or type(error).__name__
                raise Unreachable(f"{shown(url)} does not answer: {said}") from None
            return Page(
                asked,
                url,
                answer.status_code,
                dict(answer.headers),
                body,
                time.monotonic() - began,
            )
        raise Unreachable(f"{shown(asked)} sends one on and on.")


def shown(url: str) -> str:
    """An address for people and logs: what stands behind a ? may be a key."""
    return url.partition("?")[0]


def read(answer: httpx.Response, most: int, until: float) -> bytes:
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > most:
            where = shown(str(answer.url))
            raise Unreachable(f"{where} is larger than {most} bytes.")
        if time.monotonic() > until:
            where = shown(str(answer.url))
            raise Unreachable(f"{where} takes too long.")
    return bytes(body)


def rest_of(retry_after: str, at: datetime) -> timedelta | None:
    """How long a host asks to be left alone (RFC 9110, 10.2.3), a day at most; None
    when it does not say."""
    if retry_after.strip().isdigit():
        return min(timedelta(seconds=int(retry_after[:9])), LONGEST_REST)
    try:
        until = parsedate_to_datetime(retry_after)
        return max(timedelta(0), min(until - at, LONGEST_REST))
    except (ValueError, TypeError):
        return None
