"""Who may be written to now, decided in one transaction, and then one mail sent.

An attempt is written down and committed before the server is spoken to: a crash can
send too few and never too many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction
from django.db.models import Q

from marketing.models import (
    CountryPolicy,
    JobSchedule,
    Mailbox,
    MailEvent,
    Message,
    Site,
    Suppression,
    Template,
)
from marketing.models.outreach import MOST, SPAN
from marketing.outreach import mail
from marketing.outreach.letters import wire_of
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from paperclip.actors import Actor

State = Message.State
Clock = Callable[[], datetime]
DAY = timedelta(days=1)
# So often, and so far apart, a mail that was put off is tried.
TRIES, STEP = 3, timedelta(minutes=30)
# So long a mailbox rests after its server said no to us.
REST = timedelta(hours=24)
# So long what a person allowed may be done, and one mail is all that a domain gets.
GOOD_FOR, QUIET = timedelta(days=7), timedelta(days=7)
# When people read mail, where they are: Monday to Friday.
FIRST_HOUR, LAST_HOUR, WORKDAYS = 9, 18, 5


@dataclass(eq=False)
class Held(Exception):
    """Not sent now. `ends`: nothing else may be sent either; `drops`: it is never."""

    why: str
    ends: bool = False
    drops: bool = False


def send(message: Message, outbox: mail.Outbox, *, clock: Clock, by: Actor) -> str:
    """Send it if it may be sent, once; its state after that. Held, with why, when it
    may not; Away and Shut when the server cannot be spoken to: no attempt was made."""
    outbox.open()
    reserve(message, clock)
    if not message.move((State.RESERVED,), State.SENDING, at=clock()):
        raise Held("Somebody else took it.")
    outcome = outbox.send(message.to, wire_of(message))
    return conclude(message, outcome, clock(), by=by)


def reserve(message: Message, clock: Clock) -> None:
    """Take one of the places of this hour for it. Held when it may not be sent."""
    try:
        with transaction.atomic():
            at = must_have_room(message, clock)
            must_be_wanted(message, at)
            take(message, at)
    except Held as no:
        if no.drops:
            before = (State.APPROVED, State.DEFERRED)
            message.move(before, State.DROPPED, no.why, at=clock())
        raise


def must_have_room(message: Message, clock: Clock) -> datetime:
    """The moment of it, when there is a place left. Everybody of the company who sends
    waits here for each other, so that the clock is read by one after the other."""
    rows = Mailbox.objects.filter(company=message.company_id).order_by("pk")
    boxes = {row.pk: row for row in rows.select_for_update(no_key=True)}
    box, at = boxes[message.mailbox_id], clock()
    must_be_on(message)
    if box.closed_until is not None and box.closed_until > at:
        raise Held(f"{box} rests: {box.closed_why}", ends=True)
    attempts = MailEvent.objects.filter(kind=MailEvent.ATTEMPT, mailbox__in=boxes)
    if attempts.filter(at__gt=at).exists():
        raise Held("The clock went backwards: that counts as full.", ends=True)
    mine = attempts.filter(mailbox=box)
    if attempts.filter(at__gt=at - SPAN).count() >= MOST:
        raise Held(f"{MOST} mails went out within the hour.", ends=True)
    if mine.filter(at__gt=at - SPAN).count() >= box.per_hour:
        raise Held(f"{box.per_hour} mails went out within the hour.", ends=True)
    if mine.filter(at__gt=at - DAY).count() >= box.per_day:
        raise Held(f"{box.per_day} mails went out within a day.", ends=True)
    return at


def must_be_on(message: Message) -> None:
    """Held when mail, the job, all jobs or the company were switched off."""
    site = Site.objects.filter(company=message.company_id, is_stopped=False)
    off = JobSchedule.objects.filter(
        company=message.company_id, job=message.job, is_on=False
    )
    if off.exists() or not site.filter(company__status="active").exists():
        raise Held("It was switched off.", ends=True)


def must_be_wanted(message: Message, at: datetime) -> None:
    """Held when this mail may not go to this person (now)."""
    message.refresh_from_db()
    contact = message.contact
    if message.state not in (State.APPROVED, State.DEFERRED):
        raise Held(f"It is {message.get_state_display()}.")
    if message.next_try_at is not None and message.next_try_at > at:
        raise Held("It was put off until later.")
    if contact is None or not contact.is_on:
        raise Held("The contact was switched off.", drops=True)
    known = {message.identity, *contact.identities}
    if (no := Suppression.objects.covering(message.company_id, known).first()) is None:
        must_be_allowed(message, contact.country, at)
        must_be_first(message, known, at)
    else:
        raise Held(f"{no.get_reason_display()}: no mail goes there.", drops=True)
    if not is_open(contact.timezone, at) and not message.company.rehearsal:
        raise Held("It is no time for mail where they are.")


def must_be_allowed(message: Message, country: str, at: datetime) -> None:
    """Held without a person's yes to exactly this, or the policy's."""
    rule = CountryPolicy.objects.rule(message.company_id, country)
    if rule == CountryPolicy.Rule.DENY:
        raise Held(
            f"Nobody in {country or 'no known country'} is written to.", drops=True
        )
    if not message.is_as_approved:
        raise Held("It is not what was approved.", drops=True)
    approval = message.approval
    if approval is None:
        auto = Template.objects.filter(
            company=message.company_id, category=message.category, auto_approve=True
        )
        if rule != CountryPolicy.Rule.ALLOW or not auto.exists():
            raise Held("Nobody approved it.", drops=True)
        return
    bound = approval.payload.get("sha256") == message.sha256
    if approval.status != "approved" or not bound:
        raise Held("Nobody approved exactly this.", drops=True)
    if approval.decided_at is None or approval.decided_at < at - GOOD_FOR:
        raise Held("It was approved too long ago.", drops=True)


def must_be_first(message: Message, known: set[str], at: datetime) -> None:
    """Held when they, or somebody else at their domain just now, were written to by
    any job."""
    others = Message.objects.filter(company=message.company_id).exclude(pk=message.pk)
    if others.holding().filter(identity__in=known).exists():
        raise Held("They were written to before.", drops=True)
    lately = Q(state=State.ACCEPTED, sent_at__gt=at - QUIET, replied_at=None)
    busy = Q(state__in=(State.RESERVED, State.SENDING, State.UNKNOWN)) | lately
    if others.filter(busy, domain=message.domain).exists():
        raise Held(f"Somebody at {message.domain} was written to just now.")


def take(message: Message, at: datetime) -> None:
    try:
        with transaction.atomic():
            taken = message.move(
                (State.APPROVED, State.DEFERRED),
                State.RESERVED,
                at=at,
                sent_at=at,
                tries=message.tries + 1,
            )
    except IntegrityError:
        raise Held("They were written to before.", drops=True) from None
    if not taken:
        raise Held("Somebody else took it.")
    message.note(MailEvent.ATTEMPT, "", at)


def conclude(
    message: Message, outcome: mail.Outcome, at: datetime, *, by: Actor
) -> str:
    """Write down what the server said, and what follows from it; its state."""
    states = {
        mail.ACCEPTED: State.ACCEPTED,
        mail.REJECTED: State.REJECTED,
        mail.UNKNOWN: State.UNKNOWN,
    }
    state = states.get(outcome.word, State.DEFERRED)
    said = outcome.said
    columns: dict[str, Any] = {"smtp_reply": said[:500]}
    if outcome.word == mail.CLOSED:
        message.mailbox.close(at + REST, said, by=SYSTEM)
        columns |= {"next_try_at": at + REST}
    elif state == State.DEFERRED:
        columns |= {"next_try_at": at + STEP * message.tries}
    if state == State.DEFERRED and message.tries >= TRIES:
        state, said = State.DROPPED, f"Put off {TRIES} times: {said}"
    # A reconciler may have given it up meanwhile; what the server said is better.
    message.move((State.SENDING, State.UNKNOWN), state, said, at=at, **columns)
    if outcome.recipient:
        Suppression.objects.add(
            message.company,
            message.identity,
            Suppression.Reason.BOUNCED,
            by=SYSTEM,
            said=outcome.said,
        )
    return state


def is_open(zone: str, at: datetime) -> bool:
    """Whether it is a working hour there. An unknown zone is never open."""
    try:
        there = at.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return there.weekday() < WORKDAYS and FIRST_HOUR <= there.hour < LAST_HOUR
