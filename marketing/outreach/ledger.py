"""Every mail with all that happened to it, as JSON lines: for the books, and for who
asks what we hold about them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.db import transaction

from marketing.models import Message
from marketing.words import identity
from paperclip import audit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from marketing.models.message import MessageQuerySet
    from paperclip.actors import Actor
    from paperclip.models import Company


def export(company: Company, *, by: Actor, address: str = "") -> Iterator[str]:
    """One line of JSON per mail, the oldest first; of one address alone when it is
    given. It holds whole addresses and texts, and is recorded. NotAllowed, at once,
    for who may not change who is written to."""
    by.must_be_operator(company.pk, "change who is written to")
    rows = Message.objects.filter(company=company).order_by("created_at", "pk")
    if address:
        rows = rows.filter(identity=identity(address) or "-")
    with transaction.atomic():
        audit.record(by, "mail.exported", company, mails=rows.count())
    return lines(rows)


def lines(rows: MessageQuerySet) -> Iterator[str]:
    rows = rows.select_related("contact", "mailbox")
    rows = rows.prefetch_related("events", "answers")
    for message in rows.iterator(chunk_size=200):
        yield json.dumps(told(message), ensure_ascii=False, sort_keys=True)


def told(message: Message) -> dict[str, Any]:
    contact = message.contact
    return {
        "messageId": message.message_id,
        "job": message.job,
        "category": message.category,
        "state": message.state,
        "from": str(message.mailbox),
        "to": message.to,
        "outlet": contact.outlet if contact else None,
        "sourceUrl": contact.source_url if contact else None,
        "lawfulBasis": contact.lawful_basis if contact else None,
        "subject": message.subject,
        "body": message.body,
        "sha256": message.sha256,
        "articleUrl": message.article_url,
        "approvalId": str(message.approval_id) if message.approval_id else None,
        "smtpReply": message.smtp_reply,
        "sentAt": moment(message.sent_at),
        "foundInSentAt": moment(message.found_at),
        "repliedAt": moment(message.replied_at),
        "events": [
            {"at": moment(one.at), "kind": one.kind, "said": one.said}
            for one in sorted(message.events.all(), key=lambda one: one.created_at)
        ],
        "answers": [
            {"at": moment(one.arrived_at), "kind": one.kind, "subject": one.subject}
            for one in message.answers.all()
        ],
    }


def moment(at: Any) -> str | None:
    return at.isoformat() if at else None
