"""What becomes of a routine that is fired, and of its issue."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from issues import cron, variables, webhooks
from issues.models import Issue, Routine, RoutineRun, RoutineTrigger
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.models import Activity, Company
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


def fire(routine: Routine, *, by: Actor = SYSTEM, **more: Any) -> RoutineRun:
    return routine.fire(by=by, source=more.pop("source", "manual"), at=now(), **more)


def issue_of(run: RoutineRun) -> Issue:
    assert run.linked_issue is not None
    run.linked_issue.refresh_from_db()
    return run.linked_issue


# --- the issue that is filed ---------------------------------------------------------


def test_it_files_an_issue_and_wakes_the_assignee(company: Company) -> None:
    agent = make.agent(company)
    goal, project = make.goal(company), make.project(company)
    parent = make.issue(company)
    routine = make.routine(
        company,
        title="Look at the site",
        description="Every page.",
        assignee_agent=agent,
        project=project,
        goal=goal,
        parent_issue=parent,
        priority=1,
    )
    run = fire(routine)
    issue = issue_of(run)
    assert (run.status, issue.status) == ("issue_created", "todo")
    assert (issue.title, issue.description) == ("Look at the site", "Every page.")
    assert (issue.assignee_agent, issue.project, issue.goal) == (agent, project, goal)
    assert (issue.parent, issue.priority) == (parent, 1)
    assert (issue.origin_kind, issue.origin_id) == (
        "routine_execution",
        str(routine.pk),
    )
    assert issue.origin_run_id == run.pk
    queued = agent.runs.get(issue_id=issue.pk)
    assert queued.wakes[0]["reason"] == "issue_assigned"
    routine.refresh_from_db()
    assert routine.last_triggered_at == routine.last_enqueued_at == run.triggered_at


@pytest.mark.parametrize(
    ("status", "ends", "why"),
    [("done", "completed", None), ("cancelled", "failed", "was cancelled.")],
)
def test_its_run_ends_with_the_issue(
    company: Company, status: str, ends: str, why: str | None
) -> None:
    run = fire(make.routine(company))
    issue_of(run).change(by=SYSTEM, status="blocked")
    run.refresh_from_db()
    assert run.status == "issue_created"
    issue_of(run).change(by=SYSTEM, status=status)
    run.refresh_from_db()
    assert run.status == ends and run.completed_at is not None
    assert (run.failure_reason or "").endswith(why or "")
    issue_of(run).change(by=SYSTEM, status="todo")
    issue_of(run).change(by=SYSTEM, status="done")
    run.refresh_from_db()
    assert run.status == ends


# --- while an issue is open --------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "second"),
    [
        ("coalesce_if_active", "coalesced"),
        ("skip_if_active", "skipped"),
        ("always_enqueue", "issue_created"),
    ],
)
@pytest.mark.parametrize("status", ["todo", "blocked", "in_review"])
def test_a_second_firing(
    company: Company, policy: str, second: str, status: str
) -> None:
    """Also when nobody works on the first one: it waits for its turn, or a person."""
    routine = make.routine(company, concurrency_policy=policy)
    first = fire(routine)
    issue_of(first).change(by=SYSTEM, status=status)
    run = fire(routine)
    assert run.status == second
    joined = (run.coalesced_into, run.linked_issue) == (first, first.linked_issue)
    assert joined == (second != "issue_created")
    assert Issue.objects.count() == (2 if second == "issue_created" else 1)


def test_once_it_is_closed_the_next_one_is_filed(company: Company) -> None:
    routine = make.routine(company)
    first = fire(routine)
    issue_of(first).change(by=SYSTEM, status="done")
    assert fire(routine).status == "issue_created"
    # The first is opened again: two are open, which is a person's wish.
    issue_of(first).change(by=SYSTEM, status="todo")
    third = fire(routine)
    assert third.status == "coalesced"
    for issue in Issue.objects.all():
        issue.change(by=SYSTEM, status="done")
    assert fire(routine).status == "issue_created"


def test_an_issue_that_was_taken_away_holds_nothing_up(company: Company) -> None:
    routine = make.routine(company)
    hidden = fire(routine)
    issue_of(hidden).change(by=SYSTEM, hidden_at=now())
    gone = fire(routine)
    Issue.objects.filter(pk=gone.linked_issue_id).delete()
    assert gone.status == fire(routine).status == "issue_created"
    hidden.refresh_from_db()
    gone.refresh_from_db()
    assert hidden.status == gone.status == "failed"
    assert "taken away" in gone.result


def test_other_values_are_other_work(company: Company) -> None:
    routine = make.routine(company, title="Review {{pr}}", variables=[text("pr")])
    runs = [fire(routine, values={"pr": number}) for number in ("1", "2", "1")]
    assert [run.status for run in runs] == ["issue_created"] * 2 + ["coalesced"]
    assert runs[2].coalesced_into == runs[0]


@pytest.mark.django_db(transaction=True)
def test_of_many_firings_at_once_one_files_an_issue() -> None:
    routine = make.routine()
    rows = [Routine.objects.get(pk=routine.pk) for _ in range(6)]
    runs = together(6, lambda n: fire(rows[n]))
    statuses = sorted(run.status for run in runs)
    assert statuses == ["coalesced"] * 5 + ["issue_created"]
    assert Issue.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_firing_changing_and_closing_never_wait_for_each_other() -> None:
    """One order of locks: the routine, its issue's company, agents."""
    company = make.company()
    agent, other = make.agent(company), make.agent(company)
    pk = make.routine(company, assignee_agent=agent).pk
    make.schedule(Routine.objects.get(pk=pk))
    for number in range(15):
        fire(Routine.objects.get(pk=pk))

        def act(n: int, odd: int = number % 2) -> None:
            routine = Routine.objects.get(pk=pk)
            if n % 3 == 0:
                fire(routine)
            elif n % 3 == 1:
                routine.change(by=SYSTEM, assignee_agent=other if odd else agent)
            else:
                for issue in Issue.objects.open():
                    issue.change(by=SYSTEM, status="done")

        assert together(6, act) == [None] * 6
    opened = RoutineRun.objects.filter(status="issue_created")
    assert opened.count() == Issue.objects.open().count() <= 1


@pytest.mark.django_db(transaction=True)
def test_the_index_keeps_equal_work_from_being_open_twice() -> None:
    """Whatever the code before it does: two open runs of equal work cannot stand."""
    run = fire(make.routine())

    def again(_n: int) -> RoutineRun:
        made: RoutineRun = RoutineRun.objects.create(
            company_id=run.company_id,
            routine_id=run.routine_id,
            source="manual",
            status="issue_created",
            triggered_at=now(),
            dispatch_fingerprint="0" * 64,
            is_exclusive=True,
        )
        return made

    made = together(4, again)
    assert sum(isinstance(one, RoutineRun) for one in made) == 1
    assert sum(isinstance(one, IntegrityError) for one in made) == 3


def test_a_key_fires_once(company: Company) -> None:
    routine = make.routine(company, concurrency_policy="always_enqueue")
    first = fire(routine, key="today")
    assert fire(routine, key="today") == first
    assert fire(routine, key="tomorrow") != first
    assert fire(routine, key="today", source="api") != first
    with pytest.raises(IntegrityError), transaction.atomic():
        RoutineRun.objects.create(
            company=company,
            routine=routine,
            source="manual",
            status="skipped",
            triggered_at=now(),
            idempotency_key="today",
        )


# --- what it says ------------------------------------------------------------------


def text(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "text", "required": False, **more}


def test_variables_are_put_into_title_and_description(company: Company) -> None:
    routine = make.routine(
        company,
        title="Check {{ site }} on {{date}}",
        description="{{site}}, {{depth}} levels{{note}}. {{ other }} and {{}} stay.",
        variables=[
            text("site", default="our site"),
            {"name": "depth", "type": "number", "default": 2},
            text("note"),
        ],
    )
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    run = routine.fire(
        by=SYSTEM, source="manual", at=moment, values={"site": "example.com\n"}
    )
    issue = issue_of(run)
    assert issue.title == "Check example.com on 2026-03-01"
    assert issue.description == "example.com\n, 2 levels. {{ other }} and {{}} stay."


def test_the_date_is_that_of_the_slot_in_its_zone(company: Company) -> None:
    routine = make.routine(company, title="{{date}}")
    trigger = make.schedule(routine, "30 0 * * *", "Pacific/Auckland")
    slot = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
    run = fire(routine, trigger=trigger, slot=slot, source="schedule")
    assert issue_of(run).title == "2026-06-02"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "pr: it needs a value"),
        ({"pr": ""}, "pr: it needs a value"),
        ({"pr": "abc"}, "'abc' is not a number"),
        ({"pr": True}, "True is not a number"),
        ({"pr": 1, "kind": "x"}, "'x' is none of a, b"),
        ({"pr": 1, "on": "tomorrow"}, "is not a day like 2026-11-30"),
        ({"pr": 1, "what": 1}, "what: there is no such variable. There are: pr, kind"),
    ],
)
def test_missing_and_wrong_values_are_refused(
    company: Company, given: dict[str, Any], said: str
) -> None:
    routine = make.routine(
        company,
        variables=[
            {"name": "pr", "type": "number", "required": True},
            {"name": "kind", "type": "select", "options": ["a", "b"]},
            {"name": "on", "type": "date"},
        ],
    )
    with pytest.raises(Invalid) as caught:
        fire(routine, values=given)
    assert said in str(caught.value) and not Issue.objects.exists()


@pytest.mark.parametrize(
    "declared",
    [
        [text("1st")],
        [text("date")],
        [text("a"), text("a")],
        [{"name": "a", "type": "select"}],
        [text("a", options=["x"])],
        [{"name": "a", "type": "boolean", "default": "yes"}],
    ],
)
def test_variables_that_make_no_sense_are_refused(declared: list[Any]) -> None:
    with pytest.raises(Invalid):
        variables.check(declared)


def test_a_schedule_cannot_be_asked(company: Company) -> None:
    asking = make.routine(company, variables=[text("pr", required=True)])
    with pytest.raises(Invalid, match="cannot be asked for pr"):
        make.schedule(asking)
    silent = make.routine(company)
    make.schedule(silent)
    with pytest.raises(Invalid, match="cannot be asked for pr"):
        silent.change(by=SYSTEM, variables=[text("pr", required=True)])
    silent.change(by=SYSTEM, variables=[text("pr", required=True, default="1")])


# --- when ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "zone", "said"),
    [
        ("0 9 * *", "UTC", "has five fields"),
        ("0 0 9 * * 1", "UTC", "has five fields"),
        ("60 9 * * *", "UTC", "The minute '60' of a cron line is not 0 to 59"),
        ("0 24 * * *", "UTC", "The hour '24'"),
        ("0 9 32 * *", "UTC", "The day of the month '32'"),
        ("0 9 30 2 *", "UTC", "The day of the month '30'"),
        ("0 9 * 13 *", "UTC", "The month '13'"),
        ("0 9 * * 8", "UTC", "The weekday '8'"),
        ("@daily", "UTC", "has five fields"),
        ("0 9 * * 1", "Lisbon", "no time zone 'Lisbon': write one like Europe/Lisbon"),
        ("0 9 * * 1", "", "no time zone ''"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    company: Company, line: str, zone: str, said: str
) -> None:
    with pytest.raises(Invalid) as caught:
        make.schedule(make.routine(company), line, zone)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 9 * * *", "every day at 09:00"),
        ("30 8 * * 1-5", "Monday to Friday at 08:30"),
        ("0 9 * * 1", "every Monday at 09:00"),
        ("0 9 * * 7", "every Sunday at 09:00"),
        ("5 0 15 * *", "on day 15 of every month at 00:05"),
        ("5 0 L * *", "on the last day of every month at 00:05"),
        ("* * * * *", "every minute"),
        ("0 9 1 * 1", "at 09:00 on the first day of month and on Monday"),
    ],
)
def test_a_schedule_in_words(line: str, words: str) -> None:
    assert cron.in_words(line, "Europe/Lisbon") == f"{words}, Europe/Lisbon"
    rhythm = cron.Rhythm.of(line)
    assert rhythm is None or rhythm.expression == line.replace("7", "0")


def test_minutes_have_no_time_zone() -> None:
    assert cron.in_words("*/15 * * * *", "Europe/Lisbon") == "every 15 minutes"
    assert "Lisbon" in cron.in_words("*/7 * * * *", "Europe/Lisbon")


# --- who may -------------------------------------------------------------------------


def test_an_agent_manages_its_own_routines_only(company: Company) -> None:
    agent, other = make.agent(company), make.agent(company)
    me = make.working(agent)
    mine = make.routine(company, assignee_agent=agent)
    theirs = make.routine(company, assignee_agent=other)
    mine.change(by=me, title="Mine")
    with pytest.raises(NotAllowed):
        mine.change(by=me, assignee_agent=other)
    with pytest.raises(NotAllowed):
        mine.change(by=me, assignee_agent=None)
    for act in (
        lambda: theirs.change(by=me, title="x"),
        lambda: theirs.pause(by=me),
        lambda: fire(theirs, by=me),
        lambda: Routine.objects.define(company, by=me, title="x", assignee_agent=other),
        lambda: Routine.objects.define(company, by=me, title="x"),
    ):
        with pytest.raises(NotAllowed):
            act()
    own = Routine.objects.define(company, by=me, title="x", assignee_agent=agent)
    RoutineTrigger.objects.add(own, by=me, kind="schedule", cron_expression="0 9 * * *")
    with pytest.raises(NotAllowed):
        RoutineTrigger.objects.add(own, by=me, kind="webhook", signing_mode="none")
    run = fire(own, by=me)
    assert issue_of(run).created_by_agent == agent
    assert issue_of(run).request_depth == 0


def test_archived_is_final_and_paused_is_for_people(company: Company) -> None:
    routine = make.routine(company)
    trigger = make.schedule(routine)
    routine.pause(by=SYSTEM)
    for source in ("schedule", "webhook"):
        with pytest.raises(Conflict, match="is paused"):
            fire(routine, source=source)
    assert fire(routine).status == "issue_created"
    routine.archive(by=SYSTEM)
    for act in (
        lambda: fire(routine),
        lambda: routine.resume(by=SYSTEM),
        lambda: routine.change(by=SYSTEM, title="x"),
        lambda: trigger.change(by=SYSTEM, enabled=False),
        lambda: make.schedule(routine),
    ):
        with pytest.raises(Conflict, match="is archived"):
            act()


def test_links_stay_inside_the_company(company: Company) -> None:
    stranger = make.company("Strangers")
    for link in (
        {"assignee_agent": make.agent(stranger)},
        {"project": make.project(stranger)},
        {"goal": make.goal(stranger)},
        {"parent_issue": make.issue(stranger)},
    ):
        with pytest.raises(Invalid, match="another company"):
            make.routine(company, **link)


def test_a_webhooks_secret_opens_in_its_own_row_only(company: Company) -> None:
    routine = make.routine(company)
    add = RoutineTrigger.objects.add
    (one, told, _), (other, _told, _) = (
        add(routine, by=SYSTEM, kind="webhook") for _ in range(2)
    )
    assert webhooks.secret_of(one) == told
    RoutineTrigger.objects.filter(pk=other.pk).update(secret=one.secret)
    other.refresh_from_db()
    with pytest.raises(Conflict, match="Rotate the secret"):
        webhooks.secret_of(other)


# --- revisions -----------------------------------------------------------------------


def test_every_change_is_a_revision_and_can_be_taken_back(company: Company) -> None:
    agent = make.agent(company)
    routine = make.routine(company, title="One", assignee_agent=agent)
    daily = make.schedule(routine, "0 9 * * *")
    add = RoutineTrigger.objects.add
    hook, secret, before = add(routine, by=SYSTEM, kind="webhook")
    routine.change(by=SYSTEM, title="Two", assignee_agent=None)
    daily.change(by=SYSTEM, cron_expression="0 10 * * *")
    hook.remove(by=SYSTEM)
    make.schedule(routine, "0 12 * * *")
    routine.pause(by=SYSTEM)
    assert [r.number for r in routine.revisions.all()] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert routine.revision_id == routine.revisions.get(number=8).pk
    (again,) = routine.restore(before, by=SYSTEM)
    routine.refresh_from_db()
    assert (routine.title, routine.assignee_agent) == ("One", agent)
    assert routine.status == "paused" and routine.revision_number == 9
    daily.refresh_from_db()
    assert daily.cron_expression == "0 9 * * *"
    kinds = routine.triggers.values_list("kind", flat=True)
    assert sorted(kinds) == ["schedule", "webhook"]
    assert again[0].public_id == hook.public_id and again[1] not in ("", secret)
    last = routine.revisions.first()
    assert last and last.restored_from == before
    acts = Activity.objects.filter(entity_type="routine").values_list(
        "action", flat=True
    )
    assert {"routine.created", "routine.updated", "routine.paused"} <= set(acts)
