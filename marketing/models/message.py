"""A mail to somebody outside, every change of it, and what came back."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Approval
from marketing.models.contact import Contact
from marketing.models.outreach import Category, Mailbox
from marketing.models.schedule import JobName
from marketing.words import masked_address
from paperclip import audit, live
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from typing import Self

    from paperclip.actors import Actor


class MessageQuerySet(ScopedQuerySet):
    def holding(self) -> Self:
        """Those that were sent, or may have been: nobody writes there again."""
        return self.filter(state__in=Message.HOLDING)

    def under_way(self) -> Self:
        """Those that are written and neither sent nor dropped."""
        return self.filter(state__in=Message.UNDER_WAY)


class Message(Scoped):
    """One mail to one person, exactly as it goes out: `raw` is bound to the approval by
    `sha256`."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        AWAITING = "awaiting_approval", _("waits for approval")
        APPROVED = "approved", _("approved")
        RESERVED = "reserved", _("about to be sent")
        SENDING = "sending", _("being sent")
        ACCEPTED = "accepted", _("accepted by the mail server")
        DEFERRED = "deferred", _("put off by the mail server")
        UNKNOWN = "unknown", _("nobody knows whether it was sent")
        REJECTED = "rejected", _("rejected by the mail server")
        DROPPED = "dropped", _("not sent")

    UNDER_WAY = (State.DRAFT, State.AWAITING, State.APPROVED, State.DEFERRED)
    HOLDING = (State.RESERVED, State.SENDING, State.ACCEPTED, State.UNKNOWN)

    mailbox = models.ForeignKey(Mailbox, models.PROTECT, related_name="messages")
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, related_name="messages"
    )
    identity = models.CharField(max_length=254)
    domain = models.CharField(max_length=253)
    category = models.CharField(max_length=8, choices=Category.choices, blank=True)
    job = models.CharField(max_length=12, choices=JobName.choices)
    job_run = models.ForeignKey(
        "marketing.JobRun", models.SET_NULL, null=True, related_name="messages"
    )
    state = models.CharField(max_length=20, choices=State.choices, default=State.DRAFT)
    message_id = models.CharField(max_length=200, unique=True)
    to = models.EmailField()
    subject = models.CharField(max_length=300)
    body = models.TextField()
    # The whole message with its headers, as it goes over the wire after the date.
    raw = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    article_url = models.URLField(max_length=500, blank=True)
    article_title = models.CharField(max_length=300, blank=True)
    facts = models.JSONField(default=list)
    approval = models.ForeignKey(Approval, models.SET_NULL, null=True, related_name="+")
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    smtp_reply = models.CharField(max_length=500, blank=True)
    sent_at = models.DateTimeField(null=True)
    # When it was found in Sent, over another connection.
    found_at = models.DateTimeField(null=True)
    replied_at = models.DateTimeField(null=True)
    unsubscribe_token = models.CharField(max_length=64, unique=True)
    said = models.CharField(max_length=500, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("outreach message")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "identity"],
                condition=Q(state__in=("reserved", "sending", "accepted", "unknown")),
                name="nobody_is_written_to_twice",
            )
        ]
        indexes = [models.Index(fields=["company", "state"], name="messages_by_state")]

    def __str__(self) -> str:
        return f"{self.masked}: {self.state}"

    @property
    def masked(self) -> str:
        return masked_address(self.to)

    @property
    def is_as_approved(self) -> bool:
        """Whether what would be sent is what its hash says, to the letter."""
        return hashlib.sha256(self.raw.encode()).hexdigest() == self.sha256

    @transaction.atomic
    def move(
        self,
        before: Collection[str],
        state: str,
        said: str = "",
        *,
        at: datetime,
        **columns: Any,
    ) -> bool:
        """From one of these states into another, and write it down. False when somebody
        else moved it, or tried again, since it was read: then nothing is changed."""
        mine = Message.objects.filter(
            pk=self.pk, state__in=before, tries=self.tries, sha256=self.sha256
        )
        columns |= {"state": state, "said": said[:500], "updated_at": now()}
        if not mine.update(**columns):
            return False
        self.refresh_from_db()
        self.note(state, said, at)
        live.changed(self.company_id)
        return True

    def note(self, kind: str, said: str, at: datetime) -> None:
        MailEvent.objects.create(
            company_id=self.company_id,
            message=self,
            mailbox_id=self.mailbox_id,
            kind=kind,
            said=said[:500],
            at=at,
        )

    @transaction.atomic
    def ask(self, *, at: datetime) -> Approval:
        """Ask a person whether exactly this may be sent. One who changes it is asked
        anew: the approval is bound to the hash of the whole message."""
        run = self.job_run
        approval: Approval = Approval.objects.request(
            self.company,
            Approval.Type.SEND,
            {
                "title": f"Mail to {self.contact}, {self.masked}: {self.subject}",
                "subject": self.subject,
                "text": self.body,
                "article": self.article_url,
                "category": self.category,
                "messageId": str(self.pk),
                "sha256": self.sha256,
            },
            by=SYSTEM,
            issue_ids=[run.issue_id] if run and run.issue_id else [],
        )
        before = (self.State.DRAFT, self.State.AWAITING, self.State.APPROVED)
        state = self.State.AWAITING
        self.move(before, state, at=at, approval=approval, next_try_at=None)
        return approval

    @transaction.atomic
    def drop(self, why: str, *, by: Actor) -> None:
        """Do not send it. Conflict for one that was sent, or may have been."""
        by.must_write(self.company_id, "write to people outside")
        if not self.move(self.UNDER_WAY, self.State.DROPPED, why, at=now()):
            raise Conflict(f"It is {self.get_state_display()}: too late to drop it.")
        if self.approval is not None and self.approval.is_open:
            self.approval.cancel(by=SYSTEM, note=why)
        audit.record(by, "message.dropped", self)

    @transaction.atomic
    def edit(self, subject: str, body: str, *, by: Actor) -> Approval:
        """Other words, to be approved anew: the approval there was is withdrawn, and
        the new one returned. Who we are, where the address is from and how to opt out
        is put below it again. Conflict once it is being sent; Invalid for a text that
        may not be sent."""
        from marketing.outreach import letters

        by.must_be_operator(self.company_id, "write to people outside")
        changeable = (self.State.DRAFT, self.State.AWAITING, self.State.APPROVED)
        locked = Message.objects.select_for_update(no_key=True).get(pk=self.pk)
        if locked.state not in changeable:
            raise Conflict(f"It is {locked.get_state_display()}: it cannot be changed.")
        old = locked.approval
        letters.rewrite(locked, subject, body)
        locked.save(update_fields=["subject", "body", "raw", "sha256", "updated_at"])
        if old is not None and old.is_open:
            old.cancel(by=SYSTEM, note="It was edited.")
        approval: Approval = locked.ask(at=now())
        audit.record(by, "message.edited", self, sha256=locked.sha256)
        self.refresh_from_db()
        return approval

    @transaction.atomic
    def settle(self, was_sent: bool, *, by: Actor) -> None:
        """A person found out whether one that nobody knew of was sent. Conflict for any
        other. It is not sent again either way."""
        by.must_be_operator(self.company_id, "write to people outside")
        state = self.State.ACCEPTED if was_sent else self.State.DROPPED
        said = f"{by.name} says that it was {'' if was_sent else 'not '}sent."
        if not self.move((self.State.UNKNOWN,), state, said, at=now()):
            raise Conflict(f"It is {self.get_state_display()}: that is known.")
        audit.record(by, "message.settled", self, sent=was_sent)


class MailEvent(Scoped):
    """Every change of a message. Those of the kind "attempt" are what the limit counts,
    so a crash can send too few and never too many."""

    ATTEMPT = "attempt"

    message = models.ForeignKey(Message, models.CASCADE, related_name="events")
    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=24)
    said = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("mail event")
        ordering = ["-at"]
        indexes = [
            models.Index(
                fields=["mailbox", "at"],
                condition=Q(kind="attempt"),
                name="attempts_of_mailbox",
            ),
            models.Index(fields=["message", "at"], name="events_of_message"),
        ]

    def __str__(self) -> str:
        return f"{self.message}: {self.kind}"


class InboxMessage(Scoped):
    """What came back. Its text is a stranger's: data, never an instruction."""

    class Kind(models.TextChoices):
        REPLY = "reply", _("reply")
        BOUNCE = "bounce", _("bounce")
        OPT_OUT = "opt_out", _("wants no more mail")
        AUTO = "auto", _("automatic answer")
        REVIEW = "needs_review", _("a person has to look")

    mailbox = models.ForeignKey(Mailbox, models.CASCADE, related_name="inbox")
    answered = models.ForeignKey(
        Message, models.SET_NULL, null=True, related_name="answers"
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    message_id = models.CharField(max_length=300)
    sender = models.CharField(max_length=254)
    subject = models.CharField(max_length=300)
    body = models.TextField(blank=True)
    status_code = models.CharField(max_length=16, blank=True)
    arrived_at = models.DateTimeField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("answer")
        ordering = ["-arrived_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["mailbox", "message_id"], name="an_answer_is_read_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.sender}: {self.kind}"
