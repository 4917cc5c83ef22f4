"""Agents in the console: the list, hiring and changing one. Its page is in views.py."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _

from agents import bindings, views
from agents.forms import AgentForm
from agents.models import Agent, Secret
from agents.secret_admin import SecretAdmin
from paperclip.admin import CompanyFilter, ConsoleAdmin, ConsoleForm
from paperclip.desk import Desk
from paperclip.models import Company
from paperclip.templatetags.console import ago, badge, due

admin.site.register(Secret, SecretAdmin)


@admin.register(Agent)
class AgentAdmin(ConsoleAdmin):
    form = AgentForm
    list_display = ["who", "role", "state", "reports_to", "last", "following"]
    list_display_links = None
    list_select_related = ["reports_to", "company"]
    list_filter = ["status", "role", ("reports_to", CompanyFilter)]
    search_fields = ["name", "title"]
    add_label = _("Hire an agent")
    adds, changes = "hire", "change an agent"
    create_label = _("Hire")
    empty_text = _("Nobody works here yet. Hire the first agent.")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).with_state()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>", view(views.agent), name="agent"),
            *(
                path(f"<uuid:pk>/{act}", view(views.ACTS[act]), name=f"agent_{act}")
                for act in views.ACTS
            ),
            path(
                "sessions/<uuid:pk>/reset",
                view(views.reset_session),
                name="session_reset",
            ),
            path("<uuid:pk>/keys", view(views.make_key), name="agent_keys"),
            path(
                "attempts/<uuid:pk>/retry",
                view(views.retry_attempt),
                name="attempt_retry",
            ),
            path(
                "<uuid:pk>/keys/<uuid:key>/revoke",
                view(views.revoke_key),
                name="agent_key_revoke",
            ),
            *super().get_urls(),
        ]

    @transaction.atomic
    def create(self, company: Company, desk: Desk, values: dict[str, Any]) -> Agent:
        if values.pop("keep_as_secrets") and "adapter_config" in values:
            values["adapter_config"] = bindings.without_lookalikes(
                company, values["name"], values["adapter_config"], by=desk.actor
            )
        return Agent.objects.hire(company, by=desk.actor, **values)

    @transaction.atomic
    def save_form_values(
        self, desk: Desk, company: Company, row: Any, form: ConsoleForm
    ) -> Any:
        if row is None:
            return self.create(company, desk, form.values())
        values = form.values()
        keep = values.pop("keep_as_secrets")
        row.change(by=desk.actor, **values)
        if keep and bindings.lookalikes(row.adapter_config):
            bindings.keep_lookalikes(row, by=desk.actor)
        return row

    def url_of(self, row: Agent) -> str:
        return reverse("admin:agent", args=[row.pk])

    @admin.display(description=_("agent"), ordering="name")
    def who(self, agent: Agent) -> str:
        return self.linked(
            agent, f"{agent.name} · {agent.title}" if agent.title else agent
        )

    @admin.display(description=_("status"), ordering="status")
    def state(self, agent: Agent) -> str:
        return badge(agent.state)

    @admin.display(description=_("last run"), ordering="last_heartbeat_at")
    def last(self, agent: Agent) -> str:
        return ago(agent.last_heartbeat_at) or str(_("never"))

    @admin.display(description=_("next wake"), ordering="next_heartbeat_at")
    def following(self, agent: Agent) -> str:
        return due(agent.next_heartbeat_at if agent.is_invokable else None) or "-"
