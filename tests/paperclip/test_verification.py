"""Whoever changes what was done is found, with what was changed (the whole database is
in the hands of these tests, the home is not)."""

from __future__ import annotations

import base64
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from paperclip import audit, checkpoints, sealing, verification
from paperclip.actors import SYSTEM
from paperclip.commands import operator
from paperclip.doctor.company import acts
from paperclip.models import Activity, Chain, Company, Seal, Unsealed
from paperclip.verification import verify
from tests import make
from tests.long import long
from tests.paperclip.tampering import MUTATIONS, arm, tamper

ENTRIES = 60


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path))
    checkpoints.key.cache_clear()


@pytest.fixture
def company(db: Any) -> Company:
    """With so many entries, the first half of them signed."""
    company = make.company()
    make.company("Others")
    act(company, ENTRIES // 2 - 1)
    sealing.seal()
    checkpoints.sign_all()
    act(company, ENTRIES // 2)
    sealing.seal()
    assert Chain.objects.get(pk=company.pk).length == ENTRIES
    return company


def act(company: Company, times: int = 1) -> None:
    with transaction.atomic():
        for number in range(times):
            audit.record(SYSTEM, "company.updated", company, number=number)


def run(statement: str, **told: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, told or None)


def kinds(company: Company) -> set[str]:
    return {one.what for one in verify(company.pk).findings}


def test_what_nobody_touched_is_sound(company: Company) -> None:
    act(company)  # and waits
    assert verify(company.pk) == verification.Report(ENTRIES, 1, [])


@pytest.mark.parametrize("times", [100, long(1000)])
def test_each_of_many_mutations_is_found(company: Company, times: int) -> None:
    dice = random.Random(5)
    names, missed = [*MUTATIONS], []
    arm(run, company.pk)
    for number in range(times):
        name = names[number % len(names)]
        one, other = sorted(dice.sample(range(1, ENTRIES + 1), 2))
        with transaction.atomic():
            what = tamper(run, name, one, other)
            found = verify(company.pk).findings
            transaction.set_rollback(True)
        told = [each for each in found if each.what == what]
        if not any(each.number in (one, None) for each in told):
            missed.append((name, one, other, found))
    assert not missed, missed[:5]
    assert verify(company.pk).findings == []


def test_it_says_which_entry_and_what(company: Company) -> None:
    arm(run, company.pk)
    tamper(run, "edit details", 7)
    tamper(run, "edit actor_name", 8)
    tamper(run, "remove an act", 20)
    seqs = dict(Seal.objects.filter(company=company).values_list("number", "seq"))
    assert [str(one) for one in verify(company.pk).findings] == [
        f"Entry 7 (act {seqs[7]}) was edited.",
        f"Entry 8 (act {seqs[8]}) was edited.",
        f"Entry 20 (act {seqs[20]}) was removed.",
    ]


FORGE = (
    "DELETE FROM paperclip_seal WHERE company_id = %(ours)s AND number > %(kept)s",
    """
    INSERT INTO paperclip_unsealed (seq, company_id)
    SELECT seq, company_id FROM paperclip_activity a WHERE company_id = %(ours)s
        AND NOT EXISTS (SELECT FROM paperclip_seal s WHERE s.seq = a.seq)
    """,
    """
    UPDATE paperclip_chain c SET length = %(kept)s, head = coalesce((SELECT digest
        FROM paperclip_seal WHERE company_id = %(ours)s AND number = %(kept)s), '')
    WHERE company_id = %(ours)s
    """,
)


def forge(company: Company, kept: int) -> None:
    """Seal anew whatever comes behind that entry, and say so."""
    for statement in FORGE:
        run(statement, ours=company.pk, kept=kept)
    sealing.seal()


def test_who_seals_anew_is_found_by_a_checkpoint(company: Company) -> None:
    arm(run, company.pk)
    tamper(run, "edit details", 12)
    forge(company, 11)
    found = verify(company.pk).findings
    assert [one.what for one in found] == ["rewritten"]
    assert found[0].said.startswith("Entries 1 to 30 are not what was signed at")


def test_the_checkpoint_before_says_from_where(company: Company) -> None:
    checkpoints.sign_all()
    arm(run, company.pk)
    tamper(run, "edit details", 40)
    forge(company, 39)
    assert verify(company.pk).findings[0].said.startswith("Entries 31 to 60 are not")


@pytest.mark.parametrize("left", [0, 1, 29])
def test_a_tail_that_was_cut_off_is_found(company: Company, left: int) -> None:
    arm(run, company.pk)
    run(
        "DELETE FROM paperclip_activity WHERE seq IN (SELECT seq FROM paperclip_seal"
        " WHERE company_id = %(ours)s AND number > %(left)s)",
        ours=company.pk,
        left=left,
    )
    forge(company, left)
    found = verify(company.pk).findings
    assert [one.what for one in found] == ["cut_off"]
    assert f"and {left} are left" in found[0].said


def test_without_the_end_of_its_chain(company: Company) -> None:
    arm(run, company.pk)
    with transaction.atomic():
        tamper(run, "remove a seal", ENTRIES)
        assert kinds(company) == {"cut_off", "act_inserted"}
        transaction.set_rollback(True)
    Chain.objects.filter(pk=company.pk).update(head=b"x" * 32)
    assert kinds(company) == {"end_edited"}
    Chain.objects.filter(pk=company.pk).update(length=5)
    assert kinds(company) == {"end_edited", "seal_inserted", "cut_off"}
    Chain.objects.filter(pk=company.pk).delete()
    assert kinds(company) == {"seal_inserted", "cut_off"}


def test_what_waits_is_not_lost_unseen(company: Company) -> None:
    arm(run, company.pk)
    act(company)
    last = Activity.objects.latest("seq").seq
    with transaction.atomic():
        run("DELETE FROM paperclip_activity WHERE seq = %(last)s", last=last)
        sealing.seal()
        assert kinds(company) == {"act_removed"}
        transaction.set_rollback(True)
    Unsealed.objects.all().delete()
    assert kinds(company) == {"act_inserted"}


def test_the_first_entry_and_the_last(company: Company) -> None:
    arm(run, company.pk)
    for number in (1, ENTRIES):
        for name in ("edit details", "remove an act", "edit a seal"):
            with transaction.atomic():
                what = tamper(run, name, number)
                found = verify(company.pk).findings
                assert [one.number for one in found if one.what == what] == [number]
                transaction.set_rollback(True)


# --- Checkpoints -----------------------------------------------------------------


def test_a_checkpoint_is_signed_once_for_what_is_new(company: Company) -> None:
    assert checkpoints.sign_all() == 1
    assert checkpoints.sign_all() == 0
    lines = checkpoints.file_of(company.pk).read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [30, 60]
    chain = Chain.objects.get(pk=company.pk)
    assert (chain.checkpoint, chain.checkpoint_at is None) == (60, False)
    assert checkpoints.file_of(company.pk).stat().st_mode & 0o77 == 0


def test_a_checkpoint_nobody_signed_is_told(company: Company) -> None:
    file = checkpoints.file_of(company.pk)
    line = json.loads(file.read_text())
    lines = [
        {**line, "number": 7},
        {**line, "seal": "00" * 32},
        {**line, "signature": base64.b64encode(b"x" * 64).decode()},
        {"number": 1},
        [],
    ]
    with file.open("a") as out:
        out.writelines(json.dumps(one) + "\n" for one in lines)
        out.write('{"number": 3')  # a crash
    found = verify(company.pk)
    assert found.checkpoints == 1
    assert [one.what for one in found.findings] == ["checkpoint_forged"] * 5
    checkpoints.sign_all()
    assert verify(company.pk).checkpoints == 2


@pytest.mark.parametrize("left", [None, b"", b"first", b"{spoilt}\n"])
def test_checkpoints_that_are_gone_are_missed(
    company: Company, left: bytes | None
) -> None:
    checkpoints.sign_all()
    file = checkpoints.file_of(company.pk)
    first, _second = file.read_bytes().splitlines(keepends=True)
    file.unlink()
    if left is not None:
        file.write_bytes(first if left == b"first" else left)
    [found] = verify(company.pk).findings
    assert found.what == "checkpoint_removed"
    assert found.said.startswith("60 entries were signed at ")


@pytest.mark.parametrize("line", [b"\xff\xfe", b"[" * 100_000])
def test_a_line_that_nobody_can_read_hides_nothing(
    company: Company, line: bytes
) -> None:
    with checkpoints.file_of(company.pk).open("ab") as out:
        out.write(line + b"\n")
    arm(run, company.pk)
    tamper(run, "edit details", 12)
    verification.verify_all()
    [found] = Chain.objects.get(pk=company.pk).findings
    assert "Entry 12 " in found["said"]


def test_the_checkpoint_of_another_company_is_none_of_ours(company: Company) -> None:
    other = Company.objects.exclude(pk=company.pk).get()
    line = checkpoints.file_of(other.pk).read_text()
    checkpoints.append(checkpoints.file_of(company.pk), line.strip())
    assert kinds(company) == {"checkpoint_forged"}


# --- The command and the night ---------------------------------------------------


def command(capsys: Any, *args: str) -> str:
    call_command("verify_audit", *args)
    return str(capsys.readouterr().out)


def test_the_command_says_it_and_fails(company: Company, capsys: Any) -> None:
    prefix = company.issue_prefix
    company.memberships.create(user=operator(), role="owner")
    told = command(capsys, "--company", prefix)
    assert told == f"{company}: 60 entries, 1 checkpoints: as they were sealed\n"
    assert json.loads(command(capsys, "--json"))[company.name]["findings"] == []
    arm(run, company.pk)
    tamper(run, "edit action", 9)
    with pytest.raises(CommandError, match=f"Not as it was sealed: {company}"):
        command(capsys)
    assert "was edited." in capsys.readouterr().out
    with pytest.raises(CommandError):
        command(capsys, "--json")
    [found] = json.loads(capsys.readouterr().out)[company.name]["findings"]
    assert (found["what"], found["number"]) == ("act_edited", 9)
    assert found["seq"] == Seal.objects.get(company=company, number=9).seq


def test_a_copy_of_the_checkpoints_proves_as_much(
    company: Company, capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here somebody else has the whole home, and starts it anew."""
    key, copies = checkpoints.public_key(), tmp_path / "checkpoints"
    arm(run, company.pk)
    tamper(run, "edit details", 12)
    forge(company, 11)
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path / "new"))
    checkpoints.key.cache_clear()
    assert kinds(company) == {"checkpoint_removed"}
    Chain.objects.filter(pk=company.pk).update(checkpoint=0)
    assert kinds(company) == set()
    with pytest.raises(CommandError, match="Not as it was sealed"):
        command(capsys, "--checkpoints", str(copies), "--key", key)
    with pytest.raises(CommandError, match="is not a directory"):
        command(capsys, "--checkpoints", str(tmp_path / "none"))
    with pytest.raises(CommandError, match="That --key is none"):
        command(capsys, "--key", "abc")


def test_a_company_that_vanished_is_told(company: Company, capsys: Any) -> None:
    gone = checkpoints.file_of("5e0d1e7c-0000-4000-8000-000000000000")
    gone.write_text("")
    with pytest.raises(CommandError, match="company 5e0d1e7c"):
        command(capsys)


def test_the_key_is_printed_and_the_end_signed(company: Company, capsys: Any) -> None:
    call_command("checkpoint_audit")
    told = capsys.readouterr().out
    assert "1 signed" in told and checkpoints.public_key() in told


def test_the_night_alerts_once(company: Company) -> None:
    verification.verify_all()
    chain = Chain.objects.get(pk=company.pk)
    assert (chain.verified, chain.findings) == (ENTRIES, [])
    arm(run, company.pk)
    tamper(run, "edit details", 3)
    for _ in range(2):
        verification.verify_all()
    chain.refresh_from_db()
    assert len(chain.findings) == 1 and "Entry 3 " in chain.findings[0]["said"]
    assert (
        Counter(Activity.objects.values_list("action", flat=True))["audit.broken"] == 1
    )


HOLLOW = """
CREATE OR REPLACE FUNCTION paperclip_append_only() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RETURN NULL; END $$
"""
ONLY_DELETES = """
CREATE OR REPLACE TRIGGER append_only BEFORE DELETE ON paperclip_seal
FOR EACH STATEMENT EXECUTE FUNCTION paperclip_append_only()
"""


@pytest.mark.parametrize("statement", [HOLLOW, ONLY_DELETES])
def test_a_guard_that_lets_through_is_none(company: Company, statement: str) -> None:
    run("SET CONSTRAINTS ALL IMMEDIATE")
    run(statement)
    assert "paperclip_seal" in sealing.unguarded()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["DISABLE", "ENABLE REPLICA"])
def test_a_guard_that_is_off_is_told(company: Company, capsys: Any, how: str) -> None:
    assert sealing.unguarded() == []
    run(f"ALTER TABLE paperclip_seal {how} TRIGGER append_only")
    try:
        assert sealing.unguarded() == ["paperclip_seal"]
        call_command("verify_audit")
        assert "Changes to paperclip_seal are not" in capsys.readouterr().err
        found = acts()
    finally:
        run("ALTER TABLE paperclip_seal ENABLE TRIGGER append_only")
    assert found.state == "fail" and "paperclip_seal ENABLE" in found.todo
    assert acts().state == "ok"
