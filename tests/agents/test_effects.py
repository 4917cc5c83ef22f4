"""What may leave the building: allowed, asked for or refused, by rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from agents import effects
from agents.effects import Verdict
from agents.models import Agent, Approval, EffectPolicy, Run
from agents.models.policy import KINDS
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, NotAllowed
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db
POST = {"method": "POST", "url": "https://example.com/", "body": "hello"}


@pytest.fixture
def agent() -> Agent:
    return make.agent(max_concurrent_runs=5)


@pytest.fixture
def person(agent: Agent) -> Actor:
    return make.by(make.operator(agent.company))


def run_of(agent: Agent) -> Run:
    run: Run | None = agent.runs.live().first()
    return run or make.live_run(agent)[0]


def may(agent: Agent, effect: str = "post_to_internet", **more: Any) -> Verdict:
    run = more.pop("run", None) or run_of(agent)
    by = Actor.of_agent(agent, run)
    payload = more.pop("payload", POST)
    return effects.authorize(agent, effect, payload, by=by, run=run, **more)


def allow(agent: Agent, effect: str = "post_to_internet", rule: str = "allow") -> None:
    EffectPolicy.objects.put(agent.company, effect, rule, by=SYSTEM)


@pytest.mark.parametrize(
    "effect",
    [name for name, (rule, _type) in KINDS.items() if rule == "ask"],
)
def test_what_cannot_be_taken_back_is_asked_for(agent: Agent, effect: str) -> None:
    assert len(KINDS) == 7
    verdict = may(agent, effect)
    assert verdict.word == "pending"
    assert verdict.approval is not None
    assert verdict.approval.type == KINDS[effect][1]
    assert verdict.approval.requested_by_agent == agent


def test_an_approval_is_good_for_exactly_that_once(agent: Agent, person: Actor) -> None:
    verdict = may(agent)
    assert verdict.approval is not None
    verdict.approval.decide("approved", by=person)
    assert may(agent, payload={**POST, "body": "other"}).word == "pending"
    assert may(make.agent(agent.company)).word == "pending"
    assert may(agent).word == "allowed"
    again = may(agent)
    assert again.word == "pending" and again.approval != verdict.approval


@pytest.mark.django_db(transaction=True)
def test_of_many_that_use_it_at_once_one_may() -> None:
    agent = make.agent(max_concurrent_runs=5)
    first = may(agent)
    assert first.approval is not None
    first.approval.decide("approved", by=make.by(make.operator(agent.company)))
    run = Run.objects.live().get()
    words = [v.word for v in together(6, lambda n: may(agent, run=run))]
    assert sorted(words) == ["allowed"] + ["pending"] * 5


def test_an_approval_grows_old(agent: Agent, person: Actor) -> None:
    verdict = may(agent)
    assert verdict.approval is not None
    verdict.approval.decide("approved", by=person)
    Approval.objects.update(decided_at=now() - timedelta(days=8))
    assert may(agent).word == "pending"


def test_no_means_no(agent: Agent, person: Actor) -> None:
    verdict = may(agent)
    assert verdict.approval is not None
    verdict.approval.decide("rejected", by=person, note="Never there.")
    again = may(agent)
    assert again.word == "refused" and "Never there." in again.why


def test_the_agents_own_rule_counts_first(agent: Agent) -> None:
    allow(agent)
    assert may(agent).word == "allowed"
    put = EffectPolicy.objects.put
    put(agent.company, "post_to_internet", "refuse", by=SYSTEM, agent=agent)
    assert may(agent).word == "refused"
    assert may(make.agent(agent.company)).word == "allowed"
    put(agent.company, "post_to_internet", "", by=SYSTEM, agent=agent)
    assert may(agent).word == "allowed"


def test_a_run_that_read_outside_text_asks(agent: Agent) -> None:
    allow(agent)
    run, _ = make.live_run(agent)
    Run.objects.filter(pk=run.pk).update(outside="page https://evil.example/")
    verdict = may(agent, run=run)
    assert verdict.word == "pending" and "evil.example" in verdict.why
    agent.company.change(by=SYSTEM, ask_after_outside_text=False)
    agent.company.refresh_from_db()
    assert may(agent, run=run).word == "allowed"


def test_without_a_run_anything_may_have_been_read(agent: Agent) -> None:
    allow(agent)
    by = Actor.of_agent(agent)
    verdict = effects.authorize(agent, "post_to_internet", POST, by=by, run=None)
    assert verdict.word == "pending"


def test_a_rehearsal_leaves_its_little_world_for_nothing() -> None:
    assert may(make.agent(make.company(rehearsal=True))).word == "allowed"


def test_unknown_words_are_refused(agent: Agent) -> None:
    with pytest.raises(Invalid, match="post_to_internet"):
        may(agent, "fly")
    for effect, rule in (("fly", "ask"), ("spend_money", "sometimes")):
        with pytest.raises(Invalid):
            allow(agent, effect, rule)
    foreign = make.agent(make.company("Other"))
    with pytest.raises(Invalid):
        EffectPolicy.objects.put(
            agent.company, "spend_money", "ask", by=SYSTEM, agent=foreign
        )


def test_over_http(agent: Agent, person: Actor) -> None:
    _run, token = make.live_run(agent)
    client = make.client(token)
    body = {"effect": "spend_money", "payload": {"cents": 900}, "summary": "A domain"}
    asked = client.post("/api/effects/authorize", body).json()
    assert asked["verdict"] == "pending"
    assert asked["approval"]["summary"] == "A domain"
    Approval.objects.get().decide("approved", by=person)
    assert client.post("/api/effects/authorize", body).json()["verdict"] == "allowed"
    user = make.client_of(make.operator(agent.company))
    assert user.post("/api/effects/authorize", body).status_code == 401


def test_the_rules_over_http(agent: Agent) -> None:
    path = f"/api/companies/{agent.company_id}/effect-policies"
    person, own = make.client_of(make.operator(agent.company)), make.client_of(agent)
    rows = {row["effect"]: row for row in own.get(path).json()}
    assert rows["spend_money"]["rule"] == "ask" and rows["spend_money"]["isDefault"]
    body = {"effect": "spend_money", "rule": "allow", "agentId": str(agent.pk)}
    assert own.put(path, body).status_code == 403
    answer = person.put(path, body)
    assert answer.status_code == 200, answer.content
    of_agent = {row["effect"]: row for row in answer.json()}
    assert of_agent["spend_money"]["rule"] == "allow"
    assert not of_agent["spend_money"]["isDefault"]
    rows = {row["effect"]: row for row in own.get(path).json()}
    assert rows["spend_money"]["rule"] == "ask"
    with pytest.raises(NotAllowed):
        EffectPolicy.objects.put(
            agent.company, "spend_money", "allow", by=Actor.of_agent(agent)
        )
