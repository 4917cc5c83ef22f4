"""T-05: what follows when a limit is reached, raised, or left behind by the month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.utils import timezone
from django.utils.timezone import now

from agents.models import (
    Agent,
    Approval,
    BudgetCounter,
    BudgetIncident,
    CostEvent,
    Run,
    Wakeup,
    metering,
)
from agents.models.grant import Scopes
from issues import budgets, sweep
from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, Missing, NotAllowed
from paperclip.models import Activity, Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


def spend(agent: Agent, cents: int, **more: Any) -> None:
    CostEvent.objects.report(
        agent.company,
        by=SYSTEM,
        agent=agent,
        provider="x",
        biller="x",
        model="m",
        cost_micros=cents * 10_000,
        **more,
    )


def incidents(**which: Any) -> list[tuple[str, str, str]]:
    rows = BudgetIncident.objects.filter(**which).order_by("created_at")
    return list(rows.values_list("scope_type", "threshold", "status"))


def only(threshold: str = "hard") -> BudgetIncident:
    return BudgetIncident.objects.get(threshold=threshold)


def state(scope: Any) -> tuple[str, str | None]:
    scope.refresh_from_db()
    return scope.status, scope.pause_reason


def queued(agent: Agent) -> set[Any]:
    """The work of its runs that wait."""
    waiting = agent.runs.filter(status="queued")
    return set(waiting.values_list("issue_id", flat=True))


def acts(action: str) -> int:
    return Activity.objects.filter(action=action).count()


# --- marks ---------------------------------------------------------------------------


def test_it_warns_once_and_then_stops(company: Company) -> None:
    agent = make.agent(company, budget_monthly_cents=100)
    spend(agent, 79)
    sweep.sweep()
    assert incidents() == []
    spend(agent, 1)
    sweep.sweep()
    spend(agent, 10)
    sweep.sweep()
    assert incidents() == [("agent", "soft", "open")]
    assert state(agent) == ("idle", None)
    spend(agent, 10)
    sweep.sweep()
    sweep.sweep()
    assert incidents() == [("agent", "soft", "resolved"), ("agent", "hard", "open")]
    assert state(agent) == ("paused", "budget")
    assert acts("budget.soft_threshold_crossed") == 1
    assert acts("budget.hard_threshold_crossed") == 1
    card = Approval.objects.get()
    assert (card.type, card.status) == ("budget_override_required", "pending")
    assert card.payload["raiseTo"] == 151
    assert "Raise it to $1.51" in card.summary


def test_a_jump_past_both_marks_warns_first(company: Company) -> None:
    make.budget(company, 100)
    spend(make.agent(company), 500)
    sweep.sweep()
    assert incidents() == [("company", "soft", "resolved"), ("company", "hard", "open")]
    assert state(company) == ("paused", "budget")


def test_a_limit_that_only_warns_stops_nobody(company: Company) -> None:
    agent = make.agent(company)
    make.budget(agent, 100, hard_stop=False)
    spend(agent, 500)
    sweep.sweep()
    assert incidents() == [("agent", "soft", "open")]
    assert state(agent) == ("idle", None)


@pytest.mark.parametrize("scope", ["company", "project", "agent", "issue"])
@pytest.mark.parametrize("metric", ["billed_cents", "tokens", "runs", "minutes"])
def test_every_scope_has_limits_of_everything(scope: str, metric: str) -> None:
    """T-05b."""
    company = make.company()
    project = make.project(company)
    agent, other = make.agent(company), make.agent(company)
    issue = make.issue(company, project=project, assignee_agent=agent)
    run = agent.runs.get()
    subject = {"company": company, "project": project, "agent": agent, "issue": issue}
    limit = 100 if metric in ("billed_cents", "tokens") else 1
    make.budget(subject[scope], limit, metric=metric, window_kind="calendar_month_utc")
    assert run.claim(host="test")
    Run.objects.filter(pk=run.pk).update(started_at=now() - timedelta(minutes=1))
    run.refresh_from_db()
    # Its program says so at its end.
    usage = {"inputTokens": 50, "cachedInputTokens": 50, "outputTokens": 10}
    make.end(run, usage={**usage, "costUsd": 1.5, "contextTokens": 1})
    sweep.sweep()
    assert incidents(threshold="hard") == [(scope, "hard", "open")]
    # Nobody in that scope starts any more, and everybody else does.
    again = agent.wake("automation", "test", by=SYSTEM, issue_id=issue.pk)
    assert again.status == "skipped"
    assert again.note == (
        f"{scope.capitalize()} is paused because its budget hard-stop was reached."
    )
    elsewhere = other.wake("automation", "test", by=SYSTEM)
    assert elsewhere.status == ("skipped" if scope == "company" else "queued")


def test_the_smallest_of_what_is_left_rules(company: Company) -> None:
    project = make.project(company)
    issue = make.issue(company, project=project)
    agent = make.agent(company)
    scopes = Scopes(company.pk, agent.pk, project.pk, issue.pk)
    for scope, limit in ((company, 9), (project, 7), (agent, 4), (issue, 6)):
        make.budget(scope, limit, metric="tokens")
    ask = {"tokens": (1, 100)}
    reserve = BudgetCounter.objects.reserve
    hour = timedelta(hours=1)
    assert reserve(uuid4(), scopes, ask, lasts=hour).amounts == {"tokens": 4}
    refused = reserve(uuid4(), scopes, ask, lasts=hour)
    assert [one.scope_type for one in refused.short] == ["agent"]
    make.budget(agent, 100, metric="tokens")
    assert reserve(uuid4(), scopes, ask, lasts=hour).amounts == {"tokens": 2}
    make.budget(issue, 100, metric="tokens")
    assert reserve(uuid4(), scopes, ask, lasts=hour).amounts == {"tokens": 1}


# --- runs and minutes of every program ------------------------------------------------


def test_the_last_run_may_end_and_the_next_waits_for_it(company: Company) -> None:
    agent = make.agent(company, max_concurrent_runs=2)
    make.budget(agent, 1, metric="runs")
    issues = [make.issue(company, assignee_agent=agent) for _ in range(2)]
    first, second = agent.runs.order_by("created_at")
    assert first.claim(host="test")
    assert second.claim(host="test") is None
    second.refresh_from_db()
    assert second.status == "queued" and "reserved" in second.hold
    make.end(first, "failed")
    sweep.sweep()
    second.refresh_from_db()
    assert (second.status, second.error_code) == ("cancelled", "budget_exceeded")
    assert state(agent) == ("paused", "budget")
    assert {run.issue_id for run in only().runs.all()} >= {issues[1].pk}


def test_a_run_that_dies_gives_back_what_it_did_not_use(company: Company) -> None:
    agent = make.agent(company)
    make.budget(agent, 10, metric="minutes")
    run, _ = make.live_run(agent)
    counter = BudgetCounter.objects.get(scope_id=agent.pk, metric="minutes")
    assert (counter.spent, counter.reserved) == (0, 15)
    Run.objects.filter(pk=run.pk).update(
        lease_expires_at=now(), started_at=now() - timedelta(seconds=40)
    )
    sweep.sweep()
    counter.refresh_from_db()
    assert 40 <= counter.spent <= 42 and counter.reserved == 0


def test_what_dead_calls_had_reserved_is_given_back(company: Company) -> None:
    agent = make.agent(company, budget_monthly_cents=100)
    scopes, ask = Scopes(company.pk, agent.pk), {"billed_cents": (5, 5)}
    counter = BudgetCounter.objects.get(scope_id=agent.pk)
    for lasts in (timedelta(0), timedelta(0), timedelta(hours=1)):
        BudgetCounter.objects.reserve(uuid4(), scopes, ask, lasts=lasts)
    counter.refresh_from_db()
    assert counter.reserved == 15
    sweep.sweep()
    counter.refresh_from_db()
    assert counter.reserved == 5


# --- stopped work, and how it goes on -------------------------------------------------


def test_raising_the_limit_resumes_just_what_was_stopped(company: Company) -> None:
    """T-05d."""
    agent = make.agent(company, budget_monthly_cents=100, max_concurrent_runs=3)
    running, waiting, done, idle = (
        make.issue(company, assignee_agent=agent if n < 3 else None) for n in range(4)
    )
    first = Run.objects.get(issue_id=running.pk)
    assert first.claim(host="test")
    done.change(by=SYSTEM, status="done")
    spend(agent, 100)
    # The claim sees it before the sweep does.
    second = Run.objects.get(issue_id=waiting.pk)
    assert second.claim(host="test") is None
    sweep.sweep()
    for run in (first, second):
        run.refresh_from_db()
        assert (run.status, run.error_code) == ("cancelled", "budget_exceeded")
        assert run.incident == only()
    # What comes now starts nothing, and is not remembered.
    idle.change(by=SYSTEM, assignee_agent=agent)
    assert not agent.runs.open().exists()
    assert Wakeup.objects.filter(status="skipped", issue_id=idle.pk).exists()
    budgets.raise_and_resume(only(), 500, by=SYSTEM)
    assert state(agent) == ("idle", None)
    assert agent.budget_monthly_cents == 500
    assert queued(agent) == {running.pk, waiting.pk}
    assert Approval.objects.get().status == "approved"
    assert incidents(threshold="hard") == [("agent", "hard", "resolved")]
    # They know what the runs before them were told.
    fresh = agent.runs.get(status="queued", issue_id=running.pk)
    assert [wake["reason"] for wake in fresh.wakes] == [
        "issue_assigned",
        "budget_raised",
    ]
    sweep.sweep()
    assert agent.runs.open().count() == 2


def test_a_limit_set_elsewhere_resumes_it_too(company: Company) -> None:
    agent = make.agent(company, budget_monthly_cents=100)
    make.issue(company, assignee_agent=agent)
    spend(agent, 100)
    sweep.sweep()
    assert state(agent) == ("paused", "budget")
    agent.change(by=SYSTEM, budget_monthly_cents=90)
    sweep.sweep()
    assert state(agent) == ("paused", "budget")
    agent.change(by=SYSTEM, budget_monthly_cents=0)
    sweep.sweep()
    assert state(agent) == ("idle", None) and agent.runs.open().count() == 1


def test_a_limit_below_what_is_used_stops_at_once(company: Company) -> None:
    agent = make.agent(company)
    spend(agent, 100)
    budgets.put(company, by=SYSTEM, scope_type="agent", scope_id=agent.pk, amount=50)
    assert state(agent) == ("paused", "budget")
    with pytest.raises(Invalid, match="is used already"):
        budgets.raise_and_resume(only(), 100, by=SYSTEM)


def test_what_two_limits_stopped_waits_for_both(company: Company) -> None:
    make.budget(company, 100)
    agent = make.agent(company, budget_monthly_cents=100)
    issue = make.issue(company, assignee_agent=agent)
    spend(agent, 100)
    sweep.sweep()
    assert state(company)[0] == state(agent)[0] == "paused"
    make.budget(company, 1000)
    sweep.sweep()
    assert state(company)[0] == "active" and state(agent)[0] == "paused"
    assert not agent.runs.open().exists()
    make.budget(agent, 1000)
    sweep.sweep()
    assert queued(agent) == {issue.pk}


def test_a_person_may_keep_it_paused(company: Company) -> None:
    agent = make.agent(company, budget_monthly_cents=100)
    person = make.by(make.owner_of(company))
    spend(agent, 100)
    sweep.sweep()
    viewer = make.by(make.operator(company, role="viewer"))
    with pytest.raises(NotAllowed):
        budgets.keep_paused(only(), by=viewer)
    budgets.keep_paused(only(), by=person)
    assert Approval.objects.get().status == "rejected"
    with pytest.raises(Conflict):
        budgets.keep_paused(only(), by=person)
    sweep.sweep()
    assert incidents(threshold="hard") == [("agent", "hard", "dismissed")]
    # By hand it can be resumed, and still nothing starts.
    agent.refresh_from_db()
    agent.resume(by=person)
    with pytest.raises(Conflict, match="hard-stop"):
        agent.wake("on_demand", "manual", by=person)


@pytest.mark.parametrize(
    ("decision", "status"), [("approved", "idle"), ("rejected", "paused")]
)
def test_the_card_decides_as_the_incident_does(
    company: Company, decision: str, status: str
) -> None:
    agent = make.agent(company, budget_monthly_cents=100)
    spend(agent, 100)
    sweep.sweep()
    person = make.by(make.owner_of(company))
    Approval.objects.get().decide(decision, by=person)
    assert state(agent)[0] == status
    assert agent.budget_monthly_cents == (151 if decision == "approved" else 100)


@pytest.mark.parametrize("how", ["card", "incident"])
def test_who_raised_it_is_who_let_it_go_on(company: Company, how: str) -> None:
    agent = make.agent(company, budget_monthly_cents=100)
    spend(agent, 100)
    sweep.sweep()
    owner = make.owner_of(company)
    if how == "card":
        Approval.objects.get().decide("approved", by=make.by(owner))
    else:
        budgets.raise_and_resume(only(), 200, by=make.by(owner))
    assert Approval.objects.get().decided_by_user == owner
    resolved = Activity.objects.get(action="budget.incident_resolved")
    assert resolved.actor_id == str(owner.pk)


FAILS = """
CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no room left'; END $$;
CREATE TRIGGER fails BEFORE UPDATE ON {} FOR EACH ROW
WHEN (NEW.company_id = '{}') EXECUTE FUNCTION fails()
"""


def test_another_budget_that_fails_is_no_part_of_the_decision(company: Company) -> None:
    agent, other = make.agent(company, budget_monthly_cents=100), make.agent()
    spend(agent, 100)
    sweep.sweep()
    make.budget(other, 100)
    spend(other, 100)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(FAILS.format("agents_budgetcounter", other.company_id))
    Approval.objects.get(company=company).decide(
        "approved", by=make.by(make.owner_of(company))
    )
    assert state(agent)[0] == "idle"


def test_its_own_that_fails_leaves_it_undecided(company: Company) -> None:
    agent = make.agent(company, budget_monthly_cents=100)
    spend(agent, 100)
    sweep.sweep()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(FAILS.format("agents_budgetincident", company.pk))
    with pytest.raises(DatabaseError, match="no room left"):
        Approval.objects.get().decide("approved", by=make.by(make.owner_of(company)))
    assert Approval.objects.get().status == "pending"
    assert state(agent)[0] == "paused"


def test_an_issue_has_no_word_for_it_and_is_stopped_all_the_same(
    company: Company,
) -> None:
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    make.budget(issue, 100)
    spend(agent, 100, issue_id=issue.pk)
    sweep.sweep()
    assert not agent.runs.open().exists() and state(agent)[0] == "idle"
    sweep.wake_waiting()
    assert not agent.runs.open().exists()
    budgets.raise_and_resume(only(), 200, by=SYSTEM)
    assert queued(agent) == {issue.pk}


def test_a_project_is_paused_and_its_issues_move_with_their_runs(
    company: Company,
) -> None:
    project = make.project(company)
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    run = agent.runs.get()
    issue.change(by=SYSTEM, project=project)
    run.refresh_from_db()
    assert run.project_id == project.pk
    make.budget(project, 100)
    spend(agent, 100, project_id=project.pk)
    sweep.sweep()
    project.refresh_from_db()
    assert project.pause_reason == "budget" and not agent.runs.open().exists()
    project.resume(by=SYSTEM)
    sweep.sweep()
    assert not agent.runs.open().exists()
    make.budget(project, 200)
    sweep.sweep()
    assert queued(agent) == {issue.pk}


# --- the month ------------------------------------------------------------------------

# In New York clocks go back on this very day, elsewhere in that week.
TURNS = [
    ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2027, 4, 1, tzinfo=UTC)),
    ("Pacific/Easter", datetime(2026, 9, 1, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "turn"), TURNS)
def test_a_month_begins_once_wherever_the_clocks_are_put_back(
    company: Company, zone: str, turn: datetime
) -> None:
    """T-05d: an hour before the turn until ten hours after it, every half an hour."""
    start = turn - timedelta(hours=1)
    with time_machine.travel(start, tick=False) as clock, timezone.override(zone):
        agent = make.agent(company, budget_monthly_cents=100)
        seen = []
        for _ in range(22):
            spend(agent, 1)
            sweep.sweep()
            seen.append(agent.spent_monthly_cents)
            clock.shift(timedelta(minutes=30))
    assert seen == [1, 2, *range(1, 21)]
    counters = BudgetCounter.objects.filter(scope_id=agent.pk)
    assert counters.count() == 2
    assert not counters.filter(ceiling=None).exists()


def test_a_new_month_does_not_lift_the_pause(company: Company) -> None:
    with time_machine.travel(datetime(2026, 6, 30, 23, tzinfo=UTC), tick=False) as at:
        agent = make.agent(company, budget_monthly_cents=100)
        issue = make.issue(company, assignee_agent=agent)
        spend(agent, 100)
        sweep.sweep()
        at.shift(timedelta(hours=2))
        sweep.sweep()
        assert agent.spent_monthly_cents == 0
        assert state(agent) == ("paused", "budget")
        assert incidents(threshold="hard") == [("agent", "hard", "open")]
        # Somebody resumes it: then it goes on with what was stopped.
        agent.resume(by=SYSTEM)
        sweep.sweep()
        assert queued(agent) == {issue.pk}
        assert incidents(threshold="hard") == [("agent", "hard", "resolved")]


# --- the ledger -----------------------------------------------------------------------


def test_a_limit_counts_what_was_used_before_it(company: Company) -> None:
    agent = make.agent(company)
    spend(agent, 30, input_tokens=7, cached_input_tokens=9, output_tokens=1)
    make.end(make.live_run(agent)[0])
    for metric, unit, spent in (
        ("billed_cents", 10_000, 300_000),
        ("tokens", 1, 10),
        ("runs", 1, 1),
    ):
        policy = make.budget(agent, 50, metric=metric)
        counter = policy.counter(now())
        assert (counter.spent, counter.ceiling) == (spent, 50 * unit)


def test_the_same_usage_of_a_run_told_again_changes_nothing(company: Company) -> None:
    """T-05e."""
    agent = make.agent(company, budget_monthly_cents=100)
    run, _ = make.live_run(agent)
    at = now()
    for _ in range(3):
        spend(agent, 10, run=run, occurred_at=at)
    assert CostEvent.objects.count() == 1 and agent.spent_monthly_cents == 10
    assert acts("cost_event.created") == 1
    spend(agent, 10, run=run, occurred_at=at + timedelta(seconds=1))
    assert agent.spent_monthly_cents == 20


def test_only_what_is_there_has_a_limit(company: Company) -> None:
    person = make.by(make.owner_of(company))
    foreign = make.agent(make.company("Others"))
    about = {"scope_type": "agent", "amount": 1}
    for scope_id in (uuid4(), foreign.pk):
        with pytest.raises(Missing):
            budgets.put(company, by=person, scope_id=scope_id, **about)
    agent = make.agent(company)
    for who in (make.operator(company, role="viewer"), make.operator()):
        with pytest.raises(NotAllowed):
            budgets.put(company, by=make.by(who), scope_id=agent.pk, **about)
    with pytest.raises(NotAllowed):
        budgets.put(company, by=make.working(agent), scope_id=agent.pk, **about)
    assert Issue.objects.count() == 0


# --- what a person paused, and what was stopped late ----------------------------------


@pytest.mark.parametrize("scope", ["company", "project", "agent"])
def test_what_a_person_paused_meanwhile_stays_so(scope: str) -> None:
    company = make.company()
    agent, project = make.agent(company), make.project(company)
    issue = make.issue(company, project=project, assignee_agent=agent)
    subject = {"company": company, "project": project, "agent": agent}[scope]
    make.budget(subject, 100)
    spend(agent, 100, project_id=project.pk)
    sweep.sweep()
    subject.refresh_from_db()
    assert subject.pause_reason == "budget"
    owner = make.by(make.owner_of(company))
    subject.pause(by=owner)
    budgets.raise_and_resume(only(), 500, by=owner)
    subject.refresh_from_db()
    assert (subject.pause_reason, bool(subject.paused_at)) == ("manual", True)
    if scope != "project":
        assert queued(agent) == set()
    assert issue.pk


def test_what_was_stopped_at_its_start_goes_on_as_well(company: Company) -> None:
    """It came into the project when that was stopped already."""
    agent, project = make.agent(company), make.project(company)
    make.budget(project, 100)
    spend(agent, 100, project_id=project.pk)
    sweep.sweep()
    issue = make.issue(company, assignee_agent=agent)
    run = agent.runs.get()
    issue.change(by=SYSTEM, project=project)
    run.refresh_from_db()
    assert run.claim(host="here") is None
    assert queued(agent) == set()
    budgets.raise_and_resume(only(), 500, by=make.by(make.owner_of(company)))
    assert queued(agent) == {issue.pk}


def test_a_raise_is_faster_than_the_sweep(company: Company) -> None:
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    make.budget(agent, 100)
    spend(agent, 100)
    assert agent.runs.get().claim(host="here") is None
    assert queued(agent) == set()
    fields = {"scope_type": "agent", "scope_id": agent.pk, "amount": 500}
    budgets.put(company, by=make.by(make.owner_of(company)), **fields)
    assert queued(agent) == {issue.pk}


def test_what_has_ended_reserves_nothing_any_more(company: Company) -> None:
    """Its supervisor asks for the next second when somebody has just ended it."""
    agent = make.agent(company)
    make.budget(agent, 10, metric="minutes")
    run, _token = make.live_run(agent)
    late = Run.objects.get(pk=run.pk)
    run.cancel(by=SYSTEM, why="Enough.")
    metering.reserve(late, {"minutes": (1, 15)}, renews=True)
    counter = BudgetCounter.objects.get(scope_id=agent.pk, metric="minutes")
    assert counter.reserved == 0
