"""The rehearsal as a person meets it: `up` on a machine without a key, hands off."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from agents.rehearsal.plot import GOAL, REPORT_TITLE, WEEKLY_TITLE, Plot
from paperclip.first_start import DIGITON, MODELS
from tests.instance import Instance, wait_for
from tests.rehearsal.board import Card, Watched
from tests.rehearsal.server import provider

MINUTES = 3
SEED = 1
NO_KEYS = dict.fromkeys([*MODELS, "PAPERCLIP_MODEL_API_BASE"], "")
NO_MARKETING = "from marketing.models import Site; Site.objects.update(is_stopped=True)"
EVERYBODY = {"CEO", "CTO", "CMO", "Designer", "Dev", "QA", "DevOps"}


class Played:
    """An instance of which the first company has played its story."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        began = time.monotonic()
        instance.start()
        # Its marketing has tests of its own.
        instance.manage("shell", "-c", NO_MARKETING)
        self.company = Watched(instance, instance.company())
        wait_for(
            lambda: self.company.is_over(GOAL), MINUTES * 60, self.company.what_is_left
        )
        self.seconds = time.monotonic() - began
        self.board = self.company.board()

    def card(self, title: str) -> Card:
        return next(card for card in self.board if card.title == title)

    def another(self, *command: str) -> Watched:
        """A second company in the same instance, founded by a command."""
        before = {one["id"] for one in self.companies()}
        self.instance.manage(*command)
        (new,) = {one["id"] for one in self.companies()} - before
        return Watched(self.instance, new)

    def companies(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.instance.api("GET", "/companies").body
        return found


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    instance = Instance(
        tmp_path_factory.mktemp("rehearsal"),
        PAPERCLIP_FIRST_COMPANY="digiton",
        PAPERCLIP_REHEARSAL_SEED=str(SEED),
        **NO_KEYS,
    )
    try:
        yield Played(instance)
    finally:
        instance.stop()


def test_it_says_that_it_is_a_rehearsal(played: Played) -> None:
    said = "so this is a rehearsal: in Digiton rehearsal a script plays the model"
    assert played.instance.output().count(said) == 1
    (company,) = [c for c in played.companies() if c["id"] == played.company.id]
    assert (company["name"], company["issuePrefix"]) == ("Digiton rehearsal", "REH")


def test_untouched_the_company_does_its_first_work(played: Played) -> None:
    assert played.seconds < MINUTES * 60
    assert {card.status for card in played.board} == {"done"}
    runs = played.company.of("heartbeat-runs")
    assert {run["status"] for run in runs} == {"succeeded"}
    names = {one["id"]: one["name"] for one in played.company.of("agents")}
    assert {names[run["agentId"]] for run in runs} == EVERYBODY
    assert {one["status"] for one in played.company.of("agents")} == {"idle"}
    assert {who for card in played.board for who, _ in card.comments} >= EVERYBODY


def test_work_is_checked_out_reviewed_and_sent_back(played: Played) -> None:
    acts = Counter(act["action"] for act in played.company.of("activity"))
    assert acts["issue.checked_out"] >= len(played.board)
    tool = played.card(Plot.of(SEED).kit.title)
    told = [body.split(":")[0] for who, body in tool.comments if who == "QA"]
    assert told == ["Changes requested", "Changes requested", "Approved"]
    assert "ended with exit code 1" in tool.comments[1][1]
    fix = played.card(f"Fix: {tool.title}")
    assert (fix.assignee, fix.parent) == ("Dev", tool.title)
    assert any(who == "CTO" and "Cause: " in body for who, body in tool.comments)


def test_the_report_counts_what_there_is(played: Played) -> None:
    report = played.card(REPORT_TITLE).documents["weekly-report"]
    work = [c for c in played.board if not c.title.startswith("Fix: ") and c.parent]
    others = [card for card in work if card.title != REPORT_TITLE]
    assert f"{len(others)} issues, {len(others)} of them done; 2 reviews" in report
    assert all(card.title in report for card in others)
    assert "Rehearsal" in report


def test_the_designer_has_really_looked(played: Played) -> None:
    card = played.card("Look at the new post as readers see it")
    assert "1440 x 900 pixels" in card.comments[0][1]
    assert "so it is not blank" in card.comments[0][1]


def test_what_is_done_stays_done(played: Played) -> None:
    def runs() -> int:
        rows = played.company.of("heartbeat-runs")
        return sum(run["invocationSource"] != "timer" for run in rows)

    before = runs()
    time.sleep(4)
    assert runs() == before


def test_nothing_of_it_was_paid(played: Played) -> None:
    spent = {one["spentMonthlyCents"] for one in played.company.of("agents")}
    assert spent == {0}


def test_done_work_that_is_opened_again_is_done_honestly(played: Played) -> None:
    title = Plot.of(SEED).kit.title
    found = played.company.issue(title)
    assert found is not None
    path = f"/issues/{found['id']}"
    (dev,) = [a for a in played.company.of("agents") if a["name"] == "Dev"]
    again = {"status": "todo", "assigneeAgentId": dev["id"]}
    assert played.instance.api("PATCH", path, again).status == 200

    def is_done() -> bool:
        issue = played.company.get(path)
        return bool(issue["status"] == "done")

    wait_for(is_done, 60, played.company.what_is_left)
    rows = played.company.get(f"{path}/comments?limit=200")
    words = [row["body"] for row in reversed(rows) if row["authorAgentId"]]
    assert words[-2].startswith("I have changed nothing since")
    assert words[-1].startswith("Approved as before, for nothing has changed")


def test_the_weekly_report_is_a_routine(played: Played) -> None:
    (routine,) = played.company.of("routines")
    assert routine["title"] == WEEKLY_TITLE and routine["lastRun"] is None
    (weekly,) = routine["triggers"]
    assert (weekly["cronExpression"], weekly["timezone"]) == ("0 9 * * 1", "UTC")
    fired = played.instance.api("POST", f"/routines/{routine['id']}/run", {})
    assert (fired.status, fired.body["status"]) == (202, "issue_created")
    path = f"/issues/{fired.body['linkedIssueId']}"

    def run() -> str:
        (last,) = played.company.get(f"/routines/{routine['id']}/runs")
        return str(last["status"])

    wait_for(lambda: run() == "completed", 60, run)
    report = played.company.get(f"{path}/documents/weekly-report")["body"]
    assert GOAL in report and "Rehearsal" in report


@pytest.mark.long
def test_it_ends_well_although_workers_die(played: Played) -> None:
    chaotic = played.another("rehearse", "--seed", "6")
    dice = random.Random(6)
    for _ in range(5):
        time.sleep(dice.uniform(2, 5))
        played.instance.kill("worker")
    wait_for(lambda: chaotic.is_over(GOAL), MINUTES * 60, chaotic.board)
    assert {card.status for card in chaotic.board()} == {"done"}
    (report,) = (c for c in chaotic.board() if c.title == REPORT_TITLE)
    assert "2 reviews asked for changes" in report.documents["weekly-report"]
    codes = {run["errorCode"] for run in chaotic.of("heartbeat-runs")}
    assert "process_lost" in codes and codes <= {None, "process_lost"}


@pytest.mark.long
def test_the_script_behind_a_provider_plays_the_same_and_a_seed_another(
    played: Played,
) -> None:
    """Only what a provider is sent reaches the script there: nothing is hidden."""
    with provider() as address:
        outside = played.another(
            *("import_company", str(DIGITON), "--name", "Outside", "--prefix", "OUT"),
            *("--rehearsal", str(SEED), "--model", f"openai/rehearsal-{SEED}"),
            *("--api-base", address),
        )
        other = played.another("rehearse", "--seed", str(SEED + 1))
        for company in (outside, other):
            wait_for(
                lambda c=company: c.is_over(GOAL), MINUTES * 60, company.what_is_left
            )
    assert outside.board() == played.board
    assert other.board() != played.board
    titles = {card.title for card in played.board}
    assert len(titles - {card.title for card in other.board()}) >= 3
