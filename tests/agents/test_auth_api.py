"""Who is asking: credentials, and what they do not open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from rest_framework.test import APIClient

from agents.models import ApiKey, Run
from issues.models import Comment
from paperclip.actors import SYSTEM
from paperclip.api.openapi import document
from paperclip.models import Activity
from tests import make

pytestmark = pytest.mark.django_db

PUBLIC = {"/api/health", "/api/routine-triggers/public/{public_id}/fire"}
# Whoever has the token of an invitation may read and accept it.
PUBLIC |= {"/api/invites/{token}", "/api/invites/{token}/accept"}
ROUTES = [
    (method, path.replace("{", "").replace("}", ""))
    for path, methods in document()["paths"].items()
    for method in methods
    if path not in PUBLIC
]


def expired_run() -> str:
    run, token = make.live_run(make.agent())
    past = now() - timedelta(seconds=1)
    Run.objects.filter(pk=run.pk).update(lease_expires_at=past)
    return token


def ended_run() -> str:
    run, token = make.live_run(make.agent())
    run.finish("succeeded")
    return token


def revoked_key() -> str:
    token = make.key(make.agent())
    ApiKey.objects.get().revoke(by=SYSTEM)
    return token


def key_of_dismissed() -> str:
    agent = make.agent()
    token = make.key(agent)
    agent.terminate(by=SYSTEM)
    return token


def key_of_pending() -> str:
    agent = make.agent()
    token = make.key(agent)
    agent.status = "pending_approval"
    agent.save()
    return token


def key_of_left_person() -> str:
    person = make.operator()
    token = make.key(person)
    person.is_active = False
    person.save()
    return token


BAD: list[Callable[[], str]] = [
    lambda: "garbage",
    lambda: "pcp_garbage",
    lambda: "pcr_garbage",
    expired_run,
    ended_run,
    revoked_key,
    key_of_dismissed,
    key_of_pending,
    key_of_left_person,
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_route_opens_without_a_credential(method: str, path: str) -> None:
    for client in (make.client(), make.client("pcp_garbage")):
        response = getattr(client, method)(path)
        assert response.status_code == 401, response.content
        assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("signed_in", [False, True])
def test_a_bad_credential_is_refused_also_beside_a_session(
    bad: Callable[[], str], signed_in: bool
) -> None:
    client = make.client(bad())
    if signed_in:
        client.force_login(make.operator(make.company("Mine")))
    response = client.get("/api/companies")
    assert response.status_code == 401
    assert response.json()["code"] == "not_signed_in"


@pytest.mark.parametrize("header", ["Basic dTpw", "Bearer", "Bearer  ", "Token x"])
def test_another_kind_of_credential_is_refused(header: str) -> None:
    client = make.client()
    client.force_login(make.operator())
    response = client.get("/api/companies", HTTP_AUTHORIZATION=header)
    assert response.status_code == 401


def test_a_session_opens_and_needs_a_csrf_token_to_write() -> None:
    company = make.company()
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(make.owner_of(company))
    assert client.get("/api/companies").status_code == 200
    response = client.post("/api/companies", {"name": "New"}, format="json")
    assert response.status_code == 403
    assert "CSRF" in response.json()["error"]


def test_a_run_token_is_its_agent_through_that_run() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    run, token = make.live_run(agent)
    client = make.client(token)
    assert client.get("/api/agents/me").json()["id"] == str(agent.pk)
    said = client.post(f"/api/issues/{issue.pk}/comments", {"body": "Hello"}).json()
    assert said["authorAgentId"] == str(agent.pk)
    assert said["createdByRunId"] == str(run.pk)
    act = Activity.objects.filter(action="issue.comment_added").get()
    assert (act.actor_id, act.run_id) == (str(agent.pk), run.pk)


def test_a_run_token_speaks_for_no_other_run() -> None:
    agent = make.agent(max_concurrent_runs=2)
    _, token = make.live_run(agent)
    other, _ = make.live_run(agent, make.issue(agent.company))
    response = make.client(token, run=other).get("/api/agents/me")
    assert (response.status_code, response.json()["code"]) == (403, "wrong_run")


def test_a_run_token_dies_with_its_run() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    run, token = make.live_run(agent)
    client = make.client(token)
    assert client.get("/api/agents/me").status_code == 200
    run.finish("succeeded")
    assert client.get("/api/agents/me").status_code == 401
    response = client.post(f"/api/issues/{issue.pk}/comments", {"body": "Late"})
    assert response.status_code == 401
    assert not Comment.objects.exists()


def test_the_body_does_not_say_who_wrote() -> None:
    agent = make.agent()
    boss = make.agent(agent.company)
    issue = make.issue(agent.company)
    client = make.client(make.live_run(agent)[1])
    for field in ("authorAgentId", "createdByRunId", "runId", "agentId"):
        body = {"body": "As the boss", field: str(boss.pk)}
        response = client.post(f"/api/issues/{issue.pk}/comments", body)
        assert response.status_code == 400
        assert response.json()["details"][0]["path"] == [field]


@pytest.mark.parametrize("which", ["unknown", "nonsense", "ended", "of another agent"])
def test_a_key_names_a_live_run_of_its_own_or_none(which: str) -> None:
    agent = make.agent()
    run, _ = make.live_run(make.agent(agent.company))
    names = {
        "unknown": "11111111-1111-4111-8111-111111111111",
        "nonsense": "not-a-run",
        "of another agent": str(run.pk),
    }
    if which == "ended":
        run, _ = make.live_run(agent)
        run.finish("succeeded")
        names["ended"] = str(run.pk)
    response = make.client(make.key(agent)).get(
        "/api/agents/me", HTTP_X_PAPERCLIP_RUN_ID=names[which]
    )
    assert (response.status_code, response.json()["code"]) == (409, "run_not_live")


def test_an_operators_key_opens_the_companies_of_its_holder() -> None:
    mine, other = make.company("Mine"), make.company("Other")
    client = make.client_of(make.owner_of(mine))
    assert [c["name"] for c in client.get("/api/companies").json()] == ["Mine"]
    assert client.get(f"/api/companies/{other.pk}").status_code == 404


def rows_of(company: Any) -> dict[str, str]:
    """An address of each kind of row in the company."""
    agent = make.agent(company)
    issue = make.issue(company)
    comment = issue.comment("Hello", by=SYSTEM)
    return {
        "companies": str(company.pk),
        "agents": str(agent.pk),
        "issues": str(issue.pk),
        "heartbeat-runs": str(make.queued_run(agent).pk),
        "goals": str(make.goal(company).pk),
        "projects": str(make.project(company).pk),
        f"issues/{issue.pk}/comments": str(comment.pk),
    }


@pytest.mark.parametrize("caller", ["operator", "agent", "run"])
def test_a_foreign_row_looks_like_one_that_is_not(caller: str) -> None:
    company, foreign = make.company(), make.company("Foreign")
    agent = make.agent(company)
    client = {
        "operator": lambda: make.client_of(make.owner_of(company)),
        "agent": lambda: make.client_of(agent),
        "run": lambda: make.client(make.live_run(agent)[1]),
    }[caller]()
    nobody = "00000000-0000-4000-8000-000000000000"
    for kind, pk in rows_of(foreign).items():
        theirs = client.get(f"/api/{kind}/{pk}")
        none = client.get(f"/api/{kind}/{nobody}")
        assert theirs.status_code == none.status_code == 404
        assert theirs.content == none.content


@pytest.mark.parametrize(
    "field", ["projectId", "goalId", "parentId", "assigneeAgentId"]
)
def test_a_foreign_reference_looks_like_one_that_is_not(field: str) -> None:
    company, foreign = make.company(), make.company("Foreign")
    rows = rows_of(foreign)
    kind = {"projectId": "projects", "goalId": "goals", "parentId": "issues"}
    theirs = rows[kind.get(field, "agents")]
    nobody = "00000000-0000-4000-8000-000000000000"
    client = make.client_of(make.owner_of(company))
    url = f"/api/companies/{company.pk}/issues"
    answers = [client.post(url, {"title": "x", field: pk}) for pk in (theirs, nobody)]
    assert [answer.status_code for answer in answers] == [422, 422]
    told = [answer.content.decode() for answer in answers]
    assert told[0].replace(theirs, nobody) == told[1]


def test_a_viewer_reads_and_does_not_write() -> None:
    company = make.company()
    client = make.client_of(make.operator(company, role="viewer"))
    rows = rows_of(company)
    for kind, pk in rows.items():
        assert client.get(f"/api/{kind}/{pk}").status_code == 200
    issue, agent = rows["issues"], rows["agents"]
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("patch", f"companies/{company.pk}", {"name": "x"}),
        ("post", f"companies/{company.pk}/agents", {"name": "x"}),
        ("patch", f"agents/{agent}", {"title": "x"}),
        ("post", f"agents/{agent}/pause", {}),
        ("post", f"agents/{agent}/terminate", {}),
        ("post", f"agents/{agent}/keys", {}),
        ("get", f"agents/{agent}/keys", {}),
        ("post", f"agents/{agent}/wakeup", {}),
        ("post", f"agents/{agent}/heartbeat/invoke", {}),
        ("post", f"heartbeat-runs/{rows['heartbeat-runs']}/cancel", {}),
        ("post", f"companies/{company.pk}/issues", {"title": "x"}),
        ("patch", f"issues/{issue}", {"title": "x"}),
        (
            "post",
            f"issues/{issue}/checkout",
            {"agentId": agent, "expectedStatuses": ["todo"]},
        ),
        ("post", f"issues/{issue}/release", {}),
        ("post", f"issues/{issue}/comments", {"body": "x"}),
        ("post", f"issues/{issue}/children", {"title": "x"}),
        ("post", f"companies/{company.pk}/goals", {"title": "x"}),
        ("patch", f"goals/{rows['goals']}", {"title": "x"}),
        ("post", f"companies/{company.pk}/projects", {"name": "x"}),
        ("patch", f"projects/{rows['projects']}", {"name": "x"}),
        ("post", f"companies/{company.pk}/labels", {"name": "x", "color": "#000000"}),
    ]
    for method, path, body in writes:
        response = getattr(client, method)(f"/api/{path}", body)
        assert response.status_code == 403, (path, response.content)
