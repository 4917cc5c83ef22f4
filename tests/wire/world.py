"""The situation in which a recorded request is sent again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.utils.timezone import now

from agents.models import Agent, Approval, CostEvent, Run
from issues import budgets
from issues.models import Comment, Document, Goal, Issue, Project, Routine
from paperclip.actors import SYSTEM
from paperclip.models import Company, User
from tests import make

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NOBODY = "00000000-0000-4000-8000-000000000000"
# What a recorded id stands for: by the word before it in the path, or by its field.
SEGMENTS = {
    "companies": "company",
    "agents": "agent",
    "issues": "issue",
    "goals": "goal",
    "heartbeat-runs": "run",
    "routines": "routine",
    "approvals": "approval",
}
FIELDS = {
    "agentId": "agent",
    "assigneeAgentId": "agent",
    "reportsTo": "boss",
    "projectId": "project",
    "goalId": "goal",
    "goalIds": "goal",
    "parentId": "issue",
    "scopeId": "agent",
    "issueId": "issue",
    "issueIds": "issue",
    "requestedByAgentId": "agent",
    "after": "comment",
}


@dataclass
class World:
    """A company with a boss, an agent with a live run, another agent, and an issue."""

    company: Company
    owner: User
    boss: Agent
    agent: Agent
    other: Agent
    goal: Goal
    project: Project
    issue: Issue
    comment: Comment
    run: Run
    routine: Routine
    approval: Approval

    @classmethod
    def made(cls) -> World:
        company = make.company("Wire Co")
        boss = make.agent(company, name="Boss", role="ceo")
        agent = make.agent(company, name="Recorded", reports_to=boss)
        goal = make.goal(company, level="company", status="active")
        project = make.project(company, goal=goal)
        issue = make.issue(company, project=project)
        owner = make.owner_of(company)
        return cls(
            company=company,
            owner=owner,
            boss=boss,
            agent=agent,
            other=make.agent(company, name="Other"),
            goal=goal,
            project=project,
            issue=issue,
            comment=issue.comment("The first words.", by=make.by(owner)),
            run=make.live_run(agent)[0],
            routine=make.routine(company, project=project),
            approval=Approval.objects.request(
                company,
                "approve_ceo_strategy",
                {"plan": "grow v2"},
                by=make.by(owner),
                agent=agent,
                issue_ids=[issue.pk],
            ),
        )

    def held_by(self, agent: Agent) -> None:
        run = self.run if agent == self.agent else make.live_run(agent)[0]
        actor = make.Actor.of_agent(agent, run)
        self.issue.check_out(agent, run, ["todo"], by=actor)

    def spent(self) -> None:
        CostEvent.objects.report(
            self.company,
            by=SYSTEM,
            agent=self.agent,
            provider="anthropic",
            biller="anthropic",
            model="claude-x",
            input_tokens=1001,
            output_tokens=202,
            cost_micros=130_000,
        )

    def stopped(self) -> None:
        """What it may spend is spent."""
        self.spent()
        self.agent.change(by=SYSTEM, budget_monthly_cents=10)
        budgets.carry_through()

    def planned(self) -> None:
        owner = make.by(self.owner)
        Document.objects.write(self.issue, "plan", body="# Plan", by=owner)

    def fired(self) -> None:
        make.schedule(self.routine)
        self.routine.fire(by=make.by(self.owner), source="manual", at=now())

    def decided(self, status: str) -> None:
        """The approval, as another person decided it."""
        other = make.by(make.operator(self.company))
        if status == "revised":
            self.approval.request_revision(by=other, note="more detail")
        else:
            self.approval.decide(status, by=other)

    def translated(self, path: str, body: Any) -> tuple[str, Any]:
        """The recorded address and body with our ids in them."""
        path = path.replace("WIR-1", self.issue.identifier)
        for word, name in SEGMENTS.items():
            path = re.sub(f"(/{word}/){UUID}", self._put(name), path)
        for field, name in FIELDS.items():
            path = re.sub(f"({field}=){UUID}", self._put(name), path)
        return path, self._body(body)

    def _put(self, name: str) -> Any:
        def put(found: re.Match[str]) -> str:
            ours = str(getattr(self, name).pk)
            return found[0] if NOBODY in found[0] else found[1] + ours

        return put

    def _body(self, body: Any, field: str = "") -> Any:
        if isinstance(body, dict):
            return {key: self._body(value, key) for key, value in body.items()}
        if isinstance(body, list):
            return [self._body(one, field) for one in body]
        if field in FIELDS and isinstance(body, str):
            return str(getattr(self, FIELDS[field]).pk)
        return body
