"""What `doctor` says of an instance that stands still, runs, or lacks a part."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.instance import MANAGE, OURS, Instance, free_port, running


def doctor(home: Path, **settings: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each line of the table by its name; what it says to do about
    it is `after` that name."""
    env = {k: v for k, v in os.environ.items() if k not in OURS and "_API_KEY" not in k}
    env |= {"PAPERCLIP_HOME": str(home), "PAPERCLIP_PORT": str(free_port())} | settings
    done = subprocess.run(
        [sys.executable, str(MANAGE), "doctor"], env=env, capture_output=True, text=True
    )
    table, name = {}, ""
    for line in done.stdout.splitlines():
        if line.startswith(" "):
            table[f"after {name}"] = line.strip()
            continue
        name = line[6:19].strip()
        table[name] = f"{line[:5].strip()}: {line[20:]}"
    return done.returncode, table


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("doctor") / "home") as one:
        yield one


def test_of_an_instance_that_runs_every_part_is_well(instance: Instance) -> None:
    """Also when the doctor is told no more than its home, from another console."""
    code, table = doctor(instance.home, GEMINI_API_KEY="canary")
    assert code == 0 and "canary" not in str(table)
    for name in ("instance", "database", "migrations", "acts", "broker", "work"):
        assert table[name].startswith("ok: "), table[name]
    assert table["keys"] == f"ok: closed to others, in {instance.home / 'secrets'}"
    assert "worker@" in table["workers"] and table["workers"].startswith("ok: ")
    url = f"http://localhost:{instance.port}"
    asked = f"http://127.0.0.1:{instance.port}"
    assert table["console"] == f"ok: {url}, asked at {asked}"
    port = instance.env["PAPERCLIP_GATEWAY_PORT"]
    assert table["gateway"] == f"ok: http://127.0.0.1:{port}"
    assert table["model keys"] == "ok: GEMINI_API_KEY"
    assert "PostgreSQL 18 at 127.0.0.1:" in table["database"]


def test_where_a_part_is_silent_its_log_is_named(instance: Instance) -> None:
    gateway = psutil.Process(instance.pid("gateway"))
    gateway.suspend()
    for worker in gateway.children():
        worker.suspend()
    try:
        code, table = doctor(instance.home)
    finally:
        for worker in gateway.children():
            worker.resume()
        gateway.resume()
    assert code == 1 and table["gateway"].startswith("fail: ")
    log = instance.home / "logs" / "gateway.log"
    assert table["after gateway"] == f"Read {log}." and log.is_file()


def test_what_is_wrong_is_said_with_what_to_do(instance: Instance) -> None:
    """Several parts at once, as each look takes a while."""
    instance.manage("checkpoint_audit")
    (checkpoints,) = (instance.home / "checkpoints").iterdir()
    hidden = checkpoints.rename(instance.home / "hidden")
    key = instance.home / "secrets" / "django"
    key.chmod(0o640)
    worker = psutil.Process(instance.pid("worker"))
    instance.manage("stop_everything")
    worker.suspend()
    try:
        code, table = doctor(instance.home)
    finally:
        worker.resume()
        key.chmod(0o600)
        hidden.rename(checkpoints)
        instance.manage("stop_everything", "--resume")
    assert code == 1
    assert table["keys"] == f"fail: {key} is open to other users"
    assert f"chmod 600 {key}" in table["after keys"]
    assert table["workers"] == "fail: none answers: no run begins"
    assert table["work"].startswith("warn: all is stopped since ")
    assert "resumes it" in table["after work"]
    assert table["acts"].startswith("warn: ") and str(checkpoints) in table["acts"]
    assert "copy" in table["after acts"]


@pytest.mark.long
def test_of_secrets_whose_key_is_lost_it_says_so(instance: Instance) -> None:
    path = f"/companies/{instance.company()}/secrets"
    body = {"name": "GEMINI", "value": "canary-of-a-secret"}
    assert instance.api("POST", path, body).status == 201
    vault = instance.home / "secrets" / "vault"
    kept, other = vault.read_text(), "another-key-" * 4
    vault.write_text(other)
    try:
        code, table = doctor(instance.home)
        vault.write_text(f"{kept.strip()}\n{other}")
        _, later = doctor(instance.home)
    finally:
        vault.write_text(kept)
    assert code == 1 and "canary" not in str(table)
    assert table["keys"] == f"fail: 1 secrets cannot be read: {vault} lacks the key"
    assert "backup --keys" in table["after keys"]
    assert later["keys"] == "warn: the master key is being changed"
    assert "rotate_secrets_key" in later["after keys"]


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


@pytest.mark.parametrize(
    ("version", "state"), [("2.37.7", "fail"), ("2.38.0", "ok"), ("3.0", "ok")]
)
def test_a_git_that_cannot_merge_is_a_failure(
    tmp_path: Path, version: str, state: str
) -> None:
    said = f"git version {version}"
    (tmp_path / "git").write_text(f"#!/bin/sh\necho {said}\n")
    (tmp_path / "git").chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    code, table = doctor(tmp_path / "home", PATH=path)
    assert table["git"] == f"{state}: {said}"
    assert ("2.38 or newer" in table.get("after git", "")) is (state == "fail")
    assert code == (state == "fail")
