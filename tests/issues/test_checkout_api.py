"""T-01, T-02: checkout over HTTP: one of many gets it, a dead holder blocks nobody."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.models import Agent, Run
from agents.models.end import LIVE
from issues.models import Issue
from paperclip.actors import SYSTEM
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db

ALL = ["todo", "backlog", "blocked", "in_review"]


def take(token: str, issue: Issue, agent: Agent, expected: Any = ALL) -> Any:
    body = {"agentId": str(agent.pk), "expectedStatuses": expected}
    return make.client(token).post(f"/api/issues/{issue.pk}/checkout", body)


def test_a_run_takes_an_issue() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    run, token = make.live_run(agent)
    answer = take(token, issue, agent).json()
    assert (answer["status"], answer["assigneeAgentId"]) == (
        "in_progress",
        str(agent.pk),
    )
    assert answer["checkoutRunId"] == answer["executionRunId"] == str(run.pk)
    assert take(token, issue, agent, ["todo"]).status_code == 200


def test_a_live_owner_is_never_displaced() -> None:
    """T-01b."""
    agent = make.agent()
    other = make.agent(agent.company)
    issue = make.issue(agent.company)
    run, token = make.live_run(agent)
    take(token, issue, agent)
    response = take(make.live_run(other)[1], issue, other)
    assert response.status_code == 409
    assert response.json() == {
        "error": "Issue checkout conflict",
        "code": "checkout_conflict",
        "details": {
            "reason": "held_by_live_run",
            "issueId": str(issue.pk),
            "status": "in_progress",
            "assigneeAgentId": str(agent.pk),
            "checkoutRunId": str(run.pk),
            "executionRunId": str(run.pk),
            "holderRunId": str(run.pk),
            "holderIsLive": True,
            "retryAfter": 60,
        },
    }
    assert Issue.objects.get().live_holder() == run


@pytest.mark.parametrize("how", [*Run.ENDED, "deleted"])
def test_a_dead_owner_blocks_nobody(how: str) -> None:
    """T-01a."""
    agent = make.agent()
    other = make.agent(agent.company)
    issue = make.issue(agent.company)
    client = make.client_of(make.owner_of(agent.company))
    url = f"/api/issues/{issue.pk}"
    gone = set()
    for number, taker in enumerate((agent, agent, other)):
        if taker == other:
            client.patch(url, {"assigneeAgentId": str(other.pk)})
        run, token = make.live_run(taker, make.issue(agent.company))
        response = take(token, issue, taker, ["todo", "in_progress"])
        assert response.status_code == 200, (number, response.content)
        assert response.json()["checkoutRunId"] == str(run.pk)
        assert not gone & set(map(str, response.json().values()))
        gone.add(str(run.pk))
        run.delete() if how == "deleted" else run._end(LIVE, how, SYSTEM)
        assert client.get(url).json()["checkoutRunId"] is None


def test_an_agent_takes_only_for_itself_and_only_in_a_run() -> None:
    agent = make.agent()
    other = make.agent(agent.company)
    issue = make.issue(agent.company)
    assert take(make.live_run(agent)[1], issue, other).status_code == 403
    response = take(make.key(agent), issue, agent)
    assert response.status_code == 401
    assert response.json()["error"] == "Agent run id required"


def test_a_key_with_a_run_takes_an_issue() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    run, _ = make.live_run(agent)
    body = {"agentId": str(agent.pk), "expectedStatuses": ALL}
    client = make.client_of(agent, run=run)
    response = client.post(f"/api/issues/{issue.identifier}/checkout", body)
    assert response.json()["checkoutRunId"] == str(run.pk)


@pytest.mark.parametrize("expected", [None, [], ["nope"], "todo"])
def test_it_says_what_it_expects(expected: Any) -> None:
    agent = make.agent()
    response = take(make.live_run(agent)[1], make.issue(agent.company), agent, expected)
    assert (response.status_code, response.json()["code"]) == (400, "validation")


def test_a_blocked_issue_is_unprocessable_and_names_its_blockers() -> None:
    agent = make.agent()
    blocker = make.issue(agent.company)
    issue = make.issue(agent.company, blocked_by=[blocker])
    _, token = make.live_run(agent)
    response = take(token, issue, agent)
    assert response.status_code == 422
    details = response.json()["details"]
    assert details == {"unresolvedBlockerIssueIds": [str(blocker.pk)]}
    patched = make.client(token).patch(
        f"/api/issues/{issue.pk}", {"status": "in_progress"}
    )
    assert patched.status_code == 422
    assert Issue.objects.get(pk=issue.pk).status == "todo"


def test_an_operator_hands_it_out() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    token = make.key(make.owner_of(agent.company))
    answer = take(token, issue, agent).json()
    assert (answer["status"], answer["checkoutRunId"]) == ("in_progress", None)
    stranger = make.agent()
    assert take(token, make.issue(agent.company), stranger).status_code == 404


def test_release_gives_it_back() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    _, token = make.live_run(agent)
    take(token, issue, agent)
    url = f"/api/issues/{issue.pk}/release"
    other = make.client(make.live_run(make.agent(agent.company))[1])
    assert other.post(url).status_code == 409
    assert make.client_of(agent).post(url).status_code == 403
    answer = make.client(token).post(url).json()
    assert (answer["status"], answer["assigneeAgentId"]) == ("todo", None)
    assert answer["checkoutRunId"] is None


def test_it_takes_few_queries() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    _, token = make.live_run(agent)
    with CaptureQueriesContext(connection) as queries:
        assert take(token, issue, agent).status_code == 200
    assert len(queries) <= 12


@pytest.mark.django_db(transaction=True)
def test_of_fifty_at_once_one_gets_it() -> None:
    """T-02a."""
    company = make.company()
    agents = [make.agent(company) for _ in range(50)]
    tokens = [make.live_run(agent)[1] for agent in agents]
    for _ in range(2):
        issue = make.issue(company)
        answers = together(50, lambda n, i=issue: take(tokens[n], i, agents[n]))
        codes = Counter(answer.status_code for answer in answers)
        assert codes == {200: 1, 409: 49}
        winner = next(a.json() for a in answers if a.status_code == 200)
        fresh = Issue.objects.get(pk=issue.pk)
        assert str(fresh.checkout_run_id) == winner["checkoutRunId"]
        assert str(fresh.assignee_agent_id) == winner["assigneeAgentId"]
