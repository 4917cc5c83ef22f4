from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.decisions import EFFECTS, carry_out
from agents.models.agent import Agent
from agents.models.approval_base import ApprovalBase
from agents.models.notice import ApprovalEvent
from agents.models.run import Run
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import BadRequest, Invalid, NotAllowed
from paperclip.models import ScopedQuerySet

if TYPE_CHECKING:
    from collections.abc import Collection

    from paperclip.models import Company

# How long somebody has to decide, and how long what was allowed may then be done.
EXPIRES_AFTER = timedelta(days=7)
LATEST = timedelta(days=90)


class ApprovalQuerySet(ScopedQuerySet):
    def open(self) -> Self:
        """Those somebody has to decide, now or when they were revised."""
        return self.filter(status__in=Approval.OPEN)

    def due(self, at: datetime) -> Self:
        return self.open().filter(expires_at__lte=at)

    def use(self) -> Approval | None:
        """One of them that allows an effect, used up now: of two that use it at once
        one gets it. Only lately approved ones do."""
        good = self.filter(
            status="approved", used_at=None, decided_at__gt=now() - EXPIRES_AFTER
        )
        for approval in good:
            mine = Approval.objects.filter(pk=approval.pk, used_at=None)
            if mine.update(used_at=now(), updated_at=now()):
                found: Approval = approval
                return found
        return None

    @transaction.atomic
    def request(
        self,
        company: Company,
        type: str,
        payload: dict[str, Any],
        *,
        by: Actor,
        agent: Agent | None = None,
        run: Run | None = None,
        issue_ids: Collection[UUID] = (),
        summary: str = "",
        expires_at: datetime | None = None,
        default: str = "rejected",
    ) -> Approval:
        """Ask a person. `agent` is who asks and is told what comes of it: the one that
        acts, if none is named. When nobody has decided by `expires_at` the default
        counts. An open one of the same type and payload is answered instead of a
        second; who asks it again is told as well. Invalid (422) for a type, a default
        or an issue that is none."""
        by.must_write(company.pk, "ask for an approval")
        if default == Approval.Status.APPROVED and (by.agent or by.run):
            raise Invalid("What an agent asks for is not approved by waiting.")
        if expires_at is not None and not now() < expires_at < now() + LATEST:
            raise Invalid(f"It has to expire within {LATEST.days} days.")
        run = run or by.run
        approval = Approval(
            company=company,
            type=type,
            requested_by_agent=agent or by.agent or (run.agent if run else None),
            requested_by_user=by.user,
            run=run,
            summary=summary.strip()[:300],
            expires_at=expires_at or now() + EXPIRES_AFTER,
            default=default,
        )
        approval._set_payload(payload)
        approval = approval._only_one(by)
        issue_ids = issue_ids or ([run.issue_id] if run and run.issue_id else [])
        links = apps.get_model("issues.ApprovalLink").objects
        links.link(approval, issue_ids, by=by)
        return approval


class Approval(ApprovalBase):
    """A question to the people of a company: may this be done, exactly as it stands in
    the payload? Decided once; who asked is told, whatever comes of it."""

    # Whether `request` has just made it.
    is_new = False

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["company", "type", "payload_hash"],
                condition=Q(status__in=("pending", "revision_requested")),
                name="one_open_approval_per_payload",
            ),
            models.CheckConstraint(
                condition=Q(default__in=("approved", "rejected")),
                name="a_default_is_a_decision",
            ),
        ]
        indexes = [
            models.Index(
                fields=["company", "-created_at"], name="approvals_of_company"
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(status__in=("pending", "revision_requested")),
                name="approvals_open",
            ),
        ]

    # --- verbs -------------------------------------------------------------------

    def decide(
        self,
        status: str,
        *,
        by: Actor,
        note: str = "",
        choice: str = "",
        seen: str = "",
    ) -> bool:
        """Approve or reject it, once. The same decision again changes nothing and
        answers False; the opposite is Invalid (422), and so is one about a payload
        other than `seen`, the hash of what was looked at. NotAllowed for anybody but a
        person, who cannot approve what they asked for themselves."""
        self._must_be_decidable(by, status)
        if status not in self.DEFAULTS:
            raise Invalid("A decision is approved or rejected.")
        if self.options and status == self.Status.APPROVED:
            self._must_be_option(choice)
        if by.user is not None and Approval.objects.due(now()).filter(pk=self.pk):
            self.expire()  # before the sweep has come by
        return self._close(status, by, note, choice, seen)

    def expire(self) -> bool:
        """Let the default count, because nobody decided. False when somebody did."""
        note = "Nobody decided in time: this is the default."
        try:
            return self._close(self.default, SYSTEM, note, self.asked_default)
        except Invalid:
            return False

    @transaction.atomic
    def request_revision(self, *, by: Actor, note: str = "") -> bool:
        """Send it back to who asked. Asked again, it changes nothing (False)."""
        self._must_be_decidable(by, self.Status.REVISION)
        mine = Approval.objects.filter(pk=self.pk, status=self.Status.PENDING)
        return self._move(mine, self.Status.REVISION, by, note)

    @transaction.atomic
    def resubmit(self, payload: dict[str, Any] | None = None, *, by: Actor) -> None:
        """Ask anew, with another payload or the same. Only who asked, or a person.
        Invalid for another one where the payload says what there is already, as that
        of a hire does: whoever reads it would allow something else."""
        if by.agent is not None and by.agent.pk != self.requested_by_agent_id:
            raise NotAllowed("Only the requesting agent can resubmit this approval.")
        by.must_write(self.company_id, "resubmit an approval")
        locked = Approval.objects.select_for_update(no_key=True).get(pk=self.pk)
        if locked.status != self.Status.REVISION:
            raise Invalid("Only revision requested approvals can be resubmitted")
        before = locked.payload
        self.refresh_from_db()
        if payload not in (None, before) and self.type in EFFECTS:
            raise Invalid(
                "What is decided here follows from what there is: it is asked for anew"
                " and not described anew. Withdraw it.",
                code="own_route",
            )
        if payload is not None:
            self._set_payload(payload)
        self.status, self.decision_note = self.Status.PENDING, None
        self.decided_at = self.decided_by_user = None
        self.expires_at = max(self.expires_at, now() + EXPIRES_AFTER)
        try:
            with transaction.atomic():
                self.save()
        except IntegrityError as error:
            raise Invalid(
                "The same is asked in another open approval: wait for that one.",
                code="duplicate_approval",
            ) from error
        self._note("resubmitted", by, payload_before=before)

    @transaction.atomic
    def comment(self, body: str, *, by: Actor) -> ApprovalEvent:
        """Say something about it; who asked is told, unless they say it."""
        by.must_write(self.company_id, "comment")
        if not body.strip():
            raise BadRequest("A comment needs some text.")
        return self._note("comment", by, body)

    @transaction.atomic
    def cancel(self, *, by: Actor, note: str = "") -> bool:
        """Withdraw it: what it was for is no more. False when it is not open."""
        if by.agent is not None and by.agent.pk != self.requested_by_agent_id:
            raise NotAllowed("Only the requesting agent can withdraw this approval.")
        by.must_write(self.company_id, "withdraw an approval")
        mine = Approval.objects.filter(pk=self.pk).open()
        changed = mine.update(status=self.Status.CANCELLED, updated_at=now())
        self.refresh_from_db()
        if changed:
            self._note("cancelled", by, note)
        return bool(changed)

    # --- how ---------------------------------------------------------------------

    def _only_one(self, by: Actor) -> Approval:
        """This one, written down; or the open one that asks the same."""
        same = Approval.objects.open().filter(
            company=self.company_id, type=self.type, payload_hash=self.payload_hash
        )
        for _attempt in range(2):
            try:
                with transaction.atomic():
                    self.save(force_insert=True)
            except IntegrityError:
                other: Approval | None = same.first()
                if other is not None:
                    return other._asked_again(by, self.requested_by_agent)
                continue  # decided this very moment
            self._note("requested", by, self.summary)
            self.is_new = True
            return self
        raise Invalid("It was decided this moment: look at it again.")

    def _asked_again(self, by: Actor, agent: Agent | None) -> Approval:
        known = self.events.filter(kind="requested", by_agent=agent).exists()
        if agent is not None and not known:
            self._note("requested", Actor.of_agent(agent, by.run))
        return self

    def _must_be_decidable(self, by: Actor, status: str) -> None:
        by.must_be_operator(self.company_id, self.takes)
        if by.kind == "user" and not by.is_person:
            raise NotAllowed("A run decides nothing, whoever's key it has.")
        own = self.requested_by_user_id and not self.requested_by_agent_id
        mine = own and by.user is not None and by.user.pk == self.requested_by_user_id
        if mine and status == self.Status.APPROVED:
            raise NotAllowed(
                "Somebody else has to approve what you asked for.", code="own_request"
            )

    @transaction.atomic
    def _close(
        self, status: str, by: Actor, note: str, choice: str = "", seen: str = ""
    ) -> bool:
        mine = Approval.objects.filter(pk=self.pk).open()
        if seen and mine.exclude(payload_hash=seen).exists():
            raise Invalid(
                "It was changed since you looked at it: read it again.", code="changed"
            )
        mine = mine.filter(payload_hash=seen) if seen else mine
        choice = choice if status == self.Status.APPROVED else ""
        if not self._move(mine, status, by, note, choice):
            return False
        carry_out(self, by=by)
        return True

    def _move(
        self,
        mine: ApprovalQuerySet,
        status: str,
        by: Actor,
        note: str,
        choice: str = "",
    ) -> bool:
        changed = mine.update(
            status=status,
            decision_note=note or None,
            choice=choice,
            decided_by_user=by.user,
            decided_at=now(),
            updated_at=now(),
        )
        self.refresh_from_db()
        if changed:
            self._note(status, by, note)
        elif (self.status, self.choice) != (status, choice):
            word = {"revision_requested": "sent back"}.get(status, status)
            since = "Only pending or revision requested approvals can be"
            raise Invalid(f"{since} {word}", code="already_decided")
        return bool(changed)
