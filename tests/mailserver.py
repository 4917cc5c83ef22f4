"""A mail server on this machine: what is sent to it by SMTP is read from it by IMAP. As
much of both as our programs speak."""

from __future__ import annotations

import re
import socketserver
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes
from imaplib import Time2Internaldate
from typing import Any
from uuid import uuid4

from agents.models import Secret
from paperclip.actors import SYSTEM
from paperclip.models import Company

LOGIN = ("press@us.example", "a-mail-password")


# What may be said before both sides are sure that nobody else listens.
HARMLESS = {"EHLO", "STARTTLS", "CAPABILITY", "LOGOUT", "QUIT", "RSET"}


class Store:
    """The folder Sent: each message with the time it came in. `security` is how one
    speaks with it: none, starttls or tls; `listed` is what it answers to LIST, and
    `special` what it adds when it is asked what folders are for."""

    def __init__(
        self, security: str = "none", context: ssl.SSLContext | None = None
    ) -> None:
        self.security, self.context = security, context
        self.letters: list[tuple[float, bytes]] = []
        # Where it is read.
        self.port = 0
        self.folders = {"INBOX": self.letters, "Sent": self.letters}
        self.listed: list[str] = []
        self.special: list[str] = []
        self.can: list[str] = []
        # Every word that came in clear, and how often somebody was let in.
        self.in_clear: list[str] = []
        self.logins = 0

    def put(self, letter: bytes, at: float | None = None) -> None:
        self.letters.append((at or time.time(), letter))

    def must_have_heard_nothing(self) -> None:
        """Neither a password nor a letter, encrypted or not."""
        assert not {*self.in_clear} - HARMLESS, self.in_clear
        assert not self.logins and not self.letters


class Lines(socketserver.StreamRequestHandler):
    server: Any
    is_safe = False

    @property
    def store(self) -> Store:
        store: Store = self.server.store
        return store

    def handle(self) -> None:
        if self.store.security == "tls":
            self.secure()
        if self.is_safe or self.store.security != "tls":
            self.talk()

    def talk(self) -> None:
        raise NotImplementedError

    def secure(self) -> None:
        assert self.store.context is not None
        with suppress(OSError):  # who does not believe us hangs up
            self.request = self.store.context.wrap_socket(
                self.request, server_side=True
            )
            self.connection, self.is_safe = self.request, True
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", 0)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
            self.request.close()

    @property
    def may_sign_in(self) -> bool:
        return self.is_safe or self.store.security == "none"

    @property
    def offers_tls(self) -> bool:
        return self.store.security == "starttls" and not self.is_safe

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def hear(self) -> str:
        try:
            return self.rfile.readline().decode().strip()
        except OSError:
            return ""

    def heard(self, word: str) -> str:
        if not self.is_safe:
            self.store.in_clear.append(word.upper())
        return word.upper()


class Smtp(Lines):
    """Takes mail from who has said the password."""

    is_known = False

    def talk(self) -> None:
        self.say("220 ready")
        while line := self.hear():
            word, _, rest = line.partition(" ")
            self.answer(self.heard(word), rest)
            if word.upper() == "QUIT":
                return

    def answer(self, word: str, rest: str) -> None:
        if word in ("EHLO", "HELO"):
            self.say("250-here")
            self.say("250 AUTH PLAIN" if self.may_sign_in else "250 STARTTLS")
        elif word == "STARTTLS" and self.offers_tls:
            self.say("220 go on")
            self.secure()
        elif word == "AUTH":
            self.is_known = b64decode(rest.split()[-1]).decode().split("\0")[1:] == [
                *LOGIN
            ]
            self.store.logins += self.is_known
            self.say("235 welcome" if self.is_known else "535 5.7.8 no")
        elif word == "DATA" and self.is_known:
            self.say("354 go on")
            self.store.put(self.letter())
            self.say("250 fine")
        elif word in ("MAIL", "RCPT", "DATA") and not self.is_known:
            self.say("530 5.7.0 Authentication required")
        else:
            self.say("221 bye" if word == "QUIT" else "250 fine")

    def letter(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)


class Imap(Lines):
    def talk(self) -> None:
        self.letters: list[tuple[float, bytes]] = []
        self.is_known = False
        self.say("* OK ready")
        while line := self.hear():
            tag, _, rest = line.partition(" ")
            word, _, rest = rest.partition(" ")
            if word.upper() == "UID":
                word, _, rest = rest.partition(" ")
            self.heard(word)
            free = word.upper() in HARMLESS | {"LOGIN"}
            if not free and not self.is_known:
                self.say(f"{tag} BAD not signed in")
                continue
            answer = getattr(self, f"do_{word.lower()}", self.do_nothing)(rest)
            self.say(f"{tag} {answer or 'OK done'}")
            if word.upper() == "STARTTLS" and self.offers_tls:
                self.secure()
            if word.upper() == "LOGOUT":
                return

    def do_nothing(self, rest: str) -> None:
        """Fine."""

    def do_capability(self, rest: str) -> None:
        can = ["STARTTLS"] if self.offers_tls else []
        can += self.store.can if self.may_sign_in else ["LOGINDISABLED"]
        self.say(" ".join(["* CAPABILITY IMAP4rev1", *can]))

    def do_starttls(self, rest: str) -> str | None:
        return None if self.offers_tls else "BAD no"

    def do_login(self, rest: str) -> str | None:
        if not self.may_sign_in:
            return "NO [PRIVACYREQUIRED] not in clear"
        self.is_known = [part.strip('"') for part in rest.split()] == [*LOGIN]
        self.store.logins += self.is_known
        # As bad servers do, it says what was wrong.
        return None if self.is_known else f"NO wrong password: {rest}"

    def do_list(self, rest: str) -> None:
        asked = rest.endswith("RETURN (SPECIAL-USE)")
        for one in self.store.special if asked else self.store.listed:
            self.say(f"* LIST {one}")

    def do_namespace(self, rest: str) -> None:
        self.say('* NAMESPACE (("INBOX." ".")) NIL NIL')

    def do_create(self, rest: str) -> None:
        name = rest.strip('"')
        self.store.folders[name] = []
        self.store.listed.append(f'(\\HasNoChildren) "." "{name}"')

    def do_append(self, rest: str) -> str | None:
        found = re.fullmatch(r'"?(.*?)"? \(.*?\) "[^"]*" \{(\d+)\}', rest)
        assert found, rest
        self.say("+ go on")
        letter = self.rfile.read(int(found[2]))
        self.rfile.readline()
        if found[1] not in self.store.folders:
            return "NO [TRYCREATE] no such folder"
        self.store.folders[found[1]].append((time.time(), letter))
        return None

    def do_examine(self, rest: str) -> str | None:
        found = self.store.folders.get(rest.strip('"'))
        if found is None:
            return "NO no such folder"
        self.letters = found
        self.say(f"* {len(found)} EXISTS")
        return "OK [READ-ONLY] done"

    def do_search(self, rest: str) -> str | None:
        numbers = range(1, len(self.letters) + 1)
        if rest.startswith("HEADER "):
            wanted = string_in(rest.removeprefix("HEADER Message-ID "))
            if wanted is None:
                return "BAD that is no string"
            heads = [message_from_bytes(one) for _at, one in self.letters]
            numbers = [n for n in numbers if wanted in heads[n - 1]["Message-ID"]]
        else:
            assert re.fullmatch(r"SINCE \d{1,2}-[A-Z][a-z]{2}-\d{4}", rest), rest
        self.say(f"* SEARCH {' '.join(map(str, numbers))}".rstrip())
        return None

    def do_fetch(self, rest: str) -> None:
        number, _, asked = rest.partition(" ")
        at, letter = self.letters[int(number) - 1]
        if "HEADER.FIELDS" in asked:
            head = message_from_bytes(letter).items()
            letter = "".join(f"{k}: {v}\r\n" for k, v in head).encode() + b"\r\n"
        when = Time2Internaldate(at)
        told = f"* {number} FETCH (INTERNALDATE {when} BODY[] {{{len(letter)}}}\r\n"
        self.wfile.write(told.encode() + letter + b")\r\n")


def string_in(text: str) -> str | None:
    """What an astring of IMAP says; None when it is none."""
    if quoted := re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"', text):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    return text if re.fullmatch(r'[^\s"\\(){}%*]+', text) else None


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
def mail(
    security: str = "none", context: ssl.SSLContext | None = None
) -> Iterator[tuple[Store, int, int]]:
    """What was sent, and the ports of SMTP and IMAP."""
    store = Store(security, context)
    servers = [Server(kind, store) for kind in (Smtp, Imap)]
    store.port = servers[1].port
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
