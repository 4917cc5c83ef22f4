"""The status machine: where an issue may go, and what follows when it does."""

from __future__ import annotations

from itertools import permutations

import pytest

from issues.models import Issue
from issues.models.base import Status
from issues.models.status import MOVES
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity
from tests import make

pytestmark = pytest.mark.django_db

PAIRS = list(permutations(Status.values, 2))


def standing(status: str, **fields: object) -> Issue:
    """An issue in that status, brought there by the system."""
    issue = make.issue(status="todo", **fields)
    if status != "todo":
        issue.change(by=SYSTEM, status=status)
    return issue


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_an_operator_may_move_it_anywhere(start: str, end: str) -> None:
    issue = standing(start, assignee_agent=make.agent())
    issue.change(by=make.by(make.owner_of(issue.company)), status=end)
    assert Issue.objects.get(pk=issue.pk).status == end


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_an_agent_may_move_it_as_the_table_says(start: str, end: str) -> None:
    agent = make.agent()
    issue = standing(start, assignee_agent=agent)
    actor = make.working(agent, issue)
    if end in MOVES[Status(start)]:
        issue.change(by=actor, status=end)
        assert Issue.objects.get(pk=issue.pk).status == end
    else:
        with pytest.raises(Conflict, match="It can become"):
            issue.change(by=actor, status=end)
        assert Issue.objects.get(pk=issue.pk).status == start


def test_an_agent_needs_a_run_to_change_anything() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    with pytest.raises(NotAllowed, match="X-Paperclip-Run-Id"):
        issue.change(by=make.Actor.of_agent(agent), title="mine")


def test_the_stamps_say_when() -> None:
    issue = standing("todo", assignee_agent=make.agent())
    issue.change(by=SYSTEM, status="in_progress")
    started = issue.started_at
    assert started is not None
    issue.change(by=SYSTEM, status="done")
    assert issue.completed_at is not None
    issue.change(by=SYSTEM, status="in_progress")
    assert (issue.started_at, issue.completed_at) == (started, None)
    issue.change(by=SYSTEM, status="cancelled")
    assert issue.cancelled_at is not None


def test_work_in_progress_needs_an_assignee() -> None:
    issue = make.issue()
    with pytest.raises(Invalid, match="assign it first"):
        issue.change(by=SYSTEM, status="in_progress")


def test_it_has_one_assignee_at_most() -> None:
    issue = make.issue()
    with pytest.raises(Invalid, match="one assignee"):
        issue.change(
            by=SYSTEM,
            assignee_agent=make.agent(issue.company),
            assignee_user=make.owner_of(issue.company),
        )


def test_leaving_progress_lets_go_of_the_lock() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    actor = make.working(agent, issue)
    issue.check_out(agent, actor.run, ["todo"], by=actor)
    issue.change(by=actor, status="in_review")
    assert issue.checkout_run_id is None
    actor.run.refresh_from_db()
    assert actor.run.is_live  # its own doing: it goes on and finishes


def test_taking_the_issue_away_ends_the_run_that_works_on_it() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    actor = make.working(agent, issue)
    issue.check_out(agent, actor.run, ["todo"], by=actor)
    owner = make.by(make.owner_of(issue.company))
    issue.change(by=owner, assignee_agent=make.agent(issue.company))
    actor.run.refresh_from_db()
    assert (actor.run.status, issue.checkout_run_id) == ("cancelled", None)


def test_every_change_is_in_the_log() -> None:
    issue = make.issue()
    agent = make.agent(issue.company)
    issue.change(by=SYSTEM, assignee_agent=agent)
    row = Activity.objects.filter(action="issue.updated").get()
    assert row.details["changed"] == ["assignee_agent"]


def test_what_an_agent_changes_while_it_starts_is_kept() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    actor = make.working(agent, issue)
    issue.change(by=actor, status="in_progress", title="New", priority=0)
    issue.refresh_from_db()
    assert (issue.title, issue.priority, issue.status) == ("New", 0, "in_progress")
    assert issue.checkout_run_id == actor.run_id


def test_an_agent_may_not_assign_others_without_the_right() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    other = make.agent(issue.company)
    with pytest.raises(NotAllowed, match="no right to assign"):
        issue.change(by=make.working(agent, issue), assignee_agent=other)


def test_an_agent_with_the_right_delegates() -> None:
    boss = make.agent(role="ceo")
    issue = make.issue(boss.company)
    other = make.agent(boss.company)
    issue.change(by=make.working(boss), assignee_agent=other)
    assert other.runs.get().issue_id == issue.pk


def test_a_terminated_agent_gets_no_work() -> None:
    issue = make.issue()
    agent = make.agent(issue.company)
    agent.terminate(by=SYSTEM)
    with pytest.raises(Invalid, match="terminated"):
        issue.change(by=SYSTEM, assignee_agent=agent)


def test_a_person_of_another_company_gets_no_work() -> None:
    stranger = make.owner_of(make.company("Other"))
    with pytest.raises(Invalid, match="not a member"):
        make.issue().change(by=SYSTEM, assignee_user=stranger)


def test_links_stay_inside_the_company() -> None:
    issue, foreign = make.issue(), make.company("Other")
    for name, row in (
        ("project", make.project(foreign)),
        ("goal", make.goal(foreign)),
        ("parent", make.issue(foreign)),
    ):
        with pytest.raises(Invalid, match="another company"):
            issue.change(by=SYSTEM, **{name: row})


@pytest.mark.parametrize("start", ["done", "cancelled"])
def test_reopen_brings_it_back_and_wakes_the_assignee(start: str) -> None:
    agent = make.agent()
    issue = standing(start, assignee_agent=agent)
    agent.runs.open().cancel(by=SYSTEM, why="test")
    issue.change(by=make.by(make.owner_of(issue.company)), reopen=True)
    assert (issue.status, issue.completed_at) == ("todo", None)
    run = agent.runs.get(status="queued")
    assert run.wakes[-1]["reason"] == "issue_reopened_via_comment"


def test_leaving_the_backlog_wakes_the_assignee() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent, status="backlog")
    assert not agent.runs.exists()
    issue.change(by=SYSTEM, status="todo")
    assert agent.runs.get().wakes[0]["reason"] == "issue_status_changed"


def test_a_child_takes_its_project_and_goal_from_its_parent() -> None:
    company = make.company()
    goal = make.goal(company)
    parent = make.issue(company, project=make.project(company, goal=goal))
    child = make.issue(company, parent=parent)
    assert (child.project, child.goal) == (parent.project, goal)
    assert child.request_depth == 1


def test_numbers_count_up_in_each_company() -> None:
    first, second = make.company("Alpha Beta"), make.company("Gamma")
    names = [make.issue(c).identifier for c in (first, second, first)]
    assert names == ["ALP-1", "GAM-1", "ALP-2"]
