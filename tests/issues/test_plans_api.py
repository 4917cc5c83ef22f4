"""Goals, projects and labels over HTTP."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from issues.models import Goal
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid
from paperclip.models import Company
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def operator(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def test_a_goal_is_set_and_changed(company: Company, operator: APIClient) -> None:
    owner = make.agent(company)
    body = {"title": "Reach 100 users", "level": "company", "status": "active"}
    url = f"/api/companies/{company.pk}/goals"
    goal = operator.post(url, {**body, "ownerAgentId": str(owner.pk)}).json()
    assert goal["ownerAgentId"] == str(owner.pk)
    one = f"/api/goals/{goal['id']}"
    assert operator.patch(one, {"status": "achieved"}).json()["status"] == "achieved"
    assert operator.get(one).json()["title"] == "Reach 100 users"
    assert operator.patch(one, {"parentId": goal["id"]}).status_code == 422
    assert [row["id"] for row in operator.get(url).json()] == [goal["id"]]


def test_a_project_works_for_one_goal(company: Company, operator: APIClient) -> None:
    goal, other = make.goal(company), make.goal(company)
    url = f"/api/companies/{company.pk}/projects"
    body = {"name": "Launch Day", "goalIds": [str(goal.pk)], "targetDate": "2027-01-31"}
    project = operator.post(url, body).json()
    assert (project["goalId"], project["urlKey"]) == (str(goal.pk), "launch-day")
    assert project["goals"] == [{"id": str(goal.pk), "title": goal.title}]
    both = {"name": "Two", "goalIds": [str(goal.pk), str(other.pk)]}
    assert operator.post(url, both).status_code == 400
    one = f"/api/projects/{project['id']}"
    assert operator.patch(one, {"goalId": None}).json()["goals"] == []
    make.issue(company, project=company.projects.get())
    assert operator.get(url).json()[0]["taskCount"] == 1


def test_a_label_has_a_name_and_a_colour(company: Company, operator: APIClient) -> None:
    url = f"/api/companies/{company.pk}/labels"
    assert operator.post(url, {"name": "bug", "color": "#FF0000"}).status_code == 201
    assert operator.post(url, {"name": "bug", "color": "#00FF00"}).status_code == 409
    assert operator.post(url, {"name": "x", "color": "red"}).status_code == 400
    assert [label["name"] for label in operator.get(url).json()] == ["bug"]


def test_work_without_a_goal_is_for_the_companys(
    company: Company, operator: APIClient
) -> None:
    goal = make.goal(company, level="company", status="active")
    url = f"/api/companies/{company.pk}/issues"
    assert operator.post(url, {"title": "x"}).json()["goalId"] == str(goal.pk)


@pytest.mark.django_db(transaction=True)
def test_two_goals_do_not_become_parts_of_each_other() -> None:
    company = make.company()
    pair = [make.goal(company), make.goal(company)]

    def move(number: int) -> None:
        goal = Goal.objects.get(pk=pair[number].pk)
        goal.change(by=SYSTEM, parent=pair[1 - number])

    results = together(2, move)
    assert [type(result) for result in results if result] == [Invalid], results


def test_only_an_operator_says_where_a_repository_is(
    company: Company, operator: APIClient
) -> None:
    url = f"/api/companies/{company.pk}/projects"
    where = {"repoUrl": "https://example.com/a.git", "defaultBranch": "trunk"}
    made = operator.post(url, {"name": "Site", **where})
    assert made.status_code == 201
    assert {name: made.json()[name] for name in where} == where
    agent = make.agent(company)
    mine = make.client_of(agent, run=make.live_run(agent)[0])
    assert mine.post(url, {"name": "Other", **where}).status_code == 403
    one = f"/api/projects/{made.json()['id']}"
    assert mine.patch(one, {"repoUrl": ""}).status_code == 403
    assert mine.patch(one, {"defaultBranch": "main"}).status_code == 403
    # What it does not change, it may send along.
    assert mine.patch(one, {"name": "Ours", **where}).json()["name"] == "Ours"
    assert mine.post(url, {"name": "Third"}).json()["defaultBranch"] == "main"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.git",
        "https://example.com:8443/a/b",
        "ssh://git@example.com:22/a.git",
        "git@example.com:a/b.git",
        "http://127.0.0.1:8000/a.git",
    ],
)
def test_a_remote_is_reached_by_https_or_ssh(
    company: Company, operator: APIClient, url: str
) -> None:
    project = make.project(company)
    answer = operator.patch(f"/api/projects/{project.pk}", {"repoUrl": url})
    assert answer.status_code == 200, answer.json()


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "../x",
        "ext::sh -c date",
        "-oProxyCommand=date",
        "ssh://-oProxyCommand=date/x",
        "git@-oProxyCommand=date:x",
        "git@example.com:--upload-pack=date",
        "https://user:secret@example.com/a.git",
        "https://example.com/a.git?token=secret",
        "https://example.com/a.git#secret",
        "http://example.com/a.git",
        "http://127.0.0.1.example.com/a",
        "https://example.com/a b",
        "git://example.com/a",
    ],
)
def test_other_addresses_are_refused(
    company: Company, operator: APIClient, url: str
) -> None:
    project = make.project(company)
    answer = operator.patch(f"/api/projects/{project.pk}", {"repoUrl": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "repo_url")


@pytest.mark.parametrize("name", ["-x", "a..b", "a b", "a.lock", "/a", "a/", "a//b"])
def test_a_branch_has_a_name_that_git_takes(
    company: Company, operator: APIClient, name: str
) -> None:
    project = make.project(company)
    answer = operator.patch(f"/api/projects/{project.pk}", {"defaultBranch": name})
    assert answer.status_code == 422
