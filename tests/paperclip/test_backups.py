"""Which backups are kept, who may see them, and what is said of the last one."""

from __future__ import annotations

import shutil
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from agents.models import Secret
from paperclip import backups, home
from paperclip.actors import SYSTEM
from paperclip.backups import bring_back, nightly, store
from paperclip.exceptions import Conflict, Refused
from tests import make

NIGHT = datetime(2026, 6, 30, 3, 45, tzinfo=UTC)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, settings: Any) -> Path:
    settings.BACKUPS = str(tmp_path / "backups")
    return tmp_path / "backups"


def put(at: datetime, state: str = store.GOOD) -> backups.Backup:
    one = store.home() / at.strftime(store.NAME)
    one.mkdir()
    return store.write(one, {"state": state, "tables": {}, "files": {}, "said": ""})


def test_the_newest_of_each_day_week_and_month_are_kept() -> None:
    for days in range(200):
        put(NIGHT - timedelta(days=days))
    put(NIGHT - timedelta(hours=2))  # a second one of that night
    store.prune()
    kept = [one.taken_at.date().isoformat() for one in store.listed()]
    assert kept == [
        *("2026-06-30", "2026-06-29", "2026-06-28", "2026-06-27", "2026-06-26"),
        *("2026-06-25", "2026-06-24", "2026-06-21", "2026-06-14"),
        *("2026-05-31", "2026-04-30", "2026-03-31", "2026-02-28", "2026-01-31"),
    ]
    assert store.listed()[0].taken_at == NIGHT


def test_what_failed_is_kept_until_one_is_good_and_counts_never() -> None:
    good, failed = put(NIGHT), put(NIGHT + timedelta(days=1), store.FAILED)
    store.prune()
    assert store.listed() == [failed, good] and store.latest_good() == good
    newer = put(NIGHT + timedelta(days=2))
    store.prune()
    assert store.listed() == [newer, good]


def test_the_newest_good_one_outlives_a_full_disk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(NIGHT - timedelta(days=1))
    good = put(NIGHT)
    put(NIGHT + timedelta(hours=1), store.FAILED)
    draft = store.home() / f"2026-07-01T03-45-00Z{store.DRAFT}"
    draft.mkdir()
    monkeypatch.setattr(store, "FULLEST", 0.0)
    with pytest.raises(store.NoRoom, match="Make room"):
        store.make_room(1)
    assert store.listed() == [good] and not draft.exists()


def test_what_is_no_backup_is_passed_over() -> None:
    (store.home() / "notes").mkdir()
    (store.home() / "notes" / store.MANIFEST).write_text("{}")
    broken = put(NIGHT)
    (broken.place / store.MANIFEST).write_text("half")
    assert store.listed() == []


def test_one_at_a_time() -> None:
    with store.alone(60):
        assert store.is_busy()
        with pytest.raises(Conflict), store.alone(60):
            raise AssertionError("two at once")
    assert not store.is_busy()


def test_what_is_said_of_the_last_one() -> None:
    with pytest.raises(Refused, match="None yet"):
        nightly.state()
    put(NIGHT)
    with time_machine.travel(NIGHT + timedelta(hours=1), tick=False):
        assert nightly.state() == "2026-06-30 03:45 UTC, tried out"
        nightly.note("pg_dump failed: no space left")
        with pytest.raises(Refused, match="no space left"):
            nightly.state()
        nightly.note("")
        assert nightly.state()
    with (
        time_machine.travel(NIGHT + timedelta(hours=51), tick=False),
        pytest.raises(Refused, match="newest good one is of 2026-06-30"),
    ):
        nightly.state()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("operator", 403)]
)
def test_owners_and_admins_see_them(role: str, status: int) -> None:
    put(NIGHT)
    user = make.operator(make.company(), role=role)
    answer = make.client_of(user).get("/api/instance/database-backups")
    assert answer.status_code == status
    if status == 200:
        (one,) = answer.json()
        assert (one["name"], one["state"]) == ("2026-06-30T03-45-00Z", "good")


@pytest.mark.django_db
def test_one_more_is_asked_for_and_never_two_at_once() -> None:
    client = make.client_of(make.owner_of(make.company()))
    with store.alone(60):
        answer = client.post("/api/instance/database-backups")
        assert (answer.status_code, answer.json()["code"]) == (409, store.BUSY)
    assert client.post("/api/instance/database-backups").status_code == 202
    agent = make.client_of(make.agent())
    assert agent.post("/api/instance/database-backups").status_code == 403


@pytest.mark.django_db
def test_the_keys_are_those_that_count(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where settings say them: then no file of the home has them."""
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path))
    settings.SECRETS_MASTER_KEY = f"{'n' * 40},{'o' * 40}"
    settings.SECRET_KEY = "s" * 40
    secret = Secret.objects.keep(
        make.company(), by=SYSTEM, name="github", value="canary-of-the-keys"
    )
    (home.directory("secrets") / "git-credentials").write_text("https://u:t@host")
    home.secret("postgres")
    bring_back.pack_keys(tmp_path / "keys")
    with tarfile.open(tmp_path / "keys") as archive:
        modes = {one.name: one.mode & 0o077 for one in archive.getmembers()}
    assert modes.keys() == {"django", "vault", "git-credentials"}
    assert modes["django"] == modes["vault"] == 0
    shutil.rmtree(tmp_path / "secrets")
    settings.SECRETS_MASTER_KEY = ""
    bring_back.unpack_keys(tmp_path / "keys")
    assert home.secret("django") == "s" * 40
    assert secret.read(by=SYSTEM, use="test").value == "canary-of-the-keys"
