"""The real gateway, started as the Procfile says, on the database of the tests."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings

from paperclip.home import BASE_DIR
from tests.instance import free_port, wait_for
from tests.workers import database_url


@contextmanager
def gateway() -> Iterator[str]:
    """Its address, once it answers."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    lines = (BASE_DIR / "Procfile").read_text().splitlines()
    command = next(line for line in lines if line.startswith("gateway: "))
    ours = {
        "DATABASE_URL": database_url(),
        "REDIS_URL": settings.REDIS_URL,
        "PAPERCLIP_HOME": str(settings.HOME),
        "PAPERCLIP_GATEWAY_PORT": str(port),
    }
    process = subprocess.Popen(
        ["/bin/sh", "-c", command.removeprefix("gateway: ")],
        cwd=BASE_DIR,
        env={**os.environ, **ours},
    )
    try:
        wait_for(lambda: is_up(url), 60)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def is_up(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5):
        return True
    return False
