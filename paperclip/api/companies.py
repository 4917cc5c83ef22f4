"""Companies, who signed in, and the log of acts."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import CharField, ChoiceField, Serializer, UUIDField

from agents import stopping
from agents.outside import note_runs
from paperclip.api.forms import Form, Text, Whole
from paperclip.api.schema import doc
from paperclip.api.shapes import ActivityShape, CompanyShape, MeShape
from paperclip.api.views import Endpoint
from paperclip.exceptions import NotAllowed
from paperclip.models import Activity, Company
from paperclip.pages import Pages

COMPANIES = Pages(("-created_at", "-id"))
ACTIVITY = Pages(("-seq",), limit=100, maximum=500)


class CompanyForm(Form):
    name = Text(max_length=120)
    description = Text(allow_null=True, allow_blank=True, required=False)
    budgetMonthlyCents = Whole(source="budget_monthly_cents", required=False)
    maxConcurrentRuns = Whole(
        source="max_concurrent_runs", allow_null=True, max_value=10_000, required=False
    )


class CompanyChange(CompanyForm):
    status = ChoiceField(
        Company.Status.choices,
        required=False,
        help_text="Of an archived company `paused` brings it back.",
    )


class ActivityFilter(Serializer):
    agentId = UUIDField(source="agent_id", required=False)
    entityType = CharField(source="entity_type", required=False)
    entityId = CharField(source="entity_id", required=False)


class Companies(Endpoint):
    @doc("list_companies", "My companies", gives=CompanyShape, pages=COMPANIES)
    def get(self, request: Request) -> Response:
        rows = Company.objects.visible_to(self.actor)
        rows = rows.exclude(status=Company.Status.ARCHIVED)
        return self.page(rows, COMPANIES, CompanyShape)

    @doc(
        "create_company",
        "Found a company; the caller becomes its owner",
        takes=CompanyForm,
        gives=CompanyShape,
        status=201,
    )
    def post(self, request: Request) -> Response:
        if self.actor.user is None:
            raise NotAllowed("Only an operator can found a company.")
        fields = self.read(CompanyForm)
        company = Company.objects.found(owner=self.actor.user, by=self.actor, **fields)
        return Response(CompanyShape(company).data, status=201)


class OneCompany(Endpoint):
    @doc("get_company", "A company", gives=CompanyShape)
    def get(self, request: Request, **path: str) -> Response:
        return Response(CompanyShape(self.company()).data)

    @doc(
        "change_company",
        "Change a company; status pauses or resumes it",
        takes=CompanyChange,
        gives=CompanyShape,
    )
    def patch(self, request: Request, **path: str) -> Response:
        company = self.company()
        fields = self.read(CompanyChange, partial=True)
        status = fields.pop("status", company.status)
        if fields:
            company.change(by=self.actor, **fields)
        if status != company.status:
            self.become(company, status)
        return Response(CompanyShape(company).data)

    def become(self, company: Company, status: str) -> None:
        if status == "archived":
            stopping.archive_company(company, by=self.actor)
        elif status == "active":
            stopping.resume_company(company, by=self.actor)
        elif company.status == "archived":
            company.restore(by=self.actor)
        else:
            company.pause(by=self.actor)


class CompanyActivity(Endpoint):
    @doc(
        "list_activity",
        "Who did what, the newest first",
        gives=ActivityShape,
        query=ActivityFilter,
        pages=ACTIVITY,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Activity.objects.filter(company=self.company())
        rows = rows.filter(**self.query(ActivityFilter))
        found, headers = ACTIVITY.cut(rows, request)
        note_runs(self.actor, [act.run_id for act in found])
        return Response(ActivityShape(found, many=True).data, headers=headers)


class Me(Endpoint):
    @doc("get_operator", "The person behind the credential", gives=MeShape)
    def get(self, request: Request) -> Response:
        if self.actor.user is None:
            raise NotAllowed("This is for operators. An agent asks /api/agents/me.")
        bearer = "Authorization" in request.headers
        context: dict[str, Any] = {"source": "board_key" if bearer else "session"}
        return Response(MeShape(self.actor.user, context=context).data)
