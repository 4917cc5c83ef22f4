"""Which company a command is about, and what it says when it cannot know."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.models import Run
from paperclip.actors import SYSTEM
from paperclip.commands import company_named, operator
from paperclip.first_start import DIGITON, MODELS, rehearse
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def stages() -> list[Company]:
    """Two rehearsals."""
    owner = operator()
    return [rehearse(owner=owner, by=SYSTEM, seed=seed) for seed in (1, 2)]


def test_a_second_company_of_a_name_gets_a_number(stages: list[Company]) -> None:
    rehearse(owner=operator(), by=SYSTEM, seed=1)
    names = Company.objects.order_by("created_at").values_list("name", "issue_prefix")
    assert list(names) == [
        ("Digiton rehearsal", "REH"),
        ("Digiton rehearsal 2", "REHA"),
        ("Digiton rehearsal 3", "REHB"),
    ]
    stranger = make.operator()
    assert rehearse(owner=stranger, by=SYSTEM, seed=1).name == "Digiton rehearsal"


def test_a_company_is_told_by_its_prefix(stages: list[Company]) -> None:
    assert company_named("reha") == stages[1]
    Company.objects.update(name="Twins")
    said = r"such as --company REH: REH \(Twins\), REHA \(Twins\)\."
    for name in (None, "twins"):
        with pytest.raises(CommandError, match=said):
            company_named(name)
    with pytest.raises(CommandError, match=r"no company 'X'. There are: REH \(Twins\)"):
        company_named("X")


def test_the_only_rehearsal_needs_no_name() -> None:
    stage = rehearse(owner=operator(), by=SYSTEM, seed=1)
    with pytest.raises(CommandError, match="no rehearsal"):
        Company.objects.filter(pk=stage.pk).update(rehearsal=False)
        company_named(None, rehearsal=True)
    Company.objects.filter(pk=stage.pk).update(rehearsal=True)
    Company.objects.found(owner=operator(), by=SYSTEM, name="Real")
    assert company_named(None, rehearsal=True) == stage


def test_an_issue_says_which_company_it_is(stages: list[Company]) -> None:
    """Until nobody starts the run: then the command says so."""
    with pytest.raises(CommandError, match="Still queued"):
        call_command("heartbeat", "CEO", "--issue", "REHA-1", "--wait", "0")
    woken = [len(Run.objects.get(company=stage).wakes) for stage in stages]
    assert woken == [1, 2]
    with pytest.raises(CommandError, match="REHA-1 is not of Digiton rehearsal"):
        call_command("heartbeat", "CEO", "--issue", "REHA-1", "--company", "REH")


def test_what_follows_run_is_the_programs(stages: list[Company]) -> None:
    def hire(*words: str) -> Any:
        return call_command("hire", "Scribe", *words)

    with pytest.raises(CommandError, match="after --run is the program's"):
        hire("--run", "sh", "agent.sh", "--company", "REH")
    with pytest.raises(CommandError, match=r"REHA \(Digiton rehearsal 2\)\.$"):
        hire("--run", "sh", "agent.sh")
    hire("--company", "REH", "--run", "sh", "agent.sh")
    assert stages[0].agents.filter(name="Scribe").exists()


def test_what_cannot_work_is_not_hired(stages: list[Company]) -> None:
    def hire(name: str, *words: str) -> Any:
        return call_command("hire", name, "--company", "REHA", *words)

    with pytest.raises(CommandError, match=r"What works here: rehearsal/2"):
        hire("Bob", "--model", "openai/x")
    with pytest.raises(CommandError, match="cannot hold @"):
        hire("@Bob", "--run", "true")
    hire("Bob", "--adapter", "litellm")
    assert stages[1].agents.get(name="Bob").adapter_config == {"model": "rehearsal/2"}


def test_without_a_key_a_company_is_founded_paused(
    monkeypatch: Any, capsys: Any
) -> None:
    def founded(name: str, *words: str) -> set[str]:
        call_command("import_company", str(DIGITON), "--name", name, *words)
        staff = Company.objects.get(name=name).agents
        return set(staff.values_list("status", flat=True))

    for key in (*MODELS, "PAPERCLIP_MODEL"):
        monkeypatch.delenv(key, raising=False)
    assert founded("Without") == {"paused"}
    assert not Run.objects.exists()
    assert "no model key yet, so they are paused" in capsys.readouterr().out
    assert founded("Own", "--model", "openai/x", "--api-base", "http://x/") == {"idle"}
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    assert founded("With") == {"idle"}
    assert "paused" not in capsys.readouterr().out
