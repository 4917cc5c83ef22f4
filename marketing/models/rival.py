"""What others write about, and what of it we do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from issues.models import Issue
from marketing.models.blob import Blob
from marketing.models.managed import Managed
from marketing.models.site import empty_list
from paperclip import audit
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor


class Competitor(Managed):
    """`pages` are addresses to read beside those that are found; `selectors` replace
    the first step of a field's chain: {"h1": "main h1", ...}."""

    name = models.CharField(_("name"), max_length=120)
    base_url = models.URLField(_("address"), max_length=300)
    pages = models.JSONField(default=empty_list, blank=True)
    selectors = models.JSONField(default=dict, blank=True)
    is_on = models.BooleanField(_("is read"), default=True)
    status = models.CharField(max_length=12, blank=True)
    said = models.CharField(max_length=300, blank=True)
    read_at = models.DateTimeField(null=True)

    TAKES = "change keywords"

    class Meta:
        verbose_name = _("competitor")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "base_url"], name="a_competitor_is_there_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PageSnapshot(Scoped):
    """One state of one page of a competitor. `fields`: {name: {value, step, reason}};
    a value that is not there is null, with the reason. The next look at the same bytes
    moves `last_seen_at`."""

    class Status(models.TextChoices):
        OK = "ok", _("read")
        BLOCKED = "blocked", _("blocked")
        SKIPPED = "skipped", _("skipped")
        FAILED = "failed", _("failed")

    class How(models.TextChoices):
        BROWSER = "browser", _("browser")
        STATIC = "static", _("without a browser")

    competitor = models.ForeignKey(Competitor, models.CASCADE, related_name="snapshots")
    job_run = models.ForeignKey(
        "marketing.JobRun", models.SET_NULL, null=True, related_name="+"
    )
    url = models.URLField(max_length=500)
    body_hash = models.CharField(max_length=64)
    blob = models.ForeignKey(Blob, models.SET_NULL, null=True, related_name="+")
    status = models.CharField(max_length=8, choices=Status.choices)
    http_status = models.PositiveSmallIntegerField(null=True)
    how = models.CharField(max_length=8, choices=How.choices, blank=True)
    said = models.CharField(max_length=300, blank=True)
    headers = models.JSONField(default=dict)
    fields = models.JSONField(default=dict)
    text = models.TextField(blank=True)
    seconds = models.FloatField(null=True)
    megabytes = models.FloatField(null=True)
    last_seen_at = models.DateTimeField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("snapshot of a page")
        ordering = ["-last_seen_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["competitor", "url", "body_hash"],
                name="one_snapshot_per_state_of_a_page",
            )
        ]

    def __str__(self) -> str:
        return f"{self.url} ({self.status})"


class ObservedTerm(Scoped):
    """A term that a competitor uses. `weight` is that of the best place it was in."""

    competitor = models.ForeignKey(Competitor, models.CASCADE, related_name="terms")
    term = models.CharField(max_length=200)
    stem_key = models.CharField(max_length=200)
    weight = models.FloatField()
    place = models.CharField(max_length=16)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("observed term")
        constraints = [
            models.UniqueConstraint(
                fields=["competitor", "stem_key"], name="a_term_is_observed_once"
            )
        ]

    def __str__(self) -> str:
        return self.term


class KeywordGap(Scoped):
    """A term of theirs that is none of ours. `components` are the parts of the score,
    `titles` suggestions for a post."""

    class Class(models.TextChoices):
        MISSING = "missing", _("missing")
        UNTAPPED = "untapped", _("untapped")
        WEAK = "weak", _("weak")

    class Priority(models.TextChoices):
        HIGH = "high", _("high")
        MEDIUM = "medium", _("medium")
        LOW = "low", _("low")

    term = models.CharField(max_length=200)
    stem_key = models.CharField(max_length=200)
    score = models.FloatField()
    components = models.JSONField(default=dict)
    kind = models.CharField(max_length=8, choices=Class.choices)
    priority = models.CharField(max_length=8, choices=Priority.choices)
    titles = models.JSONField(default=empty_list)
    rivals = models.JSONField(default=empty_list)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    is_dismissed = models.BooleanField(default=False)
    issue = models.ForeignKey(Issue, models.SET_NULL, null=True, related_name="+")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("keyword gap")
        ordering = ["-score", "term"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "stem_key"], name="a_gap_is_there_once"
            )
        ]

    def __str__(self) -> str:
        return self.term

    @transaction.atomic
    def dismiss(self, dismissed: bool, *, by: Actor) -> None:
        """Put it aside, or take it back: no brief is made of it meanwhile."""
        by.must_be_operator(self.company_id, "change keywords")
        mine = KeywordGap.objects.filter(pk=self.pk, is_dismissed=not dismissed)
        if mine.update(is_dismissed=dismissed, updated_at=now()):
            act = "gap.dismissed" if dismissed else "gap.restored"
            audit.record(by, act, self, term=self.term)
        self.refresh_from_db()
