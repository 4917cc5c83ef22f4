"""Where mail is looked up: by IMAP, in the mailbox that a check names."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SECONDS = 10.0
PORT, TLS_PORT = 143, 993
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECURITY = ("tls", "starttls", "none")


class NoMailbox(Exception):
    """Nobody can look; the text says why and what to do."""


@dataclass(frozen=True)
class Mailbox:
    """`security` is tls, starttls, or none on this very machine."""

    host: str
    user: str
    password: str = field(repr=False)
    port: int = 0
    security: str = "tls"


@contextmanager
def opened(box: Mailbox, folder: str) -> Iterator[imaplib.IMAP4]:
    """The folder, to be read only. NoMailbox when it cannot be opened."""
    try:
        server = connected(box)
    except (OSError, imaplib.IMAP4.error) as error:
        raise NoMailbox(f"{box.host} does not let us in: {error}") from None
    try:
        word, said = server.select(f'"{folder}"', readonly=True)
        if word != "OK":
            raise NoMailbox(f"{box.host} has no folder {folder}: {said!r}")
        yield server
    except (OSError, imaplib.IMAP4.error) as error:
        raise NoMailbox(f"{box.host} broke off: {error}") from None
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()


def connected(box: Mailbox) -> imaplib.IMAP4:
    context = ssl.create_default_context()
    if box.security == "tls":
        port = box.port or TLS_PORT
        server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            box.host, port, ssl_context=context, timeout=SECONDS
        )
    else:
        server = imaplib.IMAP4(box.host, box.port or PORT, SECONDS)
        if box.security == "starttls":
            server.starttls(context)
    server.login(box.user, box.password)
    return server
