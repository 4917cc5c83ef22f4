"""Issues over HTTP: filing, listing, reading and changing."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from issues.models import Issue
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


def file(client: APIClient, company: Company, **fields: Any) -> Any:
    body = {"title": "Write", **fields}
    return client.post(f"/api/companies/{company.pk}/issues", body)


def test_it_is_filed_with_every_field(company: Company, operator: APIClient) -> None:
    agent, label = make.agent(company), make.label(company)
    blocker = make.issue(company)
    fields = {
        "title": "Write the README",
        "description": "  as it is  \n",
        "status": "todo",
        "priority": "high",
        "workMode": "planning",
        "assigneeAgentId": str(agent.pk),
        "projectId": str(make.project(company).pk),
        "goalId": str(make.goal(company).pk),
        "parentId": str(make.issue(company).pk),
        "billingCode": "R&D",
        "requestDepth": 3,
    }
    edges = {"blockedByIssueIds": [str(blocker.pk)], "labelIds": [str(label.pk)]}
    response = file(operator, company, **fields, **edges)
    assert response.status_code == 201, response.content
    answer = response.json()
    assert {name: answer[name] for name in fields} == fields
    assert answer["labelIds"] == [str(label.pk)]
    assert [issue["id"] for issue in answer["blockedBy"]] == [str(blocker.pk)]
    assert answer["createdByUserId"] == str(make.owner_of(company).pk)
    # It waits for its blocker, so nobody is woken yet.
    assert not agent.runs.exists()
    blocker.change(by=SYSTEM, status="done")
    assert str(agent.runs.get().issue_id) == answer["id"]


def test_the_second_of_one_title_is_the_first(
    company: Company, operator: APIClient
) -> None:
    first = file(operator, company)
    again = file(operator, company, title="  write ")
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["id"], again.json()["deduplicated"]) == (
        first.json()["id"],
        True,
    )
    assert file(operator, company, allowDuplicate=True).status_code == 201
    Issue.objects.update(status="done")
    assert file(operator, company).status_code == 201


def test_an_agent_files_a_part_of_its_work(company: Company) -> None:
    agent = make.agent(company)
    run, token = make.live_run(agent)
    parent = make.issue(company)
    answer = file(make.client(token), company, parentId=str(parent.pk)).json()
    assert answer["createdByAgentId"] == str(agent.pk)
    assert answer["originRunId"] == str(run.pk)


def test_children_can_hold_up_their_parent(
    company: Company, operator: APIClient
) -> None:
    blocker = make.issue(company)
    parent = make.issue(company, blocked_by=[blocker])
    body = {
        "title": "Part",
        "description": "Do it.",
        "acceptanceCriteria": ["it works", "it is tested"],
        "blockParentUntilDone": True,
    }
    child = operator.post(f"/api/issues/{parent.pk}/children", body)
    assert child.status_code == 201
    assert child.json()["parentId"] == str(parent.pk)
    assert child.json()["description"] == (
        "Do it.\n\n## Acceptance criteria\n\n- [ ] it works\n- [ ] it is tested"
    )
    waits_for = operator.get(f"/api/issues/{parent.pk}").json()["blockedBy"]
    assert {issue["id"] for issue in waits_for} == {
        str(blocker.pk),
        child.json()["id"],
    }


def test_lists_are_filtered(company: Company, operator: APIClient) -> None:
    agent, label = make.agent(company), make.label(company)
    project, parent = make.project(company), make.issue(company, title="Parent")
    owner = make.owner_of(company)
    made = {
        "assigneeAgentId=": make.issue(company, assignee_agent=agent),
        "projectId=": make.issue(company, project=project),
        "parentId=": make.issue(company, parent=parent),
        "labelId=": make.issue(company, labels=[label]),
        "assigneeUserId=": make.issue(company, assignee_user=owner),
        "status=": make.issue(company, status="backlog"),
        "q=": make.issue(company, title="A needle in the hay"),
    }
    values = {
        "assigneeAgentId=": agent.pk,
        "projectId=": project.pk,
        "parentId=": parent.pk,
        "labelId=": label.pk,
        "assigneeUserId=": "me",
        "status=": "backlog,done",
        "q=": "NEEDLE",
    }
    url = f"/api/companies/{company.pk}/issues"
    for query, issue in made.items():
        found = operator.get(f"{url}?{query}{values[query]}").json()
        assert [one["id"] for one in found] == [str(issue.pk)], query
    everything = operator.get(url).json()
    assert len(everything) == len(made) + 1
    Issue.objects.filter(pk=parent.pk).update(hidden_at="2026-01-01T00:00Z")
    assert len(operator.get(url).json()) == len(made)


@pytest.mark.parametrize(
    "query",
    ["status=nope", "status=todo,", "projectId=x", "assigneeUserId=x", "labelId=1"],
)
def test_a_wrong_filter_is_refused(
    company: Company, operator: APIClient, query: str
) -> None:
    response = operator.get(f"/api/companies/{company.pk}/issues?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "validation")


def test_long_descriptions_are_cut_in_lists_only(
    company: Company, operator: APIClient
) -> None:
    short, long = make.issue(company, description="x" * 1200), make.issue(company)
    long.change(by=SYSTEM, description="y" * 1201)
    rows = operator.get(f"/api/companies/{company.pk}/issues").json()
    assert [row["descriptionTruncated"] for row in rows] == [False, True]
    assert [len(row["description"]) for row in rows] == [1200, 1200]
    whole = operator.get(f"/api/issues/{long.pk}").json()["description"]
    assert (len(whole), short.pk != long.pk) == (1201, True)


def test_it_is_found_by_its_identifier(company: Company, operator: APIClient) -> None:
    issue = make.issue(company)
    for name in (issue.pk, issue.identifier, issue.identifier.lower()):
        assert operator.get(f"/api/issues/{name}").json()["id"] == str(issue.pk)
    for name in ("DIG-99", "DIG-", "x", "-1"):
        response = operator.get(f"/api/issues/{name}")
        assert (response.status_code, response.json()["error"]) == (
            404,
            "Issue not found",
        )


def test_it_tells_where_it_belongs(company: Company, operator: APIClient) -> None:
    goal = make.goal(company)
    project = make.project(company, goal=goal)
    top = make.issue(company, project=project)
    middle = make.issue(company, parent=top)
    low = make.issue(company, parent=middle)
    waiting = make.issue(company, blocked_by=[low])
    answer = operator.get(f"/api/issues/{low.pk}").json()
    ancestors = [one["identifier"] for one in answer["ancestors"]]
    assert ancestors == [middle.identifier, top.identifier]
    assert answer["project"]["id"] == str(project.pk)
    assert answer["goal"]["id"] == str(goal.pk)
    assert [one["id"] for one in answer["blocks"]] == [str(waiting.pk)]


def test_a_change_tells_what_changed(company: Company, operator: APIClient) -> None:
    issue = make.issue(company)
    body = {"priority": "critical", "status": "done", "comment": "Finished."}
    answer = operator.patch(f"/api/issues/{issue.pk}", body).json()
    changes = answer["changes"]
    assert changes.pop("completedAt")["from"] is None
    assert changes == {
        "priority": {"from": "medium", "to": "critical"},
        "status": {"from": "todo", "to": "done"},
    }
    assert answer["comment"]["body"] == "Finished."
    quiet = operator.patch(f"/api/issues/{issue.pk}", {"billingCode": None}).json()
    assert (quiet["changes"], quiet["comment"]) == ({}, None)


def test_edges_and_labels_are_replaced(company: Company, operator: APIClient) -> None:
    issue, label = make.issue(company), make.label(company)
    blocker = make.issue(company)
    url = f"/api/issues/{issue.pk}"
    body = {"blockedByIssueIds": [str(blocker.pk)], "labelIds": [str(label.pk)]}
    answer = operator.patch(url, body).json()
    assert [one["name"] for one in answer["labels"]] == ["bug"]
    assert answer["changes"]["labelIds"]["to"] == [str(label.pk)]
    operator.patch(url, {"blockedByIssueIds": [], "labelIds": []})
    fresh = operator.get(url).json()
    assert (fresh["blockedBy"], fresh["labels"]) == ([], [])


def test_a_circle_is_named(company: Company, operator: APIClient) -> None:
    """T-09c."""
    first = make.issue(company)
    second = make.issue(company, blocked_by=[first])
    child = make.issue(company, parent=first)
    for waiting, blocker in ((first, second), (child, first)):
        body = {"blockedByIssueIds": [str(blocker.pk)]}
        response = operator.patch(f"/api/issues/{waiting.pk}", body)
        assert (response.status_code, response.json()["code"]) == (422, "cycle")
        assert waiting.identifier in response.json()["error"]
        assert blocker.identifier in response.json()["error"]


def test_a_live_run_keeps_other_agents_out(company: Company) -> None:
    agent, other = make.agent(company), make.agent(company)
    issue = make.issue(company)
    run, token = make.live_run(agent)
    issue.check_out(agent, run, ["todo"], by=make.Actor.of_agent(agent, run))
    client = make.client(make.live_run(other)[1])
    url = f"/api/issues/{issue.pk}"
    response = client.patch(url, {"status": "done"})
    assert response.status_code == 409
    assert response.json()["code"] == "issue_write_assignee_run_lock"
    assert client.post(f"{url}/comments", {"body": "Ask me."}).status_code == 201
    answer = make.client(token).patch(url, {"status": "done"}).json()
    assert answer["changes"]["checkoutRunId"] == {"from": str(run.pk), "to": None}


def test_an_agent_moves_it_only_as_the_table_says(company: Company) -> None:
    agent = make.agent(company)
    issue = make.issue(company, status="backlog", assignee_agent=agent)
    _, token = make.live_run(agent, issue)
    response = make.client(token).patch(f"/api/issues/{issue.pk}", {"status": "done"})
    assert response.status_code == 409
    assert "It can become" in response.json()["error"]


def test_the_inbox_is_ones_open_work(company: Company) -> None:
    agent = make.agent(company)
    blocker = make.issue(company)
    low = make.issue(company, assignee_agent=agent, priority=3)
    urgent = make.issue(company, assignee_agent=agent, priority=0)
    waiting = make.issue(
        company, assignee_agent=agent, status="blocked", blocked_by=[blocker]
    )
    make.issue(company, assignee_agent=agent, status="backlog")
    make.issue(company, assignee_agent=agent).change(by=SYSTEM, status="done")
    run, token = make.live_run(agent)
    urgent.check_out(agent, run, ["todo"], by=make.Actor.of_agent(agent, run))
    client = make.client(token)
    with CaptureQueriesContext(connection) as queries:
        inbox = client.get("/api/agents/me/inbox-lite").json()
    assert len(queries) <= 4
    found = [row["id"] for row in inbox]
    assert found == [str(issue.pk) for issue in (urgent, waiting, low)]
    assert inbox[0]["activeRun"]["id"] == str(run.pk)
    assert inbox[2]["activeRun"]["status"] == "queued"
    assert (inbox[1]["dependencyReady"], inbox[0]["dependencyReady"]) == (False, True)
    assert inbox[1]["unresolvedBlockerIssueIds"] == [str(blocker.pk)]


def test_only_an_agent_has_an_inbox(operator: APIClient) -> None:
    for path in ("/api/agents/me", "/api/agents/me/inbox-lite"):
        assert operator.get(path).status_code == 401
