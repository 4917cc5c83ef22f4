"""What agents may do to one another: nothing, unless somebody says so (T-13)."""

from __future__ import annotations

from typing import Any

import pytest

from agents import hiring
from agents.api.forms import AgentChange
from agents.grants import WRITABLE
from agents.models import Agent
from agents.models.roles import PERMISSIONS
from issues.models import Issue
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import NotAllowed
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db
# It reads nothing that strangers wrote before it is told to.
INSIDE: dict[str, Any] = {"adapter_type": "litellm"}
INSIDE["adapter_config"] = {"model": "openai/gpt-5", "network": "none"}
CONFIGURE = {"canConfigureAgents": True}


@pytest.fixture
def company() -> Company:
    return make.company()


def lead(company: Company, **permissions: bool) -> Agent:
    return make.agent(company, name="Lead", permissions=permissions, **INSIDE)


def report(boss: Agent, name: str = "Dev") -> Agent:
    config = {"model": "openai/gpt-5", "maxTurns": 10}
    return make.agent(
        boss.company,
        name=name,
        reports_to=boss,
        adapter_type="litellm",
        adapter_config=config,
    )


def through(agent: Agent) -> Any:
    return make.client(make.live_run(agent)[1])


def test_by_default_nobody_may_anything_but_the_ceo(company: Company) -> None:
    ceo, dev = make.agent(company, role="ceo"), make.agent(company)
    assert [name for name in sorted(PERMISSIONS) if dev.may(name)] == []
    mine = [name for name in sorted(PERMISSIONS) if ceo.may(name)]
    assert mine == ["canAssignTasks", "canCreateAgents"]


@pytest.mark.parametrize("grants", [{}, {"canCreateAgents": True}])
def test_hiring_is_no_right_to_change_others(
    company: Company, grants: dict[str, bool]
) -> None:
    boss = lead(company, canAssignTasks=True, **grants)
    dev = report(boss)
    answer = through(boss).patch(f"/api/agents/{dev.pk}", {"title": "Mine"})
    assert (answer.status_code, answer.json()["code"]) == (403, "may_not_configure")
    dev.refresh_from_db()
    assert not dev.title


def test_with_the_grant_it_changes_titles_and_limits_of_its_reports(
    company: Company,
) -> None:
    boss = lead(company, **CONFIGURE)
    dev = report(boss)
    below = report(dev, "Junior")
    api = through(boss)
    said = {
        "title": "Developer",
        "adapterConfig": {"maxTurns": 20},
        "runtimeConfig": {"heartbeat": {"enabled": True, "intervalSec": 600}},
    }
    for agent in (dev, below):
        answer = api.patch(f"/api/agents/{agent.pk}", said)
        assert answer.status_code == 200, answer.content
        agent.refresh_from_db()
        assert (agent.title, agent.interval_seconds) == ("Developer", 600)
        assert agent.adapter_config == {"model": "openai/gpt-5", "maxTurns": 20}


def test_never_itself_its_manager_or_a_peer(company: Company) -> None:
    ceo = make.agent(company, role="ceo")
    boss = lead(company, **CONFIGURE)
    boss.change(by=SYSTEM, reports_to=ceo)
    peer = make.agent(company, reports_to=ceo)
    api = through(boss)
    for agent in (boss, ceo, peer):
        answer = api.patch(f"/api/agents/{agent.pk}", {"title": "Mine"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_report")
    stranger = make.agent(make.company("Else"))
    answer = api.patch(f"/api/agents/{stranger.pk}", {"title": "Mine"})
    assert answer.status_code == 404


NEVER = {
    "adapterType": "process",
    "adapterConfig": {"apiBase": "http://127.0.0.1:9/"},
    "tools": ["shell"],
    "permissions": {"canAssignTasks": True},
    "budgetMonthlyCents": 10**6,
    "reportsTo": None,
    "reviewerAgentId": None,
    "name": "Else",
    "role": "ceo",
    "icon": "x",
    "metadata": {"a": 1},
    "runtimeConfig": {"heartbeat": {"maxConcurrentRuns": 9}},
}


@pytest.mark.parametrize("field", NEVER)
def test_what_runs_costs_or_counts_stays_with_people(
    company: Company, field: str
) -> None:
    boss = lead(company, **CONFIGURE)
    dev = report(boss)
    before = Agent.objects.filter(pk=dev.pk).values().get()
    answer = through(boss).patch(f"/api/agents/{dev.pk}", {field: NEVER[field]})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_yours_to_write")
    assert Agent.objects.filter(pk=dev.pk).values().get() == before


@pytest.mark.parametrize(
    "key", ["command", "args", "cwd", "env", "network", "model", "fallbackModels"]
)
@pytest.mark.parametrize("replace", [False, True])
def test_no_setting_that_is_run_or_connected_to(
    company: Company, key: str, replace: bool
) -> None:
    boss = lead(company, **CONFIGURE)
    values: dict[str, Any] = {"args": ["x"], "env": {"A": "b"}, "fallbackModels": ["x"]}
    said = {"adapterConfig": {key: values.get(key, "x")}}
    dev = report(boss)
    before = dev.adapter_config
    told = {**said, "replaceAdapterConfig": replace}
    answer = through(boss).patch(f"/api/agents/{dev.pk}", told)
    assert answer.status_code == 403
    dev.refresh_from_db()
    assert dev.adapter_config == before


def test_every_field_is_either_writable_or_refused() -> None:
    """A new field of the form is decided about here."""
    sources = {field.source or name for name, field in AgentChange().fields.items()}
    never = {AgentChange().fields[name].source or name for name in NEVER} - {"*"}
    known = never | WRITABLE | {"*", "replaceAdapterConfig"}
    assert sources - known == set()


def test_not_in_a_run_that_has_read_what_strangers_wrote(company: Company) -> None:
    boss = lead(company, **CONFIGURE)
    dev = report(boss)
    run, token = make.live_run(boss)
    run.note_outside("https://example.com/")
    for api in (make.client(token), make.client_of(boss)):
        answer = api.patch(f"/api/agents/{dev.pk}", {"title": "Mine"})
        assert (answer.status_code, answer.json()["code"]) == (403, "outside_text")


def test_nobody_hires_above_themselves(company: Company) -> None:
    boss = lead(company, canCreateAgents=True)
    by = Actor.of_agent(boss, make.live_run(boss)[0])
    safe = {"adapter_type": "litellm", "adapter_config": {"network": "none"}}
    for wanted in (CONFIGURE, {"canAssignTasks": True}):
        with pytest.raises(NotAllowed, match="may not do yourself"):
            hiring.hire(company, by=by, name="A", permissions=wanted, **safe)
    ceo, _card = hiring.hire(company, by=by, name="B", role="ceo", **safe)
    assert not any(ceo.may(name) for name in PERMISSIONS)
    same, card = hiring.hire(
        company, by=by, name="C", permissions={"canCreateAgents": True}, **safe
    )
    assert same.may("canCreateAgents") and card is not None


def test_assigning_to_others_takes_the_grant(company: Company) -> None:
    boss = lead(company)
    dev = report(boss)
    said = {"title": "T", "assigneeAgentId": str(dev.pk)}
    url = f"/api/companies/{company.pk}/issues"
    api = through(boss)
    assert api.post(url, said).status_code == 403
    boss.permissions = {"canAssignTasks": True}
    boss.save()
    assert api.post(url, said).status_code == 201
    assert Issue.objects.get().assignee_agent == dev


@pytest.mark.parametrize("role", ["viewer", "operator", "admin", "owner"])
def test_grants_are_set_by_admins(company: Company, role: str) -> None:
    dev = make.agent(company)
    api = make.client_of(make.operator(company, role))
    answer = api.patch(f"/api/agents/{dev.pk}/permissions", CONFIGURE)
    may = role in ("admin", "owner")
    assert answer.status_code == (200 if may else 403)
    dev.refresh_from_db()
    assert dev.may("canConfigureAgents") is may
    assert through(dev).patch(
        f"/api/agents/{dev.pk}/permissions", {"canAssignTasks": True}
    ).status_code == 403  # fmt: skip


def test_its_page_says_what_it_may(company: Company) -> None:
    from tests.console.conftest import seen_by

    console = seen_by(make.operator(company))
    dev, boss = make.agent(company), lead(company, **CONFIGURE)
    assert "does its own work" in console.get(f"/agents/{dev.pk}").content.decode()
    assert (
        "may change titles, limits"
        in console.get(f"/agents/{boss.pk}").content.decode()
    )
