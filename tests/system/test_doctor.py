"""What `doctor` says of an instance that stands still, runs, or lacks a part."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instance import MANAGE, OURS, free_port, running


def doctor(home: Path, **settings: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each line of the table by its name."""
    env = {k: v for k, v in os.environ.items() if k not in OURS and "_API_KEY" not in k}
    env |= {"PAPERCLIP_HOME": str(home), "PAPERCLIP_PORT": str(free_port())} | settings
    done = subprocess.run(
        [sys.executable, str(MANAGE), "doctor"], env=env, capture_output=True, text=True
    )
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    table = {line[6:17].strip(): f"{line[:5].strip()}: {line[18:]}" for line in lines}
    return done.returncode, table


@pytest.fixture
def table(tmp_path: Path) -> Iterator[dict[str, str]]:
    with running(tmp_path / "home", GEMINI_API_KEY="canary") as instance:
        done = subprocess.run(
            [sys.executable, str(MANAGE), "doctor"],
            env=instance.env,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        assert "canary" not in done.stdout
        yield {line[6:17].strip(): line for line in done.stdout.splitlines()}


def test_of_an_instance_that_runs_every_part_is_well(table: dict[str, str]) -> None:
    for name in ("instance", "database", "migrations", "broker", "console", "gateway"):
        assert table[name].startswith("ok "), table[name]
    assert table["model keys"].endswith(" GEMINI_API_KEY")
    assert "PostgreSQL 18 at 127.0.0.1:" in table["database"]


def test_of_one_that_stands_still_it_says_so(tmp_path: Path) -> None:
    code, table = doctor(tmp_path / "home")
    assert code == 0
    for name in ("database", "broker", "console", "gateway"):
        assert table[name] == "warn: stands still: the instance does not run"
    assert table["model keys"] == "warn: none"
    assert table["git"].startswith("ok: git version")


def test_a_server_of_ones_own_that_is_away_is_a_failure(tmp_path: Path) -> None:
    nobody = "postgres://paperclip:canary@127.0.0.1:1/paperclip"
    code, table = doctor(tmp_path / "home", DATABASE_URL=nobody)
    assert code == 1
    assert table["database"].startswith("fail: ")
    assert "canary" not in str(table)


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    code, table = doctor(tmp_path / "home", PATH=str(tmp_path))
    assert code == 1 and table["git"] == "fail: none"


def test_a_browser_that_does_not_start_is_a_failure(tmp_path: Path) -> None:
    code, table = doctor(tmp_path / "home", PAPERCLIP_CHROMIUM="/nonexistent")
    said = "fail: PAPERCLIP_CHROMIUM names /nonexistent, which does not start"
    assert code == 1 and table["browser"] == said
