"""Hiring an agent with a model, by form and by hand."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agents import tool_words
from agents.loop.tools import DEFAULT_TOOLS, TOOLS
from agents.models import Agent
from paperclip.actors import SYSTEM
from tests import make
from tests.console.conftest import seen_by
from tests.console.test_browser import sign_in

HIRE = {
    "name": "Dennis",
    "role": "engineer",
    "adapter_type": "litellm",
    "model": "openai/qwen3",
    "apiBase": "http://127.0.0.1:11434/v1",
    "maxTurns": "12",
    "network": "none",
    "instructions": "Write tests first.",
    "tools": ["inbox", "checkout"],
    "wake_on_demand": "on",
    "max_concurrent_runs": "1",
    "interval_seconds_number": "0",
    "interval_seconds_unit": "60",
    "budget_monthly_cents": "12.50",
}


@pytest.mark.django_db
def test_an_agent_with_a_model(console: Any, company: Any) -> None:
    console.post("/agents/add/", HIRE)
    hired = Agent.objects.get(name="Dennis")
    assert hired.adapter_config == {
        "model": "openai/qwen3",
        "apiBase": "http://127.0.0.1:11434/v1",
        "maxTurns": 12,
        "network": "none",
    }
    assert (hired.tools, hired.budget_monthly_cents) == (["inbox", "checkout"], 1250)
    assert hired.instructions == "Write tests first."
    page = console.get(f"/agents/{hired.pk}").content.decode()
    assert "Write tests first." in page and "of $12.50" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"model": ""}, "Name the model of that server"),
        ({"model": "foo bar baz"}, "Write provider/model, such as openai/NAME"),
        ({"model": "gpt9000", "apiBase": ""}, "such as gemini/gemini-flash-lite"),
        ({"model": "rehearsal/1"}, "works in a rehearsal only"),
        ({"name": "  @Dev here "}, "it cannot hold @."),
        ({"name": "Dev <3"}, "it cannot hold &lt;."),
        ({"name": "D" * 81}, "at most 80 characters (it has 81)"),
        ({"budget_monthly_cents": "much"}, "Enter a number"),
        ({"budget_monthly_cents": "-1"}, "greater than or equal to 0"),
        ({"maxTurns": "0"}, "greater than or equal to 1"),
        ({"heartbeat_enabled": "on"}, "Say how often"),
        ({"tools": ["teleport"]}, "not one of the available choices"),
        ({"adapter_type": "process"}, "Say which program"),
    ],
)
def test_what_is_wrong_is_said(console: Any, wrong: Any, words: str) -> None:
    answer = console.post("/agents/add/", HIRE | wrong)
    assert answer.status_code == 422 and words in answer.content.decode()
    assert not Agent.objects.exists()


@pytest.mark.django_db
def test_nothing_is_cut_off_on_the_way(console: Any) -> None:
    assert "maxlength" not in console.get("/agents/add/").content.decode()


@pytest.mark.django_db
def test_in_a_rehearsal_the_script_plays_the_model() -> None:
    stage = make.company("Digiton rehearsal", rehearsal=True)
    config = {"model": "rehearsal/7"}
    ceo = make.agent(stage, name="CEO", adapter_type="litellm", adapter_config=config)
    console = seen_by(make.operator(stage))
    page = console.get("/agents/add/").content.decode()
    assert 'value="rehearsal/7"' in page and "gemini/" not in page
    assert "This is a rehearsal and pays for no model" in page
    real = {"model": "gemini/gemini-flash-latest", "apiBase": ""}
    answer = console.post("/agents/add/", HIRE | real)
    assert "What works here: rehearsal/7, or" in answer.content.decode()
    console.post("/agents/add/", HIRE | {"model": "", "apiBase": ""})
    assert Agent.objects.get(name="Dennis").adapter_config["model"] == "rehearsal/7"
    console.post("/agents/add/", HIRE | {"name": "Local"})
    assert Agent.objects.get(name="Local").adapter_config["model"] == "openai/qwen3"
    assert console.get(f"/agents/{ceo.pk}/change/").status_code == 200


@pytest.mark.django_db
def test_what_is_there_already_is_no_mistake(console: Any, company: Any) -> None:
    config = {"adapter_type": "litellm", "adapter_config": {"model": "gpt-5"}}
    agent = make.agent(company, name="<A>", **config)
    typed = {"name": "<A>", "model": "gpt-5", "apiBase": "", "title": "Boss"}
    assert console.post(f"/agents/{agent.pk}/change/", HIRE | typed).status_code == 302


@pytest.mark.django_db
def test_a_program_has_no_tools_of_ours(console: Any, company: Any) -> None:
    program = {"adapter_type": "process", "command": "true", "network": ""}
    console.post("/agents/add/", HIRE | program)
    agent = Agent.objects.get()
    assert agent.tools == []
    agent.change(by=SYSTEM, tools=["inbox"])
    assert "agent-tools" not in console.get(f"/agents/{agent.pk}").content.decode()


def test_every_tool_is_told_in_the_words_of_people() -> None:
    assert set(tool_words.ACTS) == set(TOOLS)
    told = [tool_words.of(name).allows for name in TOOLS]
    assert all(told) and len(set(told)) == len(TOOLS)


@pytest.mark.django_db
def test_a_chief_has_the_rights_of_the_role(console: Any) -> None:
    console.post("/agents/add/", HIRE | {"role": "ceo"})
    assert Agent.objects.get().may("canAssignTasks")
    console.post("/agents/add/", HIRE | {"name": "B", "permissions": "canAssignTasks"})
    bob = Agent.objects.get(name="B")
    assert bob.may("canAssignTasks") and not bob.may("canCreateAgents")


@pytest.mark.django_db
def test_another_adapter_takes_along_only_what_it_knows(
    console: Any, company: Any
) -> None:
    config = {"command": "true", "args": ["x"], "timeoutSec": 60}
    agent = make.agent(company, name="Dennis", adapter_config=config)
    console.post(f"/agents/{agent.pk}/change/", HIRE | {"timeoutSec": "60"})
    agent.refresh_from_db()
    assert agent.adapter_type == "litellm" and agent.adapter_config["timeoutSec"] == 60
    assert not {"command", "args"} & set(agent.adapter_config)


@pytest.mark.django_db
def test_a_tool_that_is_not_ours_stays(console: Any, company: Any) -> None:
    agent = make.agent(company, name="Dennis")
    agent.change(by=SYSTEM, tools=["inbox", "their_own"])
    page = console.get(f"/agents/{agent.pk}/change/").content.decode()
    assert 'value="their_own"' in page
    assert page.count("checked") >= 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("seconds", "typed"),
    [(90, ("90", "1")), (1800, ("30", "60")), (7200, ("2", "3600")), (0, ("0", "60"))],
)
def test_an_interval_is_shown_as_people_say_it(
    console: Any, company: Any, seconds: int, typed: tuple[str, str]
) -> None:
    agent = make.agent(company, interval_seconds=seconds)
    page = console.get(f"/agents/{agent.pk}/change/").content.decode()
    number, unit = typed
    assert f'name="interval_seconds_number" value="{number}"' in page
    assert f'<option value="{unit}" selected>' in page


@pytest.mark.django_db(transaction=True)
def test_a_person_hires_an_agent_with_a_model(
    live_server: Any, page: Page, company: Any
) -> None:
    make.agent(company, name="QA")
    sign_in(page, live_server.url, make.owner_of(company))
    page.get_by_role("link", name="Hire").click()
    expect(page.get_by_label("Command", exact=True)).to_be_hidden()
    page.get_by_label("What works in it", exact=True).select_option("process")
    expect(page.get_by_label("Command", exact=True)).to_be_visible()
    expect(page.get_by_label("Model", exact=True)).to_be_hidden()
    page.get_by_label("What works in it", exact=True).select_option("litellm")
    page.get_by_label("Name", exact=True).fill("Dev")
    page.get_by_label("Reviewer", exact=True).select_option("QA")
    page.get_by_label("Instructions", exact=True).fill("Write tests first.")
    page.get_by_label("Model", exact=True).fill("gemini/gemini-flash-latest")
    page.get_by_role("checkbox", name="shell").uncheck()
    page.get_by_label("Wake it by a timer", exact=True).check()
    page.get_by_label("How many", exact=True).fill("2")
    page.get_by_label("Of what", exact=True).select_option(label="hours")
    page.get_by_label("Monthly budget").fill("25")
    page.get_by_role("button", name="Hire").click()
    expect(page.locator("#agent-head")).to_contain_text("Dev")
    hired = Agent.objects.get(name="Dev")
    assert hired.adapter_config == {"model": "gemini/gemini-flash-latest"}
    assert (hired.interval_seconds, hired.budget_monthly_cents) == (7200, 2500)
    assert set(DEFAULT_TOOLS) - set(hired.tools) == {"shell"}
    assert hired.reviewer is not None and hired.reviewer.name == "QA"
    expect(page.locator("#agent-facts")).to_contain_text("every 2 hours")
