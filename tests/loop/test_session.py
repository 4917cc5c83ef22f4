"""The conversation of the built-in loop, from one run about an issue to the next."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from agents import workspaces
from agents.loop.session import LONG, SHORT, is_sound, shortened, spared
from agents.models import Agent, Session
from issues.models import Issue
from paperclip.actors import SYSTEM
from tests import make
from tests.loop import stage
from tests.loop.model import Refusal, model, says, uses

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alone(dev: Agent) -> Issue:
    """An issue without a project, of which nobody is told but by the tests."""
    return make.issue(dev.company, assignee_agent=dev, status="backlog")


def files(agent: Agent) -> list[Path]:
    return sorted((workspaces.of(agent) / ".sessions").glob("*"))


def roles(asked: dict[str, Any]) -> str:
    return " ".join(message["role"] for message in asked["messages"])


def test_the_conversation_goes_on(dev: Agent, alone: Issue) -> None:
    first = stage.play(dev, alone, uses("inbox"), says("I looked."))
    said = alone.comment("Use tabs.", by=make.by(make.operator(dev.company)))
    second = stage.play(dev, alone, says("Tabs it is."))
    asked = second.model.requests[0]
    assert roles(asked) == "system user assistant tool assistant user"
    assert asked["messages"][4]["content"] == "I looked."
    assert asked["messages"][5]["content"].startswith("Wake: ")
    assert "Use tabs." in asked["messages"][5]["content"] and said
    session = Session.objects.get()
    assert second.run.session_id_before == session.session_id
    assert second.run.session_id_after == first.run.session_id_after
    assert second.of("session")[0]["resumed"] is True
    assert (session.runs, [file.name for file in files(dev)]) == (
        2,
        [f"{session.session_id}.json"],
    )
    third = stage.play(dev, alone, says("Nothing new."))
    assert roles(third.model.requests[0]).count("user") == 3


def test_its_usage_is_told(dev: Agent, alone: Issue) -> None:
    played = stage.play(dev, alone, uses("inbox"), says("Done."))
    played.run.refresh_from_db()
    assert played.run.usage == {
        "inputTokens": 200,
        "cachedInputTokens": 0,
        "outputTokens": 20,
        "contextTokens": 110,
    }
    client = make.client_of(make.operator(dev.company))
    seen = client.get(f"/api/heartbeat-runs/{played.run.pk}").json()
    assert seen["usageJson"] == played.run.usage
    assert seen["sessionIdBefore"] is None
    assert seen["sessionIdAfter"] == Session.objects.get().session_id


@pytest.mark.parametrize("how", ["missing", "broken", "another's", "unanswered"])
def test_an_unknown_conversation_begins_afresh_in_the_same_run(
    dev: Agent, alone: Issue, how: str
) -> None:
    stage.play(dev, alone, uses("inbox"), says("I looked."))
    (file,) = files(dev)
    found = json.loads(file.read_text())
    if how == "missing":
        file.unlink()
    elif how == "broken":
        file.write_text(file.read_text()[:-9])
    else:
        found["id"] = "x" if how == "another's" else found["id"]
        found["messages"] = found["messages"][: 2 if how == "unanswered" else None]
        file.write_text(json.dumps(found))
    played = stage.play(dev, alone, uses("inbox"), says("Done."))
    assert played.outcome.status == "succeeded"
    asked = played.model.requests[0]
    assert roles(asked) == "system user"
    assert "<<< hand-over of your earlier" in asked["messages"][1]["content"]
    assert "I looked." in asked["messages"][1]["content"]
    note = played.of("session")[0]
    assert note["resumed"] is False and "missing or broken" in note["message"]
    played.run.refresh_from_db()
    assert played.run.session_id_before is None
    assert Session.objects.get().session_id == played.run.session_id_after != note["id"]


def test_a_history_that_is_refused_is_left_behind(dev: Agent, alone: Issue) -> None:
    stage.play(dev, alone, uses("inbox"), says("I looked."))
    no = {"error": {"message": "the context is too long", "code": "provider_refused"}}
    played = stage.play(dev, alone, Refusal(400, no), uses("inbox"), says("Done."))
    assert played.outcome.status == "succeeded"
    assert [roles(asked) for asked in played.model.requests[:2]] == [
        "system user assistant tool assistant user",
        "system user",
    ]
    assert "too long" in played.of("session")[-1]["message"]


def test_a_refusal_of_a_fresh_conversation_is_one(dev: Agent, alone: Issue) -> None:
    no = {"error": {"message": "no", "code": "provider_refused"}}
    played = stage.play(dev, alone, Refusal(400, no))
    assert played.outcome.status == "failed" and len(played.model.requests) == 1


def test_a_run_that_fails_keeps_the_session(dev: Agent, alone: Issue) -> None:
    stage.play(dev, alone, uses("inbox"), says("I looked."))
    no = {"error": {"message": "The key is wrong.", "code": "invalid_token"}}
    stage.play(dev, alone, uses("inbox"), Refusal(401, no))
    session = Session.objects.get()
    assert (session.runs, session.last_error) == (1, "The key is wrong.")
    played = stage.play(dev, alone, says("Again."))
    # What was done before it failed is not forgotten.
    assert roles(played.model.requests[0]) == (
        "system user assistant tool assistant user assistant tool user"
    )
    assert Session.objects.get().last_error == ""


def test_it_begins_afresh_before_its_ceiling(dev: Agent, alone: Issue) -> None:
    config = {**dev.adapter_config, "sessionTokens": 20_000}
    dev.change(by=SYSTEM, adapter_config=config)

    contexts, runs = [], []
    for number, tokens in enumerate((4_000, 8_000, 12_000, 16_000, 4_000)):
        with model(uses("inbox"), says(f"Words of run {number}.")) as scripted:
            scripted.tokens = (tokens, 10)
            runs.append(stage.played(dev, alone, scripted))
        contexts.append(Session.objects.get().context_tokens)
    assert contexts == [4_010, 8_010, 12_010, 16_010, 4_010]
    begun = [played.run.session_id_before is None for played in runs]
    assert begun == [True, False, False, False, True]
    asked = runs[4].model.requests[0]
    assert roles(asked) == "system user"
    text = asked["messages"][1]["content"]
    assert "<<< hand-over of your earlier conversation" in text
    assert "Words of run 3." in text and "It had 16,010 tokens" in text
    assert roles(runs[3].model.requests[0]).count("user") == 4


def test_another_model_begins_afresh(dev: Agent, alone: Issue) -> None:
    stage.play(dev, alone, uses("inbox"), says("I looked."))
    dev.change(
        by=SYSTEM, adapter_config={**dev.adapter_config, "model": "openai/other"}
    )
    played = stage.play(dev, alone, says("Hello."))
    assert roles(played.model.requests[0]) == "system user"


def test_a_wake_that_changes_nothing_leaves_the_file_alone(
    dev: Agent, alone: Issue
) -> None:
    """T-06c."""
    stage.play(dev, alone, uses("inbox"), says("I looked."))
    (file,) = files(dev)
    before = file.read_bytes(), file.stat().st_mtime_ns
    about = stage.play(dev, alone, says("Nothing to do."))
    timer = stage.play(dev, None, uses("inbox"), says("Nothing to do."))
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before
    assert files(dev) == [file]
    assert about.run.session_id_after == file.stem
    timer.run.refresh_from_db()
    assert (timer.run.session_id_before, timer.run.session_id_after) == (None, None)


def test_nothing_is_kept_of_a_run_that_did_nothing(dev: Agent, alone: Issue) -> None:
    played = stage.play(dev, alone, says("Nothing to do."))
    assert played.run.session_id_after is None and files(dev) == []


def test_its_file_is_no_file_of_the_agents(dev: Agent, alone: Issue) -> None:
    played = stage.play(
        dev,
        alone,
        uses("list_files"),
        uses("search_files", pattern="Wake"),
        uses("write_file", path=".sessions/x.json", content="{}"),
        says("Done."),
    )
    assert played.results[0] == "(no files)"
    assert played.results[1] == "Nothing matches."
    assert "Paperclip's own" in played.results[2]


def test_old_conversations_are_swept_away(dev: Agent, alone: Issue) -> None:
    folder = workspaces.of(dev) / ".sessions"
    folder.mkdir()
    old, young = folder / "old.json", folder / "young.json"
    for file in (old, young):
        file.write_text("{}")
    os.utime(old, (1, 1))
    stage.play(dev, alone, uses("inbox"), says("I looked."))
    assert not old.exists() and young.exists()


def test_a_disk_that_is_full_does_not_end_the_work(dev: Agent, alone: Issue) -> None:
    (workspaces.of(dev) / ".sessions").write_text("in the way")
    played = stage.play(dev, alone, uses("inbox"), says("Done all the same."))
    assert played.outcome.status == "succeeded"
    assert "cannot be kept" in played.of("session")[0]["message"]
    assert played.run.session_id_after is None


# --- what is recalled ------------------------------------------------------------


def talk(result: str) -> list[dict[str, Any]]:
    call = {"id": "c", "function": {"name": "shell", "arguments": "{}"}}
    return [
        {"role": "user", "content": "Wake: x"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": result},
        {"role": "assistant", "content": "Done."},
    ]


def test_long_results_are_cut_once_and_short_ones_never() -> None:
    long = talk("x" * 16_000)
    once = shortened(long)
    assert SHORT < len(once[2]["content"]) <= LONG
    assert "were cut here" in once[2]["content"]
    assert shortened(once) == once and shortened(talk("y" * LONG)) == talk("y" * LONG)
    assert spared(long) == (16_000 - len(once[2]["content"])) // 4


def test_only_whole_conversations_are_sound() -> None:
    whole = talk("fine")
    assert is_sound(whole) and is_sound(whole[:3])
    assert not is_sound(whole[:2]) and not is_sound([]) and not is_sound(whole[2:])
    assert not is_sound([{"role": "system", "content": "Obey."}, *whole])
