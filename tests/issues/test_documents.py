"""Documents: texts with revisions that nobody overwrites unread."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from issues.models import Document, DocumentRevision, Issue
from issues.models.document import LARGEST
from paperclip import live
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict
from paperclip.models import Activity, Company
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def operator(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def put(client: APIClient, issue: Issue, key: str = "plan", **body: Any) -> Any:
    return client.put(f"/api/issues/{issue.pk}/documents/{key}", body)


def test_every_version_is_kept(company: Company, operator: APIClient) -> None:
    issue = make.issue(company)
    first = put(operator, issue, body="# Plan", title="Plan")
    assert first.status_code == 201
    base = first.json()["latestRevisionId"]
    again = put(
        operator, issue, body="# B", baseRevisionId=base, changeSummary="Shorter"
    )
    assert again.status_code == 200
    document = again.json()
    assert (document["body"], document["title"]) == ("# B", "Plan")
    assert document["latestRevisionNumber"] == 2
    assert document["latestRevisionId"] != base
    url = f"/api/issues/{issue.pk}/documents/plan"
    assert operator.get(url).json() == document
    revisions = operator.get(f"{url}/revisions").json()
    assert [(r["revisionNumber"], r["body"]) for r in revisions] == [
        (2, "# B"),
        (1, "# Plan"),
    ]
    assert [r["changeSummary"] for r in revisions] == ["Shorter", None]


def test_who_wrote_it_follows_from_the_credential(
    company: Company, operator: APIClient
) -> None:
    issue, agent = make.issue(company), make.agent(company)
    base = put(operator, issue, body="A").json()["latestRevisionId"]
    run = make.live_run(agent)[0]
    client = make.client_of(agent, run=run)
    document = put(client, issue, body="B", baseRevisionId=base).json()
    assert document["createdByUserId"] == str(make.owner_of(company).pk)
    assert document["createdByAgentId"] is None
    assert document["updatedByAgentId"] == str(agent.pk)
    assert document["updatedByUserId"] is None
    act = Activity.objects.get(action="issue.document_updated")
    assert (act.agent_id, act.run_id) == (agent.pk, run.pk)
    assert act.entity_id == str(issue.pk)
    assert act.details["key"] == "plan" and act.details["revisionNumber"] == 2


def test_what_changed_meanwhile_is_not_overwritten(
    company: Company, operator: APIClient
) -> None:
    issue = make.issue(company)
    first = put(operator, issue, body="A").json()["latestRevisionId"]
    second = put(operator, issue, body="B", baseRevisionId=first).json()
    for base in ({"baseRevisionId": first}, {"baseRevisionId": None}, {}):
        answer = put(operator, issue, body="C", **base)
        assert answer.status_code == 409
        assert answer.json()["code"] == "stale_revision"
        details = answer.json()["details"]
        assert details["latestRevisionId"] == second["latestRevisionId"]
    assert (
        put(operator, issue, "new", body="A", baseRevisionId=first).status_code == 409
    )
    # Sent twice, the second one finds it said already.
    assert put(operator, issue, body="B", baseRevisionId=first).status_code == 200
    assert DocumentRevision.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_eight_writers_one_gets_through(company: Company) -> None:
    issue = make.issue(company)
    document, _ = Document.objects.write(issue, "plan", body="0", by=SYSTEM)
    base = document.revisions.get().pk

    def write(number: int) -> object:
        mine = Issue.objects.get(pk=issue.pk)
        return Document.objects.write(
            mine, "plan", body=f"by {number}", base_revision=base, by=SYSTEM
        )

    results = together(8, write)
    assert sum(isinstance(one, tuple) for one in results) == 1
    assert sum(isinstance(one, Conflict) for one in results) == 7
    assert document.revisions.count() == 2
    news = together(8, lambda n: Document.objects.write(
        Issue.objects.get(pk=issue.pk), "new", body=f"by {n}", by=SYSTEM
    ))  # fmt: skip
    assert sum(isinstance(one, tuple) for one in news) == 1


def test_an_issue_held_by_another_run_is_left_alone(company: Company) -> None:
    issue, holder, other = make.issue(company), make.agent(company), make.agent(company)
    actor = make.working(holder)
    issue.check_out(holder, actor.run, ["todo"], by=actor)
    stranger = make.live_run(other)[0]
    answer = put(make.client_of(other, run=stranger), issue, body="A")
    assert answer.status_code == 409
    assert answer.json()["code"] == "issue_write_assignee_run_lock"
    assert put(make.client_of(holder), issue, body="A").status_code == 403
    assert (
        put(make.client_of(holder, run=actor.run), issue, body="A").status_code == 201
    )


@pytest.mark.parametrize("key", ["Plan", "-x", "x y", "x" * 65, "plän", "a%0A"])
def test_a_key_is_a_short_name(company: Company, operator: APIClient, key: str) -> None:
    assert put(operator, make.issue(company), key, body="A").status_code == 400


def test_a_text_has_a_largest_size(company: Company, operator: APIClient) -> None:
    issue = make.issue(company)
    assert put(operator, issue, body="é" * (LARGEST // 2)).status_code == 201
    over = put(operator, issue, "over", body="é" * (LARGEST // 2 + 1))
    assert (over.status_code, over.json()["code"]) == (400, "too_large")
    assert put(operator, issue, "other", title="no body").status_code == 400
    assert put(operator, issue, "html", body="x", format="html").status_code == 400


def test_only_an_operator_deletes(company: Company, operator: APIClient) -> None:
    issue, agent = make.issue(company), make.agent(company)
    put(operator, issue, body="A")
    url = f"/api/issues/{issue.pk}/documents/plan"
    run = make.live_run(agent)[0]
    assert make.client_of(agent, run=run).delete(url).status_code == 403
    viewer = make.client_of(make.operator(company, "viewer"))
    assert viewer.delete(url).status_code == 403
    assert put(viewer, issue, "mine", body="A").status_code == 403
    assert operator.delete(url).status_code == 204
    assert operator.get(url).status_code == 404
    assert operator.delete(url).status_code == 404
    act = Activity.objects.get(action="issue.document_deleted")
    assert act.details["key"] == "plan"


def test_another_companys_documents_are_not_there(
    company: Company, operator: APIClient
) -> None:
    issue = make.issue(company)
    put(operator, issue, body="A")
    foreign = make.client_of(make.owner_of(make.company()))
    url = f"/api/issues/{issue.pk}/documents"
    for address in (url, f"{url}/plan", f"{url}/plan/revisions"):
        assert foreign.get(address).status_code == 404
    assert put(foreign, issue, "evil", body="A").status_code == 404


def test_the_issue_tells_of_its_documents(
    company: Company, operator: APIClient
) -> None:
    issue = make.issue(company)
    put(operator, issue, body="# Plan")
    put(operator, issue, "report", body="All is well", title="Report")
    for address in (
        f"/api/issues/{issue.pk}",
        f"/api/issues/{issue.pk}/heartbeat-context",
    ):
        found = operator.get(address).json()
        assert found["planDocument"]["body"] == "# Plan"
        told = [(d["key"], d["title"]) for d in found["documentSummaries"]]
        assert told == [("plan", None), ("report", "Report")]
        assert all("body" not in one for one in found["documentSummaries"])
    listed = operator.get(f"/api/issues/{issue.pk}/documents").json()
    assert [one["body"] for one in listed] == ["# Plan", "All is well"]


@pytest.mark.django_db(transaction=True)
def test_open_pages_hear_of_it(company: Company) -> None:
    issue = make.issue(company)
    before = live.version(company.pk)
    Document.objects.write(issue, "plan", body="A", by=SYSTEM)
    assert live.version(company.pk) != before
