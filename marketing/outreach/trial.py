"""A mail from a mailbox to itself: whether its settings are right, end to end."""

from __future__ import annotations

import email.policy
import time
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from django.utils.timezone import now

from marketing.jobs.base import Blocked
from marketing.models import Mailbox
from marketing.outreach import imap, mail
from marketing.outreach.letters import new_message_id
from paperclip.exceptions import Conflict

if TYPE_CHECKING:
    import imapclient

    from paperclip.actors import Actor

# So long the server may take to put what it sent into Sent.
SECONDS = 5.0


def send_to_oneself(box: Mailbox, *, by: Actor) -> str:
    """What the mail server said, and that the mail is in Sent. Conflict, saying what to
    put right, when either failed."""
    letter = EmailMessage(policy=email.policy.SMTP)
    letter["From"] = letter["To"] = box.address
    letter["Subject"] = "Paperclip can send mail from here"
    letter["Date"], letter["Message-ID"] = format_datetime(now()), new_message_id(box)
    letter.set_content("Somebody has pressed “Test” at the settings of this mailbox.")
    wire = letter.as_bytes()
    try:
        with mail.Outbox(box, by=by) as outbox:
            outcome = outbox.send(box.address, wire)
        if outcome.word != mail.ACCEPTED:
            raise Conflict(f"The mail server did not take it: {outcome.said}")
        with imap.opened(box, by=by) as server:
            if box.sent_copy == Mailbox.SentCopy.APPEND:
                imap.put_copy(server, letter["Message-ID"], wire, now())
            found = appears(server, letter["Message-ID"])
    except Blocked as no:
        raise Conflict(str(no)) from None
    except (mail.Away, mail.Shut) as no:
        raise Conflict(f"The mail server does not let us in: {no}") from None
    except imap.NoFolder as no:
        raise Conflict(f"It was sent, and Sent cannot be read: {no}") from None
    if not found:
        raise Conflict(
            "It was sent, and Sent does not have it: say in the mailbox that we put a"
            " copy there ourselves."
        )
    return f"The server said “{outcome.said}”, and the mail is in Sent."


def appears(server: imapclient.IMAPClient, message_id: str) -> bool:
    """Whether it is in Sent, now or in a moment."""
    until = time.monotonic() + SECONDS
    while not (found := imap.is_in_sent(server, message_id)):
        if time.monotonic() > until:
            break
        time.sleep(0.5)
    return found
