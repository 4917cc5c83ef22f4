"""T-02, T-16c: who starts next, who waits for whom, and how many at once."""

from __future__ import annotations

import threading
import time as time_module
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils.timezone import now

from agents.models import Agent, Run
from issues import heartbeat, recovery
from issues.models import Issue
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Any:
    return make.company()


def queued_for(issue: Issue) -> Run:
    run: Run = Run.objects.get(issue_id=issue.pk, status="queued")
    return run


def next_issues(limit: int = 20) -> list[str]:
    ids = Run.objects.next_up(now(), limit)
    runs = Run.objects.in_bulk(ids)
    titles = dict(Issue.objects.values_list("pk", "title"))
    return [titles[runs[pk].issue_id] for pk in ids]


# --- fair order ------------------------------------------------------------------


def test_the_urgent_goes_before_the_ordinary_and_the_old_before_the_young(
    company: Any,
) -> None:
    for title, priority in (("a", 2), ("low", 3), ("b", 2), ("critical", 0)):
        agent = make.agent(company)
        make.issue(company, assignee_agent=agent, title=title, priority=priority)
    assert next_issues() == ["critical", "a", "b", "low"]


def test_nobody_starves(company: Any) -> None:
    """What is low and has waited long goes before what is critical and came now."""
    old, new = make.agent(company), make.agent(company)
    low = make.issue(company, assignee_agent=old, title="low", priority=3)
    long_ago = now() - timedelta(minutes=31)
    Run.objects.filter(issue_id=low.pk).put_off(long_ago)
    make.issue(company, assignee_agent=new, title="critical", priority=0)
    assert next_issues() == ["low", "critical"]


def test_companies_take_turns(company: Any) -> None:
    other = make.company("Other")
    for number in range(3):
        make.issue(company, assignee_agent=make.agent(company), title=f"one {number}")
    make.issue(other, assignee_agent=make.agent(other), title="other 0")
    assert next_issues() == ["one 0", "other 0", "one 1", "one 2"]


def test_a_busy_company_lets_another_go_first(company: Any) -> None:
    other = make.company("Other")
    for _ in range(2):
        make.live_run(make.agent(company))
    make.issue(company, assignee_agent=make.agent(company), title="one")
    make.issue(other, assignee_agent=make.agent(other), title="other")
    assert next_issues() == ["other", "one"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_starts_one_after_the_other_in_fair_order(company: Any) -> None:
    agents = [make.agent(company) for _ in range(3)]
    runs = [make.queued_run(agent) for agent in agents]
    assert Run.objects.next_up(now(), 9) == [run.pk for run in runs]
    assert heartbeat.beat()
    assert Run.objects.get(status="succeeded") == runs[0]
    heartbeat.beat_on()
    ended = Run.objects.filter(status="succeeded").order_by("started_at")
    assert list(ended) == runs
    assert not heartbeat.beat()


@pytest.mark.django_db(transaction=True)
def test_workers_that_look_at_once_take_different_runs(company: Any) -> None:
    runs = [make.queued_run(make.agent(company)) for _ in range(4)]
    all_have_one = threading.Barrier(4)

    def take(number: int) -> Any:
        with transaction.atomic():
            run = Run.objects.take_next(now(), [])
            all_have_one.wait(timeout=20)
        return run.pk

    assert set(together(4, take)) == {run.pk for run in runs}


@pytest.mark.django_db(transaction=True)
def test_whose_agent_is_just_seen_to_is_waited_for(company: Any) -> None:
    """Not left to the sweep: it has another place free."""
    agent = make.agent(company, max_concurrent_runs=2)
    for _ in range(2):
        make.queued_run(agent, make.issue(company))
    looked = threading.Event()

    def start(number: int) -> str | None:
        if number:
            looked.wait(timeout=20)
        with transaction.atomic():
            run = Run.objects.take_next(now(), [])
            looked.set()
            time_module.sleep(0.3 if number == 0 else 0)
            return run.claim(host="test")

    first, second = together(2, start)
    # The second waited, and found the first one's run started.
    assert first and second is None
    assert heartbeat.beat()
    assert agent.runs.filter(status="succeeded").count() == 1


def test_what_is_more_than_a_mention_by_now_lets_the_other_finish(
    company: Any,
) -> None:
    """It was read while it was one."""
    agent, issue = make.agent(company), make.issue(company)
    make.live_run(make.agent(company), issue)
    mention = {"by": SYSTEM, "issue_id": issue.pk}
    run = agent.wake("automation", "issue_comment_mentioned", **mention).run
    read = Run.objects.select_related("agent__company").get(pk=run.pk)
    agent.wake("assignment", "issue_assigned", **mention)
    assert read.is_aside and read.claim(host="test") is None
    again = Run.objects.select_related("agent__company").get(pk=run.pk)
    assert heartbeat.claim(again) is None
    again.refresh_from_db()
    assert again.status == "queued" and again.waits_for is not None


# --- caps ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_company_never_has_more_runs_than_it_may(company: Any) -> None:
    company.change(by=SYSTEM, max_concurrent_runs=3)
    runs = [make.queued_run(make.agent(company)) for _ in range(12)]

    def claim(number: int) -> str | None:
        return Run.objects.get(pk=runs[number].pk).claim(host="test")

    tokens = together(12, claim)
    assert sum(isinstance(token, str) for token in tokens) == 3
    assert Run.objects.live().count() == 3
    assert Run.objects.next_up(now(), 9) == []


@pytest.mark.django_db(transaction=True)
def test_a_host_never_has_more_runs_than_it_may(company: Any, settings: Any) -> None:
    settings.HOST_RUNS = 2
    runs = [make.queued_run(make.agent(company)) for _ in range(8)]

    def claim(number: int) -> str | None:
        return Run.objects.get(pk=runs[number].pk).claim(host=f"host {number % 2}")

    tokens = together(8, claim)
    assert sum(isinstance(token, str) for token in tokens) == 4


def test_a_run_that_lasts_ten_intervals_has_one_behind_it_at_most(company: Any) -> None:
    """T-02c."""
    agent = make.agent(company, heartbeat_enabled=True, interval_seconds=30)
    issue = make.issue(company, assignee_agent=agent)
    agent.runs.get().claim(host="test")
    for _ in range(10):
        agent.wake("timer", "heartbeat_timer", by=SYSTEM)
        agent.wake("automation", "issue_commented", by=SYSTEM, issue_id=issue.pk)
    assert agent.runs.filter(status="queued").count() == 1


# --- one after the other ---------------------------------------------------------


def claimed(run: Run) -> bool:
    return heartbeat.claim(Run.objects.get(pk=run.pk)) is not None


def test_two_agents_do_not_run_the_same_issue_at_once(company: Any) -> None:
    dev, qa, ops = (make.agent(company) for _ in range(3))
    issue = make.issue(company, assignee_agent=dev)
    first = queued_for(issue)
    assert claimed(first)
    later = [make.queued_run(agent, issue) for agent in (qa, ops)]
    assert [claimed(run) for run in later] == [False, False]
    for run in later:
        run.refresh_from_db()
        assert (run.status, run.waits_for) == ("queued", first)
        assert run.hold == f"{dev} is at work on it."
        assert run.wakeups.get().status == "deferred_issue_execution"
    assert Run.objects.next_up(now(), 9) == []
    first.refresh_from_db()
    first.finish("succeeded")
    # Exactly one is promoted; the other waits for that one.
    assert [claimed(run) for run in later] == [True, False]
    later[0].refresh_from_db()
    assert later[0].wakeups.get().status == "claimed"


def test_a_dead_run_lets_the_next_one_start(company: Any) -> None:
    dev, qa = make.agent(company), make.agent(company)
    issue = make.issue(company, assignee_agent=dev)
    first, second = queued_for(issue), make.queued_run(qa, issue)
    assert claimed(first) and not claimed(second)
    Run.objects.filter(pk=first.pk).update(lease_expires_at=now())
    assert claimed(second)


def test_who_is_only_mentioned_speaks_beside_the_holder(company: Any) -> None:
    dev, qa = make.agent(company, name="Dev"), make.agent(company, name="QA")
    issue = make.issue(company, assignee_agent=dev)
    run = queued_for(issue)
    assert claimed(run)
    run.refresh_from_db()
    issue.comment("What says @QA?", by=Actor.of_agent(dev, run))
    aside = qa.runs.get()
    assert claimed(aside)
    # And who works there is not held up by one that only speaks.
    again = make.queued_run(dev, issue)
    run.finish("succeeded")
    assert claimed(again)


@pytest.mark.django_db(transaction=True)
def test_of_two_that_start_on_one_issue_at_once_one_waits(company: Any) -> None:
    for _ in range(5):
        dev, qa = make.agent(company), make.agent(company)
        issue = make.issue(company)
        runs = [make.queued_run(agent, issue) for agent in (dev, qa)]
        won = together(2, lambda number, runs=runs: claimed(runs[number]))
        assert sorted(won) == [False, True]
        Run.objects.open().cancel(by=SYSTEM, why="the round is over")


def test_what_a_run_was_told_in_vain_the_next_one_is_told(company: Any) -> None:
    """A crash, an interruption and a stop lose no message, and none comes twice."""
    dev = make.agent(company)
    issue = make.issue(company, assignee_agent=dev)
    person = make.by(make.operator(company))
    said = []
    run = queued_for(issue)
    for end in ("expire", "cancel", "cancel queued", "fail"):
        said.append(str(issue.comment(end, by=person).pk))
        run = queued_for(issue)
        Run.objects.filter(pk=run.pk).update(ready_at=now())
        if end != "cancel queued":
            assert run.claim(host="test")
        if end == "expire":
            Run.objects.filter(pk=run.pk).update(lease_expires_at=now())
            assert run.expire()
            recovery.follow_up(run)
        elif end == "fail":
            run.finish("failed", error_code="provider_error")
            recovery.follow_up(run)
        else:
            run.cancel(by=SYSTEM, why="a test")
    last = queued_for(issue)
    assert last.comment_ids == said
    Run.objects.filter(pk=last.pk).update(ready_at=now())
    assert last.claim(host="test")
    assert last.comment_ids == said
    last.finish("succeeded")
    issue.comment("new", by=person)
    assert len(queued_for(issue).comment_ids) == 1


# --- active hours ----------------------------------------------------------------

OFFICE = {
    "active_days": [0, 1, 2, 3, 4],
    "active_from": time(9),
    "active_to": time(18),
    "time_zone": "Europe/Lisbon",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-06-01T08:00", None),  # a Monday, 9:00 in Lisbon
        ("2026-06-01T07:59", "2026-06-01T08:00"),
        ("2026-06-01T17:00", "2026-06-02T08:00"),
        ("2026-06-05T17:30", "2026-06-08T08:00"),  # Friday evening
        # Clocks change on Sunday the 29th of March: 9:00 is 8:00 UTC from then on.
        ("2026-03-27T19:00", "2026-03-30T08:00"),
        ("2026-03-26T19:00", "2026-03-27T09:00"),
        # And back on the 25th of October.
        ("2026-10-23T19:00", "2026-10-26T09:00"),
    ],
)
def test_active_hours(moment: str, opens: str | None) -> None:
    agent = Agent(**OFFICE)
    assert agent.opens_at(at(moment)) == (opens and at(opens))


def test_a_night_shift_reaches_into_the_next_day() -> None:
    agent = Agent(active_from=time(22), active_to=time(6), time_zone="UTC")
    assert agent.opens_at(at("2026-06-01T23:00")) is None
    assert agent.opens_at(at("2026-06-02T05:59")) is None
    assert agent.opens_at(at("2026-06-02T06:00")) == at("2026-06-02T22:00")


def test_outside_its_hours_work_waits_and_a_person_does_not(company: Any) -> None:
    agent = make.agent(company, active_days=[(now().weekday() + 3) % 7])
    wakeup = agent.wake("automation", "issue_commented", by=SYSTEM)
    run = wakeup.run
    assert run is not None and run.ready_at > now() + timedelta(days=1)
    assert Run.objects.next_up(now(), 9) == []
    agent.wake("on_demand", "manual", by=make.by(make.operator(company)))
    assert Run.objects.next_up(now(), 9) == [run.pk]
