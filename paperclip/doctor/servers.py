"""The processes an instance is made of."""

from __future__ import annotations

import time

import httpx
import redis
from django.conf import settings

from paperclip import home
from paperclip.celery import app
from paperclip.doctor.findings import (
    FAIL,
    OK,
    PATIENCE,
    STILL,
    WARN,
    Finding,
    addresses,
    away,
    first_line,
    is_up,
    log_of,
    place,
)

WORKER_START = 10  # seconds: it begins after the console


def instance() -> Finding:
    if is_up():
        return Finding(OK, f"runs on {home.path()}")
    todo = "Start it with `python3 manage.py up`, unless systemd runs it."
    return Finding(WARN, f"`up` does not run on {home.path()}", todo)


def broker() -> Finding:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
        ) as found:
            found.ping()
    except redis.RedisError as error:
        return away(error, "REDIS_URL", "valkey")
    return Finding(OK, f"answers at {place(settings.REDIS_URL)}")


def console() -> Finding:
    """The API's own word on its health, asked for where agents ask."""
    url, api, _ = addresses()
    found = answer(f"{api}/api/health", "web")
    if isinstance(found, Finding):
        return found
    body = found.json()
    ill = [name for name, it in body["checks"].items() if it["status"] != "ok"]
    if ill:
        todo = f"See {url}/api/health, and the logs in {home.path() / 'logs'}."
        state = FAIL if found.status_code != 200 else WARN
        return Finding(state, f"not well: {', '.join(ill)}", todo)
    return Finding(OK, f"{url}, asked at {api}")


def gateway() -> Finding:
    url = addresses()[2]
    found = answer(f"{url}/health", "gateway")
    return found if isinstance(found, Finding) else Finding(OK, url)


def answer(url: str, program: str) -> httpx.Response | Finding:
    """What a process of ours answers, or a finding about its silence."""
    try:
        found = httpx.get(url, timeout=PATIENCE, trust_env=False)
    except httpx.HTTPError as error:
        if is_up():
            return Finding(FAIL, f"{url}: {first_line(error)}", log_of(program))
        return STILL
    if found.status_code >= 500 and not found.content.startswith(b"{"):
        return Finding(FAIL, f"{url} answers {found.status_code}", log_of(program))
    return found


def workers() -> Finding:
    """Whether anybody takes the runs that wait. One that only starts is waited for."""
    if broker().state != OK:
        return Finding(WARN, "not known without the broker")
    deadline = time.monotonic() + WORKER_START
    while True:
        said = [name for each in app.control.ping(timeout=1) or [] for name in each]
        if any(name.startswith("worker@") for name in said):
            return Finding(OK, ", ".join(sorted(said)))
        if not is_up():
            return STILL
        if time.monotonic() > deadline:
            return Finding(FAIL, "none answers: no run begins", log_of("worker"))
