"""Budgets over HTTP: what is limited, how it stands, and what was stopped."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BooleanField, ChoiceField, UUIDField

from agents import limits
from agents.api.agents import AgentEndpoint
from agents.api.budget_shapes import BudgetShape, IncidentShape, OverviewShape
from agents.api.shapes import AgentShape
from agents.models import Agent, Approval, BudgetIncident, BudgetPolicy
from agents.models.budget import SCOPES
from issues import budgets
from issues.models import Project
from paperclip.api.forms import Form, Text, Whole
from paperclip.api.schema import doc
from paperclip.api.shapes import CompanyShape
from paperclip.api.views import Endpoint
from paperclip.exceptions import Invalid
from paperclip.models import Company
from paperclip.models.spender import SPENT

LARGEST = 2**40


class BudgetForm(Form):
    scopeType = ChoiceField(list(SCOPES), source="scope_type")
    scopeId = UUIDField(source="scope_id")
    amount = Whole(max_value=LARGEST, help_text="0: no limit")
    metric = ChoiceField(BudgetPolicy.Metric.choices, default="billed_cents")
    windowKind = ChoiceField(
        BudgetPolicy.Window.choices, source="window_kind", required=False
    )
    warnPercent = Whole(
        source="warn_percent", min_value=1, max_value=100, required=False
    )
    hardStopEnabled = BooleanField(source="hard_stop", required=False)
    notifyEnabled = BooleanField(source="notify", required=False)


class MonthlyForm(Form):
    budgetMonthlyCents = Whole(help_text="0: no limit")


class ResolveForm(Form):
    action = ChoiceField(["raise_budget_and_resume", "keep_paused"])
    amount = Whole(max_value=LARGEST, required=False)
    decisionNote = Text(allow_null=True, allow_blank=True, required=False)


class Overview(Endpoint):
    @doc(
        "get_budgets",
        "The limits of a company, as they stand",
        gives=OverviewShape,
    )
    def get(self, request: Request, **path: str) -> Response:
        return Response(overview(self.company()))


def overview(company: Company) -> dict[str, Any]:
    standings = limits.standings(company)
    ours = BudgetIncident.objects.filter(company=company)
    active = ours.exclude(status=BudgetIncident.Status.RESOLVED)
    cards = Approval.objects.open().filter(company=company)
    names = {one.policy.scope_id: one.name for one in standings}
    paused = {"company": company, "pause_reason": SPENT}
    shown = IncidentShape(
        active.select_related("counter"), many=True, context={"names": names}
    )
    return {
        "companyId": str(company.pk),
        "policies": BudgetShape(standings, many=True).data,
        "activeIncidents": shown.data,
        "pausedAgentCount": Agent.objects.employed().filter(**paused).count(),
        "pausedProjectCount": Project.objects.filter(**paused).count(),
        "pendingApprovalCount": cards.filter(type="budget_override_required").count(),
    }


class Policies(Endpoint):
    @doc("set_budget", "Set a limit", takes=BudgetForm, gives=BudgetShape)
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        # Before the body is looked at: an agent learns nothing from trying.
        self.actor.must_be_operator(company.pk, "set a budget")
        policy = budgets.put(company, by=self.actor, **self.read(BudgetForm))
        return Response(BudgetShape(standing(policy)).data)


def standing(policy: BudgetPolicy) -> limits.Standing:
    """As it stands, in force or not."""
    subject = limits.subjects_of([policy])[policy.scope_id]
    return limits.Standing(policy, policy.counter(limits.now()), subject)


class Resolve(Endpoint):
    @doc(
        "resolve_budget_incident",
        "Raise a spent budget and let go on what it stopped, or keep it paused",
        takes=ResolveForm,
        gives=IncidentShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_be_operator(company.pk, "decide about a budget")
        rows = BudgetIncident.objects.filter(company=company).select_related("counter")
        incident = rows.get_for(self.actor, self.kwargs["incident_id"])
        form = self.read(ResolveForm)
        if form["action"] == "keep_paused":
            budgets.keep_paused(incident, by=self.actor)
        elif "amount" not in form:
            raise Invalid("Say how much it is raised to: `amount`.")
        else:
            budgets.raise_and_resume(incident, form["amount"], by=self.actor)
        incident.refresh_from_db()
        names = {incident.scope_id: incident.name}
        return Response(IncidentShape(incident, context={"names": names}).data)


class CompanyBudget(Endpoint):
    @doc(
        "change_company_budget",
        "What the company may spend in a month",
        takes=MonthlyForm,
        gives=CompanyShape,
    )
    def patch(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_be_operator(company.pk, "set a budget")
        cents = self.read(MonthlyForm)["budgetMonthlyCents"]
        company.change(by=self.actor, budget_monthly_cents=cents)
        budgets.carry_through()
        company.refresh_from_db()
        return Response(CompanyShape(company).data)


class AgentBudget(AgentEndpoint):
    @doc(
        "change_agent_budget",
        "What an agent may spend in a month",
        takes=MonthlyForm,
        gives=AgentShape,
    )
    def patch(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        self.actor.must_be_operator(agent.company_id, "set a budget")
        cents = self.read(MonthlyForm)["budgetMonthlyCents"]
        agent.change(by=self.actor, budget_monthly_cents=cents)
        budgets.carry_through()
        agent.refresh_from_db()
        return self.answer(agent)
