"""The real gateway of the Procfile on the test database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

import httpx
from django.conf import settings

from paperclip.home import BASE_DIR
from paperclip.supervise import programs
from tests.instance import free_port, wait_for
from tests.workers import database_url


class Gateway:
    def __init__(self, port: int, **environment: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.said = NamedTemporaryFile("w", prefix="gateway-")  # noqa: SIM115
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", programs()["gateway"]],
            cwd=BASE_DIR,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "DATABASE_URL": database_url(),
                "REDIS_URL": settings.REDIS_URL,
                "PAPERCLIP_HOME": str(settings.HOME),
                "PAPERCLIP_GATEWAY_PORT": str(port),
                "PGAPPNAME": "gateway",  # how its connections are told from ours
                "OPENAI_API_KEY": "sk-canary-of-the-tests",
                **environment,
            },
            stdout=self.said,
            stderr=subprocess.STDOUT,
        )
        wait_for(self.answers, 60, self.output)

    def answers(self) -> bool:
        try:
            # It speaks no TLS: reading all authorities each time would take longer.
            answer = httpx.get(f"{self.url}/health", verify=False)  # noqa: S501
            return answer.status_code == 200
        except httpx.TransportError:
            return False

    def output(self) -> str:
        return Path(self.said.name).read_text()


@contextmanager
def gateway(port: int = 0, **environment: str) -> Iterator[Gateway]:
    one = Gateway(port or free_port(), **environment)
    try:
        yield one
    finally:
        one.process.terminate()
        one.process.wait(30)
