"""A mail as it goes out: plain text, who we are, where the address is from, and how to
opt out. No pictures, no tracking."""

from __future__ import annotations

import email.policy
import hashlib
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from secrets import token_urlsafe
from typing import TYPE_CHECKING
from uuid import uuid4

from marketing.models import Message
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from marketing.models import Contact, Mailbox, Site

MOST_WORDS = 200
LINE = "-- "
# Where we have the address from, how to opt out, and where else: by language.
FOOTERS = {
    "en": (
        "Your address is from {0}{1}.",
        "No more mail from us: answer “unsubscribe”",
        ", or open {0}",
    ),
    "pt": (
        "O seu endereço vem de {0}{1}.",
        "Para não receber mais mensagens, responda “unsubscribe”",
        ", ou abra {0}",
    ),
    "es": (
        "Su dirección procede de {0}{1}.",
        "Para no recibir más mensajes nuestros, responda «baja»",
        " o abra {0}",
    ),
    "fr": (
        "Votre adresse provient de {0}{1}.",
        "Pour ne plus recevoir nos messages, répondez « désinscription »",
        " ou ouvrez {0}",
    ),
    "de": (
        "Ihre Adresse stammt von {0}{1}.",
        "Wenn Sie keine E-Mails mehr von uns möchten, antworten Sie „abmelden“",
        " oder öffnen Sie {0}",
    ),
}
# What they are told to answer.
NO_MORE = ("unsubscribe", "baja", "désinscription", "abmelden")


def speaks(language: str) -> bool:
    """Whether we have the sentences below a mail in it."""
    return language[:2].lower() in FOOTERS


def footer(site: Site, box: Mailbox, contact: Contact, link: str) -> str:
    """What stands below every mail: how to get no more of them is said in English to
    whose language we have no sentences of, rather than not at all."""
    source, no_more, page = FOOTERS[
        contact.language[:2].lower() if speaks(contact.language) else "en"
    ]
    when = f" ({contact.source_date})" if contact.source_date else ""
    lines = [
        LINE,
        f"{box.name}, {site.name}, {site.base_url}",
        " ".join(box.postal_address.split()),
        source.format(contact.source_url, when),
        no_more + (page.format(link) if link else "."),
    ]
    return "\n".join(lines)


def new_token() -> str:
    return token_urlsafe(32)


def new_message_id(box: Mailbox) -> str:
    """Set before anything is reserved: by it a mail is found again."""
    return f"<{uuid4()}@{box.domain}>"


def compose(
    box: Mailbox, to: str, subject: str, body: str, message_id: str, unsubscribe: str
) -> str:
    """The whole message but for its date. `unsubscribe` is the value of that header;
    with an address of the web in it, one click is enough (RFC 8058)."""
    letter = EmailMessage(policy=email.policy.SMTP)
    letter["From"] = formataddr((one_line(box.name), box.address))
    letter["To"] = to
    letter["Subject"] = one_line(subject)
    letter["Message-ID"] = message_id
    letter.set_content(body, charset="utf-8", cte="quoted-printable")
    # Each on one line, whatever its length: folded ones broke signatures on the way.
    head = [f"List-Unsubscribe: {unsubscribe}"] if unsubscribe else []
    if "<https:" in unsubscribe:
        head.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    lines = "".join(f"{line}\r\n" for line in head)
    return lines + letter.as_bytes().decode("ascii")


def wire_of(message: Message) -> bytes:
    """The bytes that go over the wire: the date, then what was approved."""
    date = format_datetime(message.sent_at) if message.sent_at else ""
    return f"Date: {date}\r\n{message.raw}".encode("ascii")


def unsubscribe_header(box: Mailbox, token: str, link: str) -> str:
    mailto = f"<mailto:{box.address}?subject=unsubscribe%20{token}>"
    return f"<{link}>, {mailto}" if link else mailto


def write_down(message: Message) -> None:
    """Put together what goes out of a message's own columns, and its hash."""
    header = unsubscribe_header(
        message.mailbox, message.unsubscribe_token, link_in(message.body)
    )
    message.raw = compose(
        message.mailbox,
        message.to,
        message.subject,
        message.body,
        message.message_id,
        header,
    )
    message.sha256 = hashlib.sha256(message.raw.encode()).hexdigest()


def rewrite(message: Message, subject: str, text: str) -> None:
    """Other words above the same footer. Invalid for none, or too many."""
    text = text.replace("\r\n", "\n").partition(f"\n{LINE}\n")[0].strip()
    if not text or not subject.strip():
        raise Invalid("A mail needs a subject and a text.")
    if (count := len(text.split())) > MOST_WORDS:
        raise Invalid(f"It has {count} words; {MOST_WORDS} is the most people read.")
    foot = message.body.partition(f"\n{LINE}\n")[2]
    message.subject = one_line(subject)[:300]
    message.body = f"{text}\n\n{LINE}\n{foot}"
    write_down(message)


def link_in(body: str) -> str:
    """The address of the unsubscribe page that stands in the footer, if one does."""
    foot = body.partition(f"\n{LINE}\n")[2]
    words = (word.rstrip(".") for word in foot.split())
    return next((w for w in words if w.startswith("https://") and "/u/" in w), "")


def one_line(text: str) -> str:
    return " ".join(text.split())


def filled(frame: str, places: Mapping[str, Any]) -> str:
    """The template with its places filled in. Invalid for a place there is not."""
    try:
        return frame.format_map(places)
    except (KeyError, ValueError, IndexError, AttributeError) as error:
        known = ", ".join(f"{{{name}}}" for name in places)
        raise Invalid(f"The template has a place {error}. Known: {known}.") from None
