"""The script sees a conversation and nothing else, and believes what its tools say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.rehearsal import reply
from agents.rehearsal.plot import CMO_TITLE, GOAL, WEEKLY_TITLE, Plot
from agents.rehearsal.roles.common import NOT_HEARD, NOT_MINE
from agents.rehearsal.roles.dev import SECOND_TRY, UNCHANGED

ROLES = {
    "CEO": "ceo",
    "CTO": "cto",
    "CMO": "cmo",
    "Designer": "designer",
    "Dev": "engineer",
    "QA": "qa",
    "DevOps": "devops",
}


class Talk:
    """A conversation of one agent: each `next` answers its last call."""

    def __init__(self, name: str, prompt: str, seed: int = 1) -> None:
        who = f"You are {name}, {name} (role: {ROLES[name]}) at Digiton.\n\nWork well."
        self.messages: list[dict[str, Any]] = [
            {"role": "system", "content": who},
            {"role": "user", "content": prompt},
        ]
        self.seed = seed
        self.message: dict[str, Any] = {}
        self.ask()

    def ask(self) -> None:
        request = {"model": f"rehearsal/{self.seed}", "messages": self.messages}
        before = json.dumps(request)
        self.message = reply(request)
        assert reply(json.loads(before)) == self.message
        assert json.dumps(request) == before
        self.messages.append(self.message)

    @property
    def call(self) -> tuple[str, dict[str, Any]]:
        (call,) = self.message["tool_calls"]
        function = call["function"]
        return function["name"], json.loads(function["arguments"])

    @property
    def is_over(self) -> bool:
        return "tool_calls" not in self.message

    def next(self, answer: object) -> tuple[str, dict[str, Any]]:
        text = answer if isinstance(answer, str) else json.dumps(answer)
        call_id = self.message["tool_calls"][0]["id"]
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        self.ask()
        return ("", {}) if self.is_over else self.call


def issue(title: str, **more: object) -> dict[str, Any]:
    row = {"identifier": "REH-7", "title": title, "status": "todo", "priority": "high"}
    return {**row, **more}


def opened(name: str, shown: dict[str, Any], seed: int = 1, world: str = "") -> Talk:
    """The agent has looked at its inbox and at the issue."""
    prompt = f"Wake: assignment: issue_assigned\nIssue: REH-7 {shown['title']}"
    prompt += (
        "\nWorkspace: git clone of project Site on branch REH-7, in the directory REH-7"
    )
    talk = Talk(name, prompt + (f"\nRehearsal world: {world}" if world else ""), seed)
    assert talk.call == ("inbox", {})
    assert talk.next([shown]) == ("read_issue", {"issue": "REH-7"})
    talk.next(shown)
    return talk


def test_the_ceo_breaks_the_goal_down() -> None:
    talk = opened("CEO", issue(GOAL))
    assert talk.call == ("checkout", {"issue": "REH-7"})
    talk.next({})
    assert talk.call[0] == "list_colleagues"
    name, part = talk.next([])
    filed = []
    while name == "create_subtask":
        filed.append((part["assignee"], part["blocked_by"]))
        name, part = talk.next({"identifier": f"REH-{len(filed)}"})
    assert filed == [
        ("CMO", []),
        ("CTO", []),
        ("Designer", ["REH-1"]),
        ("DevOps", ["REH-1", "REH-2"]),
        ("CEO", ["REH-1", "REH-2", "REH-3", "REH-4"]),
    ]
    assert (name, part["blocked_by"]) == ("update_issue", ["REH-5"])
    talk.next({})
    assert talk.is_over


def test_the_ceo_writes_the_report_of_a_week() -> None:
    talk = opened("CEO", issue(WEEKLY_TITLE))
    assert talk.call == ("checkout", {"issue": "REH-7"})
    assert talk.next({}) == ("list_issues", {})
    rows = [issue(WEEKLY_TITLE), issue("Sow", identifier="REH-1", status="done")]
    name, document = talk.next([*rows, issue("Reap", identifier="REH-2")])
    assert (name, document["key"]) == ("write_document", "weekly-report")
    assert "2 issues, 1 of them closed." in document["body"]
    assert "- Reap" in document["body"] and WEEKLY_TITLE not in document["body"]
    name, change = talk.next({})
    assert (name, change["status"]) == ("update_issue", "done")
    talk.next({})
    assert talk.is_over


@pytest.mark.parametrize("name", ROLES)
def test_work_that_is_not_in_the_script_is_not_pretended(name: str) -> None:
    mine = issue("Sell the company", assignee=name, status="in_progress")
    talk = opened(name, mine)
    assert talk.call == ("comment", {"issue": "REH-7", "body": NOT_MINE})
    talk.next({})
    assert talk.is_over
    again = opened(name, {**mine, "comments": [{"author": name, "body": NOT_MINE}]})
    assert again.is_over


@pytest.mark.parametrize("name", ROLES)
def test_a_timer_without_work_costs_one_look(name: str) -> None:
    talk = Talk(name, "Wake: timer: heartbeat_timer")
    talk.next([])
    assert talk.is_over


def test_a_persons_words_are_not_passed_over_in_silence() -> None:
    told = {"author": "a person", "body": "Make it shorter, please."}
    talk = opened("Dev", issue(Plot.of(1).kit.title, comments=[told]))
    assert talk.call == ("comment", {"issue": "REH-7", "body": NOT_HEARD})
    assert talk.next({"commentId": "1"})[0] == "checkout"


def test_what_a_lost_run_left_half_done_is_finished() -> None:
    post = {"identifier": "REH-9", "title": "Write the post: x", "status": "backlog"}
    half = issue(CMO_TITLE, children=[post])
    talk = opened("CMO", half, world="http://127.0.0.1:1/w/")
    assert talk.call[0] == "checkout"
    told = {"author": "CMO", "body": "The gap is x. @CTO please start it."}
    talk = opened("CMO", {**half, "comments": [told]}, world="http://127.0.0.1:1/w/")
    assert talk.is_over


def test_a_lost_race_is_left_alone() -> None:
    talk = opened("CEO", issue(GOAL))
    talk.next("Error: 409: Issue checkout conflict")
    assert talk.is_over and "I leave it" in talk.message["content"]


def test_a_tool_that_fails_is_told_to_a_person() -> None:
    talk = opened("CMO", issue(CMO_TITLE), world="http://127.0.0.1:1/w/")
    talk.next({})
    name, question = talk.next("Error: http://127.0.0.1:1/w/ does not answer")
    assert name == "ask_person" and "does not answer" in question["question"]
    talk.next({})
    assert talk.is_over


def test_without_a_web_nothing_is_made_up() -> None:
    talk = opened("CMO", issue(CMO_TITLE))
    name, question = talk.next({})
    assert name == "ask_person" and "no web" in question["question"]


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        ("exit code: 0\nRan 3 tests in 0.001s\n\nOK", "approve"),
        ("exit code: 1\nRan 3 tests in 0.1s\n\nFAILED (failures=1)", "request_changes"),
        ("exit code: 127\nsh: 1: python3: not found", "ask_person"),
        ("Error: there is no sandbox on this machine", "ask_person"),
    ],
)
def test_qa_believes_the_exit_code(output: str, verdict: str) -> None:
    tool = Plot.of(1).kit.title
    talk = opened("QA", issue(tool, assignee="QA", status="in_review"))
    talk.next({})
    assert talk.call[0] == "write_file"
    assert talk.next("Wrote 9 bytes")[0] == "shell"
    name, said = talk.next(output)
    assert name == verdict
    if verdict == "request_changes":
        assert said["comment"].startswith("Changes requested")
        assert "exit code 1 (Ran 3 tests, FAILED (failures=1))" in said["comment"]
    talk.next({})
    assert talk.is_over


PASSED = "exit code: 0\nRan 3 tests in 0.1s\n\nOK"
CAUSE = {"author": "CTO", "body": "Cause: it cuts too much."}
REPAIRED = {"author": "Dev", "body": SECOND_TRY + " It works."}
FINE = {"author": "QA", "body": "Approved: it ended with exit code 0."}


def devs_word(answer: str, *comments: dict[str, str]) -> str:
    """What Dev gives to review about the tool when hand_over answers this."""
    kit = Plot.of(1).kit
    talk = opened("Dev", issue(kit.title, comments=[CAUSE, *comments]))
    assert talk.call[0] == "checkout" and talk.next({})[0] == "read_file"
    assert talk.next("nothing of what is to be repaired")[0] == "shell"
    assert talk.next(PASSED)[0] == "hand_over"
    name, said = talk.next(answer)
    assert name == "request_review"
    return str(said["comment"])


def test_done_work_that_is_opened_again_is_not_done_twice() -> None:
    nothing = "There is nothing new on REH-7 to hand over."
    word = devs_word(nothing, REPAIRED, FINE)
    assert word.startswith(UNCHANGED) and SECOND_TRY not in word
    # Something new, or a run that was lost before it could say so.
    for answer, *said in (('{"commit": "a"}', REPAIRED, FINE), (nothing,)):
        assert devs_word(answer, *said).startswith(SECOND_TRY)


@pytest.mark.parametrize(
    ("comments", "word"),
    [
        ([CAUSE, REPAIRED], "Approved:"),
        ([FINE, {"author": "Dev", "body": UNCHANGED}], "Approved as before, for no"),
        ([FINE, REPAIRED], "Approved:"),
        (
            [
                *(FINE, {"author": "Dev", "body": UNCHANGED}),
                *({"author": "QA", "body": "Changes requested: `x`"}, REPAIRED),
            ],
            "Approved:",
        ),
    ],
)
def test_qa_knows_what_it_has_approved_before(comments: Any, word: str) -> None:
    tool = issue(Plot.of(1).kit.title, assignee="QA", status="in_review")
    talk = opened("QA", {**tool, "comments": comments})
    talk.next({})
    assert talk.next("Wrote 9 bytes")[0] == "shell"
    name, said = talk.next(PASSED)
    assert name == "approve" and said["comment"].startswith(word)


def test_the_designer_says_when_nobody_has_looked() -> None:
    talk = opened("Designer", issue("Look at the new post as readers see it"))
    talk.next({})
    assert talk.next("exit code: 0\nx.html\n")[0] == "read_file"
    source = "body { color: #111111; background: #ffffff; }"
    assert "--screenshot" in talk.next(source)[1]["command"]
    talk.next("exit code: 127\n")
    assert talk.next("Wrote 9 bytes")[0] == "shell"
    name, change = talk.next("exit code: 1\nNo such file: page.png")
    assert name == "update_issue"
    assert "I could not render" in change["comment"]
    assert "Nobody has looked at it" in change["comment"]
    assert "18.9 to 1" in change["comment"]


def test_a_conversation_of_somebody_else_is_not_continued() -> None:
    talk = Talk("CEO", "Wake: timer: x\nIssue: REH-1 Goal")
    talk.message["tool_calls"][0]["function"]["name"] = "shell"
    talk.next("exit code: 0")
    assert talk.is_over and "lost the thread" in talk.message["content"]


def test_an_unknown_role_has_no_part() -> None:
    system = "You are Eve, Lawyer (role: general) at Digiton."
    messages = [{"role": "system", "content": system}]
    said = reply({"model": "rehearsal/1", "messages": messages})
    assert "no part for the role general" in said["content"]


def test_a_prompt_in_parts_is_read_too() -> None:
    system = "You are CEO, Chief (role: ceo) at Digiton."
    parts = [{"type": "text", "text": "Wake: timer: x"}]
    messages = [
        {"role": "system", "content": [{"type": "text", "text": system}]},
        {"role": "user", "content": parts},
    ]
    assert reply({"model": "rehearsal/1", "messages": messages})["tool_calls"]


def test_seeds_tell_different_stories() -> None:
    plots = [Plot.of(seed) for seed in range(8)]
    assert Plot.of(3) == plots[3]
    assert len({plot.kit.title for plot in plots}) == 4
    assert len({plot.rivals for plot in plots}) == 8
    assert len({plot.gap.keyword for plot in plots}) > 2
