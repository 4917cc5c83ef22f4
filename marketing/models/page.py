"""The pages of our own site, and what search engines were told of them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from paperclip.models import Scoped, ScopedQuerySet


class OwnPage(Scoped):
    """A page of ours as it was read last. `content_hash` is of its main text: another
    date alone does not make it another page."""

    url = models.URLField(max_length=500)
    content_hash = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True)
    language = models.CharField(max_length=8, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    lastmod = models.CharField(max_length=40, blank=True)
    etag = models.CharField(max_length=200, blank=True)
    was_live = models.BooleanField(default=False)
    # Written by hand, unless the blog publisher made it.
    by_hand = models.BooleanField(default=True)
    read_at = models.DateTimeField(null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("page of ours")
        ordering = ["url"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "url"], name="one_row_per_own_page"
            )
        ]

    def __str__(self) -> str:
        return self.url


class IndexNowSubmission(Scoped):
    """One state of one page, told to IndexNow. Accepted is not crawled, and crawled is
    not indexed."""

    class State(models.TextChoices):
        PENDING = "pending", _("to be sent")
        ACCEPTED = "accepted", _("accepted by the IndexNow endpoint")
        KEY_PENDING = "accepted_key_pending", _("accepted, key not validated yet")
        REJECTED = "rejected", _("rejected")
        QUARANTINED = "quarantined", _("never sent again")

    host = models.CharField(max_length=253)
    url = models.URLField(max_length=500)
    content_hash = models.CharField(max_length=64)
    state = models.CharField(
        max_length=24, choices=State.choices, default=State.PENDING
    )
    batch = models.UUIDField(null=True)
    code = models.PositiveSmallIntegerField(null=True)
    said = models.CharField(max_length=300, blank=True)
    payload_sha256 = models.CharField(max_length=64, blank=True)
    response_sha256 = models.CharField(max_length=64, blank=True)
    sent_at = models.DateTimeField(null=True)
    job_run = models.ForeignKey(
        "marketing.JobRun", models.SET_NULL, null=True, related_name="+"
    )

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("IndexNow submission")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "host", "url", "content_hash"],
                name="a_state_of_a_page_is_told_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.url}: {self.state}"


class HostCircuit(Scoped):
    """A host that asked to be left alone by a job, and until when."""

    host = models.CharField(max_length=253)
    job = models.CharField(max_length=12)
    until = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    why = models.CharField(max_length=300, blank=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("closed host")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "host", "job"], name="one_circuit_per_host"
            )
        ]

    def __str__(self) -> str:
        return f"{self.host} until {self.until}"
