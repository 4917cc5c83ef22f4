"""HTTP for the loop: one request, one answer, nothing kept open."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

# What a connection can fail with.
Broken = (OSError, HTTPException)


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]  # names in small letters
    body: Any


@contextmanager
def asking(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Iterator[HTTPResponse]:
    """The response, to be read; its connection is closed afterwards."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request(method, target, body, dict(headers or {}))
        yield connection.getresponse()
    finally:
        connection.close()


def ask(
    method: str,
    url: str,
    document: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Answer:
    """Send a JSON document, or none, and get one."""
    sent = {"Accept": "application/json", **(headers or {})}
    data = None
    if document is not None:
        # The name of a file need not be text, and a model may say half a character.
        data = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
        sent["Content-Type"] = "application/json"
    with asking(method, url, data, sent, timeout) as response:
        text = response.read()
        return Answer(response.status, small(response), parsed(text))


def small(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def parsed(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return {"error": text[:500].decode(errors="replace")}
