"""What is kept for how long, on real rows and files."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from configparser import ConfigParser
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils.module_loading import import_string
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask

from agents import retention, runlog
from agents.models import CostEvent, Run, RunEvent, Wakeup
from agents.runlog import LogWriter
from issues import tasks
from issues.models import Document, Issue, Routine, RoutineRun, WorkProduct
from paperclip import home, schedule, supervise
from paperclip.actors import SYSTEM, Actor
from paperclip.models import Activity, IdempotencyKey, Invite, SignInLink
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERCLIP_HOME", str(tmp_path))


def ended(agent: Any, days: float, *, issue: Any = None, **columns: Any) -> Run:
    """A run of so many days ago that wrote a log."""
    run, _token = make.live_run(agent, issue)
    with LogWriter(run) as log:
        log.write("stdout", b"It did something.\n")
    run.finish(columns.pop("status", "succeeded"), **log.columns())
    return aged(run, days)


def aged(run: Run, days: float) -> Run:
    at = now() - timedelta(days=days)
    Run.objects.filter(pk=run.pk).update(
        created_at=at, started_at=at, finished_at=at, updated_at=at
    )
    run.wakeups.update(created_at=at, updated_at=at)
    if run.directory.exists():
        os.utime(run.directory, (at.timestamp(), at.timestamp()))
    run.refresh_from_db()
    return run


def directories() -> set[str]:
    return {one.name for one in (home.path() / "runs").iterdir()}


def test_each_kind_has_its_days() -> None:
    agent = make.agent()
    old, middle, newest = (ended(agent, days) for days in (91, 31, 1))
    removed = retention.retain()
    assert set(Run.objects.all()) == {middle, newest}
    assert set(RunEvent.objects.values_list("run", flat=True)) == {newest.pk}
    assert set(Wakeup.objects.values_list("run", flat=True)) == {newest.pk}
    assert directories() == {str(newest.pk)}
    assert removed["ended runs"] == 1 and removed["logs of runs"] == 2
    assert removed["finished wakeups"] == 2 and removed["events of runs"] == 4
    assert not old.directory.exists() and not middle.directory.exists()


def test_what_is_open_stays_however_old_it_is() -> None:
    agent = make.agent(max_concurrent_runs=2)
    issue = make.issue(agent.company)
    queued = aged(make.queued_run(agent, issue), 400)
    running, _token = make.live_run(agent)
    Run.objects.filter(pk=running.pk).update(created_at=now() - timedelta(days=400))
    running.wakeups.update(updated_at=now() - timedelta(days=400))
    running.directory.mkdir(parents=True)
    long_ago = time.time() - 400 * 86_400
    os.utime(running.directory, (long_ago, long_ago))
    events = RunEvent.objects.count()
    Run.objects.filter(pk=queued.pk).update(finished_at=None)
    assert not any(retention.retain().values())
    assert Run.objects.open().count() == 2 and Wakeup.objects.count() == 2
    assert RunEvent.objects.count() == events and running.directory.exists()


def test_the_newest_run_about_each_thing_stays() -> None:
    agent, other = make.agent(), make.agent()
    issue = make.issue(agent.company)
    older = [ended(agent, 300), ended(agent, 300, issue=issue), ended(other, 300)]
    kept = [ended(agent, 200), ended(agent, 200, issue=issue), ended(other, 200)]
    # What is not ended is no newer one: the gate looks at those that are.
    waiting = make.queued_run(other)
    assert retention.retain()["ended runs"] == len(older)
    assert set(Run.objects.all()) == {*kept, waiting}


def test_firings_go_but_the_newest_and_the_open_ones() -> None:
    """What they filed stays."""
    routine, other = make.routine(), make.routine()
    for each in (routine, other):
        for _ in range(4):
            each.fire(by=SYSTEM, source=RoutineRun.Source.MANUAL, at=now())
    issues = Issue.objects.count()
    fired = list(routine.runs.order_by("created_at"))
    closed = [each.pk for each in fired if each.status != "issue_created"]
    assert closed
    long_ago = now() - timedelta(days=400)
    for number, each in enumerate(RoutineRun.objects.order_by("created_at")):
        at = long_ago + timedelta(hours=number)
        RoutineRun.objects.filter(pk=each.pk).update(triggered_at=at)
    open_ones = RoutineRun.objects.filter(status="issue_created").count()
    removed = retention.retain()["firings of routines"]
    assert removed == 8 - open_ones - 2
    for each in (routine, other):
        assert each.runs.order_by("-triggered_at").first().status == "coalesced"
    assert Issue.objects.count() == issues
    assert retention.retain()["firings of routines"] == 0


def test_the_activity_and_the_costs_stay() -> None:
    agent = make.agent()
    old = ended(agent, 100)
    ended(agent, 1)
    cost = CostEvent.objects.report(
        agent.company,
        by=SYSTEM,
        agent=agent,
        run=old,
        provider="p",
        biller="b",
        model="m",
        cost_micros=7,
    )
    acts = Activity.objects.count()
    retention.retain()
    assert not Run.objects.filter(pk=old.pk).exists()
    cost.refresh_from_db()
    assert cost.run is None and cost.cost_micros == 7
    assert Activity.objects.count() == acts


@pytest.mark.parametrize("days", [0, 1000])
def test_settings_say_how_long(settings: LazySettings, days: int) -> None:
    for _rows, setting in retention.KINDS.values():
        if setting:
            setattr(settings, setting, days)
    settings.KEEP_LOGS_DAYS = days
    agent = make.agent()
    ended(agent, 900)
    ended(agent, 1)
    IdempotencyKey.objects.create(actor="a", key="k", fingerprint="f")
    IdempotencyKey.objects.update(created_at=now() - timedelta(days=900))
    assert not any(retention.retain().values())


def test_keys_sessions_and_links_go_when_they_are_worth_nothing() -> None:
    for key, days in (("old", 8), ("new", 6)):
        IdempotencyKey.objects.create(actor="a", key=key, fingerprint="f")
        at = now() - timedelta(days=days)
        IdempotencyKey.objects.filter(key=key).update(created_at=at)
    for age in (60, -60):
        session = SessionStore()
        session.set_expiry(now() - timedelta(seconds=age))
        session.save()
    user = make.operator()
    for _ in range(2):
        SignInLink.issue(user)
    link = SignInLink.objects.first()
    SignInLink.objects.filter(pk=link.pk).update(expires_at=now())
    removed = retention.retain()
    assert IdempotencyKey.objects.get().key == "new"
    assert Session.objects.get().expire_date > now()
    assert SignInLink.objects.get().pk != link.pk
    assert [n for n in removed.values() if n] == [1, 1, 1]


# --- Logs ------------------------------------------------------------------------


def test_directories_nobody_knows_go_by_their_age() -> None:
    place = home.directory("runs")
    names = {
        "old": "11111111-1111-4111-8111-111111111111",
        "new": "22222222-2222-4222-8222-222222222222",
        "not ours": "notes",
    }
    for name in names.values():
        (place / name).mkdir()
        (place / name / "log.ndjson").write_text("{}")
    long_ago = time.time() - 31 * 86_400
    for kind in ("old", "not ours"):
        os.utime(place / names[kind], (long_ago, long_ago))
    assert retention.retain()["logs of runs"] == 1
    assert directories() == {names["new"], names["not ours"]}


def test_a_log_on_another_host_is_no_error() -> None:
    agent = make.agent()
    elsewhere = ended(agent, 40)
    (elsewhere.directory / "log.ndjson").unlink()
    elsewhere.directory.rmdir()
    assert retention.retain()["logs of runs"] == 0
    (home.path() / "runs").rmdir()
    assert retention.retain()["logs of runs"] == 0


def test_what_cannot_be_removed_does_not_stop_the_others() -> None:
    agent = make.agent()
    stuck, other = ended(agent, 40), ended(agent, 35)
    # A file where a directory is expected: rmtree refuses it, for root as well.
    (stuck.directory / "log.ndjson").unlink()
    stuck.directory.rmdir()
    stuck.directory.write_text("no directory")
    assert retention.retain()["logs of runs"] == 1
    assert stuck.directory.exists() and not other.directory.exists()


def test_a_page_says_that_a_log_was_removed() -> None:
    company = make.company()
    agent = make.agent(company)
    old, newest = ended(agent, 31), ended(agent, 1)
    console = Client()
    console.force_login(make.owner_of(company))
    assert runlog.absence(old) == ""
    retention.retain()
    shown = console.get(f"/runs/{old.pk}").content.decode()
    assert "This log was removed after 30 days." in shown
    assert "They were removed after 30 days." in shown
    assert "was removed" not in console.get(f"/runs/{newest.pk}").content.decode()
    (newest.directory / "log.ndjson").unlink()
    shown = console.get(f"/runs/{newest.pk}").content.decode()
    assert "not on this machine: the run was on test." in shown
    api = make.client_of(make.owner_of(company))
    assert api.get(f"/api/heartbeat-runs/{old.pk}/log").json()["content"] == ""


def test_a_run_that_never_printed_misses_no_log() -> None:
    agent = make.agent()
    never = make.queued_run(agent)
    assert runlog.absence(never) == ""
    never.cancel(by=SYSTEM, why="a test")
    Run.objects.filter(pk=never.pk).update(finished_at=now() - timedelta(days=40))
    never.refresh_from_db()
    assert runlog.absence(never) == ""


# --- Runs of routines ------------------------------------------------------------


def fired(routine: Routine, days: float, status: str = "completed") -> RoutineRun:
    """A firing of so many days ago, its issue done unless another status is wanted."""
    at = now() - timedelta(days=days)
    run = routine.fire(by=SYSTEM, source="manual", at=at)
    if status == "completed" and run.linked_issue:
        run.linked_issue.change(by=SYSTEM, status="done")
        RoutineRun.objects.filter(pk=run.pk).update(completed_at=at)
    run.refresh_from_db()
    assert run.status == status
    return run


def test_runs_of_routines_go_but_the_newest_of_each() -> None:
    routine, rare = make.routine(), make.routine()
    old = [fired(routine, 400), fired(routine, 91)]
    kept = [fired(routine, 89), fired(routine, 1), fired(rare, 400)]
    issues = Issue.objects.count()
    assert retention.retain(dry_run=True)["firings of routines"] == len(old)
    assert retention.retain()["firings of routines"] == len(old)
    assert set(RoutineRun.objects.all()) == set(kept)
    assert Issue.objects.count() == issues
    assert not any(retention.retain().values())


def test_a_run_of_a_routine_stays_while_its_issue_is_open() -> None:
    """Else the next firing would file equal work a second time."""
    routine = make.routine()
    open_one = fired(routine, 200, "issue_created")
    joined = fired(routine, 150, "coalesced")
    newest = fired(routine, 1, "coalesced")
    assert retention.retain()["firings of routines"] == 1
    assert set(RoutineRun.objects.all()) == {open_one, newest}
    assert not RoutineRun.objects.filter(pk=joined.pk).exists()
    again = fired(routine, 0, "coalesced")
    assert again.coalesced_into == open_one


def test_a_run_of_a_routine_stays_when_its_issue_is_opened_again() -> None:
    routine = make.routine(concurrency_policy="always_enqueue")
    done = fired(routine, 200)
    fired(routine, 1)
    done.linked_issue.change(by=SYSTEM, status="todo")
    assert retention.retain()["firings of routines"] == 0
    done.linked_issue.change(by=SYSTEM, status="done")
    assert retention.retain()["firings of routines"] == 1


def test_a_run_of_a_routine_is_as_old_as_its_end() -> None:
    routine = make.routine()
    long_one = fired(routine, 200, "issue_created")
    long_one.linked_issue.change(by=SYSTEM, status="done")
    fired(routine, 0, "issue_created")
    assert retention.retain()["firings of routines"] == 0


def test_what_joined_a_removed_run_forgets_it() -> None:
    routine = make.routine()
    first = fired(routine, 100, "issue_created")
    joined = fired(routine, 80, "coalesced")
    first.linked_issue.change(by=SYSTEM, status="done")
    RoutineRun.objects.filter(pk=first.pk).update(completed_at=first.triggered_at)
    fired(routine, 1)
    assert retention.retain()["firings of routines"] == 1
    joined.refresh_from_db()
    assert joined.coalesced_into is None and joined.linked_issue is not None


# --- What tells of them ----------------------------------------------------------


def test_what_tells_of_a_removed_run_does_not_link_to_it() -> None:
    """Its page would be a 404; what it did stays readable."""
    company = make.company()
    agent = make.agent(company, name="Ada")
    issue = make.issue(company)
    old, _token = make.live_run(agent, issue)
    through = Actor.of_agent(agent, old)
    issue.comment("I looked.", by=through)
    Document.objects.write(issue, "plan", by=through, body="One.", title="Plan")
    product = WorkProduct.objects.add(
        issue, by=through, type="artifact", title="A thing", external_id="thing"
    )
    make.end(old)
    newest, _token = make.live_run(agent, issue)
    make.end(newest)
    aged(old, 100)
    console = Client()
    console.force_login(make.owner_of(company))
    link = f'href="/runs/{old.pk}"'
    telling = [
        "/activity/",
        "/",
        f"/issues/{issue.identifier}",
        f"/issues/{issue.identifier}/documents/plan",
        f"/issues/{issue.identifier}/work/{product.pk}",
    ]
    for url in telling:
        assert link in console.get(url).content.decode(), url
    assert retention.retain()["ended runs"] == 1
    assert console.get(f"/runs/{old.pk}").status_code == 404
    for url in telling:
        assert link not in console.get(url).content.decode(), url
    page = console.get("/activity/").content.decode()
    assert f'href="/runs/{newest.pk}"' in page
    gone = next(
        one
        for one in console.get("/activity/").context["activity"]
        if one.kind == "heartbeat_run" and not one.url
    )
    assert gone.who == "Ada" and gone.what == "a run"


# --- How it is done --------------------------------------------------------------


def test_a_second_time_there_is_nothing_left() -> None:
    agent = make.agent()
    for days in (100, 90.5, 50, 1):
        ended(agent, days)
    assert any(retention.retain().values())
    assert not any(retention.retain().values())


def test_it_goes_on_where_it_was_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    agent = make.agent()
    for days in range(100, 107):
        ended(agent, days)
    ended(agent, 1)
    answers: Iterator[bool] = iter([False, True])
    part = retention.retain(until=lambda: next(answers, True))
    assert part["events of runs"] == 2 and sum(part.values()) == 2
    assert Run.objects.count() == 8
    rest = retention.retain()
    assert rest["events of runs"] == 12 and rest["ended runs"] == 7
    assert Run.objects.count() == 1 and len(directories()) == 1


def test_a_dry_run_only_counts(capsys: Any) -> None:
    agent = make.agent()
    ended(agent, 100)
    ended(agent, 1)
    call_command("retain", "--dry-run")
    said = capsys.readouterr().out
    assert said.startswith("Would be removed:")
    assert "1  ended runs" in said and "1  logs of runs" in said
    assert Run.objects.count() == 2 and len(directories()) == 2
    call_command("retain")
    said = capsys.readouterr().out
    assert said.startswith("Removed:") and "1  ended runs" in said
    assert Run.objects.count() == 1 and len(directories()) == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_remove_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    agent = make.agent()
    for days in range(100, 120):
        ended(agent, days)
    ended(agent, 1)
    found = together(2, lambda _: retention.retain())
    sums = {kind: sum(one[kind] for one in found) for kind in found[0]}
    assert sums["ended runs"] == 20 and sums["logs of runs"] == 20
    assert Run.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_holds_is_left_for_later() -> None:
    agent = make.agent()
    held, free = ended(agent, 110), ended(agent, 100)
    ended(agent, 1)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Run.objects.select_for_update().get(pk=held.pk)
            holding.set()
            done.wait(20)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holding.wait(10)
        assert retention.retain()["ended runs"] == 1
    finally:
        done.set()
        thread.join()
    assert not Run.objects.filter(pk=free.pk).exists()
    assert retention.retain()["ended runs"] == 1


def test_the_nightly_task_does_it() -> None:
    agent = make.agent()
    ended(agent, 100)
    ended(agent, 1)
    tasks.retain()
    assert Run.objects.count() == 1


def test_it_runs_at_a_quarter_past_three_where_the_instance_is(
    settings: LazySettings,
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    berlin = ZoneInfo("Europe/Berlin")
    schedule.seed()
    row = PeriodicTask.objects.get(task="issues.tasks.retain")
    assert row.queue == "runs" and row.expire_seconds == 12 * 3600
    times = row.schedule
    last = datetime(2026, 6, 30, 3, 15, tzinfo=berlin)
    for minute, due in ((14, False), (15, True)):
        times.nowfun = lambda m=minute: datetime(2026, 7, 1, 3, m, tzinfo=berlin)
        assert times.is_due(last).is_due is due
    row.enabled = False
    row.save()
    schedule.seed()  # an operator's row stays as it is
    assert PeriodicTask.objects.filter(task=row.task).count() == 1
    assert not PeriodicTask.objects.get(task=row.task).enabled


def test_every_row_of_the_schedule_names_a_task() -> None:
    for task, _when, queue in schedule.BEAT.values():
        assert callable(import_string(task))
        assert queue in ("runs", "clock")


def test_the_logs_of_our_own_programs_do_not_grow_for_ever() -> None:
    read = ConfigParser()
    read.read_string(supervise.configuration(["postgres", "valkey"]))
    for section in read.values():
        for option in [name for name in section if name.endswith("logfile")]:
            assert section[f"{option}_maxbytes"] == "10MB", (section, option)
            assert section[f"{option}_backups"] == "3", (section, option)
    written = [one for one in read.sections() if one.startswith("program:")]
    assert len(written) == 2 + len(supervise.programs())


def test_invitations_nobody_accepted_go_with_their_addresses() -> None:
    company = make.company()
    kept = Invite.objects.issue(company, by=SYSTEM, email="a@example.com")[0]
    old = Invite.objects.issue(company, by=SYSTEM, email="b@example.com")[0]
    used = Invite.objects.issue(company, by=SYSTEM)[0]
    used.accept(make.operator())
    past = now() - timedelta(seconds=1)
    Invite.objects.exclude(pk=kept.pk).update(expires_at=past)
    retention.retain()
    left = set(Invite.objects.values_list("pk", flat=True))
    assert left == {kept.pk, used.pk} and old.pk not in left
