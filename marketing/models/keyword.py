"""What people search for, in groups that one page answers."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from issues.models import Issue
from marketing.models.managed import Managed
from marketing.models.site import empty_list
from marketing.words import stem_key
from paperclip.models import Scoped, ScopedQuerySet


class KeywordCluster(Scoped):
    """Keywords that mean the same to a reader. Its id stays while half of its members
    do."""

    name = models.CharField(max_length=200)
    # After ten approvals by people an operator may let its posts out without.
    auto_approve = models.BooleanField(_("publish without approval"), default=False)
    approvals = models.PositiveIntegerField(default=0)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("keyword cluster")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Keyword(Managed):
    class Device(models.TextChoices):
        DESKTOP = "desktop", _("desktop")
        MOBILE = "mobile", _("mobile")

    text = models.CharField(_("keyword"), max_length=200)
    # The stems of its words, sorted: what makes two of them one.
    stem_key = models.CharField(max_length=200, editable=False)
    language = models.CharField(max_length=8, default="en")
    country = models.CharField(max_length=2, default="PT")
    device = models.CharField(
        max_length=8, choices=Device.choices, default=Device.DESKTOP
    )
    engines = models.JSONField(default=empty_list, blank=True)
    target_url = models.URLField(max_length=300, blank=True)
    is_tracked = models.BooleanField(_("rank is watched"), default=True)
    source = models.CharField(max_length=16, default="operator")
    volume = models.PositiveIntegerField(null=True, blank=True)
    cluster = models.ForeignKey(
        KeywordCluster,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="keywords",
    )

    TAKES = "change keywords"

    class Meta:
        verbose_name = _("keyword")
        ordering = ["text"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "text", "language", "country", "device"],
                name="a_keyword_is_there_once",
            )
        ]

    def prepare(self) -> None:
        self.text = " ".join(self.text.lower().split())
        self.stem_key = stem_key(self.text, self.language)

    def __str__(self) -> str:
        return self.text


class Brief(Scoped):
    """What a post is to be about. `facts` are {id, text, source_url}: nothing else may
    be claimed in it; `links` the ids of posts that it may link to."""

    class Kind(models.TextChoices):
        NEW = "new", _("new post")
        UPDATE = "update", _("update of a page")

    class State(models.TextChoices):
        PROPOSED = "proposed", _("proposed")
        APPROVED = "approved", _("approved")
        USED = "used", _("used")
        DROPPED = "dropped", _("dropped")

    cluster = models.ForeignKey(KeywordCluster, models.CASCADE, related_name="briefs")
    # As ISO 8601 says it: 2026-W48.
    week = models.CharField(max_length=8)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.NEW)
    state = models.CharField(
        max_length=8, choices=State.choices, default=State.PROPOSED
    )
    primary = models.CharField(_("keyword"), max_length=200)
    secondary = models.JSONField(default=empty_list, blank=True)
    intent = models.CharField(max_length=16, default="informational")
    language = models.CharField(max_length=8, default="en")
    target_url = models.URLField(max_length=300, blank=True)
    facts = models.JSONField(default=empty_list, blank=True)
    links = models.JSONField(default=empty_list, blank=True)
    score = models.FloatField(default=0)
    # Why it is worth it, for people.
    why = models.TextField(blank=True)
    issue = models.ForeignKey(Issue, models.SET_NULL, null=True, related_name="+")

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("brief")
        ordering = ["-score", "created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "week"], name="one_brief_per_cluster_and_week"
            )
        ]

    def __str__(self) -> str:
        return self.primary
