"""What a run said: read in pieces from its log, and shown as a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agents import transcript
from agents.models import Agent, Run
from agents.runlog import LogWriter
from paperclip import live
from tests import make
from tests.console.test_browser import sign_in

START = {"type": "start", "model": "rehearsal/1", "tools": ["shell"], "limits": {}}
CALL = {"id": "c1", "name": "shell", "arguments": {"command": "pytest -q"}}
USAGE = {"inputTokens": 10, "outputTokens": 2}
SAYS = {
    "type": "assistant",
    "turn": 1,
    "text": "I run the tests — ü.",
    "toolCalls": [CALL],
    "usage": USAGE,
    "seconds": 1.25,
}
RESULT = {
    "type": "tool",
    "turn": 1,
    "id": "c1",
    "name": "shell",
    "result": "exit code: 1\n<b>1 failed</b>",
    "isError": False,
    "seconds": 0.5,
}
END = {
    "type": "result",
    "outcome": "succeeded",
    "message": "Done.",
    "turns": 1,
    "inputTokens": 10,
    "outputTokens": 2,
}


def text_of(*entries: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(e, ensure_ascii=False).encode() + b"\n" for e in entries)


@pytest.fixture
def run(company: Any) -> Run:
    # Not by its form: what the run prints is what counts here.
    agent = make.agent(company, name="Dev")
    Agent.objects.filter(pk=agent.pk).update(adapter_type="litellm")
    agent.refresh_from_db()
    return make.live_run(agent)[0]


def follow(run: Run) -> list[dict[str, Any]]:
    """All entries, in as many pieces as a page would ask for."""
    entries: list[dict[str, Any]] = []
    place: str | None = transcript.BEGIN
    while place is not None:
        before = place
        found, place = transcript.read(run, place)
        entries += found
        if place == before:
            break
    return entries


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_transcript_is_whole_however_it_was_cut(run: Run, size: int) -> None:
    data = text_of(START, SAYS, RESULT, END)
    with LogWriter(run) as log:
        for begin in range(0, len(data), size):
            log.write("stdout", data[begin : begin + size])
            follow(run)
    kinds = [entry["type"] for entry in follow(run)]
    assert kinds == ["start", "assistant", "tool", "result"]
    assert follow(run)[1]["text"] == "I run the tests — ü."


@pytest.mark.django_db
def test_nothing_is_read_twice_and_nothing_is_left_out(run: Run) -> None:
    data, seen = text_of(START, SAYS, RESULT, END), []
    place: Any = transcript.BEGIN
    with LogWriter(run) as log:
        for begin in range(0, len(data), 13):
            log.write("stdout", data[begin : begin + 13])
            if begin % 26 == 0:
                log.write("stderr", b"")
            entries, place = transcript.read(run, place)
            seen += [entry["type"] for entry in entries]
    run.finish("succeeded")
    entries, end = transcript.read(run, place)
    assert seen + [e["type"] for e in entries] == [
        "start",
        "assistant",
        "tool",
        "result",
    ]
    assert end is None


@pytest.mark.django_db
def test_what_the_loop_did_not_print_is_shown_as_it_is(run: Run) -> None:
    with LogWriter(run) as log:
        log.write("stdout", text_of(START) + b'not json\n{"type":"other"}\n[1]\nhalf')
        log.write("stderr", b"Traceback\n")
    run.finish("failed", error="x")
    run.refresh_from_db()
    printed = [(e["stream"], e["text"]) for e in follow(run) if e["type"] == "printed"]
    assert ("stdout", "not json") in printed and ("stderr", "Traceback\n") in printed
    assert ("stdout", '{"type":"other"}') in printed and ("stdout", "half") in printed


@pytest.mark.django_db
def test_the_last_acts_are_told_in_words(run: Run) -> None:
    with LogWriter(run) as log:
        log.write("stdout", text_of(START, *[SAYS, RESULT] * 2000))
    assert transcript.acts(run) == [
        "runs pytest -q",
        "I run the tests — ü.",
        "runs pytest -q",
    ]


@pytest.mark.django_db
def test_a_program_is_quoted(company: Any) -> None:
    run, _token = make.live_run(make.agent(company))
    with LogWriter(run) as log:
        log.write("stdout", b"one\ntwo\n\n")
    assert transcript.acts(run) == ["one", "two"]
    assert not transcript.exists(run)


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["", "x", "-", "1", "1-", "²-0", "9" * 30 + "-0"])
def test_an_odd_place_is_the_begin(run: Run, console: Any, place: str) -> None:
    with LogWriter(run) as log:
        log.write("stdout", text_of(START))
    answer = console.get(f"/runs/{run.pk}/talk", {"offset": place})
    assert "rehearsal/1" in answer.json()["html"]


@pytest.mark.django_db
def test_what_an_agent_wrote_stays_text(run: Run, console: Any) -> None:
    with LogWriter(run) as log:
        log.write("stdout", text_of(START, SAYS, RESULT))
    html = console.get(f"/runs/{run.pk}/talk").json()["html"]
    assert "&lt;b&gt;1 failed" in html and "<b>1 failed" not in html


@pytest.mark.django_db
def test_a_run_without_a_transcript_has_its_log(console: Any, company: Any) -> None:
    run, _token = make.live_run(make.agent(company))
    with LogWriter(run) as log:
        log.write("stdout", b"plain words\n")
    page = console.get(f"/runs/{run.pk}").content.decode()
    assert 'data-kind="log"' in page and "?view=log" not in page


@pytest.mark.django_db
def test_the_raw_log_stays_within_reach(run: Run, console: Any) -> None:
    page = console.get(f"/runs/{run.pk}").content.decode()
    assert 'data-kind="talk"' in page and "?view=log" in page
    raw = console.get(f"/runs/{run.pk}?view=log").content.decode()
    assert 'data-kind="log"' in raw


@pytest.mark.django_db(transaction=True)
def test_a_conversation_grows_while_one_looks(
    live_server: Any, page: Page, company: Any, run: Run
) -> None:
    sign_in(page, live_server.url, make.owner_of(company))
    with LogWriter(run) as log:
        log.write("stdout", text_of(START))
        page.goto(f"{live_server.url}/runs/{run.pk}")
        expect(page.locator("#talk")).to_contain_text("rehearsal/1")
        page.evaluate("window.loadedOnce = true")
        log.write("stdout", text_of(SAYS))
        live.bump(company.pk)
        call = page.locator(".call")
        expect(call).to_contain_text("runs pytest -q", timeout=1500)
        expect(page.locator("#talk")).to_contain_text("10 tokens in, 2 out · 1.3 s")
        log.write("stdout", text_of(RESULT, END))
        live.bump(company.pk)
        # The result goes into the call it answers, which is folded until one looks.
        expect(call.locator(".outcome")).to_have_text("0.5 s", timeout=1500)
        expect(call.locator(".result pre")).to_be_hidden()
        call.locator("summary").click()
        expect(call.locator(".result pre")).to_contain_text("1 failed")
        expect(page.locator("#talk")).to_contain_text("Finished")
    assert page.evaluate("window.loadedOnce") is True
