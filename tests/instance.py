"""A whole instance of our own, started by `manage.py up` and driven from outside."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from paperclip import processes

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
# An instance reads its own home, never the servers of the tests it is started by.
OURS = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")


class Answer(NamedTuple):
    status: int
    body: Any


class Instance:
    """`home` and `port` are its own; `api` speaks as its operator."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home, self.port = home, free_port()
        self.env = {k: v for k, v in os.environ.items() if k not in OURS}
        # Nobody works there unless a test wants it.
        self.env |= {"PAPERCLIP_FIRST_COMPANY": "empty"} | settings
        self.env |= {"PAPERCLIP_HOME": str(home), "PAPERCLIP_PORT": str(self.port)}
        self.env.setdefault("PAPERCLIP_GATEWAY_PORT", str(free_port()))
        self.key = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, timeout: float = 90) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "up.out").open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(MANAGE), "up"],
                env=self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self.is_ready, timeout, self.output)
        self.key = self.manage("board_key", "tests").strip()

    def stop(self, timeout: float = 60) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout)

    @property
    def up_pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def output(self) -> str:
        return (self.home / "up.out").read_text(errors="replace")

    def manage(self, *args: str) -> str:
        """What a command prints; CalledProcessError when it fails."""
        command = [sys.executable, str(MANAGE), *args]
        done = subprocess.run(command, env=self.env, capture_output=True, check=True)
        return done.stdout.decode()

    def is_ready(self) -> bool:
        """Of what was there before a start, some may still answer."""
        return "Ready at" in self.output() and self.is_healthy()

    def is_healthy(self) -> bool:
        with suppress(OSError, http.client.HTTPException, ValueError):
            return self.api("GET", "/health").status == 200
        return False

    def api(
        self, method: str, path: str, body: Any = None, *, key: str = "", **headers: str
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            return call(connection, method, path, body, key or self.key, **headers)
        finally:
            connection.close()

    def patiently(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """The same through an outage: tried again until it answers."""
        for _ in range(100):
            with suppress(OSError, http.client.HTTPException, ValueError):
                answer = self.api(method, path, body, **headers)
                if answer.status < 500:
                    return answer
            time.sleep(0.2)
        raise TimeoutError(f"{method} {path} got no answer")

    def company(self) -> str:
        return str(self.patiently("GET", "/companies").body[0]["id"])

    def hire(self, name: str, *, company: str = "", **body: Any) -> str:
        """The id of a new agent, of this company or of the first one."""
        path = f"/companies/{company or self.company()}/agents"
        answer = self.patiently("POST", path, {"name": name, **body})
        assert answer.status == 201, answer
        return str(answer.body["id"])

    def wake(self, agent: str) -> str:
        """The id of a new run of the agent."""
        answer = self.api("POST", f"/agents/{agent}/heartbeat/invoke", {})
        assert answer.status == 202, answer
        return str(answer.body["id"])

    def ended(self, run: str, timeout: float) -> dict[str, Any]:
        """The run once it is over."""
        path = f"/heartbeat-runs/{run}"
        wait_for(lambda: self.api("GET", path).body["finishedAt"], timeout)
        return dict(self.api("GET", path).body)

    def pid(self, program: str) -> int:
        return int((self.home / "run" / f"{program}.pid").read_text())

    def kill(self, program: str) -> None:
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self.pid(program), signal.SIGKILL)

    @property
    def mark(self) -> str:
        return hashlib.sha256(str(self.home.resolve()).encode()).hexdigest()[:12]

    def agent_processes(self) -> list[psutil.Process]:
        """The processes of its agents' runs."""
        return processes.carriers({"PAPERCLIP_INSTANCE": self.mark})

    def bury(self) -> None:
        """End what is left of one that was killed: nobody else does."""
        processes.end({"PAPERCLIP_UP": self.mark}, grace=0)


def call(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any = None,
    key: str = "",
    **headers: str,
) -> Answer:
    sent = {"Content-Type": "application/json"}
    if key:
        sent["Authorization"] = f"Bearer {key}"
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body)
    connection.request(method, f"/api{path}", data, sent)
    response = connection.getresponse()
    text = response.read()
    return Answer(response.status, json.loads(text) if text else None)


def free_port() -> int:
    """A port that nobody listens on. Below those the kernel gives to connections: one
    of these would be taken again before the server is there."""
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


def wait_for(
    condition: Callable[[], Any], timeout: float, why: Callable[[], str] = str
) -> Any:
    """The first true value of the condition; TimeoutError with `why` after so long."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {why()}")
        time.sleep(0.1)
    return value


@contextmanager
def running(home: Path, **settings: str) -> Iterator[Instance]:
    instance = Instance(home, **settings)
    try:
        instance.start()
        yield instance
    finally:
        instance.stop()
        instance.bury()
