"""What agents say is done, and what became of it: the queue of the checkers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from paperclip import live
from paperclip.models import Company, Instance, Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

# A check whose worker is lost is tried again, so often in all.
TRIES = 3
# How long a doorbell may take before it is rung again.
PATIENCE = timedelta(seconds=2)


class ClaimQuerySet(ScopedQuerySet):
    def open(self) -> Self:
        """Those nobody has an answer to yet."""
        return self.filter(status__in=Claim.OPEN)

    def proven(self) -> Self:
        return self.filter(status=Claim.Status.VERIFIED)

    def last_words(self) -> Self:
        """Of each issue the last time that an agent called it done."""
        rows = self.exclude(agent=None).order_by("issue_id", "-created_at")
        return rows.distinct("issue_id")

    def live(self) -> Self:
        """Those that somebody is looking at now."""
        return self.filter(status=Claim.Status.CHECKING, lease_expires_at__gt=now())

    def due(self) -> Self:
        """Those that may be looked at: their company is at work. None while everything
        is stopped."""
        if Instance.objects.is_stopped():
            return self.none()
        return self.filter(
            status=Claim.Status.PENDING, company__status=Company.Status.ACTIVE
        )

    @transaction.atomic
    def take(
        self, host: str, most: int, without: Collection[UUID] = ()
    ) -> Claim | None:
        """The next one, to be looked at here; None when there is none, or when `most`
        are looked at here already. Of many callers each gets another one."""
        if self.live().filter(host=host).count() >= most:
            return None
        rows = self.due().select_for_update(skip_locked=True, no_key=True, of=["self"])
        left = rows.exclude(pk__in=without).select_related("issue")
        claim: Claim | None = left.order_by("created_at").first()
        if claim is None:
            return None
        claim.status, claim.host = Claim.Status.CHECKING, host
        claim.tries += 1
        claim.lease_expires_at, claim.progress = lease_end(), ""
        claim.began_at = now()
        claim.save()
        live.changed(claim.company_id)
        return claim

    def put_back_lost(self) -> int:
        """Those whose worker is gone wait again; how many."""
        lost = self.filter(status=Claim.Status.CHECKING, lease_expires_at__lte=now())
        return lost.update(
            status=Claim.Status.PENDING, lease_expires_at=None, updated_at=now()
        )

    def unrung(self) -> Self:
        late = now() - PATIENCE
        return self.due().filter(Q(rung_at=None) | Q(rung_at__lte=late))


def lease_end() -> datetime:
    return now() + timedelta(seconds=settings.CHECK_LEASE_SECONDS)


class Claim(Scoped):
    """An agent says that an issue is done. One row for each time, with the one answer
    it got: verified, refused, not to be told (a person decides), or, where there is
    nothing to check, unverified until somebody accepts it."""

    class Status(models.TextChoices):
        PENDING = "pending", _("waits for its check")
        CHECKING = "checking", _("is checked")
        VERIFIED = "verified", _("verified")
        REFUSED = "refused", _("refused")
        UNABLE = "unable", _("a person decides")
        UNVERIFIED = "unverified", _("claimed, unverified")
        ACCEPTED = "accepted", _("accepted")
        WITHDRAWN = "withdrawn", _("withdrawn")

    OPEN = (Status.PENDING, Status.CHECKING)
    # Somebody else than its agent says so: the control plane, a reviewer or a person.
    GOOD = (Status.VERIFIED, Status.ACCEPTED)

    issue = models.ForeignKey("issues.Issue", models.CASCADE, related_name="claims")
    # Whose work it is. Null: a person asked for the check.
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True, related_name="claims")
    run_id = models.UUIDField(null=True)
    status = models.CharField(max_length=16, choices=Status.choices)
    # What it names as proof: [{type, ref}].
    evidence = models.JSONField(default=list)
    said = models.TextField(blank=True)
    accepted_by = models.CharField(max_length=150, blank=True)
    # The check under way: which attempt at it, whose, how far.
    tries = models.PositiveSmallIntegerField(default=0)
    host = models.CharField(max_length=120, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    rung_at = models.DateTimeField(null=True)
    began_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    progress = models.CharField(max_length=300, blank=True)

    objects = ClaimQuerySet.as_manager()

    class Meta:
        verbose_name = _("claim")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["issue"],
                condition=Q(status__in=("pending", "checking")),
                name="one_open_claim_per_issue",
            ),
            models.CheckConstraint(
                condition=~Q(status="checking") | Q(lease_expires_at__isnull=False),
                name="a_check_has_a_lease",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=("pending", "checking")),
                name="claims_open",
            ),
            models.Index(fields=["issue", "-created_at"], name="claims_of_issue"),
            models.Index(fields=["agent", "-created_at"], name="claims_of_agent"),
        ]

    def __str__(self) -> str:
        return f"{self.issue.identifier}: {self.get_status_display()}"

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def is_good(self) -> bool:
        return self.status in self.GOOD

    def named(self, kind: str) -> list[str]:
        """What it names of one kind, such as the ids of messages."""
        return [one["ref"] for one in self.evidence if one.get("type") == kind]

    # --- while it is checked -----------------------------------------------------

    @property
    def _mine(self) -> ClaimQuerySet:
        """The row, as long as this very attempt holds it."""
        return Claim.objects.live().filter(pk=self.pk, tries=self.tries)

    def renew(self, progress: str | None = None) -> bool:
        """Hold the lease a little longer, and say how far it is. False when it is
        somebody else's by now, or nobody's."""
        told = {} if progress is None else {"progress": progress[:300]}
        held = self._mine.update(lease_expires_at=lease_end(), **told)
        if held and told:
            live.bump(self.company_id)
        return bool(held)

    def put_back(self) -> None:
        """Let it wait again through nobody's fault: this try does not count."""
        self._mine.update(
            status=self.Status.PENDING,
            tries=F("tries") - 1,
            lease_expires_at=None,
            updated_at=now(),
        )

    def take_over(self, agent: Agent, run_id: UUID | None, named: Any) -> None:
        """Let the open check be that of an agent's claim. Begun for a person, or for
        other proof, it begins anew."""
        if self.agent_id == agent.pk and named in ([], self.evidence):
            return
        self.agent, self.run_id, self.evidence = agent, run_id, named
        self.status, self.lease_expires_at = self.Status.PENDING, None
        self.save()

    def hold(self) -> bool:
        """Keep the row until the commit; whether this attempt still has it."""
        rows: Any = self._mine.select_for_update(no_key=True)
        return bool(rows.values_list("pk", flat=True))

    def decide(self, status: str, said: str = "", *, by: str = "") -> None:
        """The answer it got. The caller holds its issue's row."""
        self.status, self.said, self.accepted_by = status, said, by[:150]
        self.decided_at, self.lease_expires_at, self.progress = now(), None, ""
        self.save()
        live.changed(self.company_id)

    @classmethod
    def open_of(cls, issue_id: UUID) -> Claim | None:
        rows = cls.objects.open().select_for_update(no_key=True)
        found: Claim | None = rows.filter(issue_id=issue_id).first()
        return found
