"""Where we could be listed, where we are, and who links to us."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Approval
from issues.models import Issue
from marketing.models.blob import Blob
from marketing.models.managed import Managed
from marketing.models.site import empty_list
from marketing.web.addresses import bare_host
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor


class Directory(Managed):
    class Mode(models.TextChoices):
        MANUAL = "manual", _("by hand")
        API = "api", _("API")
        EMAIL = "email", _("mail")

    class State(models.TextChoices):
        OPEN = "open", _("not listed yet")
        PACKET = "packet", _("packet is ready")
        SUBMITTED = "submitted", _("submitted")
        LISTED = "listed", _("listed")
        FROZEN = "frozen", _("frozen: its terms changed")
        DROPPED = "dropped", _("not wanted")

    name = models.CharField(_("name"), max_length=120)
    url = models.URLField(max_length=300)
    # Where one enters oneself, if that is another page.
    form_url = models.URLField(max_length=300, blank=True)
    categories = models.JSONField(default=empty_list, blank=True)
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.MANUAL)
    terms_url = models.URLField(max_length=300, blank=True)
    terms_hash = models.CharField(max_length=64, blank=True)
    terms_read_at = models.DateTimeField(null=True, blank=True)
    cost_cents = models.PositiveIntegerField(default=0)
    link_rel = models.CharField(max_length=40, blank=True)
    # From 0 to 1: how well it fits, and how many people come there.
    fit = models.FloatField(default=0.5)
    traffic = models.FloatField(default=0.5)
    rivals_listed = models.JSONField(default=empty_list, blank=True)
    profile_url = models.URLField(max_length=500, blank=True)
    score = models.FloatField(default=0)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)

    TAKES = "change keywords"

    class Meta:
        verbose_name = _("directory")
        verbose_name_plural = _("directories")
        ordering = ["-score", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "url"], name="a_directory_is_there_once"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @transaction.atomic
    def accept_terms(self, wanted: bool, *, by: Actor) -> None:
        """Somebody has read its changed terms: we want to be listed there, or not.
        Conflict for one that is not frozen."""
        by.must_be_operator(self.company_id, "write to people outside")
        frozen = Directory.objects.filter(pk=self.pk, state=self.State.FROZEN)
        state = self.State.OPEN if wanted else self.State.DROPPED
        # What they say now is read anew by the next run.
        if not frozen.update(state=state, terms_hash="", updated_at=now()):
            raise Conflict(f"{self} is not frozen.")
        self.refresh_from_db()
        audit.record(by, "directory.terms_read", self, wanted=wanted)

    @transaction.atomic
    def drop(self, *, by: Actor) -> None:
        """We do not want to be listed there. Conflict when we are, or have asked to."""
        by.must_be_operator(self.company_id, "write to people outside")
        inside = (self.State.OPEN, self.State.PACKET, self.State.FROZEN)
        mine = Directory.objects.filter(pk=self.pk, state__in=inside)
        if not mine.update(state=self.State.DROPPED, updated_at=now()):
            self.refresh_from_db()
            raise Conflict(f"{self} is {self.get_state_display()}.")
        self.refresh_from_db()
        audit.record(by, "directory.dropped", self)
        for packet in self.packets.filter(state=SubmissionPacket.State.OPEN):
            packet.drop(by=by)


class SubmissionPacket(Scoped):
    """Everything a person needs to submit us to a directory by hand."""

    class State(models.TextChoices):
        OPEN = "open", _("to be submitted")
        SUBMITTED = "submitted", _("submitted")
        LISTED = "listed", _("listed")
        DROPPED = "dropped", _("dropped")

    directory = models.ForeignKey(Directory, models.CASCADE, related_name="packets")
    host = models.CharField(max_length=253)
    body = models.JSONField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    approval = models.ForeignKey(Approval, models.SET_NULL, null=True, related_name="+")
    issue = models.ForeignKey(Issue, models.SET_NULL, null=True, related_name="+")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("submission packet")
        constraints = [
            models.UniqueConstraint(
                fields=["directory", "host"],
                condition=Q(state__in=("open", "submitted")),
                name="one_open_packet_per_directory",
            )
        ]

    def __str__(self) -> str:
        return f"{self.directory}: {self.state}"

    @transaction.atomic
    def submit(self, profile_url: str, *, by: Actor) -> None:
        """A person has submitted us there. The address of our profile, when it is known
        already, is looked at from then on. Conflict for one that is not open, or that
        nobody has approved; Invalid for an address that is not the directory's."""
        by.must_be_operator(self.company_id, "write to people outside")
        host = bare_host(self.directory.url)
        if profile_url and bare_host(profile_url) != host:
            raise Invalid(f"The profile is at {host}: paste its address there.")
        if self.approval is None or self.approval.status != "approved":
            raise Conflict("Somebody has to approve the packet first.")
        mine = SubmissionPacket.objects.filter(pk=self.pk, state=self.State.OPEN)
        if not mine.update(state=self.State.SUBMITTED, updated_at=now()):
            raise Conflict(f"It is {self.get_state_display()}.")
        self.refresh_from_db()
        state = Directory.State.SUBMITTED
        Directory.objects.filter(pk=self.directory_id).update(
            state=state, profile_url=profile_url[:500], updated_at=now()
        )
        audit.record(by, "packet.submitted", self)

    @transaction.atomic
    def drop(self, *, by: Actor) -> None:
        """We do not want to be listed there. Conflict for one that is not open."""
        by.must_be_operator(self.company_id, "write to people outside")
        mine = SubmissionPacket.objects.filter(pk=self.pk, state=self.State.OPEN)
        if not mine.update(state=self.State.DROPPED, updated_at=now()):
            raise Conflict(f"It is {self.get_state_display()}.")
        self.refresh_from_db()
        state = Directory.State.DROPPED
        Directory.objects.filter(pk=self.directory_id).update(state=state)
        audit.record(by, "packet.dropped", self)
        if self.approval is not None and self.approval.is_open:
            self.approval.cancel(by=SYSTEM, note="We do not want to be listed there.")


class Prospect(Scoped):
    """A page that could link to us: a list of resources, or one that names us without a
    link. `contact` is whom to ask."""

    class Kind(models.TextChoices):
        RESOURCE = "resource", _("list of resources")
        MENTION = "mention", _("names us without a link")

    url = models.URLField(max_length=500)
    title = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    contact = models.ForeignKey(
        "marketing.Contact", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    is_on = models.BooleanField(default=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("prospect")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "url"], name="a_prospect_is_there_once"
            )
        ]

    def __str__(self) -> str:
        return self.title or self.url


class Backlink(Scoped):
    """A link to us as its page was read last. Lost is what was missed twice, a day
    apart."""

    class State(models.TextChoices):
        EXPECTED = "expected", _("expected")
        LIVE = "live", _("live")
        NOFOLLOW = "nofollow", _("live, nofollow")
        SPONSORED = "sponsored", _("live, sponsored")
        MISSED = "missed", _("missed once")
        LOST = "lost", _("lost")
        GONE = "page_gone", _("page gone")
        UNREADABLE = "unreadable", _("could not be read")

    source_url = models.URLField(max_length=500)
    target_url = models.URLField(max_length=500)
    state = models.CharField(
        max_length=12, choices=State.choices, default=State.EXPECTED
    )
    rel = models.CharField(max_length=80, blank=True)
    anchor = models.CharField(max_length=200, blank=True)
    dom_path = models.CharField(max_length=500, blank=True)
    is_noindex = models.BooleanField(default=False)
    directory = models.ForeignKey(
        Directory, models.SET_NULL, null=True, related_name="backlinks"
    )
    missed_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("backlink")
        ordering = ["-seen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "source_url", "target_url"],
                name="a_backlink_is_there_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.source_url}: {self.state}"


class BacklinkLookQuerySet(ScopedQuerySet):
    def out_of_use(self, before: datetime) -> Self:
        """Those of before then, but the newest of each link."""
        newer = BacklinkLook.objects.filter(
            backlink=OuterRef("backlink"), created_at__gt=OuterRef("created_at")
        )
        return self.filter(Exists(newer), created_at__lt=before)


class BacklinkLook(Scoped):
    """One look at the page of a backlink."""

    backlink = models.ForeignKey(Backlink, models.CASCADE, related_name="looks")
    state = models.CharField(max_length=12)
    said = models.CharField(max_length=300, blank=True)
    blob = models.ForeignKey(Blob, models.SET_NULL, null=True, related_name="+")

    objects = BacklinkLookQuerySet.as_manager()

    class Meta:
        verbose_name = _("look at a backlink")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.backlink}: {self.state}"
