"""A mailbox's folders, by IMAP."""

from __future__ import annotations

import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import imapclient
from imapclient import SEEN
from imapclient.exceptions import IMAPClientError

from marketing import keys
from marketing.models import Mailbox
from marketing.outreach.mail import must_be_of_this_machine_in_rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from paperclip.actors import Actor

SECONDS = 20
SENT = b"\\Sent"
# Where the server does not say which folder it is.
NAMES = ("Sent", "Sent Items", "Sent Messages", "INBOX.Sent", "Enviados", "Gesendet")


class NoFolder(Exception):
    """The mailbox cannot be read; the text says why."""


@contextmanager
def opened(
    box: Mailbox, *, by: Actor, seconds: float = SECONDS
) -> Iterator[imapclient.IMAPClient]:
    """A connection of its own. NoFolder when there is none, or it breaks off."""
    must_be_of_this_machine_in_rehearsal(box)
    password = keys.need(box, keys.PASSWORD, "nobody can look into it.", by=by)
    security = Mailbox.Security(box.imap_security)
    secure = security == Mailbox.Security.TLS
    context = ssl.create_default_context() if secure else None
    try:
        server = imapclient.IMAPClient(
            box.imap_host,
            box.imap_port,
            ssl=secure,
            ssl_context=context,
            timeout=seconds,
        )
        try:
            if security == Mailbox.Security.STARTTLS:
                server.starttls(ssl.create_default_context())
            server.login(box.user, password)
            yield server
        finally:
            with suppress(Exception):
                server.logout()
    except (OSError, IMAPClientError) as no:
        raise NoFolder(f"{box.imap_host}: {no or type(no).__name__}") from None


def sent_folder(server: imapclient.IMAPClient) -> str | None:
    """The folder of what was sent: the one that says so, else one that is called so."""
    folders = server.list_folders()
    for flags, _delimiter, name in folders:
        if SENT in flags:
            return str(name)
    names = {str(name) for _flags, _delimiter, name in folders}
    return next((name for name in NAMES if name in names), None)


def is_in_sent(server: imapclient.IMAPClient, message_id: str) -> bool:
    """Whether the message with this Message-ID is in the folder of what was sent."""
    folder = sent_folder(server)
    if folder is None:
        return False
    server.select_folder(folder, readonly=True)
    return bool(server.search(["HEADER", "Message-ID", message_id]))


def append(server: imapclient.IMAPClient, wire: bytes, at: datetime) -> None:
    """Put a copy into Sent, which is made when there is none."""
    folder = sent_folder(server) or NAMES[0]
    try:
        server.append(folder, wire, [SEEN], at)
    except IMAPClientError as no:
        if "TRYCREATE" not in str(no).upper():
            raise
        server.create_folder(folder)
        server.append(folder, wire, [SEEN], at)
