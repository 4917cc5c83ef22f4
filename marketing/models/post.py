"""A post on its way from a brief to a page that was seen live."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from uuid import uuid4

from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Approval
from issues.models import Issue
from marketing.models.effect import Effect
from marketing.models.keyword import Brief, KeywordCluster
from marketing.models.site import Site, empty_list
from marketing.models.version import PostVersion
from paperclip import audit, live
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from typing import Self

    from marketing.draft import Draft
    from paperclip.actors import Actor

# The effect that takes a post offline; its key is the post's.
UNPUBLISH = "unpublish"
DAY = timedelta(days=1)


class PostQuerySet(ScopedQuerySet):
    def live(self) -> Self:
        return self.filter(state__in=Post.ONLINE)

    def pushed_lately(self, at: datetime) -> Self:
        """Those that were published in the 24 hours before."""
        return self.filter(pushed_at__gt=at - DAY)

    def under_way(self) -> Self:
        """Those a tick may bring further."""
        return self.exclude(state__in=[*Post.ONLINE[1:], *Post.OVER])


class Post(Scoped):
    class State(models.TextChoices):
        BRIEF = "brief", _("brief")
        DRAFTED = "drafted", _("drafted")
        GATED = "gated", _("passed the gates")
        AWAITING = "awaiting_approval", _("waits for approval")
        APPROVED = "approved", _("approved")
        COMMITTED = "committed", _("committed")
        PUSHED = "pushed", _("pushed")
        REQUESTED = "deploy_requested", _("deployment asked for")
        LIVE = "live", _("live")
        ANNOUNCED = "announced", _("live and announced")
        UNVERIFIED = "unverified", _("pushed, not seen live")
        REJECTED = "rejected", _("rejected")
        REFUTED = "refuted", _("deployment failed")
        UNPUBLISHED = "unpublished", _("taken offline")

    ONLINE = (State.LIVE, State.ANNOUNCED)
    OVER = (State.REJECTED, State.REFUTED, State.UNPUBLISHED)
    # Nothing of it has left the building.
    INSIDE = (
        *(State.BRIEF, State.DRAFTED, State.GATED, State.AWAITING, State.APPROVED),
    )
    # A commit of it is in the repository.
    OUTSIDE = (
        *(State.PUSHED, State.REQUESTED, State.LIVE, State.ANNOUNCED),
        *(State.UNVERIFIED, State.REFUTED),
    )
    EDITABLE = (*INSIDE[1:], State.REJECTED)

    brief = models.ForeignKey(Brief, models.SET_NULL, null=True, related_name="posts")
    cluster = models.ForeignKey(
        KeywordCluster, models.SET_NULL, null=True, related_name="posts"
    )
    # In the front matter, the trailer of the commit and the page: what makes it ours.
    key = models.UUIDField(default=uuid4, unique=True, editable=False)
    keyword = models.CharField(_("keyword"), max_length=200)
    slug = models.CharField(max_length=120)
    title = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=8, default="en")
    state = models.CharField(max_length=20, choices=State.choices, default=State.BRIEF)
    state_since = models.DateTimeField(auto_now_add=True)
    reasons = models.JSONField(default=empty_list)
    path = models.CharField(max_length=300, blank=True)
    url = models.URLField(max_length=500, blank=True)
    approval = models.ForeignKey(Approval, models.SET_NULL, null=True, related_name="+")
    issue = models.ForeignKey(Issue, models.SET_NULL, null=True, related_name="+")
    # The version that was approved, and so the only one that may go out.
    approved_sha256 = models.CharField(max_length=64, blank=True)
    commit = models.CharField(max_length=40, blank=True)
    blob = models.CharField(max_length=40, blank=True)
    hook_job = models.CharField(max_length=100, blank=True)
    deployment = models.CharField(max_length=100, blank=True)
    deployment_state = models.CharField(max_length=16, blank=True)
    pushed_at = models.DateTimeField(null=True)
    live_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)

    objects = PostQuerySet.as_manager()

    class Meta:
        verbose_name = _("post")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "slug"], name="a_slug_is_taken_once"
            ),
            models.UniqueConstraint(
                fields=["company", "keyword"],
                condition=~Q(state__in=("rejected", "refuted", "unpublished")),
                name="one_post_per_keyword",
            ),
        ]
        indexes = [models.Index(fields=["company", "state"], name="posts_by_state")]

    def __str__(self) -> str:
        return self.title or self.keyword

    @property
    def version(self) -> PostVersion | None:
        """The newest one."""
        found: PostVersion | None = self.versions.order_by("-number").first()
        return found

    def targets(self) -> dict[str, str]:
        """The live posts that it may link to, by their ids: their addresses."""
        rows = Post.objects.filter(company=self.company_id, language=self.language)
        live_ones = rows.live().exclude(pk=self.pk).exclude(url="")
        return {str(pk): url for pk, url in live_ones.values_list("pk", "url")}

    # --- its states -----------------------------------------------------------------

    @transaction.atomic
    def move(
        self,
        before: Collection[str],
        state: str,
        *,
        by: Actor,
        at: datetime,
        **columns: Any,
    ) -> bool:
        """From one of these states into another. False when it is in none of them, or
        something else was approved since it was read: then nothing is changed."""
        mine = Post.objects.filter(
            pk=self.pk, state__in=before, approved_sha256=self.approved_sha256
        )
        columns |= {"state": state, "updated_at": now()}
        if state != self.state:
            columns["state_since"] = at
        if not mine.update(**columns):
            return False
        was = self.state
        self.refresh_from_db()
        if was != state:
            audit.record(by, f"post.{state}", self, title=str(self))
        live.changed(self.company_id)
        return True

    def reject(self, reasons: list[str], *, by: Actor, at: datetime) -> bool:
        """It does not go out, and says why. Its slug is free again."""
        columns = {"reasons": reasons, "slug": str(self.key)}
        return self.move(self.INSIDE, self.State.REJECTED, by=by, at=at, **columns)

    def drafted(self, draft: Draft, site: Site, name: str, at: datetime) -> PostVersion:
        """The next version of it, not saved: the file as it would be committed."""
        from marketing import render

        before = self.version
        number = before.number + 1 if before else 1
        if self.path == "" or self.state == self.State.REJECTED:
            self.slug = draft.clean_slug or str(self.key)
        self.title, self.path = draft.title, site.post_path.replace("{slug}", self.slug)
        self.url = urljoin(site.base_url, site.post_url.replace("{slug}", self.slug))
        secondary = self.brief.secondary if self.brief else []
        place = render.Place(
            site=site,
            key=self.key,
            slug=self.slug,
            url=self.url,
            language=self.language,
            at=at,
            keywords=(self.keyword, *secondary),
            targets=self.targets(),
        )
        source = render.render(draft, place)
        return PostVersion(
            company_id=self.company_id,
            post=self,
            number=number,
            document=draft.model_dump(),
            source=source,
            sha256=render.sha256(source),
            by_name=name[:150],
        )

    @transaction.atomic
    def take(
        self,
        version: PostVersion,
        before: Collection[str],
        state: str,
        *,
        by: Actor,
        at: datetime,
    ) -> bool:
        """Make this its newest version. False when it is not in one of these states.
        Conflict when its slug or keyword is another post's by now, or it has another
        version."""
        named = {name: getattr(self, name) for name in ("slug", "title", "path", "url")}
        try:
            with transaction.atomic():
                moved = self.move(
                    before, state, by=by, at=at, reasons=[], approved_sha256="", **named
                )
                if moved:
                    version.save(force_insert=True)
        except IntegrityError as error:
            self.refresh_from_db()
            if "versions_have_numbers" in str(error):
                raise Conflict("It was edited meanwhile: look at it again.") from None
            raise Conflict(
                f"“{named['slug']}” or “{self.keyword}” is another post's.",
                code="slug_taken",
            ) from None
        return moved

    # --- what people do with it ------------------------------------------------------

    def edit(self, document: Any, *, by: Actor) -> PostVersion:
        """Another text: it goes through the gates again, and whatever was approved of
        it before counts no more. A rejected one comes back by it.

        Invalid, with what each gate says, for a text that does not pass: then nothing
        is changed. Conflict for a post that is being published, or was.
        """
        from marketing import gates, publications
        from marketing.draft import Draft

        by.must_be_operator(self.company_id, "edit a post")
        self.refresh_from_db()
        self.must_be_editable()
        draft, at = Draft.of(document), now()
        site = Site.objects.of(self.company_id)
        version = self.drafted(draft, site, by.name, at)
        version.gates = gates.run(gates.Subject(site, self, draft, version.source, at))
        # How many were published today is no fault of a text.
        if wrong := [one for one in version.failed if one["rule"] != gates.QUOTA]:
            said = {one["rule"]: one["said"] for one in wrong}
            text = " ".join(said.values())
            raise Invalid(f"It does not pass the gates: {text}", **said)
        with transaction.atomic():
            old = self.approval
            state = self.State.AWAITING
            if not self.take(version, self.EDITABLE, state, by=by, at=at):
                self.refresh_from_db()
                self.must_be_editable()
                raise Conflict("It was changed meanwhile: look at it again.")
            if old is not None and old.is_open:
                old.cancel(by=SYSTEM, note="It was edited.")
            publications.ask(self, version, at=at)
            audit.record(by, "post.edited", self, sha256=version.sha256)
        return version

    def must_be_editable(self) -> None:
        if self.state not in self.EDITABLE:
            raise Conflict(f"It is {self.get_state_display()}: it cannot be edited.")

    @transaction.atomic
    def unpublish(self, *, by: Actor) -> None:
        """Take it offline by a commit that takes it back, at once. Conflict for a post
        of which nothing was published."""
        from marketing import publications

        by.must_be_operator(self.company_id, "edit a post")
        self.refresh_from_db()
        if self.state not in self.OUTSIDE:
            raise Conflict(f"It is {self.get_state_display()}: it is not online.")
        Effect.objects.get_or_create(
            company_id=self.company_id, kind=UNPUBLISH, key=str(self.key)
        )
        audit.record(by, "post.unpublish_asked", self, title=str(self))
        publications.hurry(self, by=by)
