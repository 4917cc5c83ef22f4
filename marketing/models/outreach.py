"""Mail to people outside: to whom, from where, what was sent, and what came back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models import Approval
from marketing.models.job import JobName
from marketing.models.managed import Managed
from marketing.words import identity
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from typing import Self

# Never more attempts than this in any such span: the owner's rule, not a setting.
MOST, SPAN = 20, timedelta(hours=1)


class Category(models.TextChoices):
    PT_TECH = "pt_tech", _("Portuguese tech media")
    EU = "eu", _("EU publications")
    AI = "ai", _("global AI outlets")
    AGENCY = "agency", _("PR agencies in Lisbon")
    LINK = "link", _("pages that could link to us")


class Mailbox(Managed):
    """Where our mail is sent from. Its password is a secret, bound with the target type
    "mailbox"."""

    class SentCopy(models.TextChoices):
        SERVER = "server", _("the server keeps a copy")
        APPEND = "append", _("we put a copy into Sent")

    class Security(models.TextChoices):
        TLS = "tls", "TLS"
        STARTTLS = "starttls", "STARTTLS"
        NONE = "none", _("none (this machine only)")

    name = models.CharField(_("name of the sender"), max_length=120)
    address = models.EmailField(_("address"))
    user = models.CharField(_("user"), max_length=254)
    smtp_host = models.CharField(max_length=253)
    smtp_port = models.PositiveIntegerField(default=587)
    smtp_security = models.CharField(
        max_length=8, choices=Security.choices, default=Security.STARTTLS
    )
    imap_host = models.CharField(max_length=253)
    imap_port = models.PositiveIntegerField(default=993)
    imap_security = models.CharField(
        max_length=8, choices=Security.choices, default=Security.TLS
    )
    sent_copy = models.CharField(
        max_length=8, choices=SentCopy.choices, default=SentCopy.SERVER
    )
    postal_address = models.TextField(_("postal address"), blank=True)
    per_hour = models.PositiveSmallIntegerField(
        _("mails an hour at most"), default=MOST, validators=[MaxValueValidator(MOST)]
    )
    per_day = models.PositiveSmallIntegerField(_("mails a day at most"), default=60)
    # A server that said no is left alone until then.
    closed_until = models.DateTimeField(null=True)
    closed_why = models.CharField(max_length=300, blank=True)
    tested_at = models.DateTimeField(null=True)

    TAKES = "keep a mailbox"

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "address"], name="a_mailbox_is_there_once"
            ),
            models.CheckConstraint(
                condition=Q(per_hour__lte=20), name="never_more_than_twenty_an_hour"
            ),
        ]

    def __str__(self) -> str:
        return self.address


class Contact(Managed):
    """Whom we may write to. `identity` is their address without its disguises: whoever
    was written to by any job is never written to again."""

    name = models.CharField(_("name"), max_length=120, blank=True)
    email = models.EmailField(_("address"), blank=True)
    identity = models.CharField(max_length=254, blank=True, editable=False)
    outlet = models.CharField(_("outlet"), max_length=120)
    outlet_url = models.URLField(max_length=300, blank=True)
    feed_url = models.URLField(max_length=300, blank=True)
    category = models.CharField(max_length=8, choices=Category.choices)
    country = models.CharField(max_length=2, blank=True)
    timezone = models.CharField(max_length=40, default="Europe/Lisbon")
    language = models.CharField(max_length=8, default="en")
    source_url = models.URLField(_("where the address is from"), blank=True)
    source_date = models.DateField(null=True, blank=True)
    lawful_basis = models.CharField(max_length=200, blank=True)
    is_on = models.BooleanField(_("may be written to"), default=False)

    TAKES = "change who is written to"

    class Meta:
        verbose_name = _("contact")
        ordering = ["category", "outlet", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "identity"],
                condition=~Q(identity=""),
                name="a_contact_is_there_once",
            ),
            models.CheckConstraint(
                condition=Q(is_on=False) | ~Q(email=""),
                name="who_is_written_to_has_an_address",
            ),
        ]

    def prepare(self) -> None:
        self.identity = identity(self.email) if self.email else ""

    def __str__(self) -> str:
        return f"{self.name or self.outlet}"


class Template(Managed):
    """The frame of the mails to one category. Places: {name}, {outlet}, {article},
    {pitch}."""

    category = models.CharField(max_length=8, choices=Category.choices)
    language = models.CharField(max_length=8, default="en")
    subject = models.CharField(max_length=150)
    body = models.TextField()
    # After ten approvals of single ones.
    auto_approve = models.BooleanField(default=False)

    TAKES = "change who is written to"

    class Meta:
        verbose_name = _("mail template")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "category", "language"],
                name="one_template_per_category",
            )
        ]

    def __str__(self) -> str:
        return str(self.get_category_display())


class CountryPolicy(Managed):
    """Whether people in a country may be written to at all. Without a row: no."""

    class Rule(models.TextChoices):
        ALLOW = "allow", _("may be written to")
        ASK = "ask", _("each needs an approval")
        DENY = "deny", _("is never written to")

    country = models.CharField(max_length=2)
    rule = models.CharField(max_length=8, choices=Rule.choices)
    why = models.CharField(max_length=300, blank=True)

    TAKES = "change who is written to"

    class Meta:
        verbose_name = _("country policy")
        ordering = ["country"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "country"], name="one_policy_per_country"
            )
        ]

    def prepare(self) -> None:
        self.country = self.country.strip().upper()

    def __str__(self) -> str:
        return f"{self.country}: {self.rule}"


class MessageQuerySet(ScopedQuerySet):
    def holding(self) -> Self:
        """Those that were sent, or may have been: nobody writes there again."""
        return self.filter(state__in=Message.HOLDING)


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

    HOLDING = (State.RESERVED, State.SENDING, State.ACCEPTED, State.UNKNOWN)

    mailbox = models.ForeignKey(Mailbox, models.PROTECT, related_name="messages")
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, related_name="messages"
    )
    identity = models.CharField(max_length=254)
    domain = models.CharField(max_length=253)
    job = models.CharField(max_length=12, choices=JobName.choices)
    job_run = models.ForeignKey(
        "marketing.JobRun", models.SET_NULL, null=True, related_name="messages"
    )
    state = models.CharField(max_length=20, choices=State.choices, default=State.DRAFT)
    message_id = models.CharField(max_length=200, unique=True)
    to = models.EmailField()
    subject = models.CharField(max_length=300)
    body = models.TextField()
    # The whole message with its headers, as it goes over the wire.
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
        return f"{self.to}: {self.state}"


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


class Suppression(Managed):
    """Somebody, or a whole domain, that is never written to (again)."""

    class Reason(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        BOUNCED = "bounced", _("address does not exist")
        SOFT = "soft_bounces", _("bounced three times")
        COMPLAINT = "complaint", _("complained")
        MANUAL = "manual", _("entered by a person")

    # An identity, or a domain with its @ in front.
    value = models.CharField(max_length=254)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    said = models.CharField(max_length=300, blank=True)
    by_name = models.CharField(max_length=150, blank=True)

    TAKES = "change who is written to"

    class Meta:
        verbose_name = _("suppression")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "value"], name="a_suppression_is_there_once"
            )
        ]

    def prepare(self) -> None:
        value = self.value.strip()
        is_domain = value.startswith("@")
        self.value = value.lower() if is_domain else identity(value) or value

    def __str__(self) -> str:
        return self.value
