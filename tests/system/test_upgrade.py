"""Into the next version, and back when that fails (T-20a, T-20c)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db.migrations.loader import MigrationLoader

from paperclip.backups.database import Facts, facts_of
from paperclip.home import BASE_DIR
from tests.instance import MANAGE, Instance, wait_for
from tests.system.test_backup import PROGRAM
from tests.upgrade.dirt import Dirt
from tests.upgrade.states import Database, Rows, database, landings
from tests.upgrade.test_states import compare

pytestmark = pytest.mark.long
BEFORE_APPROVALS = ("paperclip", "0006_activity_of_run")
CODE = ("agents", "issues", "marketing", "paperclip", "templates")
FILES = ("Procfile", "requirements.txt", ".venv")
MIGRATION = """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = {after!r}
    operations = [migrations.RunSQL(one) for one in {statements!r}]
"""
TOMORROW = ("agents", "9001_tomorrow")
# What is altered next has foreign keys then that are still to be checked.
GOOD = (
    "ALTER TABLE agents_agent ADD COLUMN tomorrow integer NOT NULL DEFAULT 1",
    "UPDATE agents_agent SET tomorrow = 2, reviewer_id = id",
)
BEGUN = (
    "ALTER TABLE agents_agent ADD COLUMN overmorrow integer",
    "UPDATE issues_issue SET title = ''",
)
SLEEPS = """
SELECT pid FROM pg_stat_activity
WHERE query LIKE 'SELECT pg_sleep%' AND datname = current_database()
"""


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: Any,
) -> Iterator[Path]:
    with django_db_blocker.unblock():
        yield tmp_path_factory.mktemp("upgrade")


@pytest.fixture(scope="module")
def old(place: Path) -> Iterator[tuple[Path, Rows]]:
    """A backup of the version before approvals, and what was in it."""
    with database() as one:
        for landed in landings():
            apps = one.migrate(landed)
            if BEFORE_APPROVALS in landed:
                break
        dirt = Dirt(apps, one.name, seed=20)
        dirt.spread()
        dirt.found()
        one.close()
        home = Instance(place / "old", DATABASE_URL=one.url)
        log = home.home / "runs" / "one" / "log.ndjson"
        log.parent.mkdir(parents=True)
        log.write_text("what it said\n")
        code, said = manage(home, "backup")
        assert code == 0, said
        yield Path(said.split()[1]), one.rows()


@pytest.fixture(scope="module")
def instance(place: Path) -> Iterator[tuple[Instance, Database]]:
    """An instance on an empty database."""
    with database() as one:
        instance = Instance(place / "new", DATABASE_URL=one.url)
        yield instance, one
        instance.stop()
        instance.bury()


def program(instance: Instance, *args: str, at: Path = MANAGE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(at), *args],
        env=instance.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def manage(instance: Instance, *args: str, at: Path = MANAGE) -> tuple[int, str]:
    """The exit code of a command, and what it says."""
    one = program(instance, *args, at=at)
    said, _ = one.communicate(timeout=120)
    return one.returncode, said


def facts(one: Database) -> Facts:
    with psycopg.connect(one.url) as connection:
        return facts_of(connection, time.monotonic() + 60)


def test_an_older_version_is_restored_brought_up_and_works(
    old: tuple[Path, Rows], instance: tuple[Instance, Database]
) -> None:
    """T-20a: into the next version; rows counted and compared, then three tasks."""
    (backup, before), (new, there) = old, instance
    manifest = json.loads((backup / "manifest.json").read_text())
    assert manifest["state"] == "good"
    assert ".".join(BEFORE_APPROVALS) in manifest["migrations"]
    assert "agents.0009_approvals" not in manifest["migrations"]
    code, said = manage(new, "restore", str(backup))
    assert code == 0 and "of this version now" in said, said
    compare(before, there.rows())
    there.close()
    assert (new.home / "runs" / "one" / "log.ndjson").read_text() == "what it said\n"
    new.start()
    three_tasks(new, "Worker")
    new.stop()


def test_a_failed_upgrade_leaves_the_old_version_as_it_was(
    old: tuple[Path, Rows], instance: tuple[Instance, Database], place: Path
) -> None:
    """T-20c: the next version's second migration breaks, or it is killed in there."""
    used, there = instance
    before = facts(there)
    tomorrow = next_version(place)
    broken = add(tomorrow, "issues", *BEGUN, "SELECT count(*) / 0 FROM issues_issue")
    code, said = manage(used, "up", at=tomorrow / "manage.py")
    assert code == 1 and "issues.9001_tomorrow failed: division by zero" in said, said
    assert "Nothing was changed" in said and "Traceback" not in said
    assert facts(there) == before
    restored_only(old, place, at=tomorrow / "manage.py")
    add(tomorrow, "issues", *BEGUN, "SELECT pg_sleep(3)")
    killed = program(used, "prepare", at=tomorrow / "manage.py")
    with psycopg.connect(there.url, autocommit=True) as connection:
        wait_for(lambda: connection.execute(SLEEPS).fetchone(), 60)
        killed.kill()
        killed.wait()
        wait_for(lambda: not connection.execute(SLEEPS).fetchone(), 20)
    assert facts(there) == before
    used.start()
    three_tasks(used, "Successor")
    used.stop()
    broken.unlink()
    code, said = manage(used, "prepare", at=tomorrow / "manage.py")
    assert code == 0, said


def test_what_is_of_a_newer_version_is_refused(
    instance: tuple[Instance, Database], place: Path
) -> None:
    """The upgrade before this has succeeded."""
    upgraded, _ = instance
    why = "newer version of Paperclip: it has agents.9001_tomorrow"
    for command in ("up", "prepare"):
        code, said = manage(upgraded, command)
        assert code == 1 and why in said and "Traceback" not in said, said
    code, said = manage(upgraded, "doctor")
    assert code == 1 and why in said, said
    code, said = manage(upgraded, "backup")
    assert code == 0, said
    empty = Instance(place / "empty")
    code, said = manage(empty, "restore", said.split()[1])
    assert code == 1 and why in said and "Traceback" not in said, said
    assert not (empty.home / "postgres").exists()


def restored_only(old: tuple[Path, Rows], place: Path, at: Path) -> None:
    """A backup that this version cannot bring up is back as it was."""
    with database() as there:
        home = Instance(place / "half", DATABASE_URL=there.url)
        code, said = manage(home, "restore", str(old[0]), at=at)
        assert code == 1 and "Everything is back" in said, said
        assert "division by zero" in said and "Traceback" not in said
        assert there.rows() == old[1]


def next_version(place: Path) -> Path:
    """Another clone, in which agents have a column more."""
    clone = place / "tomorrow"
    clone.mkdir()
    for name in CODE:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(BASE_DIR / name, clone / name, ignore=ignored)
    for name in FILES:
        (clone / name).symlink_to((BASE_DIR / name).resolve())
    shutil.copy(BASE_DIR / "manage.py", clone)
    add(clone, "agents", *GOOD)
    return clone


def add(clone: Path, app: str, *statements: str) -> Path:
    """Another migration of the app, the first of all in `agents`."""
    after = MigrationLoader(None).graph.leaf_nodes(app)
    after += [TOMORROW] if app != TOMORROW[0] else []
    file = clone / app / "migrations" / f"{TOMORROW[1]}.py"
    file.write_text(MIGRATION.format(after=after, statements=statements))
    return file


def three_tasks(instance: Instance, name: str) -> None:
    """Done by a new agent: nobody knows what those that were there are up to."""
    command = {"command": sys.executable, "args": [str(PROGRAM)]}
    agent = instance.hire(name, adapterType="process", adapterConfig=command)
    for number in range(3):
        task(instance, agent, f"{name} {number}")


def task(instance: Instance, agent: str, title: str) -> None:
    body = {"title": title, "status": "todo", "assigneeAgentId": agent}
    made = instance.api("POST", f"/companies/{instance.company()}/issues", body)
    assert made.status == 201, made

    def look() -> Any:
        return instance.api("GET", f"/issues/{made.body['id']}").body

    wait_for(lambda: look()["status"] == "done", 60, lambda: str(look()))
