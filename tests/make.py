"""Rows for tests, made by the real verbs. Everything has a default."""

from __future__ import annotations

from itertools import count
from typing import Any

from rest_framework.test import APIClient

from agents.adapters.base import Outcome
from agents.models import Agent, ApiKey, BudgetPolicy, Run
from issues import heartbeat
from issues.models import Goal, Issue, Label, Project, Routine, RoutineTrigger
from paperclip.actors import SYSTEM, Actor
from paperclip.models import Company, Membership, User

numbers = count(1)


def operator(company: Company | None = None, role: str = "admin") -> User:
    """A person; when a company is given, one of those who run it."""
    user = User.objects.create_user(f"person-{next(numbers)}")
    if company is not None:
        company.memberships.create(user=user, role=role)
    return user


def company(name: str = "Digital Agents", **fields: Any) -> Company:
    return Company.objects.found(owner=operator(), by=SYSTEM, name=name, **fields)


def owner_of(company: Company) -> User:
    return company.memberships.get(role=Membership.Role.OWNER).user


def agent(company: Company | None = None, **fields: Any) -> Agent:
    """An idle agent that runs `true`."""
    values = {
        "name": f"Agent {next(numbers)}",
        "adapter_type": "process",
        "adapter_config": {"command": "true"},
        **fields,
    }
    return Agent.objects.hire(company or globals()["company"](), by=SYSTEM, **values)


def issue(company: Company | None = None, **fields: Any) -> Issue:
    """An issue to do. An assignee is woken by it, as ever."""
    values = {"title": f"Issue {next(numbers)}", "status": "todo", **fields}
    assignee = fields.get("assignee_agent")
    company = company or (assignee and assignee.company) or globals()["company"]()
    return Issue.objects.file(company, by=SYSTEM, **values)


def goal(company: Company, **fields: Any) -> Goal:
    values = {"title": f"Goal {next(numbers)}", **fields}
    return Goal.objects.set(company, by=SYSTEM, **values)


def project(company: Company, **fields: Any) -> Project:
    values = {"name": f"Project {next(numbers)}", **fields}
    return Project.objects.plan(company, by=SYSTEM, **values)


def routine(company: Company | None = None, **fields: Any) -> Routine:
    values = {"title": f"Routine {next(numbers)}", **fields}
    assignee = fields.get("assignee_agent")
    company = company or (assignee and assignee.company) or globals()["company"]()
    return Routine.objects.define(company, by=SYSTEM, **values)


def schedule(
    routine: Routine, cron: str = "0 9 * * *", zone: str = "UTC"
) -> RoutineTrigger:
    """A schedule of the routine, with its first time after now."""
    fields = {"cron_expression": cron, "time_zone": zone}
    return RoutineTrigger.objects.add(routine, by=SYSTEM, kind="schedule", **fields)[0]


def budget(scope: Any, amount: int, **fields: Any) -> BudgetPolicy:
    """A limit of this company, project, agent or issue: of cents in a month, unless
    something else is said."""
    return BudgetPolicy.objects.put(
        getattr(scope, "company", scope),
        by=SYSTEM,
        scope_type=scope._meta.model_name,
        scope_id=scope.pk,
        amount=amount,
        **fields,
    )


def label(company: Company, name: str = "bug") -> Label:
    return Label.objects.define(company, by=SYSTEM, name=name, color="#ff0000")


def queued_run(agent: Agent, issue: Issue | None = None) -> Run:
    """A run of the agent that waits to be started."""
    wakeup = agent.wake(
        "on_demand", "test", by=SYSTEM, issue_id=issue.pk if issue else None
    )
    assert wakeup.run is not None
    return wakeup.run


def live_run(agent: Agent, issue: Issue | None = None) -> tuple[Run, str]:
    """A run that was woken and claimed, and its token."""
    run = queued_run(agent, issue)
    token = run.claim(host="test")
    assert token is not None
    return run, token


def end(run: Run, status: str = "succeeded", **columns: Any) -> Run:
    """The run, ended like that, with all that follows from it."""
    heartbeat.conclude(run, Outcome(status, columns))
    run.refresh_from_db()
    return run


def working(agent: Agent, issue: Issue | None = None) -> Actor:
    """The agent, acting through a live run."""
    run, _ = live_run(agent, issue)
    return Actor.of_agent(agent, run)


def by(user: User) -> Actor:
    return Actor.of_user(user)


def key(holder: Agent | User) -> str:
    """The token of a new key."""
    return ApiKey.objects.issue_to(holder, name="test", by=SYSTEM)[1]


def client(token: str = "", *, run: Run | None = None) -> APIClient:
    """An HTTP client with that credential, acting through the run if one is given."""
    client = APIClient(raise_request_exception=False)
    headers = {"HTTP_X_PAPERCLIP_RUN_ID": str(run.pk)} if run else {}
    if token:
        headers["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    client.credentials(**headers)
    client.default_format = "json"
    return client


def client_of(holder: Agent | User, *, run: Run | None = None) -> APIClient:
    return client(key(holder), run=run)
