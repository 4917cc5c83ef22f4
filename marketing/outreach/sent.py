"""Copies of what was sent, and what Sent knows of mails that nobody else remembers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from marketing.models import Mailbox, Message
from marketing.outreach import imap, letters

if TYPE_CHECKING:
    from datetime import datetime

    from marketing.jobs.base import Work
    from paperclip.actors import Actor

State = Message.State
# Whoever sends has said by then what came of it.
PATIENCE = timedelta(minutes=10)


def keep_copy(message: Message, *, by: Actor) -> str:
    """Put a copy into Sent where that is ours to do, once. Why not, or nothing."""
    box = message.mailbox
    if box.sent_copy != Mailbox.SentCopy.APPEND or message.sent_at is None:
        return ""
    try:
        with imap.opened(box, by=by) as server:
            wire = letters.wire_of(message)
            imap.put_copy(server, message.message_id, wire, message.sent_at)
    except imap.NoFolder as no:
        return f"No copy was put into Sent: {no}"
    return ""


def reconcile(work: Work, box: Mailbox) -> None:
    """Find out what became of mails whose sender was killed. One that was not begun
    waits again; one in Sent was accepted; of the others nobody knows, and a person
    has to say. None is sent again from here."""
    old = work.clock() - PATIENCE
    mine = Message.objects.filter(mailbox=box, job=work.job_run.job)
    for one in mine.filter(state=State.RESERVED, sent_at__lte=old):
        said = "Its sender ended before it began."
        one.move((State.RESERVED,), State.APPROVED, said, at=work.clock())
    lost = mine.filter(state__in=(State.SENDING, State.UNKNOWN), sent_at__lte=old)
    look_up(work, box, list(lost))
    for one in mine.filter(state=State.UNKNOWN):
        work.waits_for_person(
            f"Find out whether the mail to {one.masked} was sent: nobody knows, and it"
            " is not sent again.",
            f"/marketing/outreach/{one.pk}",
        )


def look_up(work: Work, box: Mailbox, lost: list[Message]) -> None:
    if not lost:
        return
    at = work.clock()
    try:
        with imap.opened(box, by=work.by) as server:
            found = {one.pk for one in lost if imap.is_in_sent(server, one.message_id)}
    except imap.NoFolder as no:
        work.falls_short(f"Sent cannot be read: {no}")
        found = set()
    for one in lost:
        if one.pk in found:
            said = "Found in Sent."
            one.move((one.state,), State.ACCEPTED, said, at=at, found_at=at)
            claim(work, one)
        elif one.state == State.SENDING:
            said = "Its sender ended while it was being sent, and it is not in Sent."
            one.move((State.SENDING,), State.UNKNOWN, said, at=at)


def claim(work: Work, message: Message) -> None:
    """Assert that it was sent: a checker looks for itself."""
    work.claim(
        "sent",
        f"A mail to {message.masked} was sent",
        message=str(message.pk),
        message_id=message.message_id,
        sha256=message.sha256,
    )


def found(message: Message, at: datetime | None) -> None:
    Message.objects.filter(pk=message.pk, found_at=None).update(found_at=at)
