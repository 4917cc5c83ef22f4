"""Waking an agent over HTTP."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.agents import AgentEndpoint
from agents.api.runs import with_wakeup
from agents.api.shapes import RunShape
from agents.models import Agent, Run, Wakeup
from issues.api.forms import WakeForm
from issues.models import Issue
from paperclip.api.schema import doc
from paperclip.api.views import is_uuid
from paperclip.exceptions import Invalid, Missing, NotAllowed


class WakeEndpoint(AgentEndpoint):
    def sleeper(self) -> Agent:
        """The agent to wake. NotAllowed for another agent, and for viewers."""
        agent, mine = self.agent(), self.actor.agent
        if mine is None:
            self.actor.must_be_operator(agent.company_id, "wake an agent")
        elif mine.pk != agent.pk:
            raise NotAllowed("An agent can only wake itself.")
        return agent


class Invoke(WakeEndpoint):
    @doc("invoke_heartbeat", "Wake an agent now", gives=RunShape, status=202)
    def post(self, request: Request, **path: str) -> Response:
        agent = self.sleeper()
        source = Wakeup.Source.ON_DEMAND
        wakeup = agent.wake(source, "manual", by=self.actor, detail="manual")
        return outcome(wakeup)


class Wake(WakeEndpoint):
    @doc(
        "wake_agent",
        "Wake an agent, about an issue if payload.issueId names one",
        takes=WakeForm,
        gives=RunShape,
        status=202,
    )
    def post(self, request: Request, **path: str) -> Response:
        agent = self.sleeper()
        form = self.read(WakeForm)
        payload = form.get("payload") or {}
        subject = self.subject(agent, payload)
        if form.get("forceFreshSession") and subject:
            agent.sessions.filter(issue_id=subject["issue_id"]).reset(by=self.actor)
        wakeup = agent.wake(
            form["source"],
            form.get("reason") or "manual",
            by=self.actor,
            detail=form["triggerDetail"],
            payload=payload,
            **subject,
        )
        return outcome(wakeup)

    def subject(self, agent: Agent, payload: dict[str, Any]) -> dict[str, Any]:
        """The issue and the comment that the wake is about. Invalid when they are not
        the company's."""
        issue_id = payload.get("issueId") or payload.get("taskId")
        if not issue_id:
            return {}
        try:
            issue = Issue.objects.filter(company=agent.company_id).get_for(
                self.actor, issue_id
            )
        except Missing:
            raise Invalid(f"There is no issue {issue_id} in its company.") from None
        comment_id = payload.get("commentId")
        if comment_id and not has_comment(issue, str(comment_id)):
            raise Invalid(f"{issue.identifier} has no comment {comment_id}.")
        return {"issue_id": issue.pk, "comment_id": comment_id}


def has_comment(issue: Issue, pk: str) -> bool:
    return is_uuid(pk) and issue.comments.filter(pk=pk).exists()


def outcome(wakeup: Wakeup) -> Response:
    """The run that the wake made or joined; else why there is none."""
    if wakeup.run_id is None:
        return Response(skipped(wakeup), status=202)
    run = with_wakeup(Run.objects.all()).get(pk=wakeup.run_id)
    return Response(RunShape(run).data, status=202)


def skipped(wakeup: Wakeup) -> dict[str, Any]:
    about = wakeup.issue_id
    issue = Issue.objects.filter(pk=about).first() if about else None
    holder = issue.live_holder() if issue else None
    return {
        "status": "skipped",
        "reason": wakeup.reason,
        "message": wakeup.note,
        "issueId": str(issue.pk) if issue else None,
        "executionRunId": str(holder.pk) if holder else None,
        "executionAgentId": str(holder.agent_id) if holder else None,
        "executionAgentName": holder.agent.name if holder else None,
    }
