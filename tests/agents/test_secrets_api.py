"""A company's secrets over HTTP, and what of them gets into agents' texts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from rest_framework.test import APIClient

from agents import bindings, scrubbers
from agents.models import Agent, Run, Secret, SecretBinding
from issues.models import Comment, Issue
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity, Company, IdempotencyKey
from tests import make

pytestmark = pytest.mark.django_db
CANARY, NEWER = "canary-of-the-company-7", "a-newer-canary-8"


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def board(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def posted(board: APIClient, company: Company, **fields: Any) -> Any:
    body = {"name": "github", "value": CANARY, **fields}
    return board.post(f"/api/companies/{company.pk}/secrets", body)


def reference(secret: Secret, version: Any = "latest") -> dict[str, Any]:
    return {"type": "secret_ref", "secretId": str(secret.pk), "version": version}


def kept(company: Company, name: str = "github", value: str = CANARY) -> Secret:
    return Secret.objects.keep(company, by=SYSTEM, name=name, value=value)


def bound(company: Company, **env: Any) -> Agent:
    return make.agent(company, adapter_config={"command": "true", "env": env})


# --- The routes --------------------------------------------------------------------


def test_it_is_kept_and_never_answered(company: Company, board: APIClient) -> None:
    made = posted(board, company, description="pushes", modelProviders=["gemini"])
    assert made.status_code == 201
    secret = made.json()
    assert secret == {
        "id": secret["id"],
        "companyId": str(company.pk),
        "name": "github",
        "description": "pushes",
        "provider": "local_encrypted",
        "externalRef": None,
        "latestVersion": 1,
        "modelProviders": ["gemini"],
        "bindings": [
            {"targetType": "provider", "targetId": "gemini", "configPath": "API key"}
        ],
        "lastRotatedAt": None,
        "lastReadAt": None,
        "createdByAgentId": None,
        "createdByUserId": str(make.owner_of(company).pk),
        "createdAt": secret["createdAt"],
        "updatedAt": secret["updatedAt"],
    }
    rotated = board.post(f"/api/secrets/{secret['id']}/rotate", {"value": NEWER})
    assert (rotated.status_code, rotated.json()["latestVersion"]) == (200, 2)
    changed = board.patch(
        f"/api/secrets/{secret['id']}", {"name": "hub", "modelProviders": []}
    )
    assert (changed.json()["name"], changed.json()["bindings"]) == ("hub", [])
    listed = board.get(f"/api/companies/{company.pk}/secrets")
    assert [one["name"] for one in listed.json()] == ["hub"]
    for answer in (made, rotated, changed, listed):
        assert b"canary" not in answer.content
    assert board.delete(f"/api/secrets/{secret['id']}").json() == {"ok": True}
    assert board.get(f"/api/companies/{company.pk}/secrets").json() == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"value": "short"}, 422),
        ({"value": 12345678}, 400),
        ({"value": None}, 400),
        ({"name": "two\nlines"}, 422),
        ({"provider": "vault"}, 400),
        ({"modelProviders": ["not a provider"]}, 422),
        ({"shown": True}, 400),
    ],
)
def test_what_is_wrong_is_refused_without_the_value(
    company: Company, board: APIClient, fields: Any, status: int
) -> None:
    answer = posted(board, company, **fields)
    assert answer.status_code == status, answer.content
    assert b"canary" not in answer.content and not Secret.objects.exists()


def test_who_may(company: Company) -> None:
    secret = kept(company)
    agent = make.agent(company)
    run, token = make.live_run(agent)
    owner = make.owner_of(company)
    strangers = [make.client_of(make.operator()), make.client_of(make.agent())]
    refused = [
        (make.client_of(make.operator(company, "viewer")), 403),
        (make.client_of(agent), 403),
        (make.client(token), 403),
        (make.client_of(owner, run=run), 403),
        (make.client(), 401),
    ]
    for client, status in [*refused, *((one, 404) for one in strangers)]:
        for method, path, body in [
            ("get", f"companies/{company.pk}/secrets", None),
            ("post", f"companies/{company.pk}/secrets", {"name": "a", "value": NEWER}),
            ("post", f"companies/{company.pk}/secrets", {"no": "form"}),
            ("patch", f"secrets/{secret.pk}", {"name": "theirs"}),
            ("delete", f"secrets/{secret.pk}", None),
            ("post", f"secrets/{secret.pk}/rotate", {"value": NEWER}),
        ]:
            answer = getattr(client, method)(f"/api/{path}", body)
            assert answer.status_code == status, (method, path, answer.content)
    missing = strangers[0].patch(f"/api/secrets/{company.pk}", {})
    foreign = strangers[0].patch(f"/api/secrets/{secret.pk}", {})
    assert missing.content == foreign.content
    secret.refresh_from_db()
    assert (secret.name, secret.latest_version) == ("github", 1)


def test_sent_twice_it_is_kept_once(company: Company, board: APIClient) -> None:
    board.credentials(
        **board._credentials,  # type: ignore[attr-defined]
        HTTP_IDEMPOTENCY_KEY="once",
    )
    first, second = posted(board, company), posted(board, company)
    assert first.json() == second.json() and Secret.objects.count() == 1
    row = IdempotencyKey.objects.get()
    assert "canary" not in str(row.body)


# --- An agent's environment ----------------------------------------------------------


def test_an_environment_refers_to_a_secret(company: Company, board: APIClient) -> None:
    secret = kept(company)
    env = {"TOKEN": reference(secret), "PLAIN": {"type": "plain", "value": "text"}}
    config = {"command": "true", "env": env}
    made = board.post(
        f"/api/companies/{company.pk}/agents",
        {"name": "Dev", "adapterType": "process", "adapterConfig": config},
    )
    assert made.status_code == 201, made.content
    agent = Agent.objects.get(pk=made.json()["id"])
    assert agent.adapter_config["env"] == {"TOKEN": reference(secret), "PLAIN": "text"}
    assert str(SecretBinding.objects.get()) == "Dev: env.TOKEN"
    agent.change(by=SYSTEM, name="Developer")
    assert str(SecretBinding.objects.get()) == "Developer: env.TOKEN"
    other = kept(company, "other")
    board.patch(
        f"/api/agents/{agent.pk}",
        {
            "adapterConfig": {
                "env": {"TOKEN": reference(other), "MORE": reference(other)}
            }
        },
    )
    assert {str(one) for one in other.bindings.all()} == {
        "Developer: env.MORE",
        "Developer: env.TOKEN",
    }
    assert not secret.bindings.exists()
    agent.terminate(by=SYSTEM)
    assert not SecretBinding.objects.exists()


@pytest.mark.parametrize(
    "value",
    [
        {"type": "secret_ref"},
        {"type": "secret_ref", "secretId": "github"},
        {"type": "secret_ref", "secretId": "00000000-0000-4000-8000-000000000000"},
        {"type": "other", "value": "text"},
        7,
        ["text"],
    ],
)
def test_a_reference_to_nothing_is_refused(company: Company, value: Any) -> None:
    with pytest.raises(Invalid) as no:
        bound(company, TOKEN=value)
    assert "env" in no.value.details


def test_a_secret_of_another_company_is_none(company: Company) -> None:
    theirs = kept(make.company())
    with pytest.raises(Invalid, match="There is no secret"):
        bound(company, TOKEN=reference(theirs))
    assert not SecretBinding.objects.exists()


def test_a_run_is_given_what_its_agent_is_bound_to(company: Company) -> None:
    secret, other = kept(company), kept(company, "other", "the-other-canary")
    agent = bound(company, TOKEN=reference(secret), PLAIN="text-in-clear")
    run, _ = make.live_run(agent)
    env, hidden = bindings.environment_of(run)
    assert env == {"TOKEN": CANARY, "PLAIN": "text-in-clear"}
    assert set(hidden) == {CANARY, "text-in-clear"}
    read = Activity.objects.get(action="secret.read")
    assert (read.run_id, read.agent_id) == (run.pk, agent.pk)
    assert read.details == {"name": "github", "version": 1, "use": "env.TOKEN"}
    secret.refresh_from_db()
    other.refresh_from_db()
    assert secret.last_read_at and not other.last_read_at


def test_a_new_value_is_read_by_the_next_run(company: Company) -> None:
    secret = kept(company)
    agent = bound(company, LATEST=reference(secret), FIRST=reference(secret, 1))
    run, _ = make.live_run(agent)
    bindings.environment_of(run)
    secret.rotate(NEWER, by=SYSTEM)
    with pytest.raises(Conflict, match="Version 1 of the secret github is revoked"):
        bindings.environment_of(run)
    env = {"LATEST": reference(secret)}
    agent.change(by=SYSTEM, adapter_config={"command": "true", "env": env})
    run = Run.objects.select_related("agent").get(pk=run.pk)
    env, hidden = bindings.environment_of(run)
    # What an earlier run was given it may have written down.
    assert env == {"LATEST": NEWER} and set(hidden) == {CANARY, NEWER}


def test_nothing_is_read_that_no_operator_has_bound(company: Company) -> None:
    secret = kept(company)
    agent = make.agent(company)
    config = {"command": "true", "env": {"TOKEN": reference(secret)}}
    Agent.objects.filter(pk=agent.pk).update(adapter_config=config)
    agent.refresh_from_db()
    run, _ = make.live_run(agent)
    with pytest.raises(Invalid, match="no operator has bound"):
        bindings.given_to(run)
    assert not Activity.objects.filter(action="secret.read").exists()
    with pytest.raises(NotAllowed):
        agent.change(by=make.working(make.agent(company)), adapter_config=config)


def test_a_viewer_and_a_peer_see_names_only(company: Company) -> None:
    agent = bound(company, TOKEN=reference(kept(company)))
    for who in (make.operator(company, "viewer"), make.agent(company), agent):
        answer = make.client_of(who).get(f"/api/agents/{agent.pk}")
        assert answer.status_code == 200 and b"canary" not in answer.content


# --- What an agent writes ------------------------------------------------------------


@pytest.fixture
def holder(company: Company) -> Iterator[tuple[APIClient, Issue, Agent]]:
    """An agent at work on an issue whose run was given a secret."""
    agent = bound(company, TOKEN=reference(kept(company)))
    issue = make.issue(company, assignee_agent=agent)
    run, token = make.live_run(agent, issue)
    bindings.environment_of(Run.objects.select_related("agent").get(pk=run.pk))
    client = make.client(token)
    checked = client.post(
        f"/api/issues/{issue.pk}/checkout",
        {"agentId": str(agent.pk), "expectedStatuses": ["todo"]},
    )
    assert checked.status_code == 200, checked.content
    yield client, issue, agent


def test_what_an_agent_writes_is_scrubbed(
    company: Company, holder: tuple[APIClient, Issue, Agent]
) -> None:
    client, issue, _agent = holder
    based = base64.b64encode(f"Basic x:{CANARY}".encode()).decode()
    said = client.post(
        f"/api/issues/{issue.pk}/comments", {"body": f"It is {CANARY}, or {based}."}
    )
    assert said.status_code == 201 and b"canary" not in said.content
    body = Comment.objects.get(issue=issue).body
    assert body.startswith("It is ***, or ") and CANARY not in body
    assert base64.b64encode(CANARY.encode()).decode()[:16] not in body
    product = {
        "type": "artifact",
        "title": f"{CANARY}.txt",
        "metadata": {CANARY: [CANARY.upper()]},
    }
    made = client.post(f"/api/issues/{issue.pk}/work-products", product)
    assert made.status_code == 201, made.content
    assert made.json()["title"] == "***.txt"
    assert made.json()["metadata"] == {"***": ["***"]}


def test_an_agent_s_key_is_scrubbed_as_its_run_is(
    holder: tuple[APIClient, Issue, Agent],
) -> None:
    _client, issue, agent = holder
    said = make.client_of(agent).post(
        f"/api/issues/{issue.pk}/comments", {"body": f"{CANARY} again"}
    )
    assert said.json()["body"] == "*** again"


def test_a_secret_is_no_address(holder: tuple[APIClient, Issue, Agent]) -> None:
    client, issue, _agent = holder
    hidden = "%63anary" + CANARY[6:]
    for path in (CANARY, hidden):
        answer = client.put(
            f"/api/issues/{issue.pk}/documents/{path}", {"body": "text", "title": "t"}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "holds_secret")
        assert b"canary" not in answer.content
    answer = client.post(
        f"/api/issues/{issue.pk}/comments",
        {"body": "text"},
        headers={"Idempotency-Key": CANARY},
    )
    assert answer.json()["code"] == "holds_secret"
    assert not IdempotencyKey.objects.exists()


def test_others_write_as_they_like(company: Company) -> None:
    kept(company)
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    _run, token = make.live_run(agent, issue)
    said = make.client(token).post(
        f"/api/issues/{issue.pk}/comments", {"body": "canary-of-the-company-7"}
    )
    # It was never given to this agent, who must have guessed.
    assert said.json()["body"] == "canary-of-the-company-7"
    assert not scrubbers.of(agent)
