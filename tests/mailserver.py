"""A mail server on this machine: what is sent to it by SMTP is read from it by IMAP. As
much of both as our programs speak."""

from __future__ import annotations

import re
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from imaplib import Time2Internaldate
from typing import Any
from uuid import uuid4

from agents.models import Secret
from paperclip.actors import SYSTEM
from paperclip.models import Company

LOGIN = ("press@example.com", "a-mail-password")


class Store:
    """The folder Sent: each message with the time it came in."""

    def __init__(self) -> None:
        self.letters: list[tuple[float, bytes]] = []
        # Where it is read.
        self.port = 0

    def put(self, letter: bytes, at: float | None = None) -> None:
        self.letters.append((at or time.time(), letter))


class Lines(socketserver.StreamRequestHandler):
    server: Any

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def hear(self) -> str:
        return self.rfile.readline().decode().strip()


class Smtp(Lines):
    def handle(self) -> None:
        self.say("220 ready")
        while line := self.hear():
            word = line.split()[0].upper()
            if word == "DATA":
                self.say("354 go on")
                self.server.store.put(self.letter())
            if word == "QUIT":
                self.say("221 bye")
                return
            self.say("250 fine")

    def letter(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)


class Imap(Lines):
    def handle(self) -> None:
        self.say("* OK ready")
        while line := self.hear():
            tag, _, rest = line.partition(" ")
            word, _, rest = rest.partition(" ")
            answer = getattr(self, f"do_{word.lower()}", self.do_nothing)(rest)
            self.say(f"{tag} {answer or 'OK done'}")
            if word.upper() == "LOGOUT":
                return

    def do_nothing(self, rest: str) -> None:
        """Fine."""

    def do_capability(self, rest: str) -> None:
        self.say("* CAPABILITY IMAP4rev1")

    def do_login(self, rest: str) -> str | None:
        right = [part.strip('"') for part in rest.split()] == [*LOGIN]
        # As bad servers do, it says what was wrong.
        return None if right else f"NO wrong password: {rest}"

    def do_examine(self, rest: str) -> str | None:
        if rest.strip('"') not in ("INBOX", "Sent"):
            return "NO no such folder"
        self.say(f"* {len(self.server.store.letters)} EXISTS")
        return "OK [READ-ONLY] done"

    def do_search(self, rest: str) -> None:
        assert re.fullmatch(r"SINCE \d{1,2}-[A-Z][a-z]{2}-\d{4}", rest), rest
        numbers = range(1, len(self.server.store.letters) + 1)
        self.say(f"* SEARCH {' '.join(map(str, numbers))}".rstrip())

    def do_fetch(self, rest: str) -> None:
        number, _, asked = rest.partition(" ")
        at, letter = self.server.store.letters[int(number) - 1]
        if "HEADER.FIELDS" in asked:
            head = message_from_bytes(letter).items()
            letter = "".join(f"{k}: {v}\r\n" for k, v in head).encode() + b"\r\n"
        when = Time2Internaldate(at)
        told = f"* {number} FETCH (INTERNALDATE {when} BODY[] {{{len(letter)}}}\r\n"
        self.wfile.write(told.encode() + letter + b")\r\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True

    def __init__(self, kind: type[Lines], store: Store) -> None:
        super().__init__(("127.0.0.1", 0), kind)
        self.store = store
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def mail() -> Iterator[tuple[Store, int, int]]:
    """What was sent, and the ports of SMTP and IMAP."""
    store = Store()
    servers = [Server(kind, store) for kind in (Smtp, Imap)]
    try:
        yield store, servers[0].port, servers[1].port
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def settings(company: Company, port: int, password: str = LOGIN[1]) -> dict[str, Any]:
    """What a check of this server has; the password is a new secret of the company."""
    secret = Secret.objects.keep(
        company, by=SYSTEM, name=f"Mail {uuid4()}", value=password
    )
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "user": LOGIN[0],
        "password": {"type": "secret_ref", "secretId": str(secret.pk)},
    }
