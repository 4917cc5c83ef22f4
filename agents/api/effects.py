"""What agents may do outside, over HTTP: they ask before they do it."""

from __future__ import annotations

from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents import effects, hiring
from agents.api.agents import AgentEndpoint, must_be_agent
from agents.api.approval_shapes import (
    ApprovalShape,
    EffectForm,
    EffectPolicyForm,
    EffectPolicyShape,
    HireShape,
    PolicyFilter,
    VerdictShape,
)
from agents.api.forms import AgentForm
from agents.api.shapes import AgentShape
from agents.models import Agent, EffectPolicy
from agents.models.policy import Effect
from paperclip.api.forms import Text
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.models import Company


class HireForm(AgentForm):
    sourceIssueId = serializers.UUIDField(required=False, allow_null=True)
    sourceIssueIds = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=50
    )
    reason = Text(
        max_length=2000,
        allow_blank=True,
        required=False,
        help_text="Needed when one of that role is there already.",
    )


class Hires(AgentEndpoint):
    @doc(
        "hire_agent",
        "Hire an agent; where an approval is needed it waits for that",
        takes=HireForm,
        gives=HireShape,
        status=201,
        problems=(429,),
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_write(company.pk, "hire")
        fields = self.read(HireForm)
        ids: list[UUID] = fields.pop("sourceIssueIds", [])
        if single := fields.pop("sourceIssueId", None):
            ids = [single, *ids]
        agent, approval = hiring.hire(company, by=self.actor, issue_ids=ids, **fields)
        eyes = self.eyes(company.pk)
        card = ApprovalShape(approval).data if approval else None
        body = {"agent": AgentShape(agent, context=eyes).data, "approval": card}
        return Response(body, status=201)


class Authorize(Endpoint):
    @doc(
        "authorize_effect",
        "May I do this outside, exactly so? `allowed` is good for once",
        takes=EffectForm,
        gives=VerdictShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        agent = must_be_agent(self)
        said = self.read(EffectForm)
        verdict = effects.authorize(
            agent,
            said.pop("effect"),
            said.pop("payload"),
            by=self.actor,
            run=self.actor.run,
            **said,
        )
        card = ApprovalShape(verdict.approval).data if verdict.approval else None
        return Response(
            {"verdict": verdict.word, "reason": verdict.why, "approval": card}
        )


class Policies(Endpoint):
    @doc(
        "list_effect_policies",
        "Which effects outside are allowed, asked for or refused",
        gives=EffectPolicyShape,
        query=PolicyFilter,
    )
    def get(self, request: Request, **path: str) -> Response:
        return Response(table(self.company(), self.agent_named()))

    @doc(
        "change_effect_policy",
        "Say what an effect needs, for the company or one agent",
        takes=EffectPolicyForm,
        gives=EffectPolicyShape(many=True),
    )
    def put(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_be_operator(company.pk, "change what needs an approval")
        said = self.read(EffectPolicyForm)
        EffectPolicy.objects.put(company, by=self.actor, **said)
        return Response(table(company, said.get("agent")))

    def agent_named(self) -> Agent | None:
        pk = self.query(PolicyFilter).get("agentId")
        return Agent.objects.get_for(self.actor, pk) if pk else None


def table(company: Company, agent: Agent | None) -> list[dict[str, object]]:
    """A row for each effect there is, with the rule that counts for the agent."""
    said = EffectPolicy.objects.filter(company=company)
    rows = {(row.agent_id, row.effect) for row in said}
    agent_id = agent.pk if agent else None
    return [
        {
            "effect": effect.value,
            "title": str(effect.label),
            "rule": EffectPolicy.objects.rule(company, agent, effect),
            "isDefault": not {(agent_id, effect.value), (None, effect.value)} & rows,
        }
        for effect in Effect
    ]
