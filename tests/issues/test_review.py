"""Done work goes to its reviewer, and what the reviewer says decides."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from agents.models import Agent, Run, Wakeup
from issues import lying, repositories
from issues.models import Issue, Project
from issues.models.base import Status
from issues.models.fix import FIX
from issues.sweep import wake_waiting
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import BadRequest, Conflict, Invalid, NotAllowed
from paperclip.models import Activity
from tests import make
from tests.clones import clone

pytestmark = pytest.mark.django_db


class Team(NamedTuple):
    cto: Agent
    qa: Agent
    dev: Agent


@pytest.fixture
def team() -> Team:
    company = make.company()
    cto = make.agent(company, name="CTO", permissions={"canAssignTasks": True})
    qa = make.agent(company, name="QA", reports_to=cto)
    return Team(cto, qa, make.agent(company, name="Dev", reports_to=cto, reviewer=qa))


def checked_out(agent: Agent, issue: Issue) -> Actor:
    by = make.working(agent, issue)
    issue.refresh_from_db()
    issue.check_out(agent, by.run, ["todo", "blocked", "in_review"], by=by)
    return by


def under_review(team: Team, **fields: object) -> Issue:
    issue = make.issue(team.dev.company, assignee_agent=team.dev, **fields)
    by = checked_out(team.dev, issue)
    issue.change(by=by, status="done", comment="It works.")
    assert by.run is not None
    by.run.finish(Run.Status.SUCCEEDED)
    return issue


def refuse(issue: Issue, reviewer: Agent, why: str = "test_slug fails") -> None:
    by = checked_out(reviewer, issue)
    issue.change(by=by, status="in_progress", comment=why)
    assert by.run is not None
    by.run.finish(Run.Status.SUCCEEDED)


def do(issue: Issue, agent: Agent) -> None:
    by = checked_out(agent, issue)
    issue.change(by=by, status="done", comment="Done.")
    assert by.run is not None
    by.run.finish(Run.Status.SUCCEEDED)


def fix_of(issue: Issue) -> Issue:
    return issue.children.filter(origin_kind=FIX).latest("created_at")


@pytest.mark.parametrize("asked", ["done", "in_review"])
def test_done_work_goes_to_its_reviewer(team: Team, asked: str) -> None:
    issue = make.issue(team.dev.company, assignee_agent=team.dev)
    by = checked_out(team.dev, issue)
    issue.change(by=by, status=asked, comment="It works.")
    issue.refresh_from_db()
    assert issue.status == Status.IN_REVIEW
    assert (issue.assignee_agent, issue.executor_agent) == (team.qa, team.dev)
    assert issue.checkout_run is None and issue.completed_at is None
    woken = Wakeup.objects.filter(agent=team.qa, issue_id=issue.pk)
    assert woken.values_list("reason", flat=True).get() == "issue_assigned"


def test_without_a_reviewer_done_is_done(team: Team) -> None:
    issue = make.issue(team.cto.company, assignee_agent=team.cto)
    do(issue, team.cto)
    issue.refresh_from_db()
    assert issue.approved_by() == ""
    assert (issue.status, issue.assignee_agent) == (Status.DONE, team.cto)


def test_a_dismissed_reviewer_reviews_nothing(team: Team) -> None:
    team.qa.terminate(by=SYSTEM)
    issue = make.issue(team.dev.company, assignee_agent=team.dev)
    do(issue, team.dev)
    assert issue.status == Status.DONE


def test_the_reviewer_approves(team: Team) -> None:
    issue = under_review(team)
    by = checked_out(team.qa, issue)
    issue.change(by=by, status="done", comment="12 tests pass.")
    issue.refresh_from_db()
    assert issue.status == Status.DONE
    assert (issue.assignee_agent, issue.executor_agent) == (team.dev, None)
    assert issue.approved_by() == "QA"
    decided = Activity.objects.get(action="issue.review_decided")
    assert decided.details["outcome"] == "approved"


def test_a_review_says_what_it_looked_at(team: Team) -> None:
    issue = under_review(team)
    by = checked_out(team.qa, issue)
    with pytest.raises(Invalid, match="say what you looked at"):
        issue.change(by=by, status="done", comment=" ")
    issue.refresh_from_db()
    assert (issue.status, issue.executor_agent) == (Status.IN_PROGRESS, team.dev)


@pytest.mark.parametrize("asked", ["done", "todo", "cancelled", "in_progress"])
def test_nobody_reviews_its_own_work(team: Team, asked: str) -> None:
    issue = under_review(team)
    dev = make.working(team.dev)
    with pytest.raises(NotAllowed):
        issue.change(by=dev, status=asked, comment="Fine.")
    # Not even who filed it, and so may steer it otherwise.
    Issue.objects.filter(pk=issue.pk).update(created_by_agent=team.dev)
    with pytest.raises(NotAllowed, match="is being reviewed by QA"):
        issue.change(by=dev, status=asked, comment="Fine.")


def test_changes_requested_return_it_with_a_fix(team: Team) -> None:
    issue = under_review(team, title="Slugs")
    refuse(issue, team.qa, "test_slug fails:\nexpected a-b")
    issue.refresh_from_db()
    assert issue.status == Status.BLOCKED and issue.failed_reviews == 1
    assert (issue.assignee_agent, issue.executor_agent) == (team.dev, None)
    fix = fix_of(issue)
    assert (fix.title, fix.status) == ("Fix: Slugs", Status.TODO)
    assert fix.assignee_agent == team.dev
    assert "> test_slug fails:\n> expected a-b" in (fix.description or "")
    # One wake, for what can be done now.
    woken = team.dev.wakeups.filter(status="queued").exclude(reason="test")
    assert woken.latest("created_at").issue_id == fix.pk
    assert not woken.filter(issue_id=issue.pk, created_at__gt=fix.created_at).exists()


def test_the_fix_done_it_is_reviewed_again(team: Team) -> None:
    issue = under_review(team)
    refuse(issue, team.qa)
    do(fix_of(issue), team.dev)
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.IN_REVIEW, team.qa)
    assert issue.executor_agent == team.dev
    assert fix_of(issue).status == Status.DONE
    last = team.qa.wakeups.exclude(reason="test").latest("created_at")
    assert (last.issue_id, last.reason) == (issue.pk, "issue_blockers_resolved")


def test_a_second_refusal_goes_to_the_manager(team: Team) -> None:
    issue = under_review(team)
    refuse(issue, team.qa)
    do(fix_of(issue), team.dev)
    refuse(issue, team.qa)
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.TODO, team.cto)
    assert issue.executor_agent is None and issue.failed_reviews == 2
    said = issue.comments.filter(author_agent=None).latest("created_at")
    assert "2 reviews failed. CTO decides" in said.body
    assert issue.comments.last() == said
    assert team.cto.wakeups.filter(issue_id=issue.pk, reason="issue_assigned").exists()


def test_the_manager_gives_it_back_and_it_is_reviewed_again(team: Team) -> None:
    issue = under_review(team)
    refuse(issue, team.qa)
    do(fix_of(issue), team.dev)
    refuse(issue, team.qa)
    issue.refresh_from_db()
    issue.change(
        by=make.working(team.cto, issue),
        assignee_agent=team.dev,
        comment="The separator is the cause.",
    )
    do(issue, team.dev)
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.IN_REVIEW, team.qa)


def test_the_fourth_refusal_is_a_persons_to_decide(team: Team) -> None:
    issue = under_review(team)
    Issue.objects.filter(pk=issue.pk).update(failed_reviews=3)
    refuse(issue, team.qa)
    issue.refresh_from_db()
    assert issue.assignee_user == make.owner_of(team.dev.company)
    assert (issue.assignee_agent, issue.status) == (None, Status.IN_REVIEW)


def test_a_person_may_decide_instead(team: Team) -> None:
    boss = Actor.of_user(make.owner_of(team.dev.company))
    issue = under_review(team)
    issue.change(by=boss, status="todo")
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.TODO, team.dev)
    assert issue.failed_reviews == 0 and not issue.is_under_review
    second = under_review(team)
    second.change(by=boss, status="done")
    second.refresh_from_db()
    assert (second.status, second.assignee_agent) == (Status.DONE, team.dev)


def test_a_person_may_give_it_to_another_reviewer(team: Team) -> None:
    boss = Actor.of_user(make.owner_of(team.dev.company))
    issue = under_review(team)
    issue.change(by=boss, assignee_agent=team.cto)
    issue.refresh_from_db()
    assert (issue.assignee_agent, issue.executor_agent) == (team.cto, team.dev)
    issue.change(by=boss, assignee_agent=team.dev)
    issue.refresh_from_db()
    assert (issue.status, issue.executor_agent) == (Status.TODO, None)


def test_a_review_nobody_was_woken_for_is_found(team: Team) -> None:
    issue = under_review(team)
    for run in team.qa.runs.open():
        run.cancel(by=SYSTEM, why="lost")
    run, _ = make.live_run(team.qa)
    run.finish(Run.Status.SUCCEEDED)
    Wakeup.objects.filter(agent=team.qa).delete()
    team.qa.runs.all().delete()
    assert issue in lying.waiting()


def handed_over(team: Team, title: str, text: str, place: Path) -> Issue:
    """An issue under review whose branch changes the same file as any other's."""
    project = Project.objects.first() or make.project(team.dev.company)
    issue = make.issue(
        team.dev.company, title=title, project=project, assignee_agent=team.dev
    )
    work = clone(place, issue)
    work.write("page.txt", text)
    assert work.upload().status_code == 201
    issue.refresh_from_db()
    assert issue.checkout_run is not None
    run = issue.checkout_run
    issue.change(by=Actor.of_agent(team.dev, run), status="done", comment="There.")
    run.finish(Run.Status.SUCCEEDED)
    return issue


def test_approval_merges_the_branch(team: Team, tmp_path: Path) -> None:
    issue = handed_over(team, "One", "one", tmp_path / "one")
    assert issue.project is not None
    assert repositories.show(issue.project, "main", "page.txt") is None
    do(issue, team.qa)
    assert repositories.show(issue.project, "main", "page.txt") == b"one"


def test_what_contradicts_the_project_goes_back(team: Team, tmp_path: Path) -> None:
    first = handed_over(team, "One", "one", tmp_path / "one")
    second = handed_over(team, "Two", "two", tmp_path / "two")
    do(first, team.qa)
    do(second, team.qa)
    second.refresh_from_db()
    assert (second.status, second.assignee_agent) == (Status.BLOCKED, team.dev)
    assert second.failed_reviews == 1
    assert "page.txt" in (fix_of(second).description or "")
    boss = Actor.of_user(make.owner_of(team.dev.company))
    with pytest.raises(Conflict, match=r"page\.txt"):
        second.change(by=boss, status="done")


def test_only_who_steers_an_issue_takes_it_to_another_project(team: Team) -> None:
    issue = make.issue(team.dev.company, assignee_agent=team.dev)
    peer = make.agent(team.dev.company, name="Peer")
    elsewhere = make.project(team.dev.company)
    with pytest.raises(NotAllowed, match="is the work of"):
        issue.change(by=make.working(peer), project=elsewhere)
    issue.change(by=checked_out(team.dev, issue), project=elsewhere)


def test_the_api_tells_of_the_review(team: Team) -> None:
    issue = make.issue(team.dev.company, assignee_agent=team.dev)
    by = checked_out(team.dev, issue)
    dev = make.client_of(team.dev, run=by.run)
    body = {"status": "done", "comment": "It works."}
    told = dev.patch(f"/api/issues/{issue.pk}", body, format="json").json()
    assert (told["status"], told["assigneeAgentId"]) == ("in_review", str(team.qa.pk))
    state = told["executionState"]
    assert state["currentParticipant"]["agentId"] == str(team.qa.pk)
    assert state["returnAssignee"]["agentId"] == str(team.dev.pk)
    refused = dev.patch(f"/api/issues/{issue.pk}", {"status": "done"}, format="json")
    assert refused.status_code == 403 and refused.json()["code"] == "not_yours"
    reviewing = make.working(team.qa, issue)
    qa = make.client_of(team.qa, run=reviewing.run)
    refused = qa.patch(f"/api/issues/{issue.pk}", {"status": "done"}, format="json")
    assert refused.status_code == 422 and "comment" in refused.json()["error"]
    body = {"status": "done", "comment": "I ran it."}
    told = qa.patch(f"/api/issues/{issue.pk}", body, format="json").json()
    assert (told["status"], told["executionState"]) == ("done", None)


def boss_of(team: Team) -> Actor:
    return Actor.of_user(make.owner_of(team.dev.company))


def test_naming_oneself_is_no_way_around_the_review(team: Team) -> None:
    issue = make.issue(team.dev.company, assignee_agent=team.dev)
    by = checked_out(team.dev, issue)
    issue.change(by=by, status="done", assignee_agent=team.dev, comment="It works.")
    assert (issue.status, issue.assignee_agent) == (Status.IN_REVIEW, team.qa)
    assert by.run is not None
    by.run.finish(Run.Status.SUCCEEDED)
    by = checked_out(team.qa, issue)
    issue.change(by=by, status="done", assignee_agent=team.qa, comment="I ran it.")
    issue.refresh_from_db()
    assert (issue.status, issue.executor_agent) == (Status.DONE, None)
    assert issue.approved_by() == "QA"


def test_who_filed_it_does_not_review_it(team: Team) -> None:
    issue = under_review(team)
    author = make.agent(team.dev.company, name="CMO")
    Issue.objects.filter(pk=issue.pk).update(created_by_agent=author)
    with pytest.raises(NotAllowed, match="is being reviewed by QA"):
        issue.change(by=make.working(author), status="done", comment="Nice.")
    issue.change(by=make.working(team.cto), status="done", comment="I looked.")
    assert issue.status == Status.DONE


def test_a_refused_approval_merges_nothing(team: Team, tmp_path: Path) -> None:
    issue = handed_over(team, "One", "one", tmp_path / "one")
    assert issue.project is not None
    qa = checked_out(team.qa, issue)
    with pytest.raises(Invalid):
        issue.change(by=qa, status="done", comment="Fine.", blocked_by=[issue])
    with pytest.raises(BadRequest):
        issue.change(by=qa, status="done", comment="x" * 70_000)
    assert repositories.show(issue.project, "main", "page.txt") is None


def test_closing_a_fix_by_hand_merges_nothing(team: Team, tmp_path: Path) -> None:
    issue = handed_over(team, "One", "one", tmp_path / "one")
    refuse(issue, team.qa)
    fix_of(issue).change(by=boss_of(team), status="done")
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.IN_REVIEW, team.qa)
    assert issue.project is not None
    assert repositories.show(issue.project, "main", "page.txt") is None


def test_a_fix_found_unnecessary_is_reviewed_again(team: Team) -> None:
    issue = under_review(team)
    refuse(issue, team.qa)
    fix_of(issue).change(by=boss_of(team), status="cancelled")
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.IN_REVIEW, team.qa)


def test_what_the_manager_closes_is_merged(team: Team, tmp_path: Path) -> None:
    issue = handed_over(team, "One", "one", tmp_path / "one")
    Issue.objects.filter(pk=issue.pk).update(failed_reviews=1)
    refuse(issue, team.qa)
    do(issue, team.cto)
    issue.refresh_from_db()
    assert issue.status == Status.DONE and issue.project is not None
    assert repositories.show(issue.project, "main", "page.txt") == b"one"


def test_an_author_without_a_reviewer_is_looked_at_by_a_person(
    team: Team, tmp_path: Path
) -> None:
    team.dev.change(by=SYSTEM, reviewer=None)
    issue = handed_over(team, "One", "one", tmp_path / "one")
    issue.refresh_from_db()
    assert issue.status == Status.IN_REVIEW
    assert issue.assignee_user == make.owner_of(team.dev.company)
    assert issue.project is not None
    assert repositories.show(issue.project, "main", "page.txt") is None
    issue.change(by=boss_of(team), status="done")
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.DONE, team.dev)
    assert issue.assignee_user is None
    assert repositories.show(issue.project, "main", "page.txt") == b"one"


def test_conflicts_do_not_go_round_for_ever(team: Team, tmp_path: Path) -> None:
    first = handed_over(team, "One", "one", tmp_path / "one")
    second = handed_over(team, "Two", "two", tmp_path / "two")
    do(first, team.qa)
    do(second, team.qa)
    do(fix_of(second), team.dev)
    do(second, team.qa)
    second.refresh_from_db()
    assert (second.assignee_agent, second.failed_reviews) == (team.cto, 2)


def test_refusing_the_work_of_somebody_who_is_gone(team: Team) -> None:
    issue = under_review(team)
    team.dev.terminate(by=SYSTEM)
    refuse(issue, team.qa)
    issue.refresh_from_db()
    assert (issue.assignee_agent, issue.status) == (team.cto, Status.TODO)


@pytest.mark.parametrize("gone", ["qa", "dev"])
def test_nobody_waits_for_somebody_who_is_gone(team: Team, gone: str) -> None:
    issue = under_review(team)
    if gone == "dev":
        refuse(issue, team.qa)
    getattr(team, gone).terminate(by=SYSTEM)
    wake_waiting()
    issue.refresh_from_db()
    assert issue.assignee_user == make.owner_of(team.dev.company)
    last = issue.comments.filter(author_agent=None).last()
    assert last is not None and "does not work here any more" in last.body
    assert issue.is_under_review == (gone == "qa")


def test_a_manager_who_is_gone_decides_nothing(team: Team) -> None:
    issue = under_review(team)
    Issue.objects.filter(pk=issue.pk).update(failed_reviews=3)
    team.cto.terminate(by=SYSTEM)
    refuse(issue, team.qa)
    issue.refresh_from_db()
    assert issue.assignee_user == make.owner_of(team.dev.company)


def test_a_company_without_an_owner_loses_nothing(team: Team) -> None:
    issue = under_review(team)
    team.dev.company.memberships.all().delete()
    Issue.objects.filter(pk=issue.pk).update(failed_reviews=3)
    refuse(issue, team.qa)
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == (Status.IN_REVIEW, None)
