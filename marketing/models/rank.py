"""Where we are found. A position is null unless it was measured, and nothing is carried
forward."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from marketing.models.blob import Blob
from marketing.models.keyword import Keyword
from marketing.models.site import empty_list
from paperclip.models import Scoped, ScopedQuerySet


class RankReadingQuerySet(ScopedQuerySet):
    def out_of_use(self, before: datetime) -> Self:
        """Those of a day before then, but the newest of each keyword and metric."""
        newer = RankReading.objects.filter(
            keyword=OuterRef("keyword"),
            metric=OuterRef("metric"),
            day__gt=OuterRef("day"),
        )
        return self.filter(Exists(newer), day__lt=before.date())


class RankReading(Scoped):
    """One measurement. The three metrics are never in one series. `day` is the day the
    data are of; a vendor's are of the moment of their tick, in `tick_at`."""

    class Metric(models.TextChoices):
        GSC = "gsc_avg_position", _("average position (Search Console)")
        BING = "bing_avg_position", _("average position (Bing)")
        SERP = "serp_rank", _("rank on the result page")

    class Status(models.TextChoices):
        RANKED = "ranked", _("ranked")
        NOT_FOUND = "not_found", _("not among the first")
        NO_DATA = "no_data", _("no data")
        ERROR = "error", _("error")
        BLOCKED = "blocked", _("blocked")
        SKIPPED = "skipped_budget", _("budget spent")

    keyword = models.ForeignKey(Keyword, models.CASCADE, related_name="readings")
    engine = models.CharField(max_length=8)
    country = models.CharField(max_length=2)
    device = models.CharField(max_length=8)
    metric = models.CharField(max_length=20, choices=Metric.choices)
    day = models.DateField()
    tick_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=16, choices=Status.choices)
    position = models.FloatField(null=True)
    url = models.URLField(max_length=500, blank=True)
    # Further addresses of ours on the same page: they compete with each other.
    also = models.JSONField(default=empty_list)
    depth = models.PositiveSmallIntegerField(null=True)
    clicks = models.PositiveIntegerField(null=True)
    impressions = models.PositiveIntegerField(null=True)
    provider = models.CharField(max_length=16)
    request_id = models.CharField(max_length=100, blank=True)
    is_final = models.BooleanField(default=True)
    revisions = models.JSONField(default=empty_list)
    said = models.CharField(max_length=300, blank=True)
    blob = models.ForeignKey(Blob, models.SET_NULL, null=True, related_name="+")
    job_run = models.ForeignKey(
        "marketing.JobRun", models.SET_NULL, null=True, related_name="+"
    )

    objects = RankReadingQuerySet.as_manager()

    class Meta:
        verbose_name = _("rank reading")
        ordering = ["-day", "-tick_at"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "keyword",
                    "engine",
                    "country",
                    "device",
                    "metric",
                    "day",
                    "tick_at",
                ],
                nulls_distinct=False,
                name="one_reading_per_day_or_tick",
            ),
            models.CheckConstraint(
                condition=Q(status="ranked", position__isnull=False)
                | (~Q(status="ranked") & Q(position__isnull=True)),
                name="only_the_ranked_have_a_position",
            ),
        ]
        indexes = [models.Index(fields=["keyword", "metric", "day"], name="ranks_of")]

    def __str__(self) -> str:
        return f"{self.keyword} {self.engine}: {self.position or self.status}"


class RankAlert(Scoped):
    """A change that two looks in a row have confirmed."""

    keyword = models.ForeignKey(Keyword, models.CASCADE, related_name="alerts")
    metric = models.CharField(max_length=20)
    kind = models.CharField(max_length=24)
    said = models.CharField(max_length=300)
    day = models.DateField()
    job_run = models.ForeignKey(
        "marketing.JobRun", models.SET_NULL, null=True, related_name="+"
    )

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("rank alert")
        ordering = ["-day"]
        constraints = [
            models.UniqueConstraint(
                fields=["keyword", "metric", "kind", "day"], name="one_alert_per_change"
            )
        ]

    def __str__(self) -> str:
        return self.said


class ProviderSpend(Scoped):
    """What a paid vendor has cost in a month, in millionths of a dollar."""

    provider = models.CharField(max_length=16)
    month = models.DateField()
    micros = models.PositiveBigIntegerField(default=0)
    requests = models.PositiveIntegerField(default=0)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("spend at a vendor")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "provider", "month"], name="one_sum_per_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.month:%Y-%m}"
