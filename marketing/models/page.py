"""The pages of our own site, and what search engines were told of them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from uuid import UUID

# A host that says "too many" and not for how long is left alone so long, then twice as
# long, and so on up to a day.
FIRST_REST, LONGEST_REST = timedelta(hours=1), timedelta(hours=24)


def gone_hash(content_hash: str) -> str:
    """The state of a page that was this and is no more."""
    return hashlib.sha256(f"gone\n{content_hash}".encode()).hexdigest()


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


class IndexNowSubmissionQuerySet(ScopedQuerySet):
    def pending(self) -> Self:
        return self.filter(state=IndexNowSubmission.State.PENDING)

    @transaction.atomic
    def queue(self, company_id: UUID, host: str, url: str, content_hash: str) -> bool:
        """Let the next run tell this state of the page. False when it was told (or
        refused) already. An earlier state that nobody was told of is forgotten."""
        mine = self.filter(company=company_id, host=host, url=url)
        mine.pending().exclude(content_hash=content_hash).delete()
        row, _made = self.get_or_create(
            company_id=company_id, host=host, url=url, content_hash=content_hash
        )
        return bool(row.state == IndexNowSubmission.State.PENDING)

    def was_told(self, company_id: UUID, url: str, content_hash: str) -> bool:
        """Whether this state of the page needs no telling any more."""
        rows = self.filter(company=company_id, url=url, content_hash=content_hash)
        return rows.exclude(state=IndexNowSubmission.State.PENDING).exists()


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

    objects = IndexNowSubmissionQuerySet.as_manager()

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


class HostCircuitQuerySet(ScopedQuerySet):
    def closed(
        self, company_id: UUID, host: str, job: str, at: datetime
    ) -> HostCircuit | None:
        """What keeps the job away from the host at this moment; None: nothing."""
        rows = self.filter(company=company_id, host=host, job=job, until__gt=at)
        found: HostCircuit | None = rows.first()
        return found

    @transaction.atomic
    def close(
        self,
        company_id: UUID,
        host: str,
        job: str,
        *,
        at: datetime,
        why: str,
        rest: timedelta | None = None,
    ) -> HostCircuit:
        """Leave the host alone for `rest`; without one for an hour, and twice as long
        each time until it answers well again. A day at most."""
        mine: dict[str, Any] = {"company_id": company_id, "host": host, "job": job}
        row, _made = self.select_for_update().get_or_create(**mine)
        doubled: timedelta = FIRST_REST * 2 ** min(row.failures, 10)
        row.until = at + min(rest or doubled, LONGEST_REST)
        row.failures, row.why = row.failures + 1, why[:300]
        row.save()
        closed: HostCircuit = row
        return closed

    def open(self, company_id: UUID, host: str, job: str) -> None:
        """It answers well: the next trouble is the first again."""
        mine = self.filter(company=company_id, host=host, job=job)
        mine.update(until=None, failures=0, why="")


class HostCircuit(Scoped):
    """A host that asked to be left alone by a job, and until when."""

    host = models.CharField(max_length=253)
    job = models.CharField(max_length=12)
    until = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)
    why = models.CharField(max_length=300, blank=True)

    objects = HostCircuitQuerySet.as_manager()

    class Meta:
        verbose_name = _("closed host")
        constraints = [
            models.UniqueConstraint(
                fields=["company", "host", "job"], name="one_circuit_per_host"
            )
        ]

    def __str__(self) -> str:
        return f"{self.host} until {self.until}"
