"""A mailbox's folders, by IMAP."""

from __future__ import annotations

import ssl
import unicodedata
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import imapclient
from imapclient import SEEN
from imapclient.exceptions import IMAPClientError, LoginError

from issues.checkers.mailboxes import in_words, refused
from marketing import keys
from marketing.models import Mailbox
from marketing.outreach.mail import (
    must_be_encrypted,
    must_be_of_this_machine_in_rehearsal,
)
from paperclip.scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from paperclip.actors import Actor

SECONDS = 20
SENT = b"\\sent"
# What cannot be opened, whatever else it says of itself.
NO_FOLDERS = {b"\\noselect", b"\\nonexistent"}
# Where the server does not say which folder it is: the names that mail programs give
# it, in the order in which they are looked for.
NAMES = (
    *("Sent", "Sent Items", "Sent Messages", "Sent Mail"),
    *("Enviados", "Itens enviados", "Mensagens enviadas"),
    *("Elementos enviados", "Mensajes enviados", "Enviadas"),
    *("Gesendet", "Gesendete Objekte", "Gesendete Elemente"),
    *("Éléments envoyés", "Messages envoyés", "Envoyés"),
    *("Posta inviata", "Inviata", "Verzonden items", "Verzonden"),
)
# Folders of people may be called so, too: these are beneath nothing but one of those.
ABOVE = ("", "inbox", "[gmail]", "[google mail]")
# Gmail says so. Whatever goes out by its SMTP it puts into Sent itself.
GMAIL = "X-GM-EXT-1"


class NoFolder(Exception):
    """The mailbox cannot be read; the text says why."""


@contextmanager
def opened(
    box: Mailbox, *, by: Actor, seconds: float = SECONDS
) -> Iterator[imapclient.IMAPClient]:
    """A connection of its own. NoFolder when there is none, or it breaks off."""
    must_be_of_this_machine_in_rehearsal(box)
    must_be_encrypted(box.imap_host, box.imap_security)
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
    except LoginError as no:
        said = Scrubber([password]).text(str(no))
        raise NoFolder(refused(box.imap_host, box.user, said)) from None
    except (OSError, EOFError, IMAPClientError, UnicodeEncodeError) as no:
        raise NoFolder(in_words(no, box.imap_host, box.imap_port)) from None


def sent_folder(server: imapclient.IMAPClient) -> str | None:
    """The folder of what was sent: the one that says so, else one that is called so."""
    named: dict[str, str] = {}
    for flags, delimiter, name in folders(server):
        said = {flag.lower() for flag in flags}
        if said & NO_FOLDERS:
            continue
        if SENT in said:
            return str(name)
        named.setdefault(plain(str(name), delimiter), str(name))
    found = (named.get(name.casefold()) for name in NAMES)
    return next((name for name in found if name is not None), None)


def folders(
    server: imapclient.IMAPClient,
) -> list[tuple[tuple[bytes, ...], bytes, str]]:
    """Each with what it says of itself. Some servers say what a folder is for only
    when they are asked (RFC 6154)."""
    if not server.has_capability("SPECIAL-USE"):
        return list(server.list_folders())
    word, rows = server._imap.list('""', '"*" RETURN (SPECIAL-USE)')
    if word != "OK":
        return list(server.list_folders())
    return list(server._proc_folder_list(rows))


def plain(name: str, delimiter: bytes | None) -> str:
    """The last part of its name, as it is compared; the whole where it is somebody's
    own folder."""
    name = unicodedata.normalize("NFC", name)
    above, _, last = (
        name.rpartition(delimiter.decode()) if delimiter else ("", "", name)
    )
    return last.casefold() if above.casefold() in ABOVE else name.casefold()


def is_in_sent(server: imapclient.IMAPClient, message_id: str) -> bool:
    """Whether the message with this Message-ID is in the folder of what was sent."""
    folder = sent_folder(server)
    if folder is None:
        return False
    server.select_folder(folder, readonly=True)
    # Always in quotes: without them some of what an id may hold means something else.
    quoted = message_id.replace("\\", "\\\\").replace('"', '\\"')
    return bool(server.search(f'HEADER Message-ID "{quoted}"'))


def put_copy(
    server: imapclient.IMAPClient, message_id: str, wire: bytes, at: datetime
) -> None:
    """Put a copy into Sent, which is made when there is none; nothing where there is
    one, or the server does it itself."""
    if server.has_capability(GMAIL) or is_in_sent(server, message_id):
        return
    folder = sent_folder(server)
    if folder is None:
        folder = beginning(server) + NAMES[0]
        server.create_folder(folder)
    server.append(folder, wire, [SEEN], at)


def beginning(server: imapclient.IMAPClient) -> str:
    """What the names of one's own folders begin with, such as "INBOX."."""
    if not server.has_capability("NAMESPACE"):
        return ""
    own = server.namespace().personal
    return str(own[0][0]) if own else ""
