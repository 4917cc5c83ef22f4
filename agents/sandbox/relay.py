"""The outer half of the doors: unix sockets of this process, one for each address.

They are served by one thread for all runs of this worker. Who comes through speaks to
the API or the gateway as through any other connection: what it may do there is the
token's business.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

import psutil

from paperclip import home

LONGEST = 90  # a unix socket's path has 107 characters at most
CHUNK = 65_536
START_SECONDS, END_SECONDS = 10, 2

_guard = threading.Lock()
_relays: dict[int, Relay] = {}


def socket_to(host: str, port: int) -> Path:
    """The socket that leads to this address. Made on first use."""
    with _guard:
        # By pid: a process that was forked has the sockets, and not the thread.
        if os.getpid() not in _relays:
            _relays[os.getpid()] = Relay()
        return _relays[os.getpid()].socket_to(host, port)


class Relay:
    """One thread with an event loop, and a directory for its sockets."""

    def __init__(self) -> None:
        self.place, self.pid = directory(), os.getpid()
        self.loop = asyncio.new_event_loop()
        self.servers: list[asyncio.Server] = []
        self.thread = threading.Thread(
            target=self.loop.run_forever, daemon=True, name="relay"
        )
        self.thread.start()
        atexit.register(self.end)

    def socket_to(self, host: str, port: int) -> Path:
        name = sha256(f"{host}:{port}".encode()).hexdigest()[:12]
        file = self.place / name
        if not file.exists():
            self.place.mkdir(parents=True, exist_ok=True, mode=0o700)
            serving = asyncio.start_unix_server(Passage(host, port).open, file)
            future = asyncio.run_coroutine_threadsafe(serving, self.loop)
            self.servers.append(future.result(START_SECONDS))
        return file

    def end(self) -> None:
        """Let go of every connection, so that the loop has nothing left to complain of.
        Not in a process that was forked: there it is not its own."""
        if os.getpid() != self.pid:
            return
        with contextlib.suppress(TimeoutError):
            ended = asyncio.run_coroutine_threadsafe(self.let_go(), self.loop)
            ended.result(END_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(END_SECONDS)
        shutil.rmtree(self.place, ignore_errors=True)

    async def let_go(self) -> None:
        for server in self.servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Passage:
    """Carries the bytes of each connection to one address and back."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    async def open(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            there = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.transport.abort()  # as if nobody listened
            return
        try:
            # Only let_go() cancels it, and asyncio may log a handler that was.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(
                    carry(reader, there[1]),
                    carry(there[0], writer),
                )
        finally:
            for end in (writer, there[1]):
                end.transport.abort()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends, then tell the other that nothing more comes."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


def directory() -> Path:
    """A directory for this process's sockets; those of dead processes are removed."""
    run = home.directory("run")
    for left in run.glob("relay-*"):
        pid = left.name.removeprefix("relay-")
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    place = run / f"relay-{os.getpid()}"
    if len(str(place)) > LONGEST:
        return Path(tempfile.mkdtemp(prefix="paperclip-relay-"))
    shutil.rmtree(place, ignore_errors=True)  # of a process whose pid was ours
    place.mkdir(mode=0o700)
    return place
