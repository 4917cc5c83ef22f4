from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from rest_framework import serializers

from issues import parameters
from issues.checkers.base import Checker, Job, Result, failed, passed
from paperclip.api.forms import Form, Text, Whole

SECONDS, LARGEST, MOST_REDIRECTS = 20.0, 2_000_000, 5
PLACES = parameters.PLACE
ERRNO = re.compile(r"^\[Errno -?\d+\] ")


class HttpSettings(Form):
    """A `url` that answers `status` (200), with a body that `contains` a text. Only
    what comes after the host may be a parameter."""

    url = Text(max_length=2000)
    status = Whole(required=False, min_value=100, max_value=599)
    contains = Text(max_length=300, required=False)

    def validate_url(self, url: str) -> str:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise serializers.ValidationError("An address begins with https://.")
        if PLACES.search(f"{parts.scheme}{parts.netloc}") or "@" in parts.netloc:
            raise serializers.ValidationError(
                "The host is yours to say: no parameter and no password in it."
            )
        return url


class Http(Checker):
    """A page answers, and says what it has to. It is asked from here, with GET."""

    Settings = HttpSettings

    @classmethod
    def put_in(
        cls, settings: Mapping[str, Any], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        found = super().put_in(settings, values)
        url = parameters.put_in(settings["url"], values, lambda v: quote(v, safe="/"))
        return {**found, "url": url}

    def in_words(self, settings: Mapping[str, Any]) -> str:
        said = f"{settings.get('url')} answers {settings.get('status', 200)}"
        contains = settings.get("contains")
        return f"{said} and contains “{contains}”." if contains else f"{said}."

    def check(self, job: Job) -> Result:
        url, wanted = job.settings["url"], job.settings.get("status", 200)
        try:
            status, at, body = fetched(url)
        except httpx.HTTPError as error:
            why = ERRNO.sub("", str(error)) or type(error).__name__
            said = f"{url} does not answer: {why}"
            return failed(said, url=url)
        except ValueError as no:
            return failed(str(no), url=url)
        facts = {
            "url": url,
            "status": status,
            "finalUrl": at,
            "digest": hashlib.sha256(body).hexdigest(),
            "bytes": len(body),
        }
        if status != wanted:
            return failed(f"{url} answers {status}, not {wanted}.", **facts)
        contains = job.settings.get("contains", "")
        if contains not in body.decode(errors="replace"):
            return failed(f"{url} does not contain “{contains}”.", **facts)
        return passed(f"{url} answers {status}.", **facts)


def fetched(url: str) -> tuple[int, str, bytes]:
    """The status, the address it was found at, and the body. ValueError for more than 2
    MB or 20 s, and for a way that leads to another server."""
    until, home = time.monotonic() + SECONDS, origin(httpx.URL(url))
    with httpx.Client(timeout=SECONDS / 2, trust_env=False) as client:
        for _ in range(MOST_REDIRECTS + 1):
            with client.stream("GET", url) as answer:
                if not answer.is_redirect or answer.next_request is None:
                    return answer.status_code, url, read(answer, until)
                to = answer.next_request.url
            if origin(to) != home:
                raise ValueError(f"{url} sends one on to another server, {to.host}.")
            url = str(to)
    raise ValueError(f"{url} sends one on and on.")


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def read(answer: httpx.Response, until: float) -> bytes:
    body = b""
    for part in answer.iter_bytes():
        body += part
        if len(body) > LARGEST:
            raise ValueError(f"{answer.url} answers more than {LARGEST} bytes.")
        if time.monotonic() > until:
            raise ValueError(f"{answer.url} takes longer than {SECONDS:.0f} s.")
    return body
