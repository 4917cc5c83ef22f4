"""Budgets over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils.timezone import now

from agents.models import Agent, BudgetIncident, CostEvent, Run, Wakeup
from issues import checking, worth
from issues.models import Criterion, Document
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make
from tests.issues.test_budgets import spend

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def owner(company: Company) -> Any:
    return make.client_of(make.owner_of(company))


def limit(company: Company, client: Any, **body: Any) -> Any:
    path = f"/api/companies/{company.pk}/budgets/policies"
    return client.post(path, body, format="json")


def overview(company: Company, client: Any) -> Any:
    return client.get(f"/api/companies/{company.pk}/budgets/overview").json()


def about(scope: Any, **body: Any) -> dict[str, Any]:
    kind = scope._meta.model_name
    return {"scopeType": kind, "scopeId": str(scope.pk), "amount": 100, **body}


def test_a_limit_is_set_changed_and_taken_away(company: Company, owner: Any) -> None:
    project = make.project(company)
    answer = limit(company, owner, **about(project, metric="minutes"))
    assert answer.status_code == 200
    assert answer.json()["windowKind"] == "lifetime"
    assert answer.json()["windowEnd"] is None
    again = limit(company, owner, **about(project, metric="minutes", amount=7))
    assert again.json()["policyId"] == answer.json()["policyId"]
    [shown] = overview(company, owner)["policies"]
    assert (shown["amount"], shown["scopeName"]) == (7, project.name)
    assert (shown["status"], shown["remainingAmount"]) == ("ok", 7)
    gone = limit(company, owner, **about(project, metric="minutes", amount=0))
    assert gone.json()["isActive"] is False
    assert overview(company, owner)["policies"] == []


def test_the_mirrors_show_what_the_policy_says(company: Company, owner: Any) -> None:
    agent = make.agent(company)
    for path, scope in (
        (f"companies/{company.pk}", company),
        (f"agents/{agent.pk}", agent),
    ):
        body = {"budgetMonthlyCents": 1234}
        answer = owner.patch(f"/api/{path}/budgets", body, format="json")
        assert answer.json()["budgetMonthlyCents"] == 1234
        limit(company, owner, **about(scope, amount=99))
        scope.refresh_from_db()
        assert scope.budget_monthly_cents == 99
    scopes = [one["scopeType"] for one in overview(company, owner)["policies"]]
    assert scopes == ["company", "agent"]


def test_an_incident_is_shown_and_resolved(company: Company, owner: Any) -> None:
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    spend(agent, 50)
    limit(company, owner, **about(agent, amount=50))
    shown = overview(company, owner)
    [incident] = shown["activeIncidents"]
    assert (incident["scopeName"], incident["thresholdType"]) == (agent.name, "hard")
    assert (incident["amountObserved"], incident["stoppedRuns"]) == (50, 1)
    counts = ("pausedAgentCount", "pausedProjectCount", "pendingApprovalCount")
    assert [shown[name] for name in counts] == [1, 0, 1]
    path = f"/api/companies/{company.pk}/budget-incidents/{incident['id']}/resolve"
    for body, status in (
        ({"action": "raise_budget_and_resume"}, 422),
        ({"action": "raise_budget_and_resume", "amount": 50}, 422),
        ({"action": "keep_paused"}, 200),
        ({"action": "keep_paused"}, 409),
        ({"action": "raise_budget_and_resume", "amount": 51}, 200),
        ({"action": "wish"}, 400),
    ):
        answer = owner.post(path, body, format="json")
        assert answer.status_code == status, body
    assert [run.issue_id for run in Run.objects.open()] == [issue.pk]
    assert overview(company, owner)["activeIncidents"] == []
    unknown = path.replace(incident["id"], str(uuid4()))
    assert owner.post(unknown, {"action": "keep_paused"}).status_code == 404


def test_a_wake_that_a_budget_refuses_is_written_down(
    company: Company, owner: Any
) -> None:
    agent = make.agent(company, budget_monthly_cents=10)
    spend(agent, 10)
    answer = owner.post(f"/api/agents/{agent.pk}/heartbeat/invoke", {})
    assert answer.status_code == 409
    assert answer.json()["details"] == {
        "scopeType": "agent",
        "scopeId": str(agent.pk),
    }
    assert Wakeup.objects.get().status == "skipped"


def test_only_operators_set_limits(company: Company) -> None:
    agent = make.agent(company)
    viewer = make.client_of(make.operator(company, role="viewer"))
    stranger = make.client_of(make.operator(make.company("Others")))
    body = about(agent)
    assert limit(company, viewer, **body).status_code == 403
    assert limit(company, make.client_of(agent), **body).status_code == 403
    assert limit(company, stranger, **body).status_code == 404
    for client in (viewer, make.client_of(agent)):
        assert overview(company, client)["policies"] == []
        for path in (f"companies/{company.pk}", f"agents/{agent.pk}"):
            answer = client.patch(f"/api/{path}/budgets", {"budgetMonthlyCents": 1})
            assert answer.status_code == 403
    path = f"/api/companies/{company.pk}/budgets/overview"
    assert stranger.get(path).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": -1},
        {"amount": 1.5},
        {"scopeType": "planet"},
        {"metric": "smiles"},
        {"warnPercent": 0},
        {"scopeId": "x"},
        {"windowKind": "week"},
    ],
)
def test_what_cannot_be_is_refused(
    company: Company, owner: Any, wrong: dict[str, Any]
) -> None:
    answer = limit(company, owner, **{**about(make.agent(company)), **wrong})
    assert answer.status_code == 400
    assert not BudgetIncident.objects.exists()


# --- what is to be expected -----------------------------------------------------------


def test_a_forecast_is_made_of_runs_that_ended(company: Company, owner: Any) -> None:
    agent = make.agent(company, budget_monthly_cents=1000)
    for cents in (1, 2, 3, 4, 50):
        run, _ = make.live_run(agent)
        spend(agent, cents, run=run, input_tokens=cents)
        make.end(run)
    [shown] = overview(company, owner)["policies"]
    told = shown["forecast"]
    assert (told["runs"], told["p50"]) == (5, 3)
    assert 30 < told["p90"] < 50
    # 940 cents are left.
    assert (told["runsLeft"], told["runsLeftAtP90"]) == (313, 29)


def done(agent: Agent, cents: int, *, proven: bool = False) -> Any:
    """An issue that the agent called done; what has a reviewer a person accepts."""
    company = agent.company
    issue = make.issue(company, assignee_agent=agent)
    if proven:
        Criterion.objects.add(
            issue,
            by=SYSTEM,
            type="file",
            title="A report",
            settings={"document": "report"},
        )
        Document.objects.write(issue, "report", by=SYSTEM, body="All is well.")
    by = make.working(agent, issue)
    issue.check_out(agent, by.run, ["todo"], by=by)
    spend(agent, cents, issue_id=issue.pk)
    issue.change(by=by, status="done", comment="Done.")
    make.end(by.run)
    Run.objects.open().cancel(by=SYSTEM, why="a test")
    checking.check_on()
    issue.refresh_from_db()
    if issue.is_under_review:
        issue.change(by=make.by(make.owner_of(company)), status="done")
    assert issue.status == "done"
    return issue


def test_an_issue_is_compared_with_those_like_it(company: Company) -> None:
    dev = make.agent(company, role="engineer")
    colleague = make.agent(company, role="engineer")
    issue = make.issue(company, assignee_agent=dev)
    assert worth.forecast(issue).count == 0
    for cents in (10, 20, 30):
        done(colleague, cents)
    assert worth.forecast(issue).p50 == 200_000
    for _ in range(5):
        done(dev, 1)
    found = worth.forecast(issue)
    assert (found.count, found.p50) == (5, 10_000)


def test_accepted_results_bear_the_cost_of_all_work(company: Company) -> None:
    qa = make.agent(company, role="qa")
    dev = make.agent(company, name="Dev", role="engineer", reviewer=qa)
    slow = make.agent(company, name="Slow", role="engineer")
    reviewed, proven = done(dev, 10), done(slow, 20, proven=True)
    word = done(slow, 90)
    outcomes = [one.claims.get().status for one in (reviewed, proven, word)]
    assert outcomes == ["accepted", "verified", "unverified"]
    spend(dev, 30)
    events = CostEvent.objects.filter(company=company)
    hour = timedelta(hours=1)
    found = worth.per_accepted(company, events, now() - hour, now() + hour)
    by_name = {one.name: (one.accepted, one.each) for one in found["agents"]}
    assert by_name == {"Dev": (1, 400_000), "Slow": (1, 1_100_000)}
    assert [(one.accepted, one.each) for one in found["roles"]] == [(2, 750_000)]
    assert [(one.accepted, one.each) for one in found["models"]] == [(2, 750_000)]
