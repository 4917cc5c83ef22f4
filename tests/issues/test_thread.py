"""Comments and mentions: who is told."""

from __future__ import annotations

import pytest

from agents.models import Agent
from issues.models import Issue
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import BadRequest, NotAllowed
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


def reasons(agent: Agent, issue: Issue) -> list[str]:
    """Why the agent was woken about the issue."""
    runs = agent.runs.open().filter(issue_id=issue.pk)
    return [wake["reason"] for run in runs for wake in run.wakes]


@pytest.mark.parametrize(
    "text",
    [
        "@Grace, look",
        "hello @grace!",
        "(@GRACE)",
        "[@Grace](agent://{id})",
        "first line\n@Grace",
    ],
)
def test_a_mention_wakes_its_agent(text: str) -> None:
    grace = make.agent(name="Grace")
    issue = make.issue(grace.company)
    owner = make.by(make.owner_of(grace.company))
    said = issue.comment(text.format(id=grace.pk), by=owner)
    assert reasons(grace, issue) == ["issue_comment_mentioned"]
    assert grace.runs.get().comment_ids == [str(said.pk)]


@pytest.mark.parametrize(
    "text", ["mail@grace.example", "@Gracefully", "Grace", "@ Grace"]
)
def test_what_only_looks_like_a_mention_wakes_nobody(text: str) -> None:
    grace = make.agent(name="Grace")
    issue = make.issue(grace.company)
    issue.comment(text, by=make.by(make.owner_of(grace.company)))
    assert reasons(grace, issue) == []


def test_a_name_with_a_blank_can_be_mentioned() -> None:
    agent = make.agent(name="Grace Hopper")
    issue = make.issue(agent.company)
    issue.comment("@grace hopper, please", by=SYSTEM)
    assert reasons(agent, issue) == ["issue_comment_mentioned"]


def test_agents_of_other_companies_do_not_hear_their_name() -> None:
    grace, issue = make.agent(name="Grace"), make.issue()
    issue.comment(f"@Grace agent://{grace.pk}", by=SYSTEM)
    assert not grace.runs.exists()


def test_the_assignee_is_woken_by_a_comment_but_not_by_its_own() -> None:
    agent = make.agent()
    issue = make.issue(agent.company, assignee_agent=agent, status="backlog")
    issue.comment("Note to self.", by=Actor.of_agent(agent))
    assert reasons(agent, issue) == []
    issue.comment("How far are you?", by=SYSTEM)
    assert reasons(agent, issue) == ["issue_commented"]


def test_a_mentioned_assignee_is_woken_once() -> None:
    agent = make.agent(name="Grace")
    issue = make.issue(agent.company, assignee_agent=agent, status="backlog")
    issue.comment("@Grace @Grace", by=SYSTEM)
    assert reasons(agent, issue) == ["issue_comment_mentioned"]


def test_a_closed_issue_wakes_no_assignee() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    issue.change(by=SYSTEM, status="done")
    agent.runs.open().cancel(by=SYSTEM, why="test")
    issue.comment("Thanks.", by=SYSTEM)
    assert reasons(agent, issue) == []


def test_reopen_wakes_the_assignee_for_that() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    issue.change(by=SYSTEM, status="done")
    agent.runs.open().cancel(by=SYSTEM, why="test")
    issue.comment("Once more.", by=SYSTEM, reopen=True)
    assert issue.status == "todo"
    # And told what it was never started for.
    assert reasons(agent, issue) == ["issue_assigned", "issue_reopened_via_comment"]


def test_interrupt_ends_the_running_run() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    run, _ = make.live_run(agent, issue)
    issue.comment("Stop.", by=make.by(make.owner_of(issue.company)), interrupt=True)
    run.refresh_from_db()
    assert run.status == "cancelled"
    with pytest.raises(NotAllowed):
        issue.comment("Stop.", by=Actor.of_agent(agent), interrupt=True)


def test_a_comment_inside_a_change_wakes_only_the_mentioned() -> None:
    grace = make.agent(name="Grace")
    other = make.agent(grace.company)
    issue = make.issue(grace.company, assignee_agent=other, status="backlog")
    issue.change(by=SYSTEM, comment="@Grace", priority=0)
    assert reasons(grace, issue) == ["issue_comment_mentioned"]
    assert reasons(other, issue) == []


@pytest.mark.parametrize("text", ["", "  \n", "x" * 65_537])
def test_a_comment_has_some_text_and_not_too_much(text: str) -> None:
    with pytest.raises(BadRequest):
        make.issue().comment(text, by=SYSTEM)


def test_a_viewer_may_not_comment() -> None:
    issue = make.issue()
    viewer = make.by(make.operator(issue.company, role="viewer"))
    with pytest.raises(NotAllowed, match="viewer"):
        issue.comment("Hello", by=viewer)


@pytest.mark.django_db(transaction=True)
def test_comments_that_wake_the_same_agents_do_not_lock_each_other_out() -> None:
    company = make.company()
    first, second = make.agent(company, name="Ada"), make.agent(company, name="Bea")
    issue = make.issue(company, assignee_agent=first)
    first.wake("on_demand", "test", by=SYSTEM, issue_id=issue.pk)
    second.wake("on_demand", "test", by=SYSTEM, issue_id=issue.pk)

    def say(number: int) -> None:
        # The one wakes Bea and then Ada, its assignee; the other both by name.
        text = "@Bea" if number % 2 else "@Ada @Bea"
        Issue.objects.get(pk=issue.pk).comment(text, by=SYSTEM)

    for _ in range(10):
        assert [
            error for error in together(6, say) if isinstance(error, Exception)
        ] == []
