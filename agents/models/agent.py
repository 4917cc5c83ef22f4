from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.text import slugify
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents import bindings, grants
from agents.adapters import ADAPTERS, adapter_class, checked_config, checked_tools
from agents.models.attempt import Attempt
from agents.models.counter import spent_this_month
from agents.models.employment import Employment
from agents.models.roles import OF_CEO, PERMISSIONS, ROLES
from agents.models.run import Run
from agents.models.wakeup import Wakeup
from paperclip import audit
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Company, Instance, ScopedQuerySet, Spender

if TYPE_CHECKING:
    from uuid import UUID

    from paperclip.actors import Actor

SHORTEST_INTERVAL = 30


class AgentQuerySet(ScopedQuerySet):
    def with_state(self) -> Self:
        """Adds `has_live_run`, which `state` needs: one query for a whole list."""
        live = Run.objects.live().filter(agent=OuterRef("pk"))
        return self.annotate(has_live_run=Exists(live))

    def with_spent(self) -> Self:
        """Adds `spent_micros`, which `spent_monthly_cents` is read from."""
        return self.annotate(spent_micros=spent_this_month("pk"))

    def employed(self) -> Self:
        return self.exclude(status=Agent.Status.TERMINATED)

    def invokable(self) -> Self:
        """Those a wake may start."""
        return self.filter(
            status__in=[Agent.Status.IDLE, Agent.Status.ERROR],
            company__status=Company.Status.ACTIVE,
        ).exclude(Exists(Instance.objects.filter(stopped_at__isnull=False)))

    def due(self, at: datetime) -> Self:
        """Those whose timer rang."""
        return self.invokable().filter(
            heartbeat_enabled=True, next_heartbeat_at__lte=at
        )

    def hire(self, company: Company, *, by: Actor, name: str, **fields: Any) -> Agent:
        """A new agent of the company, idle and ready to be woken.

        409 when an employed agent has the name; 422 for a manager or reviewer of
        another company, an unknown adapter or a configuration it does not take.
        """
        by.must_be_operator(company.pk, "hire")
        return self.take_on(company, by=by, name=name, **fields)

    @transaction.atomic
    def take_on(
        self, company: Company, *, by: Actor, name: str, **fields: Any
    ) -> Agent:
        """As `hire`, once somebody has made sure that they may (see agents.hiring)."""
        agent = Agent(company=company, name=name.strip())
        agent._set(fields)
        if "tools" not in fields:
            agent.tools = list(adapter_class(agent.adapter_type).DEFAULT_TOOLS)
        if agent.role == "ceo" and "permissions" not in fields:
            agent.permissions = dict(OF_CEO)
        try:
            with transaction.atomic():
                agent.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict(
                f"{company} already has an agent called {agent.name}: @mentions go by"
                " name. Choose another one.",
                code="duplicate_name",
            ) from error
        bindings.bind(agent, by=by)
        audit.record(by, "agent.created", agent, name=agent.name, role=agent.role)
        agent.put_budget(by=SYSTEM, is_new=True)
        return agent


class Agent(Spender, Employment):
    """One employee: who it is, whom it reports to, what runs when it wakes."""

    name = models.CharField(_("name"), max_length=80)
    url_key = models.SlugField(max_length=80, editable=False)
    role = models.CharField(
        _("role"), max_length=16, choices=[(r, r) for r in ROLES], default="general"
    )
    title = models.CharField(_("title"), max_length=120, null=True, blank=True)  # noqa: DJ001
    icon = models.CharField(max_length=40, null=True, blank=True)  # noqa: DJ001
    capabilities = models.TextField(_("capabilities"), null=True, blank=True)  # noqa: DJ001
    instructions = models.TextField(_("instructions"), blank=True, default="")
    tools = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    error_reason = models.TextField(null=True, blank=True)  # noqa: DJ001
    reports_to = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    reviewer = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="reviews"
    )
    # The agent that hired it; null: a person did.
    hired_by = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="hires"
    )
    adapter_type = models.CharField(_("adapter"), max_length=32, default="process")
    adapter_config = models.JSONField(default=dict, blank=True)
    wake_on_demand = models.BooleanField(default=True)
    max_concurrent_runs = models.PositiveSmallIntegerField(default=1)
    last_heartbeat_at = models.DateTimeField(null=True, blank=True)
    last_run_started_at = models.DateTimeField(null=True, editable=False)
    # The no-change gate: its timer starts nothing when there is nothing new to do.
    skip_unchanged = models.BooleanField(default=True)
    permissions = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(null=True, blank=True)
    # Whether a run of it was ever given a secret: then what it writes is searched.
    holds_secrets = models.BooleanField(default=False, editable=False)

    objects = AgentQuerySet.as_manager()

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        ordering = ["name"]
        constraints = [
            # Mentions and URLs go by name; a name is free again after termination.
            models.UniqueConstraint(
                fields=["company", "url_key"],
                condition=~Q(status="terminated"),
                name="one_employed_agent_per_name",
            ),
            models.CheckConstraint(
                condition=Q(max_concurrent_runs__range=(1, 10)),
                name="one_to_ten_concurrent_runs",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_heartbeat_at"],
                condition=Q(heartbeat_enabled=True),
                name="agent_timer",
            )
        ]

    def __str__(self) -> str:
        return self.name

    # --- questions ---------------------------------------------------------------

    @property
    def state(self) -> str:
        """What people are shown: `running` while a run of it is live, else the status.

        It is read from the runs, so it cannot say running when nothing runs.
        """
        if self.status in (self.Status.IDLE, self.Status.ERROR):
            live = getattr(self, "has_live_run", None)
            if live if live is not None else self.runs.live().exists():
                return "running"
        return str(self.status)

    def models_in_order(self) -> list[tuple[str, str | None]]:
        """The models it may work with, each with the address it is called at: its own,
        then its fallbacks. Empty for one that calls no provider."""
        if self.adapter_type != "litellm" or self.company.rehearsal:
            return []
        return [(name, self.address_of(name)) for name in self.model_names]

    @property
    def model_names(self) -> list[str]:
        """Its own model, or else the instance's, and its fallbacks."""
        own = self.adapter_config.get("model") or settings.DEFAULT_MODEL
        return [own, *self.adapter_config.get("fallbackModels", [])]

    def address_of(self, model: str) -> str | None:
        """Where it calls the model; None: where the model's provider has it."""
        ours = settings.MODEL_API_BASE if model == settings.DEFAULT_MODEL else ""
        return self.adapter_config.get("apiBase") or ours or None

    def parked_at_work(self, issue_id: UUID | None) -> str:
        """Why it is kept from this work (see Attempt); empty when it is not."""
        blocking = Attempt.objects.blocking(self, issue_id)
        why = blocking.values_list("reason", flat=True).first()
        return f"Parked: {why}" if why else ""

    def may(self, permission: str) -> bool:
        return bool(self.permissions.get(permission))

    # --- verbs -------------------------------------------------------------------

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Set any of its fields; 422 for what `hire` refuses, 409 for a taken name. An
        agent with the grant sets a few of those who report to it (agents.grants)."""
        grants.must_configure(self, by=by)
        if {"reports_to", "reviewer"} & set(fields):
            # Before the agent, as in every other change.
            Company.objects.select_for_update(no_key=True).get(pk=self.company_id)
        # What others did to it since it was read stays done.
        rows = Agent.objects.select_for_update(of=["self"], no_key=True)
        self.refresh_from_db(from_queryset=rows.select_related("company"))
        grants.must_write(self, fields, by=by)
        self._set(fields)
        try:
            with transaction.atomic():
                self.save()
        except IntegrityError as error:
            raise Conflict(f"Another agent is called {self.name}.") from error
        if "budget_monthly_cents" in fields:
            self.put_budget(by=by)
        if "adapter_config" in fields or "name" in fields:
            bindings.bind(self, by=by)
        # What it failed at may go well as it is now.
        self.attempts.filter(issue_id=None).reopen()
        audit.record(by, "agent.updated", self, changed=sorted(fields))

    def _set(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        self.url_key = slugify(self.name, allow_unicode=True)
        if not self.url_key:
            raise Invalid("A name needs at least one letter or digit.")
        if self.adapter_type not in ADAPTERS:
            known = ", ".join(sorted(ADAPTERS))
            raise Invalid(f"Unknown adapter {self.adapter_type!r}. Known: {known}.")
        self.adapter_config = checked_config(self.adapter_type, self.adapter_config)
        self.tools = checked_tools(self.adapter_type, self.tools)
        if 0 < self.interval_seconds < SHORTEST_INTERVAL:
            raise Invalid(f"The shortest interval is {SHORTEST_INTERVAL} seconds.")
        self.must_have_sensible_hours()
        if unknown := set(self.permissions) - PERMISSIONS:
            raise Invalid(f"Unknown permissions: {', '.join(sorted(unknown))}.")
        self.next_heartbeat_at = self.alarm_after(now())
        self._check_colleagues()

    def wake(
        self,
        source: str,
        reason: str,
        *,
        by: Actor,
        issue_id: UUID | None = None,
        **more: Any,
    ) -> Wakeup:
        """Ask for a run; see Wakeup.objects.request."""
        told: dict[str, Any] = {"by": by, "issue_id": issue_id, **more}
        return Wakeup.objects.request(self, source, reason, **told)
