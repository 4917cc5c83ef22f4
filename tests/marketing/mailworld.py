"""Mail servers of our own: one answers by a script, and one keeps mailboxes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import imapclient
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from agents.models import Secret
from marketing import keys
from marketing.models import (
    Contact,
    CountryPolicy,
    Mailbox,
    Message,
    Site,
)
from marketing.outreach import letters
from marketing.rehearsal import mail
from paperclip.actors import SYSTEM
from tests import make
from tests.instance import free_port, wait_for

USER, PASSWORD = "press@us.example", "a-mail-password"
# A Thursday at ten in Lisbon.
AT = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


class Script:
    """What the server says next, to RCPT and to DATA; and every letter it took."""

    def __init__(self) -> None:
        self.to_rcpt: list[str] = []
        self.to_data: list[str | Callable[[], str]] = []
        self.letters: list[bytes] = []
        # Done when a recipient was named and the text not asked for yet.
        self.before_data: Callable[[], object] | None = None
        # Whoever said a password, right or wrong.
        self.said: list[tuple[bytes, bytes]] = []

    def lets_in(
        self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        self.said.append((data.login, data.password))
        right = self.said[-1] == (USER.encode(), PASSWORD.encode())
        # As bad servers do, it says what it was told.
        wrong = f"535 5.7.8 not {data.password.decode()}"
        return AuthResult(
            success=right, handled=False, message=None if right else wrong
        )

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, to: str, options: Any
    ) -> str:
        said = self.to_rcpt.pop(0) if self.to_rcpt else "250 fine"
        if self.before_data is not None:
            await asyncio.to_thread(self.before_data)
        if said.startswith("250"):
            envelope.rcpt_tos.append(to)
        return said

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        said = self.to_data.pop(0) if self.to_data else "250 2.0.0 Ok: queued as Q1"
        if said == "abort":
            self.letters.append(envelope.content)
            server.transport.abort()
            await asyncio.sleep(0.1)
            return "250 nobody hears this"
        if callable(said):
            # It has the text, whatever becomes of who sent it.
            self.letters.append(envelope.content)
            return await asyncio.to_thread(said)
        if said.startswith("250"):
            self.letters.append(envelope.content)
        return said

    @property
    def ids(self) -> list[str]:
        return [str(message_from_bytes(one)["Message-ID"]) for one in self.letters]


@contextmanager
def scripted(
    security: str = "none", context: ssl.SSLContext | None = None
) -> Iterator[tuple[Script, int]]:
    """A server that says what the test wants to whoever has signed in, and its port."""
    script, port = Script(), free_port()
    controller = Controller(
        script,
        hostname="127.0.0.1",
        port=port,
        authenticator=script.lets_in,
        auth_required=True,
        auth_require_tls=security == "starttls",
        require_starttls=security == "starttls",
        tls_context=context if security == "starttls" else None,
        ssl_context=context if security == "tls" else None,
    )
    controller.start()
    try:
        yield script, port
    finally:
        controller.stop()


class Post(mail.Mail):
    """The rehearsal's mailbox with its folders."""

    def __init__(self) -> None:
        self.said = NamedTemporaryFile("w", prefix="mail-")  # noqa: SIM115
        super().__init__(free_port(), free_port(), USER, PASSWORD, self.said.file)
        self.start()
        wait_for(self.answers, 30, lambda: Path(self.said.name).read_text())

    def answers(self) -> bool:
        try:
            self.open().logout()
        except (OSError, imapclient.exceptions.IMAPClientError):
            return False
        return True

    def open(self) -> imapclient.IMAPClient:
        server = imapclient.IMAPClient("127.0.0.1", self.imap, ssl=False, timeout=5)
        server.login(USER, PASSWORD)
        return server

    def put(self, folder: str, letter: bytes, at: datetime = AT) -> None:
        server = self.open()
        if not server.folder_exists(folder):
            server.create_folder(folder)
        server.append(folder, letter, (), at)
        server.logout()

    def count(self, folder: str) -> int:
        server = self.open()
        if not server.folder_exists(folder):
            return 0
        found = server.select_folder(folder, readonly=True)[b"EXISTS"]
        server.logout()
        return int(found)


@contextmanager
def post() -> Iterator[Post]:
    one = Post()
    try:
        yield one
    finally:
        one.stop()


def mailbox(site: Site, smtp: int = 1, imap: int = 1, **fields: Any) -> Mailbox:
    """A mailbox on this machine, with its password."""
    values = {
        "name": "Ana Silva",
        "address": USER,
        "user": USER,
        "smtp_host": "127.0.0.1",
        "smtp_port": smtp,
        "smtp_security": "none",
        "imap_host": "127.0.0.1",
        "imap_port": imap,
        "imap_security": "none",
        "postal_address": "Rua das Flores 1\n1200-001 Lisboa",
        **fields,
    }
    row = Mailbox.objects.create(company=site.company, **values)
    secret = Secret.objects.keep(
        site.company, by=SYSTEM, name=f"Mail {row.pk}", value=PASSWORD
    )
    keys.bind(row, keys.PASSWORD, secret, by=SYSTEM)
    return row


def contact(site: Site, number: int = 1, **fields: Any) -> Contact:
    """Somebody in Portugal who may be written to."""
    CountryPolicy.objects.get_or_create(
        company=site.company, country="PT", defaults={"rule": "allow"}
    )
    values = {
        "name": f"Eva {number}",
        "email": f"eva@paper{number}.example",
        "outlet": f"Paper {number}",
        "outlet_url": f"https://paper{number}.example/",
        "category": "pt_tech",
        "country": "PT",
        "source_url": f"https://paper{number}.example/team",
        "is_on": True,
        **fields,
    }
    return Contact.objects.create(company=site.company, **values)


def message(box: Mailbox, to: Contact, **fields: Any) -> Message:
    """A mail to them that somebody has approved."""
    row = Message(
        company=box.company,
        mailbox=box,
        contact=to,
        identity=to.identity,
        domain=to.identity.rpartition("@")[2],
        category=to.category,
        message_id=letters.new_message_id(box),
        to=to.email,
        unsubscribe_token=letters.new_token(),
        **{"job": "pr", "subject": "Agents", "body": f"Hello {to.name}", **fields},
    )
    letters.write_down(row)
    row.save(force_insert=True)
    if row.state == Message.State.DRAFT:
        approval = row.ask(at=AT)
        person = make.owner_of(box.company)
        approval.decide("approved", by=make.by(person))
        row.refresh_from_db()
    return row
