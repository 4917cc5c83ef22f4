"""The org chart: hiring, changing, pausing and dismissing."""

from __future__ import annotations

import pytest

from agents.models import Agent
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


def test_a_hire_is_idle_and_can_be_woken() -> None:
    agent = make.agent(name="Ada Lovelace")
    assert (agent.state, agent.is_invokable, agent.url_key) == (
        "idle",
        True,
        "ada-lovelace",
    )


def test_a_ceo_may_hire_and_assign_unless_told_otherwise() -> None:
    company = make.company()
    ceo = make.agent(company, role="ceo")
    tied = make.agent(company, role="ceo", permissions={"canAssignTasks": False})
    assert (ceo.may("canCreateAgents"), ceo.may("canAssignTasks")) == (True, True)
    assert not tied.may("canAssignTasks")


def test_a_name_is_taken_until_its_bearer_is_dismissed() -> None:
    ada = make.agent(name="Ada")
    with pytest.raises(Conflict, match="already has an agent called ADA"):
        make.agent(ada.company, name="ADA")
    make.agent(name="Ada")  # of another company
    ada.terminate(by=SYSTEM)
    assert make.agent(ada.company, name="Ada")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "!!!"},
        {"adapter_type": "telepathy"},
        {"adapter_config": {"command": "true", "shell": True}},
        {"adapter_config": {}},
        {"adapter_config": {"command": "true", "cwd": "../elsewhere"}},
        {"adapter_config": {"command": "true", "env": {"PAPERCLIP_API_KEY": "x"}}},
        {"interval_seconds": 5},
        {"permissions": {"canFly": True}},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        make.agent(**wrong)


def test_nobody_reports_in_a_circle() -> None:
    top = make.agent(name="Top")
    middle = make.agent(top.company, name="Middle", reports_to=top)
    low = make.agent(top.company, name="Low", reports_to=middle)
    with pytest.raises(Invalid, match="Top → Low → Middle → Top"):
        top.change(by=SYSTEM, reports_to=low)
    with pytest.raises(Invalid):
        top.change(by=SYSTEM, reports_to=top)
    fresh = Agent.objects.get(pk=low.pk)
    assert fresh.chain_of_command() == [middle, top]


def test_a_manager_of_another_company_is_refused() -> None:
    stranger = make.agent()
    for field in ("reports_to", "reviewer"):
        with pytest.raises(Invalid, match="another company"):
            make.agent(**{field: stranger})


def test_nobody_reviews_itself() -> None:
    agent = make.agent()
    with pytest.raises(Invalid, match="own work"):
        agent.change(by=SYSTEM, reviewer=agent)


def test_agents_and_viewers_do_not_hire() -> None:
    company = make.company()
    actors = [
        Actor.of_agent(make.agent(company, role="ceo")),
        make.by(make.operator(company, role="viewer")),
        make.by(make.operator()),
    ]
    for actor in actors:
        with pytest.raises(NotAllowed):
            Agent.objects.hire(company, by=actor, name="New")


def test_a_pause_stops_what_runs_and_what_waits() -> None:
    agent = make.agent()
    running, _ = make.live_run(agent)
    waiting = make.queued_run(agent, make.issue())
    agent.pause(by=SYSTEM)
    assert (agent.state, agent.pause_reason) == ("paused", "manual")
    for run in (running, waiting):
        run.refresh_from_db()
        assert run.status == "cancelled"
    agent.resume(by=SYSTEM)
    assert (agent.state, agent.paused_at) == ("idle", None)
    with pytest.raises(Conflict):
        agent.resume(by=SYSTEM)


def test_a_pause_is_not_lifted_by_the_end_of_a_run() -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    Agent.objects.filter(pk=agent.pk).update(status="paused")
    run.finish("failed")
    agent.refresh_from_db()
    assert agent.status == "paused"


def test_a_dismissal_is_for_good() -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    key = make.key(agent)
    agent.terminate(by=SYSTEM)
    run.refresh_from_db()
    assert (agent.status, run.status) == ("terminated", "cancelled")
    assert make.client(key).get("/api/agents/me").status_code == 401
    for verb in (agent.pause, agent.resume):
        with pytest.raises(Conflict):
            verb(by=SYSTEM)


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_do_not_close_a_circle() -> None:
    company = make.company()
    for _ in range(5):
        pair = [make.agent(company), make.agent(company)]

        def move(number: int, pair: list[Agent] = pair) -> None:
            agent, manager = pair[number], pair[1 - number]
            agent.change(by=SYSTEM, reports_to=manager)

        results = together(2, move)
        assert sorted(type(r) for r in results if r) == [Invalid], results


@pytest.mark.django_db(transaction=True)
def test_a_pause_beside_claims_leaves_nothing_running() -> None:
    for _ in range(5):
        agent = make.agent(max_concurrent_runs=4)
        runs = [make.queued_run(agent, make.issue()) for _ in range(3)]

        def act(number: int, agent: Agent = agent, runs: list = runs) -> object:
            if number == 3:
                return Agent.objects.get(pk=agent.pk).pause(by=SYSTEM)
            return type(runs[0]).objects.get(pk=runs[number].pk).claim(host="test")

        results = together(4, act)
        assert not [r for r in results if isinstance(r, Exception)], results
        assert not agent.runs.open().exists()


@pytest.mark.django_db(transaction=True)
def test_a_change_does_not_undo_what_happens_beside_it() -> None:
    agent = make.agent()
    stale = Agent.objects.get(pk=agent.pk)
    agent.pause(by=SYSTEM)
    stale.change(by=SYSTEM, title="New")
    fresh = Agent.objects.get(pk=agent.pk)
    assert (fresh.status, fresh.title) == ("paused", "New")
