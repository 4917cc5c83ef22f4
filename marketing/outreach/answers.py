"""What a mail that came back is: decided by its form and a few words, never by what it
asks us to do."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

from marketing.models import InboxMessage
from marketing.web.document import Document, squeezed

Kind = InboxMessage.Kind
LONGEST = 20_000
MESSAGE_ID = re.compile(r"<[^<>\s]{3,190}>")
ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
TOKEN = re.compile(r"unsubscribe\s+([A-Za-z0-9_-]{40,64})", re.IGNORECASE)
# People say no in few words; in a long text the words may mean anything, and still
# nobody is written to who may have meant it.
OPT_OUT = re.compile(
    r"\bunsubscribe\b|\bopt[ -]?out\b|\bremove (?:me|us|my)\b|\btake me off\b"
    r"|\b(?:do not|don't|don’t|stop) (?:e-?mail|contact|writ|send)"  # noqa: RUF001
    r"|\bno more (?:e-?)?mails?\b|\bnot interested\b"
    r"|\bcancelar (?:a )?subscri|\bremov(?:er|am|a)[ -](?:o meu|me)\b|\bremovam-me\b"
    r"|\bn[ãa]o (?:me )?(?:contact|envi|escrev)|\bn[ãa]o (?:estou|estamos) interessad"
    r"|\babmeld(?:en|ung)\b|\babbestell|\baustragen\b"
    r"|\bkeine (?:weiteren )?(?:e-?)?mails?\b"
    r"|\bd[ée]sabonner|\bd[ée]sinscri|\bde baja\b|^\W*baja\W*$"
    r"|\bno me (?:escriba|contacte)|\bno (?:deseo|quiero) (?:recibir )?más\b",
    re.IGNORECASE | re.MULTILINE,
)
QUOTED = re.compile(
    r"^\s*(?:On .{4,200} wrote:|Em .{4,200} escreveu:|Am .{4,200} schrieb|Le .{4,200}"
    r" a écrit|El .{4,200} escribió:|-{2,}\s*(?:Original|Ursprüngliche)|_{5,}"
    r"|(?:From|De|Von)\s?: )",
    re.IGNORECASE,
)
POSTMASTERS = ("mailer-daemon", "postmaster")


@dataclass
class Answer:
    """One mail, as far as it can be told. `about` are Message-IDs of ours that it
    names; `recipient` is whom a bounce is about."""

    kind: str
    message_id: str
    sender: str
    subject: str
    text: str
    about: list[str] = field(default_factory=list)
    recipient: str = ""
    addresses: list[str] = field(default_factory=list)
    status: str = ""
    token: str = ""
    complains: bool = False

    @property
    def is_final(self) -> bool:
        """Whether a bounce says that the address is no good, for ever."""
        return self.status.startswith("5")


def read(raw: bytes) -> Answer:
    """What it is. Never fails: what cannot be told is for a person."""
    letter: Any = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(letter, EmailMessage)  # noqa: S101 (what the policy makes)
    text = own_words(text_of(letter))
    answer = Answer(
        kind=Kind.REVIEW,
        message_id=header(letter, "Message-ID")[:300],
        sender=parseaddr(header(letter, "From"))[1][:254],
        subject=squeezed(header(letter, "Subject"))[:300],
        text=text[:LONGEST],
        about=named(letter),
    )
    if found := TOKEN.search(f"{answer.subject}\n{text}"):
        answer.token = found[1]
    answer.kind = kind_of(letter, answer)
    if answer.kind == Kind.REVIEW:
        whole = text_of(letter)[:LONGEST]
        answer.about += ids_in(whole)
        answer.addresses = ADDRESS.findall(whole)[:20]
    return answer


def kind_of(letter: EmailMessage, answer: Answer) -> str:
    report = str(letter.get_param("report-type") or "").lower()
    if letter.get_content_type() == "multipart/report":
        if report == "feedback-report":
            answer.complains = True
            read_original(letter, answer)
            return Kind.OPT_OUT
        if report == "delivery-status":
            return read_bounce(letter, answer)
    if answer.sender.partition("@")[0].lower() in POSTMASTERS:
        return Kind.REVIEW
    if answer.token:
        return Kind.OPT_OUT
    if is_automatic(letter):
        return Kind.AUTO
    if OPT_OUT.search(f"{answer.subject}\n{answer.text}"):
        return Kind.OPT_OUT
    return Kind.REPLY


def read_bounce(letter: EmailMessage, answer: Answer) -> str:
    """What the report says per recipient (RFC 3464), of the last that failed."""
    read_original(letter, answer)
    actions = set()
    for part in letter.walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        for block in part.get_payload():  # type: ignore[union-attr]
            action = header(block, "Action").strip().lower()
            if action not in ("failed", "delayed"):
                continue
            actions.add(action)
            answer.status = header(block, "Status").strip()[:16]
            told = header(block, "Final-Recipient") or header(
                block, "Original-Recipient"
            )
            answer.recipient = told.partition(";")[2].strip(" <>")[:254]
    if not actions or not answer.status:
        return Kind.REVIEW
    if "failed" not in actions and answer.is_final:
        answer.status = "4.0.0"
    return Kind.BOUNCE


def read_original(letter: EmailMessage, answer: Answer) -> None:
    """Which mail of ours came back: its Message-ID stands in the copy."""
    for part in letter.walk():
        if part.get_content_type() not in ("message/rfc822", "text/rfc822-headers"):
            continue
        inner = part.get_payload()
        if isinstance(inner, list):
            answer.about += ids_in(header(inner[0], "Message-ID"))  # type: ignore[arg-type]
            continue
        head = email.message_from_string(str(inner), policy=email.policy.default)
        answer.about += ids_in(header(head, "Message-ID"))


def is_automatic(letter: EmailMessage) -> bool:
    told = header(letter, "Auto-Submitted").lower().partition(";")[0].strip()
    if told and told != "no":
        return True
    if letter["X-Autoreply"] or letter["X-Autorespond"]:
        return True
    return header(letter, "Precedence").lower() in ("bulk", "auto_reply", "junk")


def named(letter: EmailMessage) -> list[str]:
    told = f"{header(letter, 'In-Reply-To')} {header(letter, 'References')}"
    return ids_in(told)


def ids_in(text: str) -> list[str]:
    return MESSAGE_ID.findall(text)


def header(letter: Any, name: str) -> str:
    """A header as text, however broken it is."""
    try:
        return str(letter[name] or "")
    except Exception:  # (the parser of headers has many ways to fail)
        return ""


def text_of(letter: EmailMessage) -> str:
    try:
        part = letter.get_body(preferencelist=("plain", "html"))
        said = str(part.get_content()) if part is not None else ""
    except (LookupError, ValueError, AttributeError):
        return ""
    if part is not None and part.get_content_type() == "text/html":
        body = Document(said, "").tree.body
        return body.text(separator="\n") if body else ""
    return said


def own_words(text: str) -> str:
    """Without what is quoted of ours."""
    kept = []
    for line in text.splitlines():
        if QUOTED.match(line):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line)
    return "\n".join(kept).strip()
