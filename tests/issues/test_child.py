"""What a child program is told on stdin."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from agents import sandbox, workspaces
from agents.adapters.base import Context
from agents.adapters.child import Call, Ended, run_child
from agents.adapters.process import Process
from issues.heartbeat import Lease, environment
from paperclip import processes
from tests import make
from tests.loop import stage
from tests.workers import hired

pytestmark = pytest.mark.django_db(transaction=True)
MUCH = b"x" * 1_000_000  # more than any pipe holds


def run(script: str, **call: Any) -> Ended:
    agent = hired(make.company(), "true")
    with transaction.atomic():
        live, token = make.live_run(agent)
    env = processes.inherited() | environment(live, token)
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


# --- Walls that fall after they were looked at -----------------------------------

FALLEN = "bwrap: setting up uid map: Permission denied"


@pytest.fixture
def fallen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bwrap that works when it is tried, and no longer when it is needed."""
    real = shlex.quote(sandbox.state().which)
    file = tmp_path / "bwrap"
    file.write_text(
        f'#!/bin/sh\ncase "$*" in *" -- true") exec {real} "$@";; esac\n'
        f"echo {shlex.quote(FALLEN)} >&2; exit 1\n"
    )
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sandbox, "_seen", None)


@pytest.mark.usefixtures("fallen")
def test_the_run_says_why_its_loop_said_nothing() -> None:
    error = str(stage.play(stage.agent(make.company()), None).run.error)
    assert FALLEN in error and "manage.py doctor" in error


@pytest.mark.usefixtures("fallen")
def test_the_run_says_why_its_program_did_not_start() -> None:
    run, token = make.live_run(hired(make.company(), "true"))
    env = environment(run, token)
    outcome = Process().execute(Context(run, env, Lease(run).hold))
    error = str(outcome.columns["error"])
    assert error.startswith("The program ended with exit code 1. It said: bwrap: ")
    assert "manage.py doctor" in error


def test_other_last_words_are_told_as_they_are() -> None:
    assert run("echo a >&2; echo b >&2; exit 1").last_word == " It said: b"
    assert run("exit 1").last_word == ""
