"""Where mail is looked up: by IMAP, in the mailbox that a check names; and what to do
about a mail server that cannot be spoken to."""

from __future__ import annotations

import imaplib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SECONDS = 10.0
PORT, TLS_PORT = 143, 993
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECURITY = ("tls", "starttls", "none")
# By OpenSSL's number of what it found (X509_V_ERR_...).
OTHER_NAME = (
    "shows the certificate of another server: enter its name exactly as your provider"
    " gives it."
)
UNKNOWN = (
    "shows a certificate of an authority that is not known here: enter its name exactly"
    " as your provider gives it. If the server is your own, let this machine trust its"
    " authority."
)
CERTIFICATES = {
    9: "shows a certificate that is not valid yet: look at the clock of this machine.",
    10: "shows a certificate that has expired: ask your provider to renew it.",
    **dict.fromkeys((2, 18, 19, 20, 21), UNKNOWN),
    **dict.fromkeys((62, 64), OTHER_NAME),
}
NOT_BELIEVED = "shows a certificate that cannot be believed: ask your provider."
NO_TLS = (
    "does not speak TLS at port {port}: choose STARTTLS, or the port for TLS (465 for"
    " SMTP, 993 for IMAP)."
)
# As smtplib, imaplib and imapclient say it.
NOT_OFFERED = re.compile(r"TLS (?:extension )?not supported|not support STARTTLS")
NO_STARTTLS = (
    "does not offer STARTTLS at port {port}, and nothing is sent unencrypted: choose"
    " TLS and its port (465 for SMTP, 993 for IMAP)."
)
WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((ssl.SSLError,), NO_TLS),
    (
        (socket.gaierror,),
        "is not the name of a server, or no name can be looked up from here.",
    ),
    (
        (
            *(ConnectionRefusedError, TimeoutError, EOFError),
            *(smtplib.SMTPServerDisconnected, imaplib.IMAP4.abort),
        ),
        "does not answer at port {port}, or breaks off: look at its name, the port, and"
        " the encryption that goes with it (TLS: 465 or 993; STARTTLS: 587 or 143).",
    ),
    (
        (smtplib.SMTPNotSupportedError,),
        "offers no way to sign in at port {port}: choose STARTTLS or TLS.",
    ),
    (
        (UnicodeEncodeError,),
        "cannot be given this user or password: it has letters beyond a-z, 0-9 and"
        " signs. Choose another password, such as an app password.",
    ),
)


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

    @property
    def its_port(self) -> int:
        return self.port or (TLS_PORT if self.security == "tls" else PORT)


def in_words(error: Exception, host: str, port: int) -> str:
    """Why this mail server cannot be spoken to, and what to do about it."""
    said: str | None = NO_STARTTLS
    if isinstance(error, ssl.SSLCertVerificationError):
        said = CERTIFICATES.get(error.verify_code, NOT_BELIEVED)
    elif not NOT_OFFERED.search(str(error)):
        said = next((text for kinds, text in WORDS if isinstance(error, kinds)), None)
    if said is None:
        return f"{host}: {error or type(error).__name__}"
    return f"{host} {said.format(port=port)}"


def refused(host: str, user: str, said: object) -> str:
    """What to do about a server that does not let this user in."""
    return (
        f"{host} does not take the user {user} with this password: enter both again."
        f" Many providers want an app password here. It said: {said}"
    )


@contextmanager
def opened(box: Mailbox, folder: str) -> Iterator[imaplib.IMAP4]:
    """The folder, to be read only. NoMailbox when it cannot be opened."""
    try:
        server = connected(box)
    except (OSError, EOFError, imaplib.IMAP4.error, UnicodeEncodeError) as error:
        why = in_words(error, box.host, box.its_port)
        raise NoMailbox(f"The mail server does not let us in: {why}") from None
    try:
        word, answer = server.select(f'"{folder}"', readonly=True)
        if word != "OK":
            raise NoMailbox(f"{box.host} has no folder {folder}: {answer!r}")
        yield server
    except (OSError, imaplib.IMAP4.error) as error:
        raise NoMailbox(f"{box.host} broke off: {error}") from None
    finally:
        with suppress(OSError, imaplib.IMAP4.error):
            server.logout()


def connected(box: Mailbox) -> imaplib.IMAP4:
    context, port = ssl.create_default_context(), box.its_port
    if box.security == "tls":
        server: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            box.host, port, ssl_context=context, timeout=SECONDS
        )
    else:
        server = imaplib.IMAP4(box.host, port, SECONDS)
    try:
        if box.security == "starttls":
            server.starttls(context)
        sign_in(server, box)
    except BaseException:
        with suppress(OSError):
            server.shutdown()
        raise
    return server


def sign_in(server: imaplib.IMAP4, box: Mailbox) -> None:
    try:
        server.login(box.user, box.password)
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as no:
        (said,) = no.args or ("",)
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise NoMailbox(refused(box.host, box.user, words)) from None
