"""Sessions over HTTP and their reset."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.utils.timezone import now

from agents.models import Agent, Session
from issues.models import Issue
from paperclip.exceptions import NotAllowed
from paperclip.models import Activity
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Any:
    return make.company()


def session_of(agent: Agent, issue: Issue, **fields: Any) -> Session:
    return Session.objects.create(
        company=agent.company,
        agent=agent,
        adapter_type=agent.adapter_type,
        issue_id=issue.pk,
        **{"session_id": "s-1", "runs": 3, "started_at": now(), **fields},
    )


def two_sessions(company: Any) -> tuple[Agent, Issue, str]:
    agent = make.agent(company)
    issues = [make.issue(company), make.issue(company)]
    for number, issue in enumerate(issues):
        session_of(agent, issue, session_id=f"s-{number}")
    return agent, issues[0], f"/api/agents/{agent.pk}"


def test_one_session_is_reset(company: Any) -> None:
    agent, issue, url = two_sessions(company)
    client = make.client_of(make.operator(company))
    body = {"taskKey": str(issue.pk)}
    answer = client.post(f"{url}/runtime-state/reset-session", body)
    assert answer.status_code == 200
    assert answer.json() == {"agentId": str(agent.pk), "clearedTaskSessions": 1}
    assert [one.session_id for one in agent.sessions.all()] == ["s-1"]
    act = Activity.objects.get(action="agent.session_reset")
    assert act.details == {
        "sessionId": "s-0",
        "adapterType": "process",
        "issueId": str(issue.pk),
    }
    assert act.actor_type == "user" and act.entity_id == str(agent.pk)


def test_all_of_them_are_reset(company: Any) -> None:
    agent, _issue, url = two_sessions(company)
    client = make.client_of(make.operator(company))
    answer = client.post(f"{url}/runtime-state/reset-session", {})
    assert answer.json()["clearedTaskSessions"] == 2
    assert not agent.sessions.exists()


@pytest.mark.parametrize("task", [str(UUID(int=1)), "no id"])
def test_there_may_be_nothing_to_reset(company: Any, task: str) -> None:
    agent, _issue, url = two_sessions(company)
    client = make.client_of(make.operator(company))
    answer = client.post(f"{url}/runtime-state/reset-session", {"taskKey": task})
    assert answer.json()["clearedTaskSessions"] == 0 and agent.sessions.count() == 2


def test_it_is_for_operators(company: Any) -> None:
    agent, _issue, url = two_sessions(company)
    for holder, status in (
        (make.operator(company, "viewer"), 403),
        (agent, 403),
        (make.agent(company), 403),
        (make.operator(make.company("Strangers")), 404),
    ):
        client = make.client_of(holder)
        answer = client.post(f"{url}/runtime-state/reset-session", {})
        assert answer.status_code == status
        assert client.get(f"{url}/task-sessions").status_code == status
    assert agent.sessions.count() == 2


def test_another_agent_cannot_reset_it(company: Any) -> None:
    agent, _issue, _url = two_sessions(company)
    with pytest.raises(NotAllowed):
        agent.sessions.reset(by=make.working(make.agent(company)))
    assert agent.sessions.reset(by=make.working(agent)) == 2


def test_they_are_listed(company: Any) -> None:
    agent, _issue, url = two_sessions(company)
    client = make.client_of(make.operator(company))
    rows = client.get(f"{url}/task-sessions").json()
    assert [row["sessionDisplayId"] for row in rows] == ["s-1", "s-0"]
    assert rows[0]["runs"] == 3 and rows[0]["agentId"] == str(agent.pk)


def test_a_wake_may_ask_for_a_fresh_session(company: Any) -> None:
    agent, issue, url = two_sessions(company)
    client = make.client_of(make.operator(company))
    payload = {"issueId": str(issue.pk)}
    client.post(f"{url}/wakeup", {"payload": payload, "forceFreshSession": False})
    assert agent.sessions.count() == 2
    client.post(f"{url}/wakeup", {"payload": payload, "forceFreshSession": True})
    assert [one.session_id for one in agent.sessions.all()] == ["s-1"]
    # About nothing it has no session to forget.
    client.post(f"{url}/wakeup", {"forceFreshSession": True})
    assert agent.sessions.count() == 1


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"resumeArgs": ["--resume"]}, "{sessionId}"),
        ({"sessionTokens": 10}, "1000"),
        ({"maxSessionRuns": 0}, "1"),
    ],
)
def test_settings_of_sessions_are_checked(
    company: Any, config: dict[str, Any], problem: str
) -> None:
    client = make.client_of(make.operator(company))
    body = {"adapterConfig": {"command": "true", **config}}
    url = f"/api/agents/{make.agent(company).pk}"
    answer = client.patch(url, body)
    assert answer.status_code == 422 and problem in answer.json()["error"]
