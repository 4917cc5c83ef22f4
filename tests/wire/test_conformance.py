"""Every recorded request of the existing system, sent to ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from paperclip.actors import SYSTEM
from tests import make
from tests.wire.omitted import NAMES, ONLY_IN, OPAQUE
from tests.wire.world import World

SAMPLES = {
    path.stem: json.loads(path.read_text())
    for path in sorted(Path(__file__).with_name("samples").glob("*.json"))
}
# Where we answer otherwise, on purpose.
DIFFERENT = {
    "other_company_403": 404,  # a foreign company is not told from a missing one
    "checkout_fake_run_id": 409,  # a run that does not live is no reason to fall over
    "comment_create_other_agent": 201,  # whom one mentions may answer
}
# A wake while a run works on the issue queues a run behind it; see the test below.
OTHER_BODY = {"wakeup"}

Arrangement = Callable[[World], Any]
ARRANGED: dict[str, Arrangement] = {
    "agent_keys_list": lambda w: make.key(w.agent),
    "agent_after_over_budget": lambda w: w.stopped(),
    "agent_resume": lambda w: w.agent.pause(by=SYSTEM),
    "agent_hire_as_agent": lambda w: w.agent.change(
        by=SYSTEM, permissions={"canCreateAgents": True}
    ),
    "agents_me_terminated": lambda w: None,
    "approval_reject_already_approved": lambda w: w.decided("approved"),
    "approval_resubmit": lambda w: w.decided("revised"),
    "checkout_409_other_agent": lambda w: w.held_by(w.other),
    "checkout_again_same_run": lambda w: w.held_by(w.agent),
    "comments_list_after": lambda w: w.issue.comment("More.", by=make.by(w.owner)),
    "costs_by_agent": lambda w: w.spent(),
    "budgets_overview": lambda w: make.budget(w.agent, 5000),
    "heartbeat_invoke_over_budget": lambda w: w.stopped(),
    "heartbeat_invoke": lambda w: w.run.cancel(by=SYSTEM, why="over"),
    "heartbeat_invoke_true": lambda w: w.run.cancel(by=SYSTEM, why="over"),
    "inbox_lite": lambda w: w.held_by(w.agent),
    "inbox_lite_after_checkout": lambda w: w.held_by(w.agent),
    "inbox_lite_with_active_run": lambda w: w.held_by(w.agent),
    "issue_documents": lambda w: w.planned(),
    "issue_get": lambda w: w.held_by(w.agent),
    "issue_get_done": lambda w: w.issue.change(by=make.by(w.owner), status="done"),
    "issue_patch_409_other": lambda w: w.held_by(w.other),
    "issue_patch_status_comment": lambda w: w.held_by(w.agent),
    "issue_release": lambda w: w.held_by(w.agent),
    "issue_release_409_other": lambda w: w.held_by(w.other),
    "issue_runs": lambda w: w.held_by(w.agent),
    "issues_list_all": lambda w: w.held_by(w.agent),
    "issues_list_as_agent": lambda w: w.held_by(w.agent),
    "issues_list_filtered": lambda w: w.held_by(w.agent),
    "routine_runs": lambda w: w.fired(),
    "routines_list": lambda w: w.fired(),
}


def client_for(name: str, sample: dict[str, Any], world: World) -> APIClient:
    """A client with the credential that was recorded: ours always needs one."""
    if name == "agents_me_noauth":
        return make.client()
    if sample["request"]["auth"] != "agent-key":
        return make.client(make.key(world.owner))
    if name == "agents_me_badkey":
        return make.client("pcp_wrong")
    caller = world.other if name == "checkout_403_as_other" else world.agent
    token = make.key(caller)
    if name == "agents_me_terminated":
        caller.terminate(by=SYSTEM)
    if not sample["request"]["X-Paperclip-Run-Id"]:
        return make.client(token)
    run = world.run if caller == world.agent else make.live_run(caller)[0]
    client = make.client(token, run=run)
    if name == "checkout_fake_run_id":
        fake = sample["request"]["X-Paperclip-Run-Id"]
        client.credentials(
            HTTP_AUTHORIZATION=f"Bearer {token}", HTTP_X_PAPERCLIP_RUN_ID=fake
        )
    return client


def replay(name: str) -> Any:
    sample, world = SAMPLES[name], World.made()
    ARRANGED.get(name, lambda w: None)(world)
    path, body = world.translated(sample["request"]["path"], sample["request"]["body"])
    method = sample["request"]["method"].lower()
    client = client_for(name, sample, world)
    return getattr(client, method)(path, body, format="json" if body else None)


def missing(name: str, recorded: Any, ours: Any, path: str = "") -> Iterator[str]:
    """The paths of recorded fields that our answer lacks without a reason."""
    if isinstance(recorded, list) and isinstance(ours, list):
        if recorded and ours:
            yield from missing(name, recorded[0], ours[0], f"{path}[]")
    elif isinstance(recorded, dict) and isinstance(ours, dict):
        for key, value in recorded.items():
            excused = any(name.startswith(s) and key == k for s, k in ONLY_IN)
            if key in NAMES or excused:
                continue
            if key not in ours:
                yield f"{path}.{key}"
            elif key not in OPAQUE and not (key == "details" and "action" in recorded):
                yield from missing(name, value, ours[key], f"{path}.{key}")


@pytest.mark.django_db
@pytest.mark.parametrize("name", SAMPLES)
def test_it_answers_as_recorded(name: str) -> None:
    response = replay(name)
    expected = DIFFERENT.get(name, SAMPLES[name]["status"])
    assert response.status_code == expected, response.content
    assert response["Content-Type"] == "application/json"
    ours, recorded = response.json(), SAMPLES[name]["response"]
    assert set(names_in(ours)) & NAMES == set()
    if name not in DIFFERENT and name not in OTHER_BODY:
        assert isinstance(ours, type(recorded))
        assert bool(ours) == bool(recorded)
        assert list(missing(name, recorded, ours)) == []


def test_every_omitted_field_was_recorded() -> None:
    recorded = {name for sample in SAMPLES.values() for name in names_in(sample)}
    assert NAMES - recorded == set()


@pytest.mark.django_db
def test_a_skipped_wake_answers_as_recorded() -> None:
    world = World.made()
    client = make.client(make.key(world.owner))
    body = {"source": "timer", "payload": {"issueId": str(world.issue.pk)}}
    response = client.post(f"/api/agents/{world.agent.pk}/wakeup", body)
    assert response.status_code == 202
    assert response.json().keys() == SAMPLES["wakeup"]["response"].keys()
    assert response.json()["status"] == "skipped"


def names_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from names_in(one)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if key not in OPAQUE:
                yield from names_in(inner)
