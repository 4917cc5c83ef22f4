"""What became of an approval, in the order it happened, and who has to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from agents.models.agent import Agent
from agents.models.attempt import Attempt
from agents.models.run import Run
from agents.models.wakeup import Wakeup
from paperclip.actors import SYSTEM
from paperclip.models import Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor


class ApprovalEvent(Scoped):
    """One thing that was said or done about an approval. Made by its verbs."""

    class Kind(models.TextChoices):
        REQUESTED = "requested", _("asked")
        COMMENT = "comment", _("commented")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        REVISION = "revision_requested", _("asked for a revision")
        RESUBMITTED = "resubmitted", _("asked anew")
        CANCELLED = "cancelled", _("withdrawn")

    approval = models.ForeignKey(
        "agents.Approval", models.CASCADE, related_name="events"
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    body = models.TextField(blank=True)
    # What was asked for until then, when it is asked anew.
    payload_before = models.JSONField(null=True)
    by_agent = models.ForeignKey(Agent, models.SET_NULL, null=True, related_name="+")
    by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )

    objects = ScopedQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval event")
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return f"{self.author}: {self.kind}"

    @property
    def author(self) -> str:
        return str(self.by_agent or self.by_user or "Paperclip")


class NoticeQuerySet(ScopedQuerySet):
    def unheard(self) -> Self:
        """Those no run was told and none will be soon: the wake for it was refused, or
        what it queued was cancelled, and the agent may be woken now."""
        never = Q(wakeup=None) | Q(wakeup__run=None)
        undone = Q(wakeup__run__status="cancelled", wakeup__run__started_at=None)
        stuck = Attempt.objects.parked().filter(
            agent=OuterRef("agent"), whole_agent=True
        )
        return self.filter(
            never | undone,
            told_run=None,
            agent__in=Agent.objects.invokable().filter(wake_on_demand=True),
        ).exclude(Exists(stuck))


class Notice(Scoped):
    """Something an agent is told in its next run, once. The run that is told it is
    written down when it starts (see Run.claim), and forgotten when it fails."""

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="notices")
    event = models.ForeignKey(ApprovalEvent, models.CASCADE, related_name="notices")
    issue_id = models.UUIDField(null=True)
    told_run = models.ForeignKey(
        Run, models.SET_NULL, null=True, related_name="notices"
    )
    # The last time that its agent was woken for it.
    wakeup = models.ForeignKey(Wakeup, models.SET_NULL, null=True, related_name="+")

    objects = NoticeQuerySet.as_manager()

    class Meta:
        verbose_name = _("notice")
        ordering = ["created_at", "id"]
        indexes = [
            models.Index(
                fields=["agent"],
                condition=Q(told_run__isnull=True),
                name="notices_untold",
            )
        ]

    def __str__(self) -> str:
        return f"for {self.agent}: {self.event}"

    @property
    def reason(self) -> str:
        """The reason its agent is woken with."""
        kind = self.event.kind
        return "approval_commented" if kind == "comment" else f"approval_{kind}"

    @property
    def text(self) -> str:
        """In words, what has happened."""
        approval, event = self.event.approval, self.event
        head = f"{event.author} {event.get_kind_display()}: {approval}"
        lines = [head, f"Choice: {approval.choice}" if approval.choice else ""]
        return "\n".join([*filter(None, lines), event.body]).strip()

    def ring(self, *, by: Actor = SYSTEM) -> None:
        """Wake its agent for it, once more when the last time came to nothing."""
        self.wakeup = self.agent.wake(
            Wakeup.Source.APPROVAL,
            self.reason,
            by=by,
            issue_id=self.issue_id,
            payload={"approvalId": str(self.event.approval_id)},
        )
        self.save(update_fields=["wakeup", "updated_at"])
