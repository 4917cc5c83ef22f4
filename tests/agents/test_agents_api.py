"""Agents over HTTP: hiring, changing, and what an agent may not."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from agents.models import Agent
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db

PROCESS = {"adapterType": "process", "adapterConfig": {"command": "true"}}


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def operator(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def hire(client: APIClient, company: Company, **fields: Any) -> Any:
    body = {"name": "Ada", **PROCESS, **fields}
    return client.post(f"/api/companies/{company.pk}/agents", body)


def test_an_operator_hires_with_every_field(
    company: Company, operator: APIClient
) -> None:
    boss = make.agent(company)
    fields = {
        "role": "engineer",
        "title": "Engineer",
        "capabilities": "Writes code.",
        "tools": ["shell"],
        "reportsTo": str(boss.pk),
        "reviewerAgentId": str(boss.pk),
        "budgetMonthlyCents": 5000,
        "metadata": {"a": 1},
    }
    heartbeat = {
        "enabled": True,
        "intervalSec": 300,
        "wakeOnDemand": False,
        "maxConcurrentRuns": 3,
        "skipUnchanged": False,
        "activeDays": [0, 1, 2, 3, 4],
        "activeFrom": "08:00:00",
        "activeTo": "18:00:00",
        "timeZone": "Europe/Lisbon",
    }
    response = hire(operator, company, runtimeConfig={"heartbeat": heartbeat}, **fields)
    assert response.status_code == 201
    answer = response.json()
    assert {name: answer[name] for name in fields} == fields
    assert answer["runtimeConfig"] == {"heartbeat": heartbeat}
    agent = Agent.objects.get(pk=answer["id"])
    assert (agent.interval_seconds, agent.wake_on_demand) == (300, False)
    assert operator.get(f"/api/agents/{agent.pk}").json()["chainOfCommand"] == [
        {"id": str(boss.pk), "name": boss.name, "role": "general", "title": None}
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"adapterConfig": {"command": "true", "shell": True}},
        {"adapterConfig": {"command": "true", "env": {"PAPERCLIP_RUN_ID": "x"}}},
        {"adapterConfig": {"command": "true", "cwd": "/etc"}},
        {"adapterType": "telepathy"},
        {"runtimeConfig": {"cron": "* * * * *"}},
        {"runtimeConfig": {"heartbeat": {"sessionCompaction": {}}}},
        {"runtimeConfig": {"heartbeat": {"intervalSec": 3}}},
        {"permissions": {"canFly": True}},
    ],
)
def test_what_it_does_not_know_is_unprocessable(
    company: Company, operator: APIClient, config: dict[str, Any]
) -> None:
    response = hire(operator, company, **config)
    assert response.status_code == 422, response.content
    agent = make.agent(company)
    response = operator.patch(f"/api/agents/{agent.pk}", config)
    assert response.status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"adapterConfig": "true"},
        {"runtimeConfig": {"heartbeat": {"enabled": "yes"}}},
        {"runtimeConfig": {"heartbeat": {"maxConcurrentRuns": 11}}},
        {"permissions": {"canAssignTasks": 1}},
        {"role": "wizard"},
        {"status": "running"},
        {"name": ""},
    ],
)
def test_what_is_of_another_type_is_invalid(
    company: Company, operator: APIClient, wrong: dict[str, Any]
) -> None:
    response = hire(operator, company, **wrong)
    assert (response.status_code, response.json()["code"]) == (400, "validation")


def test_a_part_of_the_configuration_is_changed(
    company: Company, operator: APIClient
) -> None:
    config = {"command": "true", "args": ["1"]}
    agent = make.agent(company, adapter_config=config, wake_on_demand=False)
    body = {
        "adapterConfig": {"args": ["2"]},
        "runtimeConfig": {"heartbeat": {"enabled": True, "intervalSec": 60}},
    }
    answer = operator.patch(f"/api/agents/{agent.pk}", body).json()
    assert answer["adapterConfig"] == {"command": "true", "args": ["2"]}
    assert answer["runtimeConfig"]["heartbeat"]["wakeOnDemand"] is False
    assert answer["nextHeartbeatAt"]
    body = {"adapterConfig": {"command": "false"}, "replaceAdapterConfig": True}
    answer = operator.patch(f"/api/agents/{agent.pk}", body).json()
    assert answer["adapterConfig"] == {"command": "false"}


def test_an_agent_changes_no_agent(company: Company) -> None:
    boss = make.agent(company, role="ceo")
    agent = make.agent(company, reports_to=boss)
    canary = {"adapterConfig": {"command": "canary"}}
    for caller in (boss, agent):
        for client in (make.client_of(caller), make.client(make.live_run(caller)[1])):
            for path, body in (
                (f"agents/{agent.pk}", canary),
                (f"agents/{agent.pk}", {"title": "x"}),
                (f"agents/{agent.pk}", {"unknown": "x"}),
            ):
                assert client.patch(f"/api/{path}", body).status_code == 403
            assert hire(client, company).status_code == 403
            for act in ("pause", "resume", "terminate", "keys"):
                response = client.post(f"/api/agents/{agent.pk}/{act}")
                assert response.status_code == 403
            assert client.get(f"/api/agents/{agent.pk}/keys").status_code == 403
            assert client.post("/api/companies", {"name": "x"}).status_code == 403
    agent.refresh_from_db()
    assert (agent.adapter_config, agent.title) == ({"command": "true"}, None)


def test_an_agent_is_found_by_its_name(company: Company, operator: APIClient) -> None:
    agent = make.agent(company, name="Ada Lovelace")
    answer = operator.get("/api/agents/ada-lovelace")
    assert answer.json()["id"] == str(agent.pk)
    assert operator.get("/api/agents/nobody").status_code == 404


def test_a_name_in_two_companies_needs_the_company(company: Company) -> None:
    other = make.company("Other")
    user = make.operator(company)
    other.memberships.create(user=user, role="viewer")
    client = make.client_of(user)
    for one in (company, other):
        make.agent(one, name="Ada")
    response = client.get("/api/agents/ada")
    assert (response.status_code, response.json()["code"]) == (409, "ambiguous_name")
    answer = client.get(f"/api/agents/ada?companyId={other.pk}").json()
    assert answer["companyId"] == str(other.pk)


def test_environments_are_for_operators_and_the_agent_itself(company: Company) -> None:
    config = {"command": "true", "env": {"TOKEN": "hush"}}
    agent = make.agent(company, adapter_config=config)
    peer = make.agent(company)
    viewer = make.operator(company, role="viewer")
    seen = {
        who: make.client_of(who).get(f"/api/agents/{agent.pk}").json()
        for who in (make.owner_of(company), agent, peer, viewer)
    }
    values = [one["adapterConfig"]["env"]["TOKEN"] for one in seen.values()]
    assert values == ["hush", "hush", "***REDACTED***", "***REDACTED***"]
    listed = make.client_of(peer).get(f"/api/companies/{company.pk}/agents")
    assert "hush" not in listed.content.decode()


def test_running_is_seen_while_a_run_lives(
    company: Company, operator: APIClient
) -> None:
    agent = make.agent(company)
    run, _ = make.live_run(agent)
    url = f"/api/companies/{company.pk}/agents"
    assert operator.get(url).json()[0]["status"] == "running"
    assert operator.get(f"/api/agents/{agent.pk}").json()["status"] == "running"
    run.finish("succeeded")
    assert operator.get(url).json()[0]["status"] == "idle"


def test_the_chart_is_a_tree_of_the_employed(
    company: Company, operator: APIClient
) -> None:
    top = make.agent(company, name="Top")
    middle = make.agent(company, name="Middle", reports_to=top)
    make.agent(company, name="Low", reports_to=middle)
    tree = operator.get(f"/api/companies/{company.pk}/org").json()
    names = [tree[0]["name"], tree[0]["reports"][0]["name"]]
    assert names == ["Top", "Middle"]
    assert tree[0]["reports"][0]["reports"][0]["name"] == "Low"
    middle.terminate(by=SYSTEM)
    tree = operator.get(f"/api/companies/{company.pk}/org").json()
    assert [node["name"] for node in tree] == ["Low", "Top"]


def test_a_key_is_shown_once_and_revoked(company: Company, operator: APIClient) -> None:
    agent = make.agent(company)
    url = f"/api/agents/{agent.pk}/keys"
    made = operator.post(url, {"name": "cli", "scope": {"kind": "standard"}}).json()
    assert make.client(made["token"]).get("/api/agents/me").status_code == 200
    listed = operator.get(url)
    assert [key["name"] for key in listed.json()] == ["cli"]
    assert made["token"] not in listed.content.decode()
    assert operator.delete(f"{url}/{made['id']}").json() == {"ok": True}
    assert make.client(made["token"]).get("/api/agents/me").status_code == 401
    other = make.agent(company)
    missing = operator.delete(f"/api/agents/{other.pk}/keys/{made['id']}")
    assert missing.status_code == 404


def test_asking_who_one_is_takes_few_queries(company: Company) -> None:
    boss = make.agent(company)
    agent = make.agent(company, reports_to=make.agent(company, reports_to=boss))
    for client in (
        make.client(make.live_run(agent)[1]),
        make.client_of(agent),
    ):
        client.get("/api/agents/me")
        with CaptureQueriesContext(connection) as queries:
            me = client.get("/api/agents/me").json()
        assert len(me["chainOfCommand"]) == 2
        assert len(queries) <= 4


def test_a_founder_owns_the_company(operator: APIClient, company: Company) -> None:
    answer = operator.post("/api/companies", {"name": "New Ideas"}).json()
    assert answer["issuePrefix"] == "NEW"
    me = operator.get("/api/cli-auth/me").json()
    roles = {m["companyId"]: m["membershipRole"] for m in me["memberships"]}
    assert roles[answer["id"]] == "owner"


def test_a_company_is_paused_and_resumed(operator: APIClient, company: Company) -> None:
    url = f"/api/companies/{company.pk}"
    paused = operator.patch(url, {"status": "paused", "name": "Renamed"}).json()
    assert (paused["status"], paused["name"]) == ("paused", "Renamed")
    assert paused["pauseReason"] == "manual"
    assert operator.patch(url, {"status": "active"}).json()["pausedAt"] is None
    assert operator.patch(url, {"issueCounter": 9}).status_code == 400
