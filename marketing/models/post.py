"""A post on its way from a brief to a page that was seen live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models import Approval
from issues.models import Issue
from marketing.models.keyword import Brief, KeywordCluster
from marketing.models.site import empty_list
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from typing import Self


class PostQuerySet(ScopedQuerySet):
    def live(self) -> Self:
        return self.filter(state__in=Post.ONLINE)

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


class PostVersion(Scoped):
    """One text of a post. `document` is the draft as the model gave it, or as a person
    edited it; `source` the bytes of the file that is committed; `gates` are {rule,
    passed, said} in order."""

    post = models.ForeignKey(Post, models.CASCADE, related_name="versions")
    number = models.PositiveSmallIntegerField()
    document = models.JSONField()
    source = models.TextField(blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    gates = models.JSONField(default=empty_list)
    by_name = models.CharField(max_length=150)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("version of a post")
        ordering = ["post", "-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["post", "number"], name="versions_have_numbers"
            )
        ]

    def __str__(self) -> str:
        return f"{self.post} {self.number}"

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [gate for gate in self.gates if not gate["passed"]]
