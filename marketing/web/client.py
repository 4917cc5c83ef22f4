"""Reading the web for a job: only the hosts it named, never a private address, slowly,
and no more of a page than was agreed."""

from __future__ import annotations

import hashlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import httpcore
import httpx
from django.conf import settings

if TYPE_CHECKING:
    from marketing.models import Site

AGENT = "PaperclipBot/1.0"
SECONDS, LARGEST, MOST_REDIRECTS = 20.0, 5_000_000, 5
# Between two requests to one host (RFC 9309 says nothing; this is what is polite).
DELAY = 5.0
LOCAL_DELAY = 0.02
LONGEST_REST = timedelta(hours=24)
LOOPBACK = ("127.0.0.1", "localhost", "::1")


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


class Guard(httpcore.NetworkBackend):
    """Connects to the very address that was looked at, so that a name cannot mean one
    address when it is checked and another when it is used."""

    def __init__(self, local: Callable[[str, int], bool], stays: bool) -> None:
        self._inner, self._local = httpcore.SyncBackend(), local
        self._stays = stays
        # When the request that is under way has to be over.
        self.until = float("inf")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        if self._stays and host not in LOOPBACK:
            raise httpcore.ConnectError(
                f"{host} is not on this machine, and this company rehearses."
            )
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host}: {error.strerror}") from error
        addresses = [str(one[4][0]) for one in found]
        private = [one for one in addresses if is_private(one)]
        if private and not self._local(host, port):
            raise httpcore.ConnectError(
                f"{host} is {private[0]}, an address inside a private network."
            )
        stream = self._inner.connect_tcp(
            addresses[0], port, timeout, local_address, socket_options
        )
        return Hurried(stream, self)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Hurried(httpcore.NetworkStream):
    """A connection that waits no longer than the whole request may take: a server that
    sends a byte now and then would hold one up for ever."""

    def __init__(self, inner: httpcore.NetworkStream, guard: Guard) -> None:
        self._inner, self._guard = inner, guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._guard.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("It takes too long.")
        wait = left if timeout is None else min(left, timeout)
        return self._inner.read(max_bytes, wait)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, timeout)
        return Hurried(inner, self._guard)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def is_private(address: str) -> bool:
    return not ipaddress.ip_address(address.partition("%")[0]).is_global


class Guarded(httpx.HTTPTransport):
    def __init__(self, local: Callable[[str, int], bool], stays: bool) -> None:
        super().__init__()
        self.guard = Guard(local, stays)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=4,
            network_backend=self.guard,
        )


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
