"""T-08: nobody wakes itself, nobody answers for ever, and many words are one wake."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from agents.models import Agent, Attempt, Run
from issues import progress, sweep
from issues.models import Issue
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.long import long

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Any:
    return make.company()


# --- T-08a -----------------------------------------------------------------------

AUTHORS = ["run token", "agent key", "board token in a run"]
STATUSES = ["todo", "in_progress", "in_review", "blocked", "done"]
WAYS: dict[str, dict[str, Any]] = {
    "comment": {"path": "comments", "body": {"body": "Hm."}},
    "reopen": {"path": "comments", "body": {"body": "Hm.", "reopen": True}},
    "mention": {"path": "comments", "body": {"body": "Hm, @Dev."}},
    "change": {"path": "", "body": {"comment": "Hm."}},
    "resume": {"path": "", "body": {"comment": "Hm.", "reopen": True}},
}


def speaking(dev: Agent, run: Run, token: str, author: str) -> APIClient:
    """Dev's program, with a credential it may come by."""
    if author == "run token":
        return make.client(token)
    if author == "agent key":
        return make.client_of(dev, run=run)
    return make.client_of(make.operator(dev.company), run=run)


def say(client: APIClient, issue: Issue, way: str) -> int:
    where = f"/api/issues/{issue.pk}/{WAYS[way]['path']}".rstrip("/")
    act = client.post if WAYS[way]["path"] else client.patch
    return int(act(where, WAYS[way]["body"]).status_code)


@pytest.mark.parametrize("author", AUTHORS)
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("way", WAYS)
def test_nobody_is_woken_by_its_own_doing(
    company: Any, author: str, status: str, way: str
) -> None:
    dev = make.agent(company, name="Dev")
    issue = make.issue(company, assignee_agent=dev)
    run = dev.runs.get()
    token = run.claim(host="test")
    assert token is not None
    Issue.objects.filter(pk=issue.pk).update(status=status)
    assert say(speaking(dev, run, token, author), issue, way) in (200, 201)
    assert not dev.runs.filter(status="queued").exists()


@pytest.mark.parametrize("token", ["", "pcr_expired"])
def test_without_a_good_token_nothing_is_said(company: Any, token: str) -> None:
    issue = make.issue(company, assignee_agent=make.agent(company, name="Dev"))
    assert say(make.client(token), issue, "comment") == 401
    assert not issue.comments.exists()


@pytest.mark.parametrize("status", STATUSES[:-1])
@pytest.mark.parametrize("way", ["comment", "mention"])
def test_anothers_words_wake_the_assignee_once(
    company: Any, status: str, way: str
) -> None:
    dev, qa = make.agent(company, name="Dev"), make.agent(company, name="QA")
    issue = make.issue(company)
    Issue.objects.filter(pk=issue.pk).update(assignee_agent=dev, status=status)
    _run, token = make.live_run(qa)
    assert say(make.client(token), issue, way) == 201
    assert dev.runs.filter(status="queued").count() == 1
    sweep.wake_waiting()
    assert dev.runs.count() == 1


# --- T-08b, T-08c ----------------------------------------------------------------


def turn(agent: Agent, issue: Issue, say: str) -> Run | None:
    """A run of the agent about the issue that was queued: it only says something."""
    Run.objects.filter(agent=agent, status="queued").update(ready_at=issue.created_at)
    run: Run | None = agent.runs.filter(status="queued", issue_id=issue.pk).first()
    if run is None or run.claim(host="test") is None:
        return None
    progress.note_start(run)
    issue.comment(say, by=Actor.of_agent(agent, run))
    make.end(run)
    return run


def ring_of(company: Any, *names: str) -> list[Agent]:
    return [make.agent(company, name=name) for name in names]


@pytest.mark.parametrize("names", [("Ping", "Pong"), ("A", "B", "C", "D")])
def test_agents_that_answer_each_other_for_ever_are_parked(
    company: Any, names: tuple[str, ...], settings: Any
) -> None:
    """A pair and a ring: stopped after N exchanges, everybody kept off, one alert."""
    ring = ring_of(company, *names)
    issue = make.issue(company, assignee_agent=ring[0])
    exchanges = 0
    for number in range(100):
        agent, after = ring[number % len(ring)], ring[(number + 1) % len(ring)]
        if turn(agent, issue, f"And you, @{after.name}?") is None:
            break
        exchanges += 1
    assert exchanges <= settings.PROGRESS_LIMIT * len(ring)
    alert = Attempt.objects.parked().get()
    assert alert.issue_id == issue.pk and "nothing moved" in alert.reason
    assert not Run.objects.open().exists()
    # Nothing wakes any of them there: no words among themselves, no sweep.
    for agent in ring:
        issue.comment(f"@{agent.name}!", by=make.working(make.agent(company)))
    sweep.wake_waiting()
    assert not Run.objects.filter(status="queued").exists()
    skip = ring[1].wakeups.filter(status="skipped").latest("created_at")
    assert skip.note.startswith("Parked: ")
    assert Attempt.objects.parked().count() == 1


def test_a_ring_that_hands_the_issue_round_is_parked(company: Any) -> None:
    """Each hand-over changes the assignee; what was seen before is no progress."""
    ring = ring_of(company, "A", "B", "C")
    issue = make.issue(company, assignee_agent=ring[0])
    runs = 0
    for number in range(60):
        agent, after = ring[number % 3], ring[(number + 1) % 3]
        run = agent.runs.filter(status="queued", issue_id=issue.pk).first()
        if run is None:
            break
        if run.claim(host="test") is None:
            break
        progress.note_start(run)
        issue.change(by=SYSTEM, assignee_agent=after, comment="Yours.")
        make.end(run)
        runs += 1
    assert runs < 15
    assert Attempt.objects.parked().count() == 1


def test_three_times_the_same_is_a_loop(company: Any, settings: Any) -> None:
    """T-08c: it is called again, in vain, and then it is shown as a loop."""
    dev = make.agent(company)
    issue = make.issue(company, assignee_agent=dev)
    runs = [turn(dev, issue, "Still thinking.") for _ in range(6)]
    ended = [run for run in runs if run is not None]
    assert len(ended) == settings.PROGRESS_LIMIT
    assert {run.digest for run in ended} == {ended[0].digest}
    assert [run.progressed for run in ended] == [False] * len(ended)
    parked = Attempt.objects.parked().get()
    assert (parked.cause, parked.agent) == ("no_progress", dev)


def test_a_person_closes_the_circuit(company: Any) -> None:
    dev = make.agent(company)
    issue = make.issue(company, assignee_agent=dev)
    for _ in range(3):
        turn(dev, issue, "Still thinking.")
    person = make.by(make.operator(company))
    issue.comment("It is blue.", by=person)
    assert not Attempt.objects.parked().exists()
    for _ in range(2):
        assert turn(dev, issue, "Hm, blue.") is not None
    # It counts from the person's word on.
    assert not Attempt.objects.parked().exists()


def test_news_close_the_circuit(company: Any) -> None:
    dev = make.agent(company)
    issue = make.issue(company, assignee_agent=dev)
    for _ in range(3):
        turn(dev, issue, "Still thinking.")
    assert Attempt.objects.parked().exists()
    blocker = make.issue(company)
    issue.block_on([blocker], by=SYSTEM)
    blocker.change(by=SYSTEM, status="done")
    assert dev.runs.filter(status="queued").exists()
    assert not Attempt.objects.parked().exists()


@pytest.mark.parametrize("deed", ["document", "part", "status"])
def test_what_moves_something_is_no_loop(company: Any, deed: str) -> None:
    dev = make.agent(company)
    issue = make.issue(company, assignee_agent=dev)
    by = Actor.of_agent(dev, dev.runs.get())
    for number in range(5):
        run = dev.runs.get(status="queued", issue_id=issue.pk)
        Run.objects.filter(pk=run.pk).update(ready_at=issue.created_at)
        assert run.claim(host="test")
        by = Actor.of_agent(dev, run)
        if deed == "document":
            write(issue, by, number)
        elif deed == "part":
            issue.file_child(by=by, title=f"Part {number}", status="backlog")
        else:
            issue.change(by=by, status="todo", title=f"It is {number}")
        make.end(run)
        assert run.progressed is True
    assert not Attempt.objects.parked().exists()


def write(issue: Issue, by: Actor, number: int) -> None:
    latest = issue.documents.told().first() if number else None
    base = latest.revision_id if latest else None
    documents = type(issue).documents.rel.related_model.objects
    documents.write(issue, "plan", by=by, body=f"Plan {number}", base_revision=base)


def test_a_chain_of_issues_that_file_issues_comes_to_an_end(company: Any) -> None:
    """A files an issue for B, B one for A, and so on: each is new, and yet a ring."""
    from django.conf import settings

    from paperclip.exceptions import Invalid

    ring = [
        make.agent(company, name=name, permissions={"canAssignTasks": True})
        for name in ("A", "B")
    ]
    issue = make.issue(company, assignee_agent=ring[0])
    with pytest.raises(Invalid, match="in a row"):
        for number in range(100):
            agent, after = ring[number % 2], ring[(number + 1) % 2]
            run = agent.runs.get(status="queued", issue_id=issue.pk)
            assert run.claim(host="test")
            issue = Issue.objects.file(
                company,
                by=Actor.of_agent(agent, run),
                title=f"Ask {after.name} again ({number})",
                assignee_agent=after,
                status="todo",
            )
            run.finish("succeeded")
    assert issue.request_depth == settings.LONGEST_CHAIN


# --- T-08d, coalescing -----------------------------------------------------------


@pytest.mark.parametrize("comments", [50, long(500)])
def test_any_number_of_comments_is_one_run_that_has_them_all_in_order(
    company: Any, settings: Any, comments: int
) -> None:
    settings.LEASE_SECONDS = 600
    dev = make.agent(company)
    issue = make.issue(company, assignee_agent=dev)
    working = dev.runs.get()
    working.claim(host="test")
    person = make.by(make.operator(company))
    said = [str(issue.comment(f"{n}", by=person).pk) for n in range(comments)]
    waiting = dev.runs.get(status="queued")
    assert waiting.comment_ids == said
    assert dev.wakeups.filter(status="coalesced", run=waiting).count() == comments - 1
    working.finish("succeeded")
    assert waiting.claim(host="test")
    assert waiting.comment_ids == said
    waiting.finish("succeeded")
    later = make.queued_run(dev, issue)
    assert later.comment_ids == []  # each exactly once
