from __future__ import annotations

import calendar
import email
import email.policy
import email.utils
import hashlib
import imaplib
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any, NamedTuple

from rest_framework import serializers

from agents.bindings import reference_in
from issues import parameters
from issues.checkers.base import Checker, Job, Result, failed, passed, unable
from issues.checkers.mailboxes import LOOPBACK, SECURITY, Mailbox, NoMailbox, opened
from issues.models.evidence import Evidence
from paperclip.api.forms import Form, Text, Whole

FIELDS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID TO CC SUBJECT FROM)]"
# So many of the newest are looked at.
MOST = 500
LARGEST = 1_000_000


class Password(serializers.Field):
    """One of the company's secrets, never the password itself."""

    def to_internal_value(self, data: Any) -> Any:
        if reference_in(data) and set(data) <= {"type", "secretId", "version"}:
            return data
        raise serializers.ValidationError(
            'Keep it as a secret, and write {"type": "secret_ref", "secretId": "..."}.'
        )


class MailSettings(Form):
    """In a `folder` of the mailbox of this `user` there is a message `to` somebody with
    this in its `subject`, which came there after the issue was filed. `security` is
    tls, starttls, or none on this very machine."""

    host = Text(max_length=253)
    port = Whole(required=False, min_value=1, max_value=65_535)
    security = serializers.ChoiceField(SECURITY, required=False)
    user = Text(max_length=254)
    password = Password(required=False)
    folder = Text(max_length=100, required=False)
    to = Text(max_length=254, required=False)
    subject = Text(max_length=300, required=False)

    def validate_host(self, name: str) -> str:
        return no_place(name)

    def validate_user(self, name: str) -> str:
        return no_place(name)

    def validate_folder(self, name: str) -> str:
        return no_place(name)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("security") == "none" and attrs["host"] not in LOOPBACK:
            raise serializers.ValidationError(
                {"security": "Without TLS only this machine is asked: 127.0.0.1."}
            )
        return attrs


def no_place(name: str) -> str:
    if parameters.PLACE.search(name) or '"' in name or "\\" in name:
        raise serializers.ValidationError(
            "It is yours to say: no parameter and no quotes in it."
        )
    return name


class Letter(NamedTuple):
    number: bytes
    arrived: datetime
    head: EmailMessage

    def said(self, name: str) -> str:
        """A header as text; nothing where it is so broken that nobody can read it."""
        try:
            return str(self.head[name] or "")
        except Exception:  # (the parser of headers has many ways to fail)
            return ""

    @property
    def message_id(self) -> str:
        return self.said("Message-ID").strip()

    def is_to(self, wanted: str) -> bool:
        names = [self.said(name) for name in ("To", "Cc")]
        found = email.utils.getaddresses(names)
        return wanted.casefold() in [address.casefold() for _name, address in found]

    def says(self, wanted: str) -> bool:
        return wanted.casefold() in self.said("Subject").casefold()


class Mail(Checker):
    """A message is in a mailbox. What its agent says of it is looked up there."""

    Settings = MailSettings
    of_catalogue = True

    def in_words(self, settings: Mapping[str, Any]) -> str:
        words = f"A message is in {settings.get('folder', 'Sent')} of"
        words += f" {settings.get('user')} at {settings.get('host')}"
        if to := settings.get("to"):
            words += f", to {to}"
        if subject := settings.get("subject"):
            words += f", about “{subject}”"
        return f"{words}."

    def check(self, job: Job) -> Result:
        settings = job.settings
        folder = settings.get("folder", "Sent")
        facts = {"host": settings["host"], "user": settings["user"], "folder": folder}
        try:
            with opened(mailbox(job), folder) as server:
                return looked_up(job, server, facts)
        except NoMailbox as no:
            return unable(str(no), **facts)


def mailbox(job: Job) -> Mailbox:
    """The mailbox, with its password. NoMailbox when none is kept."""
    kept = ("host", "port", "user", "security")
    told = {name: job.settings[name] for name in kept if name in job.settings}
    password = job.secret("password")
    if not password:
        raise NoMailbox(
            f"Nobody has said with which password {told['user']} is let in: keep it"
            " under Secrets, and choose it in the check."
        )
    return Mailbox(password=password, **told)


def looked_up(job: Job, server: imaplib.IMAP4, facts: dict[str, Any]) -> Result:
    settings, since = job.settings, job.issue.created_at.replace(microsecond=0)
    named = job.claim.named("message")
    why = "no message to {to} about {subject} came there since the issue was filed"
    why = why.format(
        to=settings.get("to", "anybody"), subject=settings.get("subject", "anything")
    )
    for letter in newest(server, since):
        job.beat()
        if named and letter.message_id not in named:
            continue
        if not letter.is_to(settings.get("to", "")) and settings.get("to"):
            continue
        if not letter.says(settings.get("subject", "")):
            continue
        if not letter.message_id:
            why = "the message has no Message-ID, by which it could be told from others"
            continue
        if Evidence.objects.of_others(job.issue, letter.message_id):
            why = f"{letter.message_id} is the proof of another issue already"
            continue
        return passed(
            f"{letter.message_id} arrived {letter.arrived:%Y-%m-%d %H:%M:%S} UTC.",
            **facts,
            messageId=letter.message_id,
            arrivedAt=letter.arrived.isoformat(),
            digest=digest_of(server, letter.number),
        )
    claimed = f", and none is {', '.join(named)}" if named else ""
    return failed(f"In {facts['folder']} {why}{claimed}.", **facts)


def newest(server: imaplib.IMAP4, since: datetime) -> Iterator[Letter]:
    """The messages that arrived since then, the newest first."""
    # A day earlier: the server's day may be another one.
    day = (since - timedelta(days=1)).astimezone(UTC)
    asked = f"{day.day}-{calendar.month_abbr[day.month]}-{day.year}"
    word, found = server.search(None, "SINCE", asked)
    numbers = found[0].split() if word == "OK" and found[0] else []
    for number in reversed(numbers[-MOST:]):
        _word, rows = server.fetch(number.decode(), f"(INTERNALDATE {FIELDS})")
        letter = read(number, rows)
        if letter is not None and letter.arrived >= since:
            yield letter


def read(number: bytes, rows: list[Any]) -> Letter | None:
    parts = [row for row in rows if isinstance(row, tuple)]
    if not parts:
        return None
    told = b" ".join(part[0] for part in parts)
    told += b" ".join(row for row in rows if isinstance(row, bytes))
    when = imaplib.Internaldate2tuple(told)
    if when is None:
        return None
    moment = datetime.fromtimestamp(time.mktime(when), UTC)
    head = email.message_from_bytes(parts[0][1], policy=email.policy.default)
    return Letter(number, moment, head)


def digest_of(server: imaplib.IMAP4, number: bytes) -> str:
    _word, rows = server.fetch(number.decode(), f"(BODY.PEEK[]<0.{LARGEST}>)")
    whole = b"".join(row[1] for row in rows if isinstance(row, tuple))
    return hashlib.sha256(whole).hexdigest()
