"""What a child program is told on stdin."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from agents import workspaces
from agents.adapters.base import Context
from agents.adapters.child import Call, Ended, inherited, run_child
from issues.heartbeat import Lease, environment
from tests import make
from tests.workers import hired

pytestmark = pytest.mark.django_db(transaction=True)
MUCH = b"x" * 1_000_000  # more than any pipe holds


def run(script: str, **call: Any) -> Ended:
    agent = hired(make.company(), "true")
    with transaction.atomic():
        live, token = make.live_run(agent)
    env = inherited() | environment(live, token)
    argv = ["sh", "-c", script]
    made = Call(argv=argv, cwd=workspaces.of(agent), env=env, **call)
    return run_child(Context(live, env, Lease(live).hold), made)


def test_it_gets_all_of_it_and_then_its_end() -> None:
    ended = run("wc -c", stdin=MUCH)
    assert ended.went_well
    assert ended.columns["stdout_excerpt"].strip() == str(len(MUCH))


@pytest.mark.parametrize("script", ["exit 0", "exec <&-; sleep 0.3"])
def test_one_that_does_not_listen_is_no_trouble(script: str) -> None:
    assert run(script, stdin=MUCH).went_well


def test_one_that_neither_reads_nor_ends_is_timed_out() -> None:
    ended = run("sleep 60", stdin=MUCH, timeout=0.5, grace=1)
    assert (ended.by, ended.went_well) == ("timeout", False)


def test_without_any_it_reads_an_end() -> None:
    assert run("cat").went_well
