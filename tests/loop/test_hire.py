"""Hiring for the built-in loop."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from agents.adapters.litellm import document
from agents.loop.tools import DEFAULT_TOOLS
from agents.models import Agent
from paperclip.actors import SYSTEM
from paperclip.commands import operator
from paperclip.exceptions import Invalid
from paperclip.models import Company
from tests import make
from tests.loop import stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:

    return Company.objects.found(owner=operator(), by=SYSTEM, name="Hirers")


def test_with_a_model_the_loop_works_for_it(company: Any) -> None:
    call_command("hire", "Dev", "--model", "openai/x", "--timeout", "60")
    dev = Agent.objects.get(name="Dev")
    assert dev.adapter_type == "litellm" and dev.tools == DEFAULT_TOOLS
    assert dev.adapter_config == {"model": "openai/x", "timeoutSec": 60}
    call_command("hire", "Plain", "--adapter", "litellm", "--tools", "inbox,comment")
    assert Agent.objects.get(name="Plain").tools == ["inbox", "comment"]


def test_with_a_program_that_runs(company: Any) -> None:
    call_command("hire", "Scribe", "--run", "sh", "agent.sh")
    scribe = Agent.objects.get(name="Scribe")
    assert scribe.adapter_type == "process" and scribe.tools == []
    assert scribe.adapter_config == {"command": "sh", "args": ["agent.sh"]}
    with pytest.raises(CommandError, match="--model is for the built-in loop"):
        call_command("hire", "Both", "--model", "openai/x", "--run", "sh")
    with pytest.raises(CommandError, match="what it works with"):
        call_command("hire", "Neither")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"command": "sh"}, "command: Unknown key"),
        ({"model": "two words"}, "model: "),
        ({"apiBase": "file:///etc"}, "apiBase: "),
        ({"maxTurns": 0}, "maxTurns: "),
        ({"timeoutSec": "soon"}, "timeoutSec: "),
        ({"network": "some"}, "network: "),
        ({"temperature": 3}, "temperature: "),
    ],
)
def test_a_wrong_configuration_names_its_field(
    company: Any, config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Invalid, match=problem):
        stage.agent(company, config=config)


def test_what_is_left_out_is_the_instances(company: Any, settings: Any) -> None:
    settings.DEFAULT_MODEL = "gemini/flash"
    run, token = make.live_run(
        make.agent(company, adapter_type="litellm", adapter_config={})
    )
    told = document(run, token, walled=True)
    assert told["model"] == "gemini/flash"
    assert told["limits"] == {"turns": 40, "seconds": 900, "tokens": 1_000_000}
    assert "rehearsalWorld" not in told
    settings.GATEWAY_URL = "http://127.0.0.1:1"
    run.agent.company.rehearsal = True
    run.agent.adapter_config = {"model": "rehearsal/7"}
    world = document(run, token, walled=True)["rehearsalWorld"]
    assert world == "http://127.0.0.1:1/rehearsal/7/{project}/"
