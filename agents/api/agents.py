"""The org chart over HTTP: agents, what they may see of themselves, and their keys."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response

from agents import grants, org
from agents.api.forms import (
    AgentChange,
    AgentForm,
    CompanyFilter,
    KeyForm,
    PermissionsForm,
)
from agents.api.shapes import (
    AgentDetail,
    AgentShape,
    DoneShape,
    KeyShape,
    NewKeyShape,
    OrgShape,
    org_chart,
)
from agents.models import Agent, ApiKey
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint, is_uuid
from paperclip.exceptions import Conflict, Missing, NotSignedIn
from paperclip.models import Company
from paperclip.pages import Pages

AGENTS = Pages(("name", "id"), limit=500, maximum=1000)
DRAWING = OpenApiResponse(OpenApiTypes.STR, description="image/svg+xml")
KEYS = Pages(("-created_at", "-id"))


class AgentEndpoint(Endpoint):
    """A view of one agent, by its id or by the name in its URL."""

    def agent(self) -> Agent:
        key = self.kwargs["agent_id"]
        rows = Agent.objects.select_related("company")
        if is_uuid(key):
            return rows.get_for(self.actor, key)
        rows = rows.visible_to(self.actor).employed().filter(url_key=key.lower())
        if company := self.query(CompanyFilter).get("companyId"):
            rows = rows.filter(company=company)
        found = list(rows[:2])
        if len(found) > 1:
            raise Conflict(
                f"Several companies have an agent {key}: add ?companyId= or its id.",
                code="ambiguous_name",
            )
        if not found:
            raise Missing("Agent not found")
        return found[0]

    def eyes(self, company_id: UUID) -> dict[str, Any]:
        """Whether the actor sees configurations in clear: the context of AgentShape."""
        if self.actor.user is not None:
            return {"clear": self.actor.user.may(company_id, "change an agent")}
        return {"self": self.actor.agent.pk}

    def answer(self, agent: Agent, status: int = 200) -> Response:
        shape = AgentShape(agent, context=self.eyes(agent.company_id))
        return Response(shape.data, status=status)

    def detail(self, agent: Agent) -> Response:
        shape = AgentDetail(agent, context=self.eyes(agent.company_id))
        return Response(shape.data)


class Agents(AgentEndpoint):
    @doc("list_agents", "The employed agents", gives=AgentShape, pages=AGENTS)
    def get(self, request: Request, **path: str) -> Response:
        company = self.company()
        rows = Agent.objects.filter(company=company).employed().with_state()
        rows = rows.with_spent()
        return self.page(rows, AGENTS, AgentShape, **self.eyes(company.pk))

    @doc("create_agent", "Hire an agent", takes=AgentForm, gives=AgentShape, status=201)
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_be_operator(company.pk, "hire")
        fields = self.read(AgentForm)
        agent = Agent.objects.hire(company, by=self.actor, **fields)
        return self.answer(agent, 201)


class OneAgent(AgentEndpoint):
    @doc("get_agent", "An agent", gives=AgentDetail, query=CompanyFilter)
    def get(self, request: Request, **path: str) -> Response:
        return self.detail(self.agent())

    @doc("change_agent", "Change an agent", takes=AgentChange, gives=AgentShape)
    def patch(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        # Before the body is looked at: an agent learns nothing from trying.
        grants.must_configure(agent, by=self.actor)
        fields = self.read(AgentChange, partial=True)
        replace = fields.pop("replaceAdapterConfig", False)
        other = fields.get("adapter_type", agent.adapter_type) != agent.adapter_type
        if "adapter_config" in fields and not (replace or other):
            fields["adapter_config"] = agent.adapter_config | fields["adapter_config"]
        if fields:
            agent.change(by=self.actor, **fields)
        return self.answer(agent)


class Permissions(AgentEndpoint):
    @doc(
        "change_agent_permissions",
        "What it may do beyond its own work; what is left out stays",
        takes=PermissionsForm,
        gives=AgentDetail,
    )
    def patch(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        self.actor.must_be_operator(agent.company_id, "change an agent")
        said = self.read(PermissionsForm, partial=True)
        agent.change(by=self.actor, permissions={**agent.permissions, **said})
        return self.detail(agent)


class Pause(AgentEndpoint):
    @doc("pause_agent", "Stop its runs and start no more", gives=AgentShape)
    def post(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        agent.pause(by=self.actor)
        return self.answer(agent)


class Resume(AgentEndpoint):
    @doc("resume_agent", "Let wakes start it again", gives=AgentShape)
    def post(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        agent.resume(by=self.actor)
        return self.answer(agent)


class Terminate(AgentEndpoint):
    @doc("terminate_agent", "Dismiss it for good", gives=AgentShape)
    def post(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        agent.terminate(by=self.actor)
        return self.answer(agent)


class Myself(Endpoint):
    @doc("get_myself", "The agent that asks", gives=AgentDetail)
    def get(self, request: Request) -> Response:
        agent = must_be_agent(self)
        return Response(AgentDetail(agent, context={"self": agent.pk}).data)


def staff_of(company: Company) -> list[Agent]:
    staff = Agent.objects.filter(company=company).employed().with_state()
    return list(staff.order_by("name", "id")[: AGENTS.maximum])


class Org(Endpoint):
    @doc("get_org_chart", "Who reports to whom", gives=OrgShape(many=True))
    def get(self, request: Request, **path: str) -> Response:
        return Response(org_chart(staff_of(self.company())))


class OrgDrawing(Endpoint):
    @doc("get_org_drawing", "The same as an SVG", gives=DRAWING)
    def get(self, request: Request, **path: str) -> HttpResponse:
        company = self.company()
        facts = {
            "drawing": org.wide(staff_of(company)),
            "company": company,
            "alone": True,
        }
        svg = render_to_string("agents/_org.svg", facts)
        return HttpResponse(svg, content_type="image/svg+xml")


class Keys(AgentEndpoint):
    secrets = ("token",)

    @doc("list_agent_keys", "Its keys", gives=KeyShape, pages=KEYS)
    def get(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        self.actor.must_be_operator(agent.company_id, "see keys")
        return self.page(agent.api_keys.all(), KEYS, KeyShape)

    @doc(
        "create_agent_key",
        "A new key; its token is in this answer and never again",
        takes=KeyForm,
        gives=NewKeyShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        name = self.read(KeyForm)["name"]
        key, token = ApiKey.objects.issue_to(agent, name=name, by=self.actor)
        return Response({**KeyShape(key).data, "token": token}, status=201)


class OneKey(AgentEndpoint):
    @doc("delete_agent_key", "Revoke a key", gives=DoneShape)
    def delete(self, request: Request, **path: str) -> Response:
        agent = self.agent()
        self.actor.must_be_operator(agent.company_id, "revoke keys")
        key_id = self.kwargs["key_id"]
        key = agent.api_keys.filter(pk=key_id).first() if is_uuid(key_id) else None
        if key is None:
            raise Missing("Key not found")
        key.revoke(by=self.actor)
        return Response({"ok": True})


def must_be_agent(view: Endpoint) -> Agent:
    if view.actor.agent is None:
        raise NotSignedIn("Agent authentication required", code="agent_required")
    agent: Agent = view.actor.agent
    return agent
