"""What people search for, in groups that one page answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from issues.models import Issue
from marketing import clusters
from marketing.models.site import empty_list, problems_of
from marketing.words import squeezed, stem_key, words
from paperclip import audit, live
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from uuid import UUID

    from paperclip.actors import Actor
    from paperclip.models import Company

LONGEST = 200
# The week of a brief as ISO 8601 says it: 2026-W48.
WEEK = "%G-W%V"
# They are compared each with each other.
MOST = 3000
# So many posts of a cluster have to be approved by people before any goes out without.
TRUSTED_AFTER = 10


class KeywordClusterQuerySet(ScopedQuerySet):
    @transaction.atomic
    def regroup(self, company_id: UUID) -> int:
        """Put each keyword into its group, and return how many groups there are. One
        keeps its id while half of its members stay together; one without members goes,
        unless something was made of it."""
        groups = [
            [row for n in group for row in rows[n]]
            for rows, group in Keyword.objects.filter(company=company_id).by_meaning()
        ]
        before: dict[Any, set[Any]] = {}
        for row in (row for group in groups for row in group if row.cluster_id):
            before.setdefault(row.cluster_id, set()).add(row.pk)
        kept = clusters.same_as_before(
            [{row.pk for row in group} for group in groups], before
        )
        for n, group in enumerate(groups):
            cluster_id = kept.get(n)
            if cluster_id is None:
                name = min((row.text for row in group), key=lambda t: (len(t), t))
                cluster_id = self.create(company_id=company_id, name=name).pk
            moved = [row.pk for row in group if row.cluster_id != cluster_id]
            Keyword.objects.filter(pk__in=moved).update(cluster=cluster_id)
        empty = self.filter(company=company_id, keywords=None, briefs=None, posts=None)
        empty.delete()
        return len(groups)


class KeywordCluster(Scoped):
    """Keywords that mean the same to a reader. Its id stays while half of its members
    do."""

    name = models.CharField(max_length=200)
    # After ten approvals by people an operator may let its posts out without.
    auto_approve = models.BooleanField(_("publish without approval"), default=False)
    approvals = models.PositiveIntegerField(default=0)

    objects = KeywordClusterQuerySet.as_manager()

    class Meta:
        verbose_name = _("keyword cluster")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @transaction.atomic
    def publish_unasked(self, on: bool, *, by: Actor) -> None:
        """Let its posts out without an approval, or not. Conflict before people have
        approved ten of them."""
        by.must_be_operator(self.company_id, "set the site up")
        self.refresh_from_db()
        if on and self.approvals < TRUSTED_AFTER:
            raise Conflict(
                f"People have approved {self.approvals} posts of “{self}”; it takes"
                f" {TRUSTED_AFTER} before any goes out without."
            )
        if self.auto_approve != on:
            self.auto_approve = on
            self.save(update_fields=["auto_approve", "updated_at"])
            audit.record(by, "keyword_cluster.changed", self, autoApprove=on)


class KeywordQuerySet(ScopedQuerySet):
    @transaction.atomic
    def enter(
        self, company: Company, text: str, *, by: Actor, **fields: Any
    ) -> tuple[Keyword, bool]:
        """The keyword, and whether it is new: the same text, language, country and
        device are one. Invalid for what has no words, or a field that does not fit;
        Conflict when there are too many."""
        by.must_write(company.pk, "change keywords")
        row = Keyword(company=company, text=squeezed(text).lower(), **fields)
        row.stem_key = stem_key(row.text, row.language)
        place = ("text", "language", "country", "device")
        same = self.filter(company=company, **{one: getattr(row, one) for one in place})
        if (known := same.first()) is not None:
            return known, False
        row.must_fit()
        if self.filter(company=company).count() >= MOST:
            raise Conflict(f"There are {MOST} keywords already: remove some first.")
        row.save(force_insert=True)
        audit.record(by, "keyword.entered", row, text=row.text)
        live.changed(company.pk)
        return row, True

    def by_meaning(self) -> list[tuple[list[list[Keyword]], list[int]]]:
        """Groups of rows that mean the same: for each, the rows by text and the places
        of the group's texts among them. Languages never mix."""
        by_language: dict[str, dict[str, list[Keyword]]] = {}
        for row in self.order_by("text", "pk"):
            texts = by_language.setdefault(row.language, {})
            # The same text for two countries is one text.
            texts.setdefault(row.text, []).append(row)
        return [
            (list(texts.values()), group)
            for language, texts in sorted(by_language.items())
            for group in clusters.grouped(list(texts), language)
        ]


class Keyword(Scoped):
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

    objects = KeywordQuerySet.as_manager()

    class Meta:
        verbose_name = _("keyword")
        ordering = ["text"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "text", "language", "country", "device"],
                name="a_keyword_is_there_once",
            )
        ]

    def __str__(self) -> str:
        return self.text

    def must_fit(self) -> None:
        """Invalid, with what is wrong with each field."""
        if not words(self.text) or len(self.text) > LONGEST:
            raise Invalid(f"A keyword is 1 to {LONGEST} characters with a word in it.")
        problems_of(self, exclude={"company", "cluster", "stem_key"})

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Change `is_tracked`, `target_url`, `engines` or `volume`. Its text is what it
        is: remove it and enter another. Invalid for what does not fit."""
        by.must_write(self.company_id, "change keywords")
        if wrong := set(fields) - {"is_tracked", "target_url", "engines", "volume"}:
            raise Invalid(f"A keyword's {', '.join(sorted(wrong))} cannot be changed.")
        for name, value in fields.items():
            setattr(self, name, value)
        self.must_fit()
        self.save(update_fields=[*fields, "updated_at"])
        audit.record(by, "keyword.changed", self, fields=sorted(fields))
        live.changed(self.company_id)

    @transaction.atomic
    def remove(self, *, by: Actor) -> None:
        """Forget it, with its readings."""
        by.must_write(self.company_id, "change keywords")
        audit.record(by, "keyword.removed", self, text=self.text)
        live.changed(self.company_id)
        self.delete()


class BriefQuerySet(ScopedQuerySet):
    def waiting(self) -> Self:
        """Those of which a post may still be made, or of which a person decides."""
        return self.filter(state__in=(Brief.State.PROPOSED, Brief.State.APPROVED))

    def ready(self) -> Self:
        """Those that may be taken up, the oldest first."""
        return self.filter(state=Brief.State.APPROVED).order_by("created_at")


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

    objects = BriefQuerySet.as_manager()

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

    def approve(self, *, by: Actor) -> None:
        """Let a post be made of it. Conflict unless it was only proposed."""
        self._decide((self.State.PROPOSED,), self.State.APPROVED, by=by)

    def take_up(self) -> bool:
        """Make something of it. False when somebody does already."""
        mine = Brief.objects.filter(pk=self.pk, state=self.State.APPROVED)
        return bool(mine.update(state=self.State.USED))

    def drop(self, *, by: Actor) -> None:
        """Nothing is made of it; its cluster is left alone for a while. Conflict when a
        post was made of it already."""
        open_ones = (self.State.PROPOSED, self.State.APPROVED)
        self._decide(open_ones, self.State.DROPPED, by=by)

    @transaction.atomic
    def _decide(self, takes: tuple[str, ...], state: str, *, by: Actor) -> None:
        by.must_be_operator(self.company_id, "edit a post")
        mine = Brief.objects.filter(pk=self.pk, state__in=takes)
        changed = mine.update(state=state, updated_at=now())
        self.refresh_from_db()
        if not changed and self.state != state:
            raise Conflict(f"The brief is {self.get_state_display()} already.")
        if changed:
            audit.record(by, f"brief.{state}", self, keyword=self.primary)
            live.changed(self.company_id)
