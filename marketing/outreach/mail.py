"""Sending one mail by SMTP, and keeping what the server said to it."""

from __future__ import annotations

import re
import smtplib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.mail.backends.smtp import EmailBackend

from issues.checkers.mailboxes import in_words, refused
from marketing import keys
from marketing.jobs.base import Blocked
from marketing.models import Mailbox
from marketing.web.guard import LOOPBACK
from paperclip.scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paperclip.actors import Actor

SECONDS = 30
TEMPORARY, PERMANENT = range(400, 500), range(500, 600)
# Enhanced status codes (RFC 3463) and replies that are about us, not about whom we
# write to: who is not let in, is over a quota, or is not believed to be who it says.
OUR_CODES = {530, 534, 535, 538}
OUR_FAULT = re.compile(r"\b5\.(?:4\.5|7\.(?:0|1|8|9|26|27|28|32|57|512|515))\b")
# What became of a mail. CLOSED: the server does not take mail from us for now.
NOT_PLAIN = "The address has letters that a mail server does not take."
ACCEPTED, DEFERRED, REJECTED = "accepted", "deferred", "rejected"
CLOSED, UNKNOWN = "closed", "unknown"


class Away(Exception):
    """The server cannot be reached; nothing was sent."""


class Shut(Exception):
    """The server does not let us in: the text is what it says."""


@dataclass(frozen=True)
class Outcome:
    """`recipient`: whether it is the recipient that was refused, for good."""

    word: str
    said: str
    recipient: bool = False


class Recorder(smtplib.SMTP):
    """Keeps the reply to DATA, which smtplib gives to nobody."""

    reply: tuple[int, bytes] | None = None
    asked_data = False
    _host: str

    def data(self, msg: Any) -> tuple[int, bytes]:
        self.asked_data = True
        self.reply = super().data(msg)
        return self.reply

    def login(self, user: str, password: str, **how: Any) -> tuple[int, bytes]:
        # A sink on this machine asks nobody who they are.
        self.ehlo_or_helo_if_needed()
        if self._host in LOOPBACK and not self.has_extn("auth"):
            return 235, b"not asked"
        return super().login(user, password, **how)


class SecureRecorder(Recorder, smtplib.SMTP_SSL):
    pass


@dataclass
class Letter:
    """A message, byte for byte, to one person. `smtp_reply` is what the server said
    when it had it all."""

    sender: str
    to: str
    wire: bytes
    smtp_reply: tuple[int, bytes] | None = None


class RecordingBackend(EmailBackend):
    """Django's own, that sends letters as they are and keeps the replies."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:  # type: ignore[override]
        return SecureRecorder if self.use_ssl else Recorder

    def send_messages(self, letters: Sequence[Any]) -> int:
        if not letters or (not self.open() and self.connection is None):
            return 0
        return sum(self._send(letter) for letter in letters)

    def _send(self, letter: Any) -> bool:
        server = self.connection
        assert isinstance(server, Recorder)  # noqa: S101 (by connection_class)
        server.reply, server.asked_data = None, False
        server.sendmail(letter.sender, [letter.to], letter.wire)
        letter.smtp_reply = server.reply
        return True


class Outbox:
    """An open connection to the mailbox's server. Use it as a context: Away or Shut
    when there is none to be had."""

    def __init__(self, box: Mailbox, *, by: Actor, seconds: float = 0) -> None:
        must_be_of_this_machine_in_rehearsal(box)
        must_be_encrypted(box.smtp_host, box.smtp_security)
        security = Mailbox.Security(box.smtp_security)
        password = keys.need(
            box, keys.PASSWORD, "no mail can be sent from there.", by=by
        )
        self.box = box
        # Servers have said aloud what they were told.
        self._hide = Scrubber([password])
        self._backend = RecordingBackend(
            host=box.smtp_host,
            port=box.smtp_port,
            username=box.user,
            password=password,
            use_tls=security == Mailbox.Security.STARTTLS,
            use_ssl=security == Mailbox.Security.TLS,
            timeout=seconds or SECONDS,
        )

    def __enter__(self) -> Outbox:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self._backend.close()

    def open(self) -> None:
        """Have a connection, a new one when the old is gone."""
        server = self._backend.connection
        if server is not None:
            with suppress(smtplib.SMTPException, OSError):
                if server.noop()[0] == 250:
                    return
            self._backend.connection = None
        try:
            self._backend.open()
        except (smtplib.SMTPException, OSError, UnicodeEncodeError) as no:
            self._backend.connection = None
            raise self._refusal(no) from None

    def _refusal(self, no: Exception) -> Away | Shut:
        if not isinstance(no, smtplib.SMTPResponseException):
            return Away(in_words(no, self.box.smtp_host, self.box.smtp_port))
        said = self._hide.text(text_of(no.smtp_code, no.smtp_error))
        if no.smtp_code not in PERMANENT:
            return Away(said)
        if isinstance(no, smtplib.SMTPAuthenticationError):
            said = refused(self.box.smtp_host, self.box.user, said)
        return Shut(said)

    def send(self, to: str, wire: bytes) -> Outcome:
        """Send it, once; what became of it."""
        letter = Letter(self.box.address, to, wire)
        server = self._backend.connection
        try:
            self._backend.send_messages([letter])
        except smtplib.SMTPRecipientsRefused as no:
            code, words = next(iter(no.recipients.values()))
            return verdict(code, words, recipient=True)
        except smtplib.SMTPSenderRefused as no:
            closed = no.smtp_code in PERMANENT
            said = text_of(no.smtp_code, no.smtp_error)
            return Outcome(CLOSED if closed else DEFERRED, said)
        except smtplib.SMTPResponseException as no:
            return verdict(no.smtp_code, no.smtp_error)
        except UnicodeEncodeError:
            # Of this envelope the server has heard the beginning.
            self._backend.connection = None
            return Outcome(REJECTED, NOT_PLAIN, recipient=True)
        except (smtplib.SMTPException, OSError) as no:
            self._backend.connection = None
            said = str(no) or type(no).__name__
            # Who had asked for the text may have it.
            began = getattr(server, "asked_data", False)
            return Outcome(UNKNOWN if began else DEFERRED, said)
        return Outcome(ACCEPTED, text_of(*(letter.smtp_reply or (0, b""))))


def verdict(code: int, said: bytes | str, *, recipient: bool = False) -> Outcome:
    text = text_of(code, said)
    if code in TEMPORARY:
        return Outcome(DEFERRED, text)
    if code in OUR_CODES or OUR_FAULT.search(text):
        return Outcome(CLOSED, text)
    return Outcome(REJECTED, text, recipient)


def text_of(code: int, said: bytes | str) -> str:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"{code} {' '.join(words.split())}"[:500]


def must_be_encrypted(host: str, security: str) -> None:
    """Blocked where a password and mail would go over the net in clear."""
    if security == Mailbox.Security.NONE and host not in LOOPBACK:
        raise Blocked(
            f"{host} is to be spoken to without encryption, and only this machine may"
            " be: choose TLS or STARTTLS in the mailbox."
        )


def must_be_of_this_machine_in_rehearsal(box: Mailbox) -> None:
    """Blocked when a rehearsal would write to real people."""
    if box.company.rehearsal and not {box.smtp_host, box.imap_host} <= {*LOOPBACK}:
        raise Blocked(
            f"The mailbox {box} is a real one, and this company rehearses: its mail"
            " goes to this machine alone."
        )
