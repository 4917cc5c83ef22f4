"""Blockers, parents and children: who waits for whom, and who is told when."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid, Refused
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


def chain(length: int) -> list[Issue]:
    """Issues of which each waits for the next."""
    company = make.company()
    issues = [make.issue(company) for _ in range(length)]
    for issue, blocker in pairwise(issues):
        issue.change(by=SYSTEM, blocked_by=[blocker])
    return issues


def test_blockers_are_replaced_as_a_whole() -> None:
    issue, first = chain(2)
    second = make.issue(issue.company)
    issue.change(by=SYSTEM, blocked_by=[second])
    assert [edge.blocker for edge in issue.blocked_by.all()] == [second]
    assert not first.blocking.exists()
    issue.change(by=SYSTEM, blocked_by=[])
    assert not issue.blocked_by.exists()


def test_a_circle_is_refused_by_name() -> None:
    """T-09c."""
    first, second, third = chain(3)
    with pytest.raises(Invalid) as refusal:
        third.change(by=SYSTEM, blocked_by=[first])
    names = [first.identifier, second.identifier, third.identifier]
    assert refusal.value.code == "cycle"
    assert all(name in str(refusal.value) for name in names)
    assert not third.blocked_by.exists()


def test_an_issue_cannot_wait_for_itself() -> None:
    issue = make.issue()
    with pytest.raises(Invalid):
        issue.change(by=SYSTEM, blocked_by=[issue])


def test_a_circle_through_parents_is_refused() -> None:
    """T-09c."""
    parent = make.issue()
    child = make.issue(parent.company, parent=parent)
    grandchild = make.issue(parent.company, parent=child)
    with pytest.raises(Invalid) as refusal:
        grandchild.change(by=SYSTEM, blocked_by=[parent])
    assert refusal.value.code == "cycle"
    with pytest.raises(Invalid):
        parent.change(by=SYSTEM, parent=grandchild)


def test_a_circle_closed_by_two_fields_at_once_is_refused() -> None:
    parent = make.issue()
    issue = make.issue(parent.company)
    with pytest.raises(Invalid) as refusal:
        issue.change(by=SYSTEM, parent=parent, blocked_by=[parent])
    assert refusal.value.code == "cycle"


def test_a_blocker_of_another_company_is_refused() -> None:
    with pytest.raises(Invalid, match="another company"):
        make.issue().change(by=SYSTEM, blocked_by=[make.issue()])


@pytest.mark.parametrize("path", ["assign", "operator", "agent", "checkout", "file"])
def test_no_path_starts_a_blocked_issue(path: str) -> None:
    issue, blocker = chain(2)
    agent = make.agent(issue.company)
    operator = make.by(make.owner_of(issue.company))
    actor = make.working(agent)
    paths: dict[str, Any] = {
        "assign": lambda: issue.change(
            by=operator, assignee_agent=agent, status="in_progress"
        ),
        "operator": lambda: issue.check_out(agent, None, ["todo"], by=operator),
        "agent": lambda: issue.change(by=actor, status="in_progress"),
        "checkout": lambda: issue.check_out(agent, actor.run, ["todo"], by=actor),
        "file": lambda: make.issue(
            issue.company,
            assignee_agent=agent,
            status="in_progress",
            blocked_by=[blocker],
        ),
    }
    with pytest.raises(Invalid) as refusal:
        paths[path]()
    left = refusal.value.details["unresolvedBlockerIssueIds"]
    assert left == [str(blocker.pk)]
    assert not Issue.objects.filter(status="in_progress").exists()


def test_work_in_progress_cannot_get_a_blocker() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    issue.change(by=SYSTEM, status="in_progress")
    with pytest.raises(Invalid):
        issue.change(by=SYSTEM, blocked_by=[make.issue(issue.company)])


def test_only_done_resolves_a_blocker() -> None:
    issue, blocker = chain(2)
    agent = make.agent(issue.company)
    actor = make.working(agent)
    blocker.change(by=SYSTEM, status="cancelled")
    with pytest.raises(Invalid):
        issue.check_out(agent, actor.run, ["todo"], by=actor)
    blocker.change(by=SYSTEM, status="done")
    issue.check_out(agent, actor.run, ["todo"], by=actor)


def test_the_last_blocker_done_wakes_once() -> None:
    company = make.company()
    agent = make.agent(company)
    first, second = make.issue(company), make.issue(company)
    issue = make.issue(
        company, status="blocked", assignee_agent=agent, blocked_by=[first, second]
    )
    agent.runs.open().cancel(by=SYSTEM, why="test")
    first.change(by=SYSTEM, status="done")
    assert not agent.runs.open().exists()
    second.change(by=SYSTEM, status="done")
    run = agent.runs.open().get()
    assert run.issue_id == issue.pk
    assert [wake["reason"] for wake in run.wakes] == ["issue_blockers_resolved"]
    issue.refresh_from_db()
    assert issue.status == "blocked"  # the woken agent decides


def test_the_last_child_closed_wakes_the_parents_assignee() -> None:
    agent = make.agent()
    parent = make.issue(assignee_agent=agent)
    children = [make.issue(parent.company, parent=parent) for _ in range(2)]
    agent.runs.open().cancel(by=SYSTEM, why="test")
    children[0].change(by=SYSTEM, status="cancelled")
    assert not agent.runs.open().exists()
    children[1].change(by=SYSTEM, status="done")
    reasons = [wake["reason"] for wake in agent.runs.open().get().wakes]
    assert reasons == ["issue_assigned", "issue_children_completed"]


@pytest.mark.django_db(transaction=True)
def test_two_edges_at_once_do_not_close_a_circle() -> None:
    company = make.company()
    for field in ("blocked_by", "parent"):
        pair = [make.issue(company), make.issue(company)]

        def tie(number: int, field: str = field, pair: list[Issue] = pair) -> None:
            mine, other = pair[number], pair[1 - number]
            value = [other] if field == "blocked_by" else other
            Issue.objects.get(pk=mine.pk).change(by=SYSTEM, **{field: value})

        results = together(2, tie)
        assert sorted(type(r) for r in results if r) == [Invalid], results


@pytest.mark.django_db(transaction=True)
def test_filing_children_and_setting_blockers_do_not_lock_each_other_out() -> None:
    parent = make.issue()
    blocker = make.issue(parent.company)

    def work(number: int) -> None:
        fresh = Issue.objects.select_related("company").get(pk=parent.pk)
        if number % 2:
            make.issue(fresh.company, parent=fresh)
        else:
            fresh.change(by=SYSTEM, blocked_by=[blocker] if number % 4 else [])

    for _ in range(5):
        results = together(8, work)
        assert [r for r in results if r and not isinstance(r, Refused)] == []


@pytest.mark.django_db(transaction=True)
def test_the_last_two_blockers_done_at_once_wake_once() -> None:
    for _ in range(3):
        company = make.company()
        agent = make.agent(company)
        blockers = [make.issue(company), make.issue(company)]
        make.issue(company, status="blocked", assignee_agent=agent, blocked_by=blockers)
        agent.runs.open().cancel(by=SYSTEM, why="test")

        def close(number: int, blockers: list[Issue] = blockers) -> None:
            blocker = Issue.objects.get(pk=blockers[number].pk)
            blocker.change(by=SYSTEM, status="done")

        assert together(2, close) == [None, None]
        assert agent.runs.open().count() == 1


@pytest.mark.django_db(transaction=True)
def test_parts_that_hold_up_a_parent_that_changes_do_not_lock_it_out() -> None:
    parent = make.issue()

    def work(number: int) -> None:
        fresh = Issue.objects.select_related("company").get(pk=parent.pk)
        if number % 2:
            fresh.file_child(by=SYSTEM, title="Part", holds_up=True)
        else:
            fresh.change(by=SYSTEM, status="done" if number % 4 else "todo")

    for _ in range(5):
        results = together(8, work)
        assert [r for r in results if r and not isinstance(r, Refused)] == []
    assert parent.blocked_by.count() == 20


def test_who_is_given_blocked_work_is_woken_when_it_is_free() -> None:
    company = make.company()
    worker = make.agent(company)
    first = make.issue(company)
    waiting = make.issue(
        company, assignee_agent=worker, status="blocked", blocked_by=[first]
    )
    assert not worker.wakeups.exists()
    first.change(by=SYSTEM, status="done")
    woken = worker.wakeups.get(issue_id=waiting.pk)
    assert woken.reason == "issue_blockers_resolved"
