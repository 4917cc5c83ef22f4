"""What came out of an issue and where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from issues.models import Issue
from issues.models.work_product import OUR_STATUSES
from paperclip.models import Activity, Company
from tests import make
from tests.clones import clone

pytestmark = pytest.mark.django_db

PAGE = {"type": "preview_url", "title": "The page", "url": "https://example.com/a"}


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def operator(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def post(client: APIClient, issue: Issue, **body: Any) -> Any:
    return client.post(f"/api/issues/{issue.pk}/work-products", {**PAGE, **body})


def test_a_work_product_is_named_changed_and_taken_off(
    company: Company, operator: APIClient
) -> None:
    issue = make.issue(company, project=make.project(company))
    made = post(operator, issue, isPrimary=True, metadata={"size": 3})
    assert made.status_code == 201
    product = made.json()
    assert product["projectId"] == str(issue.project_id)
    assert (product["reviewState"], product["healthStatus"]) == ("none", "unknown")
    assert product["metadata"] == {"size": 3}
    second = post(operator, issue, title="Newer", isPrimary=True).json()
    found = operator.get(f"/api/issues/{issue.pk}").json()["workProducts"]
    assert [p["isPrimary"] for p in found] == [False, True]
    url = f"/api/work-products/{second['id']}"
    assert operator.patch(url, {"status": "gone"}).json()["status"] == "gone"
    assert operator.delete(url).status_code == 204
    assert (
        operator.get(f"/api/issues/{issue.pk}/work-products").json()[0]["id"]
        == (product["id"])
    )
    acts = Activity.objects.filter(action__startswith="issue.work_product")
    assert acts.count() == 4


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "javascript:alert(1)", "ftp://x/", "/etc", "https://", "x"],
)
def test_an_address_is_a_web_address(
    company: Company, operator: APIClient, url: str
) -> None:
    assert post(operator, make.issue(company), url=url).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "book"},
        {"colour": "red"},
        {"title": ""},
        {"metadata": {"x": "y" * 30_000}},
    ],
)
def test_what_it_may_say_is_checked(
    company: Company, operator: APIClient, fields: dict[str, Any]
) -> None:
    assert post(operator, make.issue(company), **fields).status_code == 400


def test_one_thing_is_named_once(company: Company, operator: APIClient) -> None:
    issue = make.issue(company)
    assert post(operator, issue, externalId="7").status_code == 201
    assert post(operator, issue, externalId="7").status_code == 409
    assert post(operator, issue, externalId="7", type="commit").status_code == 201


def test_an_agent_needs_a_run_and_the_issue_free(company: Company) -> None:
    issue, holder, other = make.issue(company), make.agent(company), make.agent(company)
    assert post(make.client_of(holder), issue).status_code == 403
    actor = make.working(holder)
    mine = make.client_of(holder, run=actor.run)
    product = post(mine, issue).json()
    assert product["createdByRunId"] == str(actor.run.pk)
    issue.check_out(holder, actor.run, ["todo"], by=actor)
    stranger = make.client_of(other, run=make.live_run(other)[0])
    url = f"/api/work-products/{product['id']}"
    assert stranger.patch(url, {"title": "Mine"}).status_code == 409
    assert stranger.delete(url).status_code == 409
    assert mine.patch(url, {"title": "Better"}).json()["title"] == "Better"
    foreign = make.client_of(make.owner_of(make.company()))
    assert foreign.patch(url, {"title": "x"}).status_code == 404


def test_what_git_says_of_a_branch_cannot_be_edited(
    company: Company, tmp_path: Path
) -> None:
    dev = make.agent(company)
    project = make.project(company)
    issue = make.issue(company, project=project, assignee_agent=dev)
    mine = clone(tmp_path / "a", issue)
    mine.write("a.txt", "a")
    product = mine.upload().json()
    url = f"/api/work-products/{product['id']}"
    for client in mine.client, make.client_of(make.owner_of(company)):
        for change in {"reviewState": "approved"}, {"metadata": {"commit": "x"}}:
            assert client.patch(url, change).status_code == 403
        assert client.delete(url).status_code == 403
    assert mine.client.get(f"/api/issues/{issue.pk}").json()["workProducts"] == [
        product
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": "git"},
        {"provider": "git", "type": "commit"},
        *({"status": status} for status in sorted(OUR_STATUSES)),
    ],
)
def test_only_an_upload_makes_a_branch_of_ours(
    company: Company, operator: APIClient, fields: dict[str, Any]
) -> None:
    agent, issue = make.agent(company), make.issue(company)
    of_agent = make.client_of(agent, run=make.live_run(agent)[0])
    for client in operator, of_agent:
        body = {"type": "branch", "externalId": "x", **fields}
        assert post(client, issue, **body).status_code == 422
        made = post(client, issue, **{**body, "provider": "github", "status": "open"})
        url = f"/api/work-products/{made.json()['id']}"
        change = {name: fields[name] for name in {*fields} - {"type"}}
        assert client.patch(url, change).status_code == 422
        assert client.delete(url).status_code == 204
    # What others call a merged pull request is theirs to say.
    assert post(operator, issue, type="pull_request", status="merged").json()["id"]
