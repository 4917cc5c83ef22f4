"""A backup counts when it was restored and is the same (T-20)."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from benchmarks.rows import address, database
from paperclip.backups import store
from paperclip.backups.database import scratch
from paperclip.exceptions import Conflict
from tests.instance import MANAGE, Instance, running, wait_for
from tests.system.test_chaos import open_issues

PROGRAM = Path(__file__).with_name("working_agent.py")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("home") / "home") as one:
        work(one, "Before the backup", hire(one))
        yield one


@pytest.fixture(scope="module")
def good(instance: Instance) -> Path:
    """A backup of it."""
    instance.manage("checkpoint_audit")
    return taken(instance)


def hire(instance: Instance) -> str:
    body = {
        "name": "Worker",
        "adapterType": "process",
        "adapterConfig": {"command": sys.executable, "args": [str(PROGRAM)]},
    }
    made = instance.api("POST", f"/companies/{instance.company()}/agents", body)
    assert made.status == 201, made
    return str(made.body["id"])


def work(instance: Instance, title: str, agent: str, times: int = 3) -> None:
    """So many tasks, which the agent does."""
    company = instance.company()
    for number in range(times):
        body = {
            "title": f"{title} {number}",
            "status": "todo",
            "assigneeAgentId": agent,
        }
        made = instance.api("POST", f"/companies/{company}/issues", body)
        assert made.status == 201, made
    wait_for(lambda: not open_issues(instance, company), 60)


def command(instance: Instance, *args: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(MANAGE), *args],
        env={**instance.env, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(instance: Instance, *args: str, **env: str) -> tuple[int, str]:
    """The exit code of a command, and what it says."""
    one = command(instance, *args, **env)
    out, err = one.communicate(timeout=120)
    return one.returncode, out + err


def taken(instance: Instance) -> Path:
    code, text = said(instance, "backup")
    assert code == 0, text
    return Path(text.split()[1])


def test_a_restored_instance_is_the_same_and_works(
    instance: Instance, good: Path, tmp_path: Path
) -> None:
    """T-20a: row counts and checksums of all tables and files, then three tasks."""
    manifest = json.loads((good / "manifest.json").read_text())
    assert manifest["state"] == "good"
    assert manifest["tables"]["issues_issue"][0] == 3
    logs = [name for name in manifest["files"] if name.startswith("runs/")]
    assert len(logs) == manifest["tables"]["agents_run"][0] == 3
    # The files too: they are copied without their directory.
    for file in (good, *good.iterdir()):
        assert file.stat().st_mode & 0o077 == 0, file
    keys = tmp_path / "keys"
    assert said(instance, "backup", "--keys", str(keys))[0] == 0
    assert keys.stat().st_mode & 0o777 == 0o600
    assert said(instance, "backup", "--keys", str(keys))[0] == 1  # never over another
    again = Instance(tmp_path / "again")
    code, text = said(again, "restore", str(good), "--keys", str(keys))
    assert code == 0 and "each as it was" in text, text
    (signed,) = [one for one in manifest["files"] if one.startswith("checkpoints/")]
    for name in (logs[0], signed):
        assert (again.home / name).read_bytes() == (instance.home / name).read_bytes()
    again.key = instance.key
    try:
        again.start()
        agent = again.api("GET", f"/companies/{again.company()}/agents").body[0]["id"]
        assert again.company() == instance.company()
        work(again, "After the restore", agent)
        # The old home's keys are good here, and a second restore is refused.
        again.key = instance.key
        assert again.api("GET", "/companies").status == 200
    finally:
        again.stop()
    code, text = said(again, "restore", str(good))
    assert code == 1 and "is not empty" in text


def test_one_that_does_not_come_back_is_no_backup(
    instance: Instance, good: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(good, broken)
    manifest = json.loads((broken / "manifest.json").read_text())
    manifest["tables"]["issues_issue"][0] += 1
    (broken / "manifest.json").write_text(json.dumps(manifest))
    code, text = restored(instance, broken, tmp_path)
    assert code == 1 and "issues_issue: 3 rows, 4 were dumped" in text
    for file in ("database.dump", "files.tar.gz"):
        shutil.copy(good / "manifest.json", broken)
        data = (good / file).read_bytes()
        (broken / file).write_bytes(data[: len(data) // 2])
        code, text = restored(instance, broken, tmp_path)
        assert code == 1 and "Traceback" not in text, text
        shutil.copy(good / file, broken)
    code, text = said(instance, "restore", str(tmp_path))
    assert code == 1 and "is no backup" in text
    code, text = said(instance, "restore", str(good))
    assert code == 1 and "runs: stop it first" in text


def restored(instance: Instance, backup: Path, place: Path) -> tuple[int, str]:
    """Into an empty home, and an empty database of the instance's server."""
    with scratch(address(instance)) as empty:
        name = conninfo_to_dict(empty)["dbname"]
        url = f"{address(instance).rpartition('/')[0]}/{name}"
        home = Instance(place / "empty")
        return said(home, "restore", str(backup), DATABASE_URL=url)


@pytest.mark.long
def test_a_backup_that_hangs_is_ended_and_the_next_one_runs(
    instance: Instance, settings: Any
) -> None:
    """T-20b: stopped with SIGSTOP."""
    with database(instance) as rows, closing(rows.cursor()) as cursor:
        # It waits for a table that somebody has locked.
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE issues_label IN ACCESS EXCLUSIVE MODE")
        code, text = said(instance, "backup", PAPERCLIP_BACKUP_MINUTES="0.01")
        assert code == 1 and "longer than a backup may" in text
        hanging = command(instance, "backup", PAPERCLIP_BACKUP_MINUTES="0.05")
        lock = instance.home / "backups" / "lock"
        wait_for(lambda: str(hanging.pid) in lock.read_text(), 20)
        hanging.send_signal(signal.SIGSTOP)
        settings.BACKUPS = str(instance.home / "backups")
        with pytest.raises(Conflict, match="is being taken right now"), store.alone(60):
            raise AssertionError("two at once")
        wait_for(lambda: not store.is_busy(), 20)
        cursor.execute("ROLLBACK")
    assert taken(instance).is_dir()
    assert hanging.wait(10) == -signal.SIGKILL
    left = [one.name for one in (instance.home / "backups").iterdir()]
    assert not [name for name in left if name.endswith(".partial")]


def test_nothing_is_half_written_on_a_full_disk(instance: Instance) -> None:
    place = instance.home / "backups"
    before = sorted(place.iterdir())
    file = "import paperclip.backups.store as s; s.FULLEST = 0.0"
    told = f"{file}; from paperclip import backups; backups.take()"
    code, text = said(instance, "shell", "--no-imports", "-c", told)
    assert code == 1 and "Make room" in text
    # The older ones went first; the newest good one stays.
    left = sorted(place.iterdir())
    assert set(left) <= set(before)
    good = [one for one in left if one.is_dir()]
    assert len(good) == 1 and good[0] == max(one for one in before if one.is_dir())
