"""Lists come in pages."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def client(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def following(response: Any) -> str | None:
    found = re.fullmatch('<(.+)>; rel="next"', response.headers.get("Link", ""))
    return found[1] if found else None


def test_the_link_leads_through_all_of_them(
    company: Company, client: APIClient
) -> None:
    for priority in (3, 1, 2, 1, 1, 3, 0):
        make.issue(company, priority=priority)
    url: str | None = f"/api/companies/{company.pk}/issues?limit=2&status=todo"
    sizes, found = [], []
    while url:
        response = client.get(url)
        assert isinstance(response.json(), list)
        sizes.append(len(response.json()))
        found += [issue["identifier"] for issue in response.json()]
        url = following(response)
    assert sizes == [2, 2, 2, 1]
    assert found == [f"DIG-{n}" for n in (7, 2, 4, 5, 3, 1, 6)]


def test_a_page_stays_right_while_rows_come(
    company: Company, client: APIClient
) -> None:
    for _ in range(4):
        make.issue(company)
    first = client.get(f"/api/companies/{company.pk}/issues?limit=2")
    make.issue(company, priority=0)
    second = client.get(following(first))
    assert [issue["identifier"] for issue in second.json()] == ["DIG-3", "DIG-4"]


def test_newest_first_pages_too(company: Company, client: APIClient) -> None:
    agent = make.agent(company)
    runs = [str(make.queued_run(agent, make.issue(company)).pk) for _ in range(3)]
    url = f"/api/companies/{company.pk}/heartbeat-runs?limit=2"
    first = client.get(url)
    rest = client.get(following(first))
    assert [run["id"] for run in first.json() + rest.json()] == runs[::-1]
    assert following(rest) is None


def test_an_offset_is_taken(company: Company, client: APIClient) -> None:
    for _ in range(5):
        make.issue(company)
    url = f"/api/companies/{company.pk}/issues?limit=2&offset=2"
    response = client.get(url)
    assert [issue["identifier"] for issue in response.json()] == ["DIG-3", "DIG-4"]
    rest = client.get(following(response))
    assert [issue["identifier"] for issue in rest.json()] == ["DIG-5"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=x",
        "limit=",
        "limit=1e3",
        "limit=99999999999999999999",
        "offset=-1",
        "offset=x",
        "cursor=x",
        "cursor=WzEsMl0",
        "cursor=WyJ4IiwgIjIiXQ==",
    ],
)
def test_a_wrong_page_says_what_is_allowed(
    company: Company, client: APIClient, query: str
) -> None:
    response = client.get(f"/api/companies/{company.pk}/issues?{query}")
    assert response.status_code == 400
    error = response.json()["error"]
    assert "from 1 to 1000" in error or "from 0 to" in error or "Link header" in error


def fill(company: Company, number: int) -> None:
    """Rows of every kind, each with all that can hang on one."""
    for _ in range(number):
        boss = make.agent(company)
        agent = make.agent(company, reports_to=boss)
        goal = make.goal(company)
        project = make.project(company, goal=goal, lead=agent)
        blocker = make.issue(company)
        issue = make.issue(
            company,
            assignee_agent=agent,
            project=project,
            parent=blocker,
            labels=[make.label(company, name=f"label {blocker.number}")],
        )
        waiting = make.issue(company, assignee_agent=agent, blocked_by=[blocker])
        actor = make.working(agent, issue)
        issue.check_out(agent, actor.run, ["todo"], by=actor)
        waiting.comment("Hello", by=actor)


LISTS = [
    "agents",
    "org",
    "heartbeat-runs",
    "live-runs",
    "activity",
    "issues",
    "labels",
    "goals",
    "projects",
    "dashboard",
]


@pytest.mark.parametrize("name", LISTS)
def test_a_longer_list_takes_no_more_queries(
    company: Company, client: APIClient, name: str
) -> None:
    url = f"/api/companies/{company.pk}/{name}"
    client.get(url)  # notes the use of the key
    counts = []
    for more in (1, 8):
        fill(company, more)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.get(url)
        assert response.status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= (10 if name == "dashboard" else 6)


def test_the_lists_of_one_issue_take_no_more_queries(
    company: Company, client: APIClient
) -> None:
    issue = make.issue(company)
    agents = [make.agent(company) for _ in range(5)]
    for name in ("comments", "activity", "runs", "heartbeat-context"):
        url = f"/api/issues/{issue.pk}/{name}"
        client.get(url)
        counts = []
        for some in (agents[:1], agents[1:]):
            for agent in some:
                issue.comment("Hello", by=make.working(agent))
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 8, (name, counts)
        for agent in agents:
            agent.runs.open().cancel(by=make.SYSTEM, why="test")
