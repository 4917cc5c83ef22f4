"""Hires by agents: limited, with a reason, and decided by a person where it is said."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings

from agents import hiring
from agents.models import Agent, Approval, EffectPolicy
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, NotAllowed, TooMany
from tests import make

pytestmark = pytest.mark.django_db
SAFE = {"adapter_type": "litellm", "adapter_config": {"maxTurns": 5}}


@pytest.fixture
def boss() -> Agent:
    walled = {"command": "true", "network": "none"}
    return make.agent(permissions={"canCreateAgents": True}, adapter_config=walled)


@pytest.fixture
def person(boss: Agent) -> Actor:
    return make.by(make.operator(boss.company))


def hired(boss: Agent, name: str = "New", **fields: Any) -> Any:
    company = type(boss.company).objects.get(pk=boss.company_id)
    boss.company = company
    run = boss.runs.live().first() or make.live_run(boss)[0]
    by = Actor.of_agent(boss, run)
    return hiring.hire(company, by=by, **{"name": name, **SAFE, **fields})


def test_it_works_for_who_hired_it(boss: Agent) -> None:
    agent, approval = hired(boss)
    assert approval is None
    assert (agent.status, agent.reports_to, agent.hired_by) == ("idle", boss, boss)


def test_only_with_the_permission(boss: Agent) -> None:
    with pytest.raises(NotAllowed, match="ask your manager"):
        hired(make.agent(boss.company))


def test_where_the_company_says_so_it_waits(boss: Agent, person: Actor) -> None:
    boss.company.change(by=SYSTEM, require_approval_for_hires=True)
    agent, approval = hired(boss)
    assert (agent.status, approval.type) == ("pending_approval", "hire_agent")
    assert approval.payload["agentId"] == str(agent.pk)
    assert agent.wake("automation", "test", by=SYSTEM).status == "skipped"
    approval.decide("approved", by=person)
    agent.refresh_from_db()
    assert agent.status == "idle"


@pytest.mark.parametrize("how", ["rejected", "expired"])
def test_one_that_is_not_wanted_is_dismissed(
    boss: Agent, person: Actor, how: str
) -> None:
    boss.company.change(by=SYSTEM, require_approval_for_hires=True)
    agent, approval = hired(boss)
    if how == "expired":
        approval.expire()
    else:
        approval.decide("rejected", by=person)
    agent.refresh_from_db()
    assert (agent.status, approval.status) == ("terminated", "rejected")


def test_who_is_dismissed_meanwhile_is_not_decided_on(
    boss: Agent, person: Actor
) -> None:
    boss.company.change(by=SYSTEM, require_approval_for_hires=True)
    agent, approval = hired(boss)
    agent.terminate(by=person)
    approval.refresh_from_db()
    assert approval.status == "cancelled"
    with pytest.raises(Invalid):
        approval.decide("approved", by=person)


@pytest.mark.parametrize(
    "fields",
    [
        {"adapter_type": "process", "adapter_config": {"command": "sh"}},
        {"adapter_config": {"network": "open"}},
        {"adapter_config": {"apiBase": "http://127.0.0.1:1/v1"}},
        {"permissions": {"canCreateAgents": True}},
    ],
)
def test_a_person_looks_at_what_reaches_out(
    boss: Agent, fields: dict[str, Any]
) -> None:
    agent, approval = hired(boss, **fields)
    assert agent.status == "pending_approval" and approval is not None


def test_no_secret_is_on_the_card(boss: Agent) -> None:
    config = {"command": "sh", "env": {"TOKEN": "canary-1"}}
    _agent, approval = hired(boss, adapter_type="process", adapter_config=config)
    assert "canary-1" not in str(approval.payload)


def test_so_many_a_day(boss: Agent) -> None:
    """T-12d."""
    for number in range(django_settings.HIRES_PER_DAY):
        hired(boss, f"New {number}", reason="Much to do.")
    with pytest.raises(TooMany, match="within a day"):
        hired(boss, "One more", reason="Much to do.")
    assert Agent.objects.filter(hired_by=boss).count() == django_settings.HIRES_PER_DAY


def test_a_second_one_of_the_role_needs_a_reason(boss: Agent) -> None:
    """T-12d."""
    hired(boss, "Dev 1", role="engineer")
    hired(boss, "QA 1", role="qa")
    with pytest.raises(Invalid, match="why one more") as refusal:
        hired(boss, "Dev 2", role="engineer")
    assert refusal.value.code == "reason_needed"
    agent, _ = hired(boss, "Dev 2", role="engineer", reason="Two repositories.")
    assert agent.status == "idle"


def test_where_agents_may_not_hire(boss: Agent) -> None:
    EffectPolicy.objects.put(boss.company, "hire_agent", "refuse", by=SYSTEM)
    with pytest.raises(NotAllowed, match="may not hire"):
        hired(boss)


def test_over_http(boss: Agent) -> None:
    path = f"/api/companies/{boss.company_id}/agent-hires"
    issue = make.issue(boss.company)
    body = {
        "name": "New",
        "role": "engineer",
        "adapterType": "process",
        "adapterConfig": {"command": "true"},
        "sourceIssueId": str(issue.pk),
    }
    answer = make.client_of(boss).post(path, body)
    assert answer.status_code == 201, answer.content
    assert answer.json()["agent"]["status"] == "pending_approval"
    approval = Approval.objects.get()
    assert answer.json()["approval"]["id"] == str(approval.pk)
    assert approval.issue_links.get().issue == issue
    person = make.client_of(make.operator(boss.company))
    pk = answer.json()["agent"]["id"]
    assert make.client_of(boss).post(f"/api/agents/{pk}/approve").status_code == 403
    assert person.post(f"/api/agents/{pk}/approve").json()["status"] == "idle"
    assert person.post(path, {**body, "name": "By hand"}).json()["approval"] is None


def test_the_card_of_a_hire_is_not_written_by_who_hires(
    boss: Agent, person: Actor
) -> None:
    """A person would read something harmless and let something else in."""
    harmful = {"adapter_type": "process", "adapter_config": {"command": "evil"}}
    agent, card = hired(boss, **harmful)
    card.request_revision(by=person, note="What for?")
    by = Actor.of_agent(boss, boss.runs.live().first())
    nice = {**card.payload, "adapterType": "litellm", "adapterConfig": {}}
    with pytest.raises(Invalid) as caught:
        card.resubmit(nice, by=by)
    assert caught.value.code == "own_route"
    card.resubmit(by=by)
    card.refresh_from_db()
    assert (card.status, card.payload["adapterType"]) == ("pending", "process")
    assert agent.status == "pending_approval"
