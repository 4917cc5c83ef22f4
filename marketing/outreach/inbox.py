"""What came back: replies, bounces, and who wants no more mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from marketing.models import InboxMessage, Mailbox, Message, Suppression
from marketing.outreach import answers, imap
from marketing.outreach.letters import NO_MORE
from marketing.words import identity, masked_address
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    import imapclient

    from marketing.jobs.base import Work
    from marketing.outreach.answers import Answer

Kind = InboxMessage.Kind
Reason = Suppression.Reason
# So far back, and so many of the newest, are looked at.
BACK, MOST = timedelta(days=30), 500
LARGEST = 1_000_000
# So many times put off by their server, and an address is no good.
SOFT = 3


def process(work: Work, box: Mailbox) -> None:
    """Read what is new in the inbox, and do what follows from it."""
    try:
        with imap.opened(box, by=work.by) as server:
            server.select_folder("INBOX", readonly=True)
            for uid in new_ones(server, box, work.clock()):
                work.must_go_on()
                take(work, box, server, uid)
    except imap.NoFolder as no:
        work.falls_short(f"The inbox cannot be read: {no}")


def new_ones(server: imapclient.IMAPClient, box: Mailbox, at: datetime) -> list[int]:
    """Those that were not read yet, the oldest first."""
    uids = server.search(["SINCE", (at - BACK).date()])[-MOST:]
    if not uids:
        return []
    asked = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
    heads = server.fetch(uids, [asked, "RFC822.SIZE"])
    known = set(box.inbox.values_list("message_id", flat=True))
    found = []
    for uid in uids:
        row = heads.get(uid, {})
        head = next((v for k, v in row.items() if k.startswith(b"BODY[")), b"")
        told = head.decode("utf-8", "replace").partition(":")[2].strip()
        small = row.get(b"RFC822.SIZE", 0) <= LARGEST
        if small and (told or f"uid {uid}")[:300] not in known:
            found.append(uid)
    return found


def take(work: Work, box: Mailbox, server: imapclient.IMAPClient, uid: int) -> None:
    row = server.fetch([uid], ["BODY.PEEK[]", "INTERNALDATE"]).get(uid)
    if row is None:
        return
    answer = answers.read(row[b"BODY[]"])
    answer.message_id = answer.message_id or f"uid {uid}"
    arrived = row.get(b"INTERNALDATE") or work.clock().replace(tzinfo=None)
    about = ours(box, answer)
    asks = answer.subject.lower().startswith(NO_MORE)
    if about is None and not (answer.kind == Kind.OPT_OUT and asks):
        return  # Other people's mail is none of ours to keep.
    if not work.is_dry:
        keep(work, box, answer, about, arrived.astimezone(UTC))


def ours(box: Mailbox, answer: Answer) -> Message | None:
    """The mail of ours that it answers: the one it names, or the last to who writes."""
    rows = Message.objects.filter(mailbox=box).exclude(sent_at=None)
    if answer.token:
        found = rows.filter(unsubscribe_token=answer.token).first()
        if found is not None:
            return found
    found = rows.filter(message_id__in=answer.about).first()
    if found is not None:
        return found
    if answer.kind in (Kind.BOUNCE, Kind.REVIEW):
        # It names nothing of ours but, perhaps, to whom: anybody could have written it.
        answer.kind = Kind.REVIEW
        named = {identity(one) for one in {answer.recipient, *answer.addresses}}
        return rows.filter(identity__in=named - {""}).first()
    return rows.filter(identity=identity(answer.sender) or "-").first()


@transaction.atomic
def keep(
    work: Work, box: Mailbox, answer: Answer, about: Message | None, at: datetime
) -> None:
    """Write it down, once, with what follows from it."""
    row, made = InboxMessage.objects.get_or_create(
        mailbox=box,
        message_id=answer.message_id,
        defaults={
            "company_id": box.company_id,
            "answered": about,
            "kind": answer.kind,
            "sender": answer.sender,
            "subject": answer.subject.replace("\x00", ""),
            "body": answer.text.replace("\x00", ""),
            "status_code": answer.status,
            "arrived_at": at,
        },
    )
    if not made:
        return
    work.count(f"{Kind(row.kind).label}")
    if row.kind == Kind.BOUNCE and about is not None:
        bounced(box, answer, about, work)
    elif row.kind == Kind.OPT_OUT:
        opted_out(box, answer, about, work)
    elif row.kind == Kind.REPLY and about is not None:
        Message.objects.filter(pk=about.pk, replied_at=None).update(replied_at=at)
        about.note("reply", "", work.clock())
        work.waits_for_person(f"{about.contact} has answered: {about.masked}.")
    elif row.kind == Kind.REVIEW:
        work.waits_for_person(
            f"A mail of {masked_address(answer.sender)} may be a bounce: look at it."
        )


def bounced(box: Mailbox, answer: Answer, about: Message, work: Work) -> None:
    """For good: never again. For now: never again after the third time."""
    about.note("bounce", answer.status, work.clock())
    if answer.is_final:
        suppress(box, about.identity, Reason.BOUNCED, answer.status)
        return
    soft = InboxMessage.objects.filter(
        company=box.company_id,
        kind=Kind.BOUNCE,
        status_code__startswith="4",
        answered__identity=about.identity,
    )
    if soft.count() >= SOFT:
        suppress(box, about.identity, Reason.SOFT, answer.status)


def opted_out(box: Mailbox, answer: Answer, about: Message | None, work: Work) -> None:
    """They said so: nobody of us writes to them again, whoever they are."""
    reason = Reason.COMPLAINT if answer.complains else Reason.UNSUBSCRIBED
    who = {about.identity} if about else set()
    if not answer.complains and about is None:
        who |= {identity(answer.sender)}
    for one in who - {""}:
        suppress(box, one, reason, answer.subject[:100])
        said = f"{masked_address(one)} wants no more mail, and gets none."
        work.waits_for_person(said)
    if about is not None:
        about.note("opt_out", "", work.clock())


def suppress(box: Mailbox, who: str, reason: str, said: str) -> None:
    Suppression.objects.add(box.company, who, reason, by=SYSTEM, said=said)
