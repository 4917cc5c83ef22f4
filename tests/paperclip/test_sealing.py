"""The log of acts is append-only, and sealed into one chain per company."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from issues.sweep import sweep
from paperclip import audit, sealing
from paperclip.actors import SYSTEM
from paperclip.models import Activity, Chain, Company, Seal, Unsealed
from tests import make

NASTY = {
    "quotes": "\" ' \\ / \n \t \u0001 \x7f",
    "ü": "🖇 Ω ",
    "aa": 1,
    "b": [1.50, -0.0, 12345678901234567890, 1e-7, None, True, {}],
    "": {"z": [], "é": {"deep": "\u2028"}},
}


def act(company: Company, action: str = "company.updated", **details: Any) -> None:
    with transaction.atomic():
        audit.record(SYSTEM, action, company, **details)


def entry(row: Activity) -> str:
    """The canonical JSON of an act, as the docstring of sealing says it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT details::text FROM paperclip_activity WHERE seq = %s", [row.seq]
        )
        said = json.loads(cursor.fetchone()[0], parse_float=Digits, parse_int=Digits)
    ids = (str(one) if one else None for one in (row.agent_id, row.run_id))
    values: list[Any] = [row.seq, str(row.id), str(row.company_id), row.actor_type]
    values += [row.actor_id, row.actor_name, row.action, row.entity_type]
    values += [row.entity_id, *ids]
    start = json.dumps(values, ensure_ascii=False)[:-1]
    return f"{start}, {ordered(said)}, {json.dumps(f'{row.created_at:%FT%T.%fZ}')}]"


class Digits(str):
    """A number, as it was written."""


def ordered(value: Any) -> str:
    if isinstance(value, Digits):
        return value
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: (len(k.encode()), k.encode()))
        return f"{{{', '.join(f'{ordered(k)}: {ordered(value[k])}' for k in keys)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(ordered, value))}]"
    return json.dumps(value, ensure_ascii=False)


def check_by_hand(company: Company) -> None:
    """Every act has its seal, computed here from its row alone."""
    head = b""
    seals = list(Seal.objects.filter(company=company).order_by("number"))
    acts = Activity.objects.in_bulk([seal.seq for seal in seals])
    for number, seal in enumerate(seals, 1):
        head = hashlib.sha256(head + entry(acts[seal.seq]).encode()).digest()
        assert (seal.number, bytes(seal.digest)) == (number, head)
    chain = Chain.objects.get(company=company)
    assert (chain.length, bytes(chain.head)) == (len(seals), head)
    assert len(seals) == Activity.objects.filter(company=company).count()


@pytest.mark.django_db
def test_the_seals_are_what_is_said_of_them() -> None:
    ours, theirs = make.company(), make.company("Others")
    act(ours, **NASTY)
    assert sealing.seal() == 3
    make.working(make.agent(ours), make.issue(ours))
    act(theirs, name="Ω\"'")
    assert sealing.seal() == 3
    assert sealing.seal() == 0
    for company in (ours, theirs):
        check_by_hand(company)


@pytest.mark.django_db
def test_a_round_takes_so_many_and_the_next_goes_on() -> None:
    company = make.company()
    for number in range(7):
        act(company, number=number)
    assert [sealing.seal(most=3) for _ in range(4)] == [3, 3, 2, 0]
    check_by_hand(company)


@pytest.mark.django_db
def test_the_sweep_seals() -> None:
    company = make.company()
    sweep()
    assert not Unsealed.objects.exists()
    check_by_hand(company)


@pytest.mark.django_db(transaction=True)
def test_what_commits_late_is_sealed_late_and_holds_up_nobody() -> None:
    """The lower `seq` of an open transaction is no gap, and one rolled back none."""
    company = make.company()
    wrote, may_commit = threading.Event(), threading.Event()

    def late() -> None:
        with transaction.atomic():
            audit.record(SYSTEM, "company.late", company)
            wrote.set()
            assert may_commit.wait(10)
        connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    assert wrote.wait(10)
    with transaction.atomic():
        audit.record(SYSTEM, "company.undone", company)
        transaction.set_rollback(True)
    act(company, "company.early")
    assert sealing.seal() == 2
    may_commit.set()
    thread.join()
    assert sealing.seal() == 1
    check_by_hand(company)
    order = Seal.objects.order_by("number").values_list("seq", flat=True)
    acts = Activity.objects.in_bulk()
    assert [acts[seq].action for seq in order] == [
        "company.created",
        "company.early",
        "company.late",
    ]
    assert order[2] < order[1]


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_make_one_chain() -> None:
    companies = [make.company(f"Company {n}") for n in range(3)]

    def write(company: Company) -> None:
        for number in range(60):
            act(company, number=number)
            if number % 10 == 0:
                sealing.seal(most=5)
        connection.close()

    writers = [threading.Thread(target=write, args=[c]) for c in companies * 2]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    sealing.seal()
    for company in companies:
        check_by_hand(company)


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["paperclip_activity", "paperclip_seal"])
@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE {} SET company_id = company_id",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "TRUNCATE {}",
    ],
)
def test_nothing_written_is_changed_or_removed(table: str, attack: str) -> None:
    make.company()
    sealing.seal()
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL paperclip.truncate = ''; SET CONSTRAINTS ALL IMMEDIATE"
        )
        with (
            pytest.raises(IntegrityError, match="is append-only"),
            transaction.atomic(),
        ):
            cursor.execute(attack.format(table))


@pytest.mark.django_db
def test_models_refuse_it_too() -> None:
    company = make.company()
    sealing.seal()
    row, seal = Activity.objects.get(), Seal.objects.get()
    for refused in (row.save, row.delete, seal.save, seal.delete):
        with pytest.raises(TypeError):
            refused()
    with pytest.raises(TypeError):
        Activity.objects.create(company=company, action="made.up")
    for rows in (Activity.objects.all(), Seal.objects.all()):
        with pytest.raises((TypeError, IntegrityError)), transaction.atomic():
            rows.update(company=company)
    with pytest.raises(ProtectedError), transaction.atomic():
        company.delete()
