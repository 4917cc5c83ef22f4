"""A company's secrets: enclosed at rest, versioned, and shown to nobody."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agents import resealing, scrubbers
from agents.models import Secret, SecretVersion
from paperclip import home, vault
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity
from tests import make
from tests.races import together
from tests.workers import database_url

pytestmark = pytest.mark.django_db
CANARY = "canary-of-the-company-7"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A master key of this test's own."""
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path))
    yield tmp_path


def kept(company: Any = None, name: str = "github", value: str = CANARY) -> Secret:
    company = company or make.company()
    return Secret.objects.keep(company, by=SYSTEM, name=name, value=value)


def value_of(secret: Secret, number: int | None = None) -> str:
    return secret.read(by=SYSTEM, use="test", number=number).value


def test_it_is_enclosed_and_opens(own_home: Path) -> None:
    secret = kept()
    assert value_of(secret) == CANARY
    row = secret.versions.get()
    assert row.number == secret.latest_version == 1
    assert CANARY.encode() not in bytes(row.data) and row.key not in CANARY
    file = own_home / "secrets" / "vault"
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_two_enclosings_are_alike() -> None:
    secret = kept()
    secret.rotate(CANARY, by=SYSTEM)
    old, new = secret.versions.order_by("number")
    assert bytes(old.data) != bytes(new.data)


def test_a_new_value_revokes_the_old_one() -> None:
    secret = kept()
    secret.rotate("another-canary", by=SYSTEM)
    assert (secret.latest_version, value_of(secret)) == (2, "another-canary")
    with pytest.raises(Conflict, match="is revoked or never was"):
        value_of(secret, 1)
    assert secret.versions.get(number=1).revoked_at and secret.last_rotated_at


def test_of_two_that_rotate_at_once_each_makes_a_version() -> None:
    secret = kept()
    secret.rotate("second-value", by=SYSTEM)
    stale = Secret.objects.get(pk=secret.pk)
    secret.rotate("third-value", by=SYSTEM)
    stale.rotate("fourth-value", by=SYSTEM)
    live = secret.versions.filter(revoked_at=None)
    assert [version.number for version in live] == [4]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("github", "short"),
        ("github", "a b c d e f"),
        ("github", "x" * 16_385),
        ("github", "nul\0nul\0nul"),
        ("", CANARY),
        ("two\nlines", CANARY),
        (f"my {CANARY.upper()}", CANARY),
    ],
)
def test_what_cannot_be_kept_is_refused(name: str, value: str) -> None:
    company = make.company()
    with pytest.raises(Invalid) as no:
        kept(company, name, value)
    assert not Secret.objects.exists()
    assert len(value) < 8 or value not in str(no.value)


def test_a_name_is_given_once_in_a_company() -> None:
    company = make.company()
    kept(company)
    kept(make.company())
    with pytest.raises(Conflict, match="has a secret called github"):
        kept(company)


@pytest.mark.parametrize("name", ["GITHUB", "gith\N{CYRILLIC SMALL LETTER U}b"])
def test_a_name_is_not_one_that_looks_like_another(name: str) -> None:
    company = kept().company
    with pytest.raises((Conflict, Invalid)):
        kept(company, name=name)
    kept(company, name="\N{CYRILLIC SMALL LETTER U}\N{CYRILLIC SMALL LETTER EL}")
    assert Secret.objects.filter(company=company).count() == 2


def test_only_people_who_may_write_keep_secrets() -> None:
    company = make.company()
    agent = make.agent(company)
    viewer = make.by(make.operator(company, "viewer"))
    owner = make.owner_of(company)
    in_run = Actor("user", str(owner.pk), "run", user=owner, run=make.queued_run(agent))
    for by in (viewer, Actor.of_agent(agent), make.by(make.operator()), in_run):
        with pytest.raises(NotAllowed):
            Secret.objects.keep(company, by=by, name="mine", value=CANARY)
    secret = Secret.objects.keep(company, by=make.by(owner), name="ours", value=CANARY)
    assert secret.created_by_user == owner
    for act in (
        lambda: secret.rotate("another-value", by=viewer),
        lambda: secret.remove(by=viewer),
        lambda: secret.change(by=viewer, name="theirs"),
        lambda: secret.bind("provider", "gemini", "key", by=Actor.of_agent(agent)),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_each_act_is_in_the_log_without_the_value() -> None:
    secret = kept()
    secret.rotate("another-canary", by=SYSTEM)
    secret.change(by=SYSTEM, name="hub", description="for pushing")
    value_of(secret)
    secret.remove(by=SYSTEM)
    acts = Activity.objects.filter(entity_type="secret").order_by("seq")
    assert [act.action for act in acts] == [
        "secret.created",
        "secret.rotated",
        "secret.updated",
        "secret.read",
        "secret.deleted",
    ]
    assert acts[3].details == {"name": "hub", "version": 2, "use": "test"}
    assert "canary" not in str([act.details for act in acts])
    assert not SecretVersion.objects.exists()


def test_a_secret_in_use_is_not_destroyed() -> None:
    secret = kept()
    binding = secret.bind("provider", "gemini", "key", by=SYSTEM, label="gemini")
    with pytest.raises(Conflict, match="used by gemini: key"):
        secret.remove(by=SYSTEM)
    binding.delete()
    agent = make.agent(secret.company)
    make.live_run(agent)
    secret.versions.get().held_by.add(agent)
    with pytest.raises(Conflict, match="holds github"):
        secret.remove(by=SYSTEM)


# --- What somebody does to the rows ------------------------------------------------


def test_rows_cannot_be_swapped() -> None:
    company = make.company()
    one, other = kept(company), kept(company, "other", "the-other-canary")
    theirs = kept(make.company(), "theirs", "a-foreign-canary")
    one.rotate("second-of-one", by=SYSTEM)
    first = one.versions.get(number=1)
    for row in (other.versions.get(), theirs.versions.get(), first):
        SecretVersion.objects.filter(secret=one, number=2).update(
            key=row.key, data=row.data
        )
        with pytest.raises(vault.Unreadable):
            value_of(one)
    SecretVersion.objects.filter(pk=first.pk).update(revoked_at=None, number=3)
    Secret.objects.filter(pk=one.pk).update(latest_version=3)
    with pytest.raises(vault.Unreadable):
        value_of(Secret.objects.get(pk=one.pk))


def test_a_read_that_fails_is_no_read() -> None:
    secret = kept()
    SecretVersion.objects.update(data=b"x" * 40)
    with pytest.raises(vault.Unreadable, match="is not what Paperclip put"):
        value_of(secret)
    assert not Activity.objects.filter(action="secret.read").exists()


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7), cut=st.booleans())
@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_no_changed_bit_is_taken_for_the_value(at: int, bit: int, cut: bool) -> None:
    about = b"secret 1"
    sealed = vault.seal(CANARY.encode(), about)
    data = bytearray(sealed.data)
    at %= len(data)
    if cut:
        del data[at:]
    else:
        data[at] ^= 1 << bit
    with pytest.raises(vault.Unreadable):
        vault.unseal(vault.Sealed(sealed.key, bytes(data)), about)
    with pytest.raises(vault.Unreadable):
        vault.unseal(sealed, about + bytes([bit]))
    assert vault.unseal(sealed, about) == CANARY.encode()


@pytest.mark.parametrize(
    "name", ["api key", "API_KEY", "api  key", "APl KEY", "AP1-KEY"]
)
def test_names_that_look_the_same_are_refused(name: str) -> None:
    company = make.company()
    kept(company, name="API KEY")
    with pytest.raises((Conflict, Invalid)):
        kept(company, name=name)
    kept(company, name="API KEY 2")


def test_a_name_in_other_letters_is_no_twin() -> None:
    company = make.company()
    kept(company, name="CAT")
    with pytest.raises(Conflict, match="looks the same"):
        kept(company, name="\u0421\u0410\u0422")
    kept(company, name="\u041a\u041e\u0422")


# --- The master key ----------------------------------------------------------------


def test_a_key_that_is_told_wins_over_the_home(settings: Any, own_home: Path) -> None:
    settings.SECRETS_MASTER_KEY = base64.b64encode(os.urandom(32)).decode()
    secret = kept()
    assert value_of(secret) == CANARY
    assert not (own_home / "secrets" / "vault").exists()
    with pytest.raises(Invalid, match="put a new one and a comma before it"):
        resealing.rotate()
    old = settings.SECRETS_MASTER_KEY
    settings.SECRETS_MASTER_KEY = f"{os.urandom(32).hex()},{old}"
    assert resealing.rotate() == 1
    settings.SECRETS_MASTER_KEY = settings.SECRETS_MASTER_KEY.split(",")[0]
    assert value_of(secret) == CANARY
    settings.SECRETS_MASTER_KEY = old
    with pytest.raises(vault.Unreadable, match="PAPERCLIP_SECRETS_MASTER_KEY"):
        value_of(secret)
    settings.SECRETS_MASTER_KEY = "too short"
    with pytest.raises(Invalid, match="less than 32 characters"):
        value_of(secret)


def test_the_master_key_is_rotated(own_home: Path) -> None:
    secrets = [kept(name=f"secret {n}", value=f"canary number {n}") for n in range(3)]
    secrets[0].rotate("a-newer-canary", by=SYSTEM)
    old = vault.keys()
    assert resealing.rotate() == 4
    new = vault.keys()
    assert len(new) == 1 and new != old
    assert (own_home / "secrets" / "vault").stat().st_mode & 0o777 == 0o600
    assert [value_of(one) for one in secrets[1:]] == [
        "canary number 1",
        "canary number 2",
    ]
    assert SecretVersion.objects.filter(key=vault.name_of(new[0])).count() == 4


def test_a_value_whose_key_is_lost_stops_the_rotation_and_no_key_goes(
    own_home: Path,
) -> None:
    secret = kept()
    SecretVersion.objects.update(key="0" * 16)
    with pytest.raises(vault.Unreadable):
        resealing.rotate()
    assert len(vault.keys()) == 2
    with pytest.raises(vault.Unreadable, match="master key"):
        value_of(secret)


def test_who_reads_while_it_is_rotated_gets_the_new_value() -> None:
    secret = kept()
    before = Secret.objects.get(pk=secret.pk)
    secret.rotate("another-canary", by=SYSTEM)
    assert value_of(before) == "another-canary"
    with pytest.raises(Conflict, match="revoked"):
        value_of(before, 1)


def test_a_key_that_is_put_back_lets_logs_be_scrubbed_again() -> None:
    secret = kept()
    ids = frozenset(SecretVersion.objects.values_list("pk", flat=True))
    true = SecretVersion.objects.get().key
    scrubbers.all_opened.cache_clear()
    SecretVersion.objects.update(key="0" * 16)
    assert scrubbers.opened(ids) == ()
    SecretVersion.objects.update(key=true)
    assert scrubbers.opened(ids) == (CANARY,)
    assert value_of(secret) == CANARY


ROTATE = """
import os, django
django.setup()
from agents import resealing, scrubbers
resealing.BATCH = 1
some, left = resealing.reseal_some, [int(os.environ["DIE_AFTER"])]
def dying():
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), 9)
    return some()
resealing.reseal_some = dying
resealing.rotate()
"""


@pytest.mark.django_db(transaction=True)
def test_a_rotation_that_was_killed_goes_on_with_the_next_call(own_home: Path) -> None:
    company = make.company()
    secrets = [kept(company, f"secret {n}", f"canary no {n}") for n in range(4)]
    env = os.environ | {"DATABASE_URL": database_url(), "DIE_AFTER": "2"}
    env |= {"PAPERCLIP_HOME": str(own_home)}
    env |= {"DJANGO_SETTINGS_MODULE": "paperclip.settings"}
    died = subprocess.run([sys.executable, "-c", ROTATE], env=env, cwd=home.BASE_DIR)
    assert died.returncode == -9
    both = vault.keys()
    assert len(both) == 2
    names = {vault.name_of(key) for key in both}
    assert set(SecretVersion.objects.values_list("key", flat=True)) == names
    assert [value_of(one) for one in secrets] == [f"canary no {n}" for n in range(4)]
    assert resealing.rotate() == 2
    assert vault.keys() == both[:1]
    assert [value_of(one) for one in secrets] == [f"canary no {n}" for n in range(4)]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_when_secrets_are_kept_and_read_meanwhile() -> None:
    company = make.company()
    for n in range(6):
        kept(company, f"before {n}", f"canary no {n}")

    def act(number: int) -> Any:
        if number == 0:
            return resealing.rotate()
        if number % 2:
            return kept(company, f"while {number}", f"canary no {number}")
        with transaction.atomic():
            found = [value_of(one) for one in Secret.objects.filter(company=company)]
        connection.close()
        return found

    for came in together(6, act):
        assert not isinstance(came, Exception), came
    assert {value_of(one)[:9] for one in Secret.objects.all()} == {"canary no"}
