"""Mail to people outside: from where, and what it looks like."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from marketing.models.managed import Managed
from marketing.web.guard import LOOPBACK
from paperclip import audit
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from datetime import datetime

    from paperclip.actors import Actor

# Never more attempts than this in any such span: the owner's rule, not a setting.
MOST, SPAN = 20, timedelta(hours=1)
# So many approvals of single ones come before a category is approved as such.
SINGLE_ONES = 10


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
    dkim_selector = models.CharField(_("DKIM selector"), max_length=63, blank=True)

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

    def prepare(self) -> None:
        """The domain as mail servers write it: IDNA."""
        local, at, domain = self.address.rpartition("@")
        with suppress(UnicodeError):
            self.address = f"{local}{at}{domain.encode('idna').decode()}"

    def clean(self) -> None:
        """ValidationError where passwords and mail would go over the net in clear."""
        for name in ("smtp", "imap"):
            host = getattr(self, f"{name}_host")
            none = getattr(self, f"{name}_security") == self.Security.NONE
            if none and host not in LOOPBACK:
                said = _(
                    "Without encryption only this machine is spoken to: 127.0.0.1."
                )
                raise ValidationError({f"{name}_security": said})

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower()

    def close(self, until: datetime, why: str, *, by: Actor) -> None:
        """Leave its server alone until then: it said no to us, not to a recipient."""
        self.closed_until, self.closed_why = until, why[:300]
        with transaction.atomic():
            self.save(update_fields=["closed_until", "closed_why", "updated_at"])
            audit.record(by, "mailbox.closed", self, until=until.isoformat())

    def test(self, *, by: Actor) -> str:
        """Send a mail to itself and look it up in Sent: what came of it, in a sentence.
        That opens a mailbox again whose server had said no. Conflict, saying why, when
        either failed."""
        from marketing.outreach.trial import send_to_oneself

        by.must_be_operator(self.company_id, "keep a mailbox")
        said = send_to_oneself(self, by=by)
        with transaction.atomic():
            act = "mailbox.opened" if self.closed_until else "mailbox.tested"
            self.tested_at, self.closed_until, self.closed_why = now(), None, ""
            names = ("tested_at", "closed_until", "closed_why", "updated_at")
            self.save(update_fields=names)
            audit.record(by, act, self)
        return said


class Template(Managed):
    """The frame of the mails to one category. Places: {name}, {outlet}, {article} (its
    title), {url}, {pitch}, {site}."""

    category = models.CharField(max_length=8, choices=Category.choices)
    language = models.CharField(max_length=8, default="en")
    subject = models.CharField(max_length=150)
    body = models.TextField()
    # After ten approvals of single ones.
    auto_approve = models.BooleanField(_("go out unread"), default=False)

    TAKES = "change who is written to"
    single_ones = SINGLE_ONES

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

    @property
    def approved_ones(self) -> int:
        """How many mails of this category somebody approved one by one."""
        from marketing.models.message import Message

        rows = Message.objects.filter(company=self.company_id, category=self.category)
        return rows.filter(approval__status="approved").count()

    @transaction.atomic
    def switch_approval(self, auto: bool, *, by: Actor) -> None:
        """Let mails of this category go without a look at each, or not. Invalid before
        ten of them were approved one by one. A first mail to a new domain that could
        link to us, and one to a country that asks, needs its approval all the same."""
        by.must_be_operator(self.company_id, "change who is written to")
        if auto and (so_far := self.approved_ones) < SINGLE_ONES:
            raise Invalid(
                f"{so_far} mails of this category were approved one by one: it takes"
                f" {SINGLE_ONES} before they may go without."
            )
        if self.auto_approve != auto:
            self.auto_approve = auto
            self.save(update_fields=["auto_approve", "updated_at"])
            act = "template.auto_approved" if auto else "template.approved_singly"
            audit.record(by, act, self, category=self.category)
