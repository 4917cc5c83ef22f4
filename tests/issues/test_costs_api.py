"""What a model call cost, told from outside and summed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils.timezone import now

from agents.models import Agent, CostEvent
from paperclip.models import Activity, Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company(budget_monthly_cents=1000)


@pytest.fixture
def agent(company: Company) -> Agent:
    return make.agent(company, name="Spender")


def told(agent: Agent, **more: Any) -> dict[str, Any]:
    return {
        "agentId": str(agent.pk),
        "provider": "anthropic",
        "model": "claude-x",
        "inputTokens": 1000,
        "outputTokens": 200,
        "costCents": 12,
        **more,
    }


def tell(company: Company, caller: Any, **body: Any) -> Any:
    client = make.client_of(caller)
    return client.post(f"/api/companies/{company.pk}/cost-events", body)


def get(company: Company, what: str) -> Any:
    client = make.client_of(make.owner_of(company))
    response = client.get(f"/api/companies/{company.pk}/costs/{what}")
    assert response.status_code == 200, response.content
    return response.json()


def entered(agent: Agent, **columns: Any) -> CostEvent:
    about = {"provider": "gemini", "biller": "gemini", "model": "m", **columns}
    by = make.by(make.owner_of(agent.company))
    event: CostEvent = CostEvent.objects.report(
        agent.company, by=by, agent=agent, **about
    )
    return event


def test_an_agent_tells_what_it_cost(company: Company, agent: Agent) -> None:
    project = make.project(company)
    issue = make.issue(company, project=project)
    answer = tell(company, agent, **told(agent, issueId=str(issue.pk)))
    assert answer.status_code == 201
    assert answer.json()["costCents"] == 12
    assert answer.json()["projectId"] == str(project.pk)
    event = CostEvent.objects.get()
    assert (event.cost_micros, event.biller) == (120_000, "anthropic")
    assert Activity.objects.filter(action="cost_event.created").count() == 1
    agent.refresh_from_db()
    company.refresh_from_db()
    assert (agent.spent_monthly_cents, company.spent_monthly_cents) == (12, 12)


def test_nobody_tells_the_costs_of_a_colleague(company: Company, agent: Agent) -> None:
    assert tell(company, make.agent(company), **told(agent)).status_code == 403
    viewer = make.operator(company, role="viewer")
    assert tell(company, viewer, **told(agent)).status_code == 403
    assert not CostEvent.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"costCents": -1},
        {"costCents": 1.5},
        {"inputTokens": -1},
        {"occurredAt": (now() + timedelta(days=40)).isoformat()},
        {"provider": ""},
    ],
)
def test_what_cannot_be_is_refused(
    company: Company, agent: Agent, wrong: dict[str, Any]
) -> None:
    assert tell(company, agent, **told(agent, **wrong)).status_code == 400
    assert not CostEvent.objects.exists()


def test_a_row_of_another_company_is_refused(company: Company, agent: Agent) -> None:
    foreign = make.issue(make.company("Others"))
    answer = tell(company, agent, **told(agent, issueId=str(foreign.pk)))
    assert answer.status_code == 422
    run, _ = make.live_run(make.agent(company))
    answer = tell(company, agent, **told(agent, heartbeatRunId=str(run.pk)))
    assert answer.status_code == 422
    assert not CostEvent.objects.exists()


def test_an_unknown_price_is_counted_and_is_not_nothing(
    company: Company, agent: Agent
) -> None:
    answer = tell(company, agent, **told(agent, costCents=None))
    assert answer.json()["costStatus"] == "unknown"
    assert answer.json()["costCents"] is None
    entered(agent, cost_micros=1)
    said = get(company, "summary")
    assert (said["spendCents"], said["unpricedCalls"]) == (1, 1)
    assert (said["budgetCents"], said["utilizationPercent"]) == (1000, 0.1)


def test_a_new_month_begins_with_nothing(company: Company, agent: Agent) -> None:
    then = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
    with time_machine.travel(then):
        entered(agent, cost_micros=70_001, occurred_at=then)
        agent.refresh_from_db()
        assert agent.spent_monthly_cents == 8
    agent.refresh_from_db()
    assert agent.spent_monthly_cents == 0
    entered(agent, cost_micros=10_000)
    # A late one of the month before changes nothing in this one.
    entered(agent, cost_micros=50_000, occurred_at=then)
    agent.refresh_from_db()
    assert agent.spent_monthly_cents == 1
    assert get(company, "summary")["spendCents"] == 1
    january = get(company, "summary?from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z")
    assert january["spendCents"] == 13


def test_the_dearest_agent_comes_first(company: Company, agent: Agent) -> None:
    other = make.agent(company, name="Dear")
    run, _ = make.live_run(agent)
    entered(agent, cost_micros=10_000, input_tokens=5, run=run)
    entered(agent, cost_micros=10_000, input_tokens=6, run=run)
    plan = {"billing_type": "subscription_included", "input_tokens": 7}
    entered(agent, cost_micros=0, **plan)
    entered(other, cost_micros=30_000)
    dear, cheap = get(company, "by-agent")
    assert (dear["agentName"], dear["costCents"]) == ("Dear", 3)
    assert (cheap["costCents"], cheap["inputTokens"]) == (2, 18)
    assert (cheap["apiRunCount"], cheap["subscriptionInputTokens"]) == (1, 7)


def test_a_call_counts_for_the_project_of_its_issue(
    company: Company, agent: Agent
) -> None:
    project = make.project(company, name="Site")
    issue = make.issue(company, project=project)
    entered(agent, cost_micros=10_000, issue_id=issue.pk)
    entered(agent, cost_micros=20_000, project_id=project.pk)
    entered(agent, cost_micros=90_000)
    [row] = get(company, "by-project")
    assert (row["projectId"], row["projectName"]) == (str(project.pk), "Site")
    assert row["costCents"] == 3


def test_costs_of_others_are_not_shown(company: Company) -> None:
    stranger = make.client_of(make.operator(make.company("Others")))
    for what in ("summary", "by-agent", "by-project"):
        path = f"/api/companies/{company.pk}/costs/{what}"
        assert stranger.get(path).status_code == 404
