"""Connections that lead only where they were said to lead: never to a private address,
and no longer than the whole request may take."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import httpcore
import httpx

LOOPBACK = ("127.0.0.1", "localhost", "::1")


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


@cache
def trusted() -> ssl.SSLContext:
    """The authorities that are believed: read once, as that takes longer than many a
    request."""
    return httpx.create_ssl_context(trust_env=False)


class Guarded(httpx.HTTPTransport):
    def __init__(self, local: Callable[[str, int], bool], stays: bool) -> None:
        super().__init__(verify=trusted())
        self.guard = Guard(local, stays)
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted(),
            max_connections=4,
            network_backend=self.guard,
        )
