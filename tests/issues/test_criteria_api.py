"""Criteria and the catalogue over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.models import Agent
from issues.models import Check
from paperclip.actors import SYSTEM
from tests import make
from tests.issues.evidence import RIGHT, checked, dev, ended, project, suite, worked_on

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = {
    "key": "page",
    "type": "http",
    "title": "The page is there",
    "settings": {"url": "https://example.com/{page}", "contains": "{says}"},
    "parameters": [
        {"name": "page", "type": "path"},
        {"name": "says", "type": "text", "default": "Hello"},
    ],
}


@pytest.fixture
def worker() -> Agent:
    return dev()


def owner(worker: Agent) -> Any:
    return make.client_of(make.owner_of(worker.company))


def checks_of(worker: Agent) -> str:
    return f"/api/companies/{worker.company.pk}/checks"


def test_operators_keep_the_catalogue(worker: Agent) -> None:
    client = owner(worker)
    made = client.post(checks_of(worker), PAGE)
    assert made.status_code == 201, made.content
    one = f"/api/checks/{made.json()['id']}"
    assert client.get(one).json()["settings"] == PAGE["settings"]
    changed = client.patch(one, {"title": "There", "archived": True}).json()
    assert changed["title"] == "There" and changed["archivedAt"]
    listed = client.get(checks_of(worker)).json()
    assert [row["key"] for row in listed] == ["page"]
    assert client.post(checks_of(worker), PAGE).status_code == 409


@pytest.mark.parametrize(
    "wrong",
    [
        {"settings": {"url": "https://{page}/", "contains": "{says}"}},
        {"settings": {"url": "file:///etc/passwd"}, "parameters": []},
        {"settings": {"url": "https://example.com/{page}"}},
        {"settings": {"uri": "https://example.com"}, "parameters": []},
        {"type": "shell"},
        {"roles": ["engineer"]},
        {"parameters": [{"name": "page", "type": "path", "default": "../x"}]},
        {"key": "A key"},
    ],
)
def test_a_wrong_check_is_refused(worker: Agent, wrong: dict[str, Any]) -> None:
    answer = owner(worker).post(checks_of(worker), {**PAGE, **wrong})
    assert answer.status_code in (400, 422), answer.content
    assert not Check.objects.exists()


def test_agents_and_strangers_do_not_keep_it(worker: Agent) -> None:
    check = Check.objects.define(worker.company, by=SYSTEM, **PAGE)
    agent = make.client_of(worker, run=make.working(worker).run)
    assert agent.post(checks_of(worker), {**PAGE, "key": "b"}).status_code == 403
    assert agent.patch(f"/api/checks/{check.pk}", {"title": "x"}).status_code == 403
    assert agent.get(checks_of(worker)).status_code == 200
    viewer = make.client_of(make.operator(worker.company, "viewer"))
    assert viewer.post(checks_of(worker), {**PAGE, "key": "b"}).status_code == 403
    stranger = make.client_of(make.owner_of(make.company()))
    foreign = stranger.get(f"/api/checks/{check.pk}")
    missing = stranger.get(f"/api/checks/{worker.pk}")
    assert (foreign.status_code, foreign.content) == (404, missing.content)


def test_a_criterion_names_a_check_with_its_parameters(worker: Agent) -> None:
    Check.objects.define(worker.company, by=SYSTEM, **PAGE)
    issue, client = make.issue(assignee_agent=worker), owner(worker)
    path = f"/api/issues/{issue.pk}/criteria"
    for wrong in ({}, {"page": "../admin"}, {"page": "a", "host": "evil.example"}):
        refused = client.post(path, {"check": "page", "parameters": wrong})
        assert refused.status_code == 422
        assert refused.json()["code"] == "bad_parameter"
    made = client.post(path, {"check": "page", "parameters": {"page": "a b/c"}})
    assert made.status_code == 201, made.content
    row = made.json()
    assert (row["state"], row["status"]) == ("accepted", "unchecked")
    said = "https://example.com/a%20b/c answers 200 and contains “Hello”."
    assert row["description"] == said
    both = {"check": "page", "type": "http"}
    assert client.post(path, both).status_code == 400
    assert client.delete(f"/api/criteria/{row['id']}").status_code == 204


def test_a_proposal_counts_when_a_person_accepts_it(worker: Agent) -> None:
    issue = make.issue(assignee_agent=worker)
    agent = make.client_of(worker, run=make.working(worker, issue).run)
    path = f"/api/issues/{issue.pk}/criteria"
    free = {"type": "command", "title": "Mine", "settings": {"command": ["true"]}}
    row = agent.post(path, free).json()
    assert row["state"] == "proposed"
    one = f"/api/criteria/{row['id']}"
    assert agent.post(f"{one}/accept").status_code == 403
    # A program with a person's key in a run is no person.
    person = make.owner_of(worker.company)
    masked = make.client_of(person, run=make.live_run(make.agent(worker.company))[0])
    assert masked.post(f"{one}/accept").status_code in (401, 403)
    assert masked.post(path, free).json().get("state") in (None, "proposed")
    viewer = make.client_of(make.operator(worker.company, "viewer"))
    assert viewer.post(f"{one}/accept").status_code == 403
    changed = agent.patch(one, {"title": "Mine too"})
    assert changed.status_code == 200
    accepted = owner(worker).post(f"{one}/accept").json()
    assert accepted["state"] == "accepted"
    assert agent.patch(one, {"title": "Weaker"}).status_code == 403
    assert agent.delete(one).status_code == 403


def test_done_answers_200_in_review_with_its_verification(
    worker: Agent, tmp_path: Path
) -> None:
    """T-11a, as an agent sees it."""
    made = project(worker.company, tmp_path / "first")
    suite(worker.company)
    boss = owner(worker)
    filed = boss.post(
        f"/api/companies/{worker.company.pk}/issues",
        {
            "title": "Build it",
            "status": "todo",
            "projectId": str(made.pk),
            "assigneeAgentId": str(worker.pk),
            "criteria": [{"check": "tests"}],
        },
    )
    assert filed.status_code == 201, filed.content
    issue = worker.issues.get(title="Build it")
    work, by = worked_on(issue, tmp_path / "work", tool_py=RIGHT)
    commit = work.git("rev-parse", "HEAD")
    agent = make.client_of(worker, run=by.run)
    path = f"/api/issues/{issue.pk}"
    lie = [{"type": "commit", "ref": "a" * 40}]
    refused = agent.patch(path, {"status": "done", "evidence": lie})
    assert refused.status_code == 422
    assert refused.json()["code"] == "stale_evidence"
    proof = [{"type": "commit", "ref": commit}]
    body = {"status": "done", "comment": "There.", "evidence": proof}
    answer = agent.patch(path, body)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["verification"]["status"]) == ("in_review", "pending")
    ended(by)
    checked(issue)
    told = boss.get(path).json()
    assert (told["status"], told["verification"]["status"]) == ("done", "verified")
    (criterion,) = boss.get(f"{path}/criteria").json()
    assert criterion["status"] == "passed"
    assert criterion["latestEvidence"]["facts"]["commit"] == commit
    (receipt,) = boss.get(f"{path}/evidence").json()
    assert receipt["fresh"] and receipt["checkedBy"] == "Paperclip"
    (claim,) = boss.get(f"{path}/verification").json()
    assert (claim["status"], claim["evidence"]) == ("verified", proof)
    again = boss.post(f"{path}/verification")
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    assert make.client_of(worker).post(f"{path}/verification").status_code == 403


def test_what_its_role_is_checked_for_is_told_before(worker: Agent) -> None:
    suite(worker.company, roles=["engineer"])
    issue = make.issue(assignee_agent=worker)
    (row,) = owner(worker).get(f"/api/issues/{issue.pk}/criteria").json()
    assert (row["id"], row["state"], row["origin"]) == (None, "default", "role")


def test_people_put_their_name_to_it(worker: Agent) -> None:
    issue, client = make.issue(assignee_agent=worker), owner(worker)
    free = {"type": "human", "title": "It looks good"}
    row = client.post(f"/api/issues/{issue.pk}/criteria", free).json()
    path = f"/api/criteria/{row['id']}/evidence"
    agent = make.client_of(worker, run=make.working(worker, issue).run)
    assert agent.post(path, {"note": "It does."}).status_code == 403
    receipt = client.post(path, {"note": "It does."})
    assert receipt.status_code == 201
    assert receipt.json()["outcome"] == "accepted"
    stranger = make.client_of(make.owner_of(make.company()))
    assert stranger.post(path, {}).status_code == 404
