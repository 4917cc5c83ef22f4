"""An approval as a row: what is kept of it, what can be asked about it, and how those
who asked are told."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from agents.models.agent import Agent
from agents.models.notice import ApprovalEvent, Notice
from agents.models.run import Run
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Scoped

if TYPE_CHECKING:
    from paperclip.actors import Actor

LONGEST = 65_536


def digest(payload: Any) -> str:
    """What a payload is bound by: the SHA-256 of its canonical JSON."""
    text = json.dumps(
        payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


class ApprovalBase(Scoped):
    class Type(models.TextChoices):
        HIRE = "hire_agent", _("hire")
        STRATEGY = "approve_ceo_strategy", _("strategy")
        BUDGET = "budget_override_required", _("budget")
        BOARD = "request_board_approval", _("decision")
        PUBLISH = "publish", _("publish")
        SEND = "send", _("send")
        SPEND = "spend", _("spend money")
        DESTRUCTIVE = "destructive_action", _("destructive action")
        QUESTION = "question", _("question")

    # What it takes to decide one, where that is more than for others.
    DECIDED_BY = {
        Type.HIRE.value: "approve a hire",
        Type.BUDGET.value: "raise a budget",
    }

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        REVISION = "revision_requested", _("revision requested")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        CANCELLED = "cancelled", _("withdrawn")

    OPEN = (Status.PENDING, Status.REVISION)
    DEFAULTS = (Status.APPROVED, Status.REJECTED)

    type = models.CharField(max_length=40, choices=Type.choices)
    status = models.CharField(
        max_length=20, choices=Status.choices, default=Status.PENDING
    )
    payload = models.JSONField(default=dict)
    payload_hash = models.CharField(max_length=64)
    # In one line, what is asked; empty when the payload says it.
    summary = models.CharField(max_length=300, blank=True)
    requested_by_agent = models.ForeignKey(
        Agent, models.SET_NULL, null=True, related_name="approvals"
    )
    requested_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    default = models.CharField(max_length=20, default=Status.REJECTED)
    decision_note = models.TextField(null=True)  # noqa: DJ001 (null on the wire)
    # Of a question with options, the one that was chosen.
    choice = models.CharField(max_length=300, blank=True)
    decided_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    # When the outside effect that it allowed was done: it allows no second one.
    used_at = models.DateTimeField(null=True)
    # When somebody was told of it by mail.
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.get_type_display()}: {self.title}"

    # --- questions ---------------------------------------------------------------

    @property
    def takes(self) -> str:
        """What it takes to decide it, as an act of paperclip.roles."""
        return self.DECIDED_BY.get(self.type, "decide an approval")

    @property
    def title(self) -> str:
        """In one line, what is asked: in its own words, or the first of the payload."""
        named = [self.payload.get(key) for key in ("title", "question", "name")]
        texts = [t for t in (*named, *self.payload.values()) if isinstance(t, str)]
        lines = (line for text in texts for line in text.split("\n"))
        # The heading of a document without what Markdown makes it one with.
        bare = (line.strip().lstrip("#*").strip() for line in lines)
        first = next((line for line in bare if line), "")
        return self.summary or first[:120] or str(_("no title"))

    @property
    def requester(self) -> str:
        return str(self.requested_by_agent or self.requested_by_user or "Paperclip")

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def options(self) -> list[str]:
        """What a question can be answered with; empty for anything else."""
        return self.payload["options"] if self.type == self.Type.QUESTION else []

    @property
    def asked_default(self) -> str:
        """Of a question, the option that counts when nobody answers."""
        return str(self.payload.get("default") or "") if self.options else ""

    @property
    def why_unlinked(self) -> str:
        """What to say of one that no issue is linked to."""
        if self.run_id:
            return str(_("It was asked in a run about no issue."))
        if self.requested_by_user_id and not self.requested_by_agent_id:
            return str(_("A person asked, outside any issue."))
        return str(_("It is about no issue."))

    # --- how ---------------------------------------------------------------------

    def _set_payload(self, payload: dict[str, Any]) -> None:
        if self.type not in self.Type.values:
            raise Invalid(f"Unknown type. Known: {', '.join(self.Type.values)}.")
        if len(json.dumps(payload)) > LONGEST:
            raise Invalid(f"A payload is at most {LONGEST} characters of JSON.")
        self.payload, self.payload_hash = payload, digest(payload)
        if self.default not in self.DEFAULTS:
            raise Invalid("A default is approved or rejected.")
        if self.type == self.Type.QUESTION:
            self._must_be_question()

    def _must_be_question(self) -> None:
        options = self.payload.get("options")
        texts = isinstance(options, list) and all(isinstance(o, str) for o in options)
        if not texts or not options or not str(self.payload.get("question") or ""):
            raise Invalid("A question has a `question` and `options`, a list of texts.")
        if chosen := self.payload.get("default"):
            self._must_be_option(chosen)
            self.default = self.Status.APPROVED

    def _must_be_option(self, choice: str) -> None:
        if choice not in self.options:
            raise Invalid(
                f"Choose one of: {'; '.join(self.options)}.",
                code="unknown_option",
                options=self.options,
            )

    def _note(self, kind: str, by: Actor, body: str = "", **more: Any) -> ApprovalEvent:
        """Write down what happened, and tell those who asked, unless they did it."""
        event = ApprovalEvent.objects.create(
            company_id=self.company_id,
            approval_id=self.pk,
            kind=kind,
            body=body,
            by_agent=by.agent,
            by_user=by.user,
            **more,
        )
        audit.record(
            by, f"approval.{kind}", self, type=self.type, eventId=str(event.pk)
        )
        if kind in ("requested", "resubmitted"):
            return event
        doer = by.doer
        for agent in self._askers():
            if agent != doer:
                self._tell(agent, event, by)
        return event

    def _askers(self) -> list[Agent]:
        """Whoever asked, in one order for everybody who wakes them."""
        asked = ApprovalEvent.objects.filter(approval=self.pk, kind="requested")
        first = Q(pk=self.requested_by_agent_id)
        agents = Agent.objects.select_related("company")
        wanted = agents.filter(first | Q(pk__in=asked.values("by_agent")))
        return list(wanted.order_by("pk"))

    def _tell(self, agent: Agent, event: ApprovalEvent, by: Actor) -> None:
        links = apps.get_model("issues.ApprovalLink").objects
        first = links.filter(approval=self.pk).first()
        notice = Notice.objects.create(
            company_id=self.company_id,
            agent=agent,
            event=event,
            issue_id=first.issue_id if first else None,
        )
        notice.ring(by=by)
