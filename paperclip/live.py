"""Live pages: one version counter per company, bumped after every commit.

A page asks for the number about once a second and reloads its parts when it moved.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cache
from uuid import UUID

import redis
from django.conf import settings
from django.db import transaction


@cache
def valkey() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=1,
        socket_connect_timeout=1,
    )


def changed(company_id: UUID) -> None:
    """Open pages of this company refresh once the transaction is committed."""
    transaction.on_commit(lambda: bump(company_id), robust=True)


def bump(company_id: UUID) -> None:
    """Open pages of this company refresh now. A broker that is away is no error."""
    with suppress(redis.RedisError):
        valkey().incr(f"live:{company_id}")


def version(company_id: UUID) -> str:
    """A text that differs after every change. Without Valkey it moves every 5 s."""
    try:
        return str(valkey().get(f"live:{company_id}") or 0)
    except redis.RedisError:
        return f"clock-{int(time.time() / 5)}"
