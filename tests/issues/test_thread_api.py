"""Comments, contexts and wakes over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from agents.models import Wakeup
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def operator(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def test_comments_come_newest_first_or_what_is_new(
    company: Company, operator: APIClient
) -> None:
    issue = make.issue(company)
    said = [issue.comment(f"Number {n}", by=SYSTEM) for n in range(5)]
    url = f"/api/issues/{issue.pk}/comments"

    def read(query: str = "") -> list[str]:
        return [row["body"][-1] for row in operator.get(f"{url}{query}").json()]

    assert read() == ["4", "3", "2", "1", "0"]
    assert read("?order=asc&limit=2") == ["0", "1"]
    assert read(f"?order=asc&after={said[2].pk}") == ["3", "4"]
    assert read(f"?after={said[2].pk}") == ["1", "0"]
    one = operator.get(f"{url}/{said[0].pk}").json()
    assert one["body"] == "Number 0"


@pytest.mark.parametrize("query", ["after=x", "order=up", "limit=501"])
def test_a_wrong_question_is_refused(
    company: Company, operator: APIClient, query: str
) -> None:
    issue, other = make.issue(company), make.issue(company)
    url = f"/api/issues/{issue.pk}/comments"
    assert operator.get(f"{url}?{query}").status_code == 400
    foreign = other.comment("Elsewhere", by=SYSTEM)
    assert operator.get(f"{url}?after={foreign.pk}").status_code == 400
    assert operator.get(f"{url}/{foreign.pk}").status_code == 404


def test_a_comment_reopens_and_interrupts(
    company: Company, operator: APIClient
) -> None:
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    issue.change(by=SYSTEM, status="done")
    run, token = make.live_run(agent, issue)
    url = f"/api/issues/{issue.pk}/comments"
    body = {"body": "Not yet.", "reopen": True, "interrupt": True}
    assert make.client(token).post(url, body).status_code == 403
    assert operator.post(url, body).status_code == 201
    run.refresh_from_db()
    issue.refresh_from_db()
    assert (run.status, issue.status) == ("cancelled", "todo")


def test_the_context_is_all_one_needs_to_begin(
    company: Company, operator: APIClient
) -> None:
    goal = make.goal(company)
    parent = make.issue(company, project=make.project(company, goal=goal))
    issue = make.issue(company, parent=parent, blocked_by=[make.issue(company)])
    first = issue.comment("First", by=SYSTEM)
    last = issue.comment("Last", by=SYSTEM)
    url = f"/api/issues/{issue.pk}/heartbeat-context"
    context = operator.get(f"{url}?wakeCommentId={first.pk}").json()
    assert context["issue"]["identifier"] == issue.identifier
    assert [one["id"] for one in context["ancestors"]] == [str(parent.pk)]
    assert context["goal"]["id"] == str(goal.pk)
    assert len(context["issue"]["blockedBy"]) == 1
    assert context["commentCursor"]["totalComments"] == 2
    assert context["commentCursor"]["latestCommentId"] == str(last.pk)
    assert context["wakeComment"]["body"] == "First"
    assert operator.get(f"{url}?wakeCommentId={issue.pk}").status_code == 404


def test_the_runs_of_an_issue_are_those_that_touched_it(
    company: Company, operator: APIClient
) -> None:
    agent = make.agent(company)
    issue = make.issue(company)
    about = make.queued_run(make.agent(company), issue)
    actor = make.working(agent)
    issue.comment("Passing by.", by=actor)
    make.queued_run(make.agent(company))
    found = operator.get(f"/api/issues/{issue.pk}/runs").json()
    assert [run["runId"] for run in found] == [str(actor.run.pk), str(about.pk)]
    acts = operator.get(f"/api/issues/{issue.pk}/activity").json()
    assert [act["action"] for act in acts] == ["issue.comment_added", "issue.created"]


def test_activity_is_filtered(company: Company, operator: APIClient) -> None:
    agent = make.agent(company)
    issue = make.issue(company)
    issue.comment("Hello", by=make.working(agent))
    url = f"/api/companies/{company.pk}/activity"
    for query in (f"agentId={agent.pk}", f"entityType=issue&entityId={issue.pk}"):
        found = operator.get(f"{url}?{query}").json()
        assert found[0]["action"] == "issue.comment_added"
        assert found[0]["details"]["identifier"] == issue.identifier
    assert operator.get(f"{url}?agentId=x").status_code == 400


def test_an_operator_wakes_an_agent(company: Company, operator: APIClient) -> None:
    agent = make.agent(company)
    first = operator.post(f"/api/agents/{agent.pk}/heartbeat/invoke")
    again = operator.post(f"/api/agents/{agent.pk}/heartbeat/invoke", {})
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert again.json()["wakeupRequestId"] == first.json()["wakeupRequestId"]
    assert len(again.json()["contextSnapshot"]["wakes"]) == 2
    assert agent.wakeups.count() == 2


def test_a_wake_is_about_an_issue(company: Company, operator: APIClient) -> None:
    agent, issue = make.agent(company), make.issue(company)
    said = issue.comment("Look", by=SYSTEM)
    body = {
        "source": "on_demand",
        "triggerDetail": "manual",
        "reason": "please look",
        "payload": {"issueId": str(issue.pk), "commentId": str(said.pk)},
        "forceFreshSession": False,
    }
    answer = operator.post(f"/api/agents/{agent.pk}/wakeup", body).json()
    assert answer["issueId"] == str(issue.pk)
    assert answer["contextSnapshot"]["wakeReason"] == "please look"
    assert answer["contextSnapshot"]["wakeCommentIds"] == [str(said.pk)]


@pytest.mark.parametrize(
    "payload",
    [
        {"issueId": "00000000-0000-4000-8000-000000000000"},
        {"issueId": "x"},
        {"issueId": ["x"]},
        {"issueId": {"a": 1}},
        {"issueId": 5},
    ],
)
def test_a_wake_about_nothing_there_is_refused(
    company: Company, operator: APIClient, payload: dict[str, Any]
) -> None:
    agent = make.agent(company)
    url = f"/api/agents/{agent.pk}/wakeup"
    assert operator.post(url, {"payload": payload}).status_code == 422
    foreign = {"issueId": str(make.issue().pk)}
    assert operator.post(url, {"payload": foreign}).status_code == 422
    for comment in (str(agent.pk), "x", ["x"]):
        mine = {"issueId": str(make.issue(company).pk), "commentId": comment}
        assert operator.post(url, {"payload": mine}).status_code == 422
    assert not Wakeup.objects.filter(agent=agent).exists()


def test_an_agent_wakes_only_itself(company: Company) -> None:
    agent, other = make.agent(company), make.agent(company)
    client = make.client(make.live_run(agent)[1])
    for path in ("wakeup", "heartbeat/invoke"):
        assert client.post(f"/api/agents/{other.pk}/{path}").status_code == 403
        assert client.post(f"/api/agents/{agent.pk}/{path}").status_code == 202


def test_a_paused_agent_is_not_woken(company: Company, operator: APIClient) -> None:
    agent = make.agent(company)
    agent.pause(by=SYSTEM)
    url = f"/api/agents/{agent.pk}"
    response = operator.post(f"{url}/heartbeat/invoke")
    assert response.status_code == 409
    assert "paused" in response.json()["error"]
    skipped = operator.post(f"{url}/wakeup", {"source": "automation"})
    assert (skipped.status_code, skipped.json()["status"]) == (202, "skipped")
    assert "paused" in skipped.json()["message"]
