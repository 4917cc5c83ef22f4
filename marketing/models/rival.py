"""What others write about, and what of it we do not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from marketing.models.blob import Blob
from marketing.models.site import empty_list
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from marketing.models.job import JobRun
    from paperclip.actors import Actor
    from paperclip.models import Company


# No reading of a site takes longer.
A_READING = timedelta(hours=1)
CHAINED = ("title", "description", "h1", "h2", "keywords", "posts", "tech")


class CompetitorQuerySet(ScopedQuerySet):
    @transaction.atomic
    def add(
        self, company: Company, name: str, base_url: str, *, by: Actor, **more: Any
    ) -> Competitor:
        """One more to read. A person says so, as it is a new domain to go to. Invalid
        for what is no address; the same again is the same row."""
        by.must_be_operator(company.pk, "set the site up")
        row, made = self.get_or_create(
            company=company,
            base_url=address_of(base_url),
            defaults={"name": name.strip()[:120] or base_url, **checked(more)},
        )
        if made:
            audit.record(by, "competitor.added", row, address=row.base_url)
        return cast(Competitor, row)


class Competitor(Scoped):
    """`pages` are addresses to read beside those that are found; `selectors` replace
    the first step of a field's chain: {"h1": "main h1", ...}."""

    name = models.CharField(_("name"), max_length=120)
    base_url = models.URLField(_("address"), max_length=300)
    pages = models.JSONField(default=empty_list, blank=True)
    selectors = models.JSONField(default=dict, blank=True)
    is_on = models.BooleanField(_("is read"), default=True)
    status = models.CharField(max_length=12, blank=True)
    said = models.CharField(max_length=300, blank=True)
    # When it was last read; what could not be read since is in `said`.
    read_at = models.DateTimeField(null=True)

    objects = CompetitorQuerySet.as_manager()

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

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Another name, further pages, selectors, or whether it is read at all."""
        by.must_be_operator(self.company_id, "set the site up")
        for name, value in checked(fields).items():
            setattr(self, name, value)
        self.save(update_fields=[*fields, "updated_at"])
        audit.record(by, "competitor.changed", self, fields=sorted(fields))

    def pages_now(self) -> list[PageSnapshot]:
        """The last state of each page that could be read, with its date."""
        rows = self.snapshots.filter(status=PageSnapshot.Status.OK)
        latest = rows.order_by("url", "-last_seen_at").distinct("url")
        return sorted(latest, key=lambda one: one.last_seen_at, reverse=True)

    def source(self) -> str:
        """The address of the feed that it was last read by; empty without one."""
        for one in self.pages_now():
            if one.fields.get("posts", {}).get("step") == "feed":
                return str(one.url)
        return ""


class PageSnapshotQuerySet(ScopedQuerySet):
    def keep(
        self, competitor: Competitor, url: str, body_hash: str, **fields: Any
    ) -> tuple[PageSnapshot, bool]:
        """The row of this state of the page, and whether it is a new one."""
        known: dict[str, Any] = {
            "competitor": competitor,
            "url": url[:500],
            "body_hash": body_hash,
        }
        row, made = self.update_or_create(
            **known, defaults={"company_id": competitor.company_id, **fields}
        )
        return cast(PageSnapshot, row), made

    def out_of_use(self, before: datetime) -> Self:
        """Those last seen before then, but what the last reading of each competitor
        that succeeded has found: it is shown, with its date, for as long as there is
        no newer one."""
        last = F("competitor__read_at") - A_READING
        newest = Q(status=PageSnapshot.Status.OK, last_seen_at__gte=last)
        return self.filter(last_seen_at__lt=before).exclude(newest)


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

    objects = PageSnapshotQuerySet.as_manager()

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

    def seen_again(self, job_run: JobRun, fields: dict[str, Any], at: datetime) -> None:
        """The site says that the page is what it was. When it was last read whole, in
        `updated_at`, stays."""
        self.job_run, self.fields, self.last_seen_at = job_run, fields, at
        self.save(update_fields=["job_run", "fields", "last_seen_at"])

    def before(self) -> PageSnapshot | None:
        """The state that this page was in before, if it could be read."""
        rows = PageSnapshot.objects.filter(
            competitor=self.competitor_id, url=self.url, status=self.Status.OK
        ).exclude(pk=self.pk)
        found: PageSnapshot | None = (
            rows.filter(last_seen_at__lt=self.last_seen_at)
            .order_by("-last_seen_at")
            .first()
        )
        return found

    def changes(self, was: PageSnapshot | None = None) -> list[dict[str, Any]]:
        """What of its fields is another than before: {field, was, now}."""
        was = was or self.before()
        if was is None:
            return []
        old, new = was.fields, self.fields
        return [
            {"field": name, "was": value_of(old, name), "now": value_of(new, name)}
            for name in CHAINED
            if value_of(old, name) != value_of(new, name)
        ]

    def drift(self, was: PageSnapshot | None = None) -> list[str]:
        """Fields that are not there any more, or were found only further down their
        chain: the page is built another way, and a selector may have to be changed."""
        from marketing.crawl.fields import depth

        was = was or self.before()
        if was is None:
            return []
        told = []
        for name in CHAINED:
            old, new = step_of(was.fields, name), step_of(self.fields, name)
            if old and name in self.fields and depth(name, new) > depth(name, old):
                told.append(f"{name}: {new or 'gone'}, before {old}")
        return told


def value_of(fields: dict[str, Any], name: str) -> Any:
    return (fields.get(name) or {}).get("value")


def step_of(fields: dict[str, Any], name: str) -> str | None:
    return (fields.get(name) or {}).get("step")


def address_of(told: str) -> str:
    """As it is kept. Invalid when it is none."""
    try:
        parts = urlsplit(told.strip())
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = None
    if not good or parts.username or len(told) > 300:
        raise Invalid(f"“{told[:100]}” is no address: write https:// and the host.")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path or '/'}"


def checked(fields: dict[str, Any]) -> dict[str, Any]:
    """What may be said of a competitor. Invalid names what is wrong."""
    if strange := set(fields) - {"name", "pages", "selectors", "is_on"}:
        raise Invalid(f"A competitor has no {', '.join(sorted(strange))} to change.")
    for css in fields.get("selectors", {}).items():
        if css[0] not in CHAINED or not isinstance(css[1], str):
            raise Invalid(f"A selector is for one of: {', '.join(CHAINED)}.")
    pages = fields.get("pages", [])
    if not isinstance(pages, list) or not all(isinstance(one, str) for one in pages):
        raise Invalid("Pages are a list of addresses.")
    return fields


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
