"""T-01: the lock of an issue: one holder, and only while its run lives."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import ForeignKey
from django.utils.timezone import now

from agents.models import Agent, Run
from issues.models import Issue
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db

ALL = ["todo", "backlog", "blocked", "in_review"]


def held(issue: Issue, agent: Agent) -> Actor:
    """The agent, having checked the issue out through a live run."""
    actor = make.working(agent, issue)
    issue.check_out(agent, actor.run, ALL, by=actor)
    return actor


def end(run: Run, how: str) -> None:
    """Put an end to the run, in one of the ways there are."""
    if how == "deleted":
        run.delete()
    elif how == "cancelled":
        run.cancel(by=SYSTEM, why="test")
    elif how == "lease lost":
        past = now() - timedelta(seconds=1)
        Run.objects.filter(pk=run.pk).update(lease_expires_at=past)
    else:
        assert run.finish(how)


def test_it_is_taken() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    actor = held(issue, agent)
    assert (issue.status, issue.assignee_agent) == ("in_progress", agent)
    assert issue.live_holder() == actor.run
    assert issue.started_at is not None


@pytest.mark.parametrize("how", [*Run.ENDED, "deleted", "lease lost"])
def test_a_dead_holder_blocks_nobody(how: str) -> None:
    """T-01a."""
    agent = make.agent()
    issue = make.issue(agent.company)
    first = held(issue, agent).run
    gone = {first.pk}
    end(first, how)
    # Its own agent gets it back at the first try, whatever it expects.
    run, _ = make.live_run(agent, make.issue(agent.company))
    issue.refresh_from_db()
    issue.check_out(agent, run, ["todo"], by=Actor.of_agent(agent, run))
    assert issue.live_holder() == run
    gone.add(run.pk)
    end(run, how)
    # And so does another assignee.
    other = make.agent(agent.company)
    issue.refresh_from_db()
    issue.change(by=SYSTEM, assignee_agent=other)
    second = held_in_progress(issue, other)
    fresh = Issue.objects.get(pk=issue.pk)
    assert fresh.live_holder() == second.run
    named = [getattr(fresh, f.attname) for f in Issue._meta.fields]
    assert not gone & {*named}


def held_in_progress(issue: Issue, agent: Agent) -> Actor:
    actor = make.working(agent, make.issue(agent.company))
    issue.check_out(agent, actor.run, ["in_progress"], by=actor)
    return actor


def test_adopting_a_dead_lock_is_logged_with_the_run_before() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    first = held(issue, agent)
    first.run.finish("failed")
    held(Issue.objects.get(pk=issue.pk), agent)
    row = Activity.objects.get(action="issue.checkout_lock_adopted")
    assert row.details["previousRunId"] == str(first.run.pk)


def test_a_live_holder_is_never_displaced() -> None:
    """T-01b."""
    agent = make.agent(max_concurrent_runs=2)
    issue = make.issue(agent.company)
    holder = held(issue, agent)
    other, sibling = make.agent(agent.company), make.working(agent)
    for taker, actor in ((other, make.working(other)), (agent, sibling)):
        with pytest.raises(Conflict, match="Issue checkout conflict") as refusal:
            Issue.objects.get(pk=issue.pk).check_out(
                taker, actor.run, [*ALL, "in_progress"], by=actor
            )
        details = refusal.value.details
        assert details["reason"] == "held_by_live_run"
        assert details["holderRunId"] == str(holder.run.pk)
        assert details["holderIsLive"] is True
        assert details["retryAfter"] == 60
    assert Issue.objects.get(pk=issue.pk).live_holder() == holder.run


def test_the_holder_gets_it_again() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    actor = held(issue, agent)
    acts = Activity.objects.count()
    issue.check_out(agent, actor.run, ["todo"], by=actor)
    assert Activity.objects.count() == acts


def test_one_column_says_who_holds_it() -> None:
    """T-01c."""
    to_runs = [
        field.name
        for field in Issue._meta.get_fields()
        if isinstance(field, ForeignKey) and field.related_model is Run
    ]
    locks = [
        field.name
        for field in Issue._meta.fields
        if any(word in field.name for word in ("checkout", "execution", "lock", "held"))
    ]
    assert to_runs == locks == ["checkout_run"]


def test_an_unexpected_status_is_a_conflict() -> None:
    agent = make.agent()
    issue = make.issue(agent.company, status="backlog")
    actor = make.working(agent)
    with pytest.raises(Conflict) as refusal:
        issue.check_out(agent, actor.run, ["done"], by=actor)
    assert refusal.value.details["reason"] == "status_not_expected"


def test_an_issue_of_somebody_else_is_not_taken() -> None:
    agent = make.agent()
    actor = make.working(agent)
    others = [
        make.issue(agent.company, assignee_agent=make.agent(agent.company)),
        make.issue(agent.company, assignee_user=make.owner_of(agent.company)),
    ]
    for issue in others:
        with pytest.raises(Conflict) as refusal:
            issue.check_out(agent, actor.run, ALL, by=actor)
        assert refusal.value.details["reason"] == "assigned_to_other"


def test_an_agent_only_takes_for_itself() -> None:
    agent = make.agent()
    other = make.agent(agent.company)
    issue = make.issue(agent.company)
    with pytest.raises(NotAllowed):
        issue.check_out(other, None, ALL, by=make.working(agent))


def test_a_run_that_has_ended_takes_nothing() -> None:
    agent = make.agent()
    actor = make.working(agent)
    actor.run.finish("succeeded")
    with pytest.raises(Conflict) as refusal:
        make.issue(agent.company).check_out(agent, actor.run, ALL, by=actor)
    assert refusal.value.details["reason"] == "run_not_live"


def test_a_paused_project_hands_out_nothing() -> None:
    agent = make.agent()
    project = make.project(agent.company, paused_at=now())
    issue = make.issue(agent.company, project=project)
    with pytest.raises(Conflict, match="paused"):
        held(issue, agent)


def test_an_operator_assigns_by_checking_out() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    operator = make.by(make.owner_of(agent.company))
    issue.check_out(agent, None, ALL, by=operator)
    assert (issue.status, issue.checkout_run) == ("in_progress", None)
    assert agent.runs.get().wakes[0]["reason"] == "issue_checked_out"


def test_release_gives_it_back() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    actor = held(issue, agent)
    issue.release(by=actor)
    assert (issue.status, issue.assignee_agent, issue.checkout_run) == (
        "todo",
        None,
        None,
    )


def test_only_its_holder_or_an_operator_releases() -> None:
    agent = make.agent()
    issue = make.issue(agent.company)
    held(issue, agent)
    with pytest.raises(Conflict):
        issue.release(by=make.working(make.agent(agent.company)))
    issue.release(by=make.by(make.owner_of(agent.company)))
    assert issue.status == "todo"


def test_a_blocked_issue_names_its_blockers() -> None:
    agent = make.agent()
    blocker = make.issue(agent.company)
    issue = make.issue(agent.company, blocked_by=[blocker])
    with pytest.raises(Invalid, match=blocker.identifier) as refusal:
        held(issue, agent)
    assert refusal.value.code == "unresolved_blockers"


@pytest.mark.django_db(transaction=True)
def test_one_of_many_checkouts_wins() -> None:
    company = make.company()
    issue = make.issue(company)
    actors = [make.working(make.agent(company)) for _ in range(10)]

    def take(number: int) -> None:
        actor = actors[number]
        fresh = Issue.objects.get(pk=issue.pk)
        fresh.check_out(actor.agent, actor.run, ALL, by=actor)

    results = together(10, take)
    assert results.count(None) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 9
    assert Activity.objects.filter(action="issue.checked_out").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_checkout_and_a_new_blocker_do_not_cross() -> None:
    agent = make.agent()
    actor = make.working(agent)
    for _ in range(5):
        issue, blocker = make.issue(agent.company), make.issue(agent.company)

        def act(number: int, issue: Issue = issue, blocker: Issue = blocker) -> None:
            fresh = Issue.objects.get(pk=issue.pk)
            if number:
                fresh.change(by=SYSTEM, blocked_by=[blocker])
            else:
                fresh.check_out(agent, actor.run, ALL, by=actor)

        results = together(2, act)
        assert sorted(type(r) for r in results if r) == [Invalid], results
