"""The stop of everything: who may do it, what it reaches, and its command."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.timezone import now

from agents import stopping, timers
from agents.models import Agent, Run
from agents.models.base import STOPPED
from issues import gate, sweep
from paperclip import home, processes
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Conflict, NotAllowed
from paperclip.models import Activity, Company, Instance
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)


def child_of(run: Run) -> subprocess.Popen[bytes]:
    """A process as an agent's program is one."""
    marks = {
        "PAPERCLIP_RUN_ID": str(run.pk),
        "PAPERCLIP_COMPANY_ID": str(run.company_id),
        "PAPERCLIP_INSTANCE": home.instance_id(),
    }
    return subprocess.Popen(["sleep", "60"], env=marks)


# --- The verbs -------------------------------------------------------------------


def test_nothing_of_any_company_runs_any_more() -> None:
    running, queued = make.live_run(make.agent())[0], make.queued_run(make.agent())
    stopping.stop_everything(by=SYSTEM)
    for run in (running, queued):
        run.refresh_from_db()
        assert (run.status, run.error_code) == ("cancelled", "cancelled")
        assert run.error == "Paperclip stopped everything."
    assert set(Company.objects.values_list("status", flat=True)) == {"active"}
    told = Activity.objects.filter(action="instance.stopped")
    companies = {running.company_id, queued.company_id}
    assert set(told.values_list("company", flat=True)) == companies


def test_nothing_starts_also_in_a_company_of_later() -> None:
    before = make.queued_run(make.agent())
    Instance.objects.current().stop(by=SYSTEM)
    assert before.claim(host="test") is None
    before.refresh_from_db()
    assert before.status == "cancelled"
    later = make.agent(make.company("Later"), heartbeat_enabled=True)
    assert not Agent.objects.invokable().exists()
    with pytest.raises(Conflict, match="Everything is stopped"):
        later.wake("on_demand", "manual", by=SYSTEM)
    skipped = later.wake("assignment", "issue_assigned", by=SYSTEM)
    assert skipped.status == "skipped" and "Everything is stopped" in skipped.note
    Agent.objects.update(next_heartbeat_at=later.created_at)
    assert gate.wake_due(later.created_at, 10) == 0
    assert not Run.objects.open().exists()


def test_only_what_comes_after_a_resume_starts() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    stopping.stop_everything(by=SYSTEM)
    stopping.resume_everything(by=SYSTEM)
    sweep.sweep()
    sweep.wake_waiting()
    assert not Run.objects.open().exists()
    issue.comment("Go on, please.", by=make.by(make.owner_of(agent.company)))
    assert Run.objects.open().get().issue_id == issue.pk


def test_what_was_said_during_the_stop_is_heard_after_it() -> None:
    agent = make.agent()
    issue = make.issue(assignee_agent=agent)
    stopping.stop_everything(by=SYSTEM)
    issue.comment("While you were out.", by=make.by(make.owner_of(agent.company)))
    sweep.wake_waiting()
    assert not Run.objects.open().exists()
    stopping.resume_everything(by=SYSTEM)
    sweep.wake_waiting()
    assert Run.objects.open().get().issue_id == issue.pk


def test_timers_that_rang_during_the_stop_wait_for_their_next_time() -> None:
    agent = make.agent(heartbeat_enabled=True, interval_seconds=3600)
    Agent.objects.update(skip_unchanged=False)
    stopping.stop_everything(by=SYSTEM)
    Agent.objects.update(next_heartbeat_at=agent.created_at)
    stopping.resume_everything(by=SYSTEM)
    assert gate.wake_due(now(), 10) == 0
    agent.refresh_from_db()
    assert gate.wake_due(agent.next_heartbeat_at, 10) == 1
    assert agent.runs.count() == 1


def test_the_timers_of_a_company_do_not_ring_together_when_it_goes_on() -> None:
    company, other = make.company(), make.company("Other")
    timer = {"heartbeat_enabled": True, "interval_seconds": 3600}
    for number in range(20):
        make.agent(company, name=f"Agent of ours {number}", **timer)
    theirs = make.agent(other, **timer)
    company.pause(by=SYSTEM)
    long_ago = now() - timedelta(hours=5)
    Agent.objects.update(next_heartbeat_at=long_ago)
    before = now()
    stopping.resume_company(company, by=SYSTEM)
    rings = set(company.agents.values_list("next_heartbeat_at", flat=True))
    assert len(rings) > 10
    window = timedelta(seconds=timers.CATCH_UP_SECONDS + 60)
    assert all(before < at < before + window for at in rings)
    theirs.refresh_from_db()
    assert theirs.next_heartbeat_at == long_ago


def test_what_was_queued_the_moment_a_company_was_stopped_stays_undone() -> None:
    company = make.company()
    run = make.queued_run(make.agent(company))
    for reason, status in (("manual", "queued"), (STOPPED, "cancelled")):
        company.pause(by=SYSTEM, reason=reason)
        stopping.resume_company(company, by=SYSTEM)
        run.refresh_from_db()
        assert run.status == status


@pytest.mark.django_db(transaction=True)
def test_timers_and_cancels_never_wait_for_each_other() -> None:
    company = make.company()
    timer = {"heartbeat_enabled": True, "interval_seconds": 60}
    agents = [make.agent(company, name=f"Agent {n}", **timer) for n in range(12)]
    for _ in range(6):
        for agent in agents:
            make.queued_run(agent)
        Agent.objects.update(next_heartbeat_at=now() - timedelta(hours=1))

        def act(number: int) -> None:
            if number % 3 == 0:
                timers.spread(now())
            elif number % 3 == 1:
                gate.wake_due(now(), 20)
            else:
                queued = Run.objects.filter(status="queued")
                queued.cancel_queued(by=SYSTEM, why="a test")

        results = together(6, act)
        assert results == [None] * 6
        Run.objects.filter(status="queued").cancel_queued(by=SYSTEM, why="a test")


def by_console(company: Company) -> None:
    console = Client()
    console.force_login(make.owner_of(company))
    assert console.post(f"/company/{company.pk}/resume").status_code == 302


def by_api(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    answer = client.post(f"/api/companies/{company.pk}/resume")
    assert answer.json()["status"] == "active"


def by_change(company: Company) -> None:
    client = make.client_of(make.owner_of(company))
    answer = client.patch(f"/api/companies/{company.pk}", {"status": "active"})
    assert answer.json()["status"] == "active"


def by_command(company: Company) -> None:
    prefix = company.issue_prefix
    call_command("stop_everything", "--resume", "--company", prefix)


@pytest.mark.parametrize("resume", [by_console, by_api, by_change, by_command])
def test_however_a_company_goes_on_its_timers_are_spread(resume: Any) -> None:
    company = make.company()
    timer = {"heartbeat_enabled": True, "interval_seconds": 3600}
    for _ in range(5):
        make.agent(company, **timer)
    Run.objects.stop_company(company, by=SYSTEM)
    Agent.objects.update(next_heartbeat_at=now() - timedelta(hours=5))
    resume(company)
    assert not Agent.objects.due(now()).exists()
    assert company.agents.values("next_heartbeat_at").distinct().count() > 1


def test_a_company_that_is_stopped_itself_stays_so() -> None:
    company = make.company()
    Run.objects.stop_company(company, by=SYSTEM)
    stopping.stop_everything(by=SYSTEM)
    stopping.resume_everything(by=SYSTEM)
    company.refresh_from_db()
    assert company.status == "paused"


def test_the_sweep_carries_a_broken_stop_through() -> None:
    run, _token = make.live_run(make.agent())
    Instance.objects.current().stop(by=SYSTEM)
    sweep.sweep()
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_what_slipped_in_is_not_started_by_a_resume() -> None:
    run = make.queued_run(make.agent())
    Instance.objects.current().stop(by=SYSTEM)
    stopping.resume_everything(by=SYSTEM)
    run.refresh_from_db()
    assert run.status == "cancelled"


def test_a_second_stop_stays_the_first_ones() -> None:
    company = make.company()
    first, second = (make.by(make.operator(company)) for _ in range(2))
    since = stopping.stop_everything(by=first).stopped_at
    again = stopping.stop_everything(by=second)
    assert (again.stopped_at, again.stopped_by) == (since, first.name)
    assert Activity.objects.filter(action="instance.stopped").count() == 1


@pytest.mark.parametrize("role", ["owner", "admin", "operator", "viewer"])
def test_who_may_stop_and_resume(role: str) -> None:
    person = make.by(make.operator(make.company(), role))
    if role == "viewer":
        with pytest.raises(NotAllowed, match="ask somebody"):
            stopping.stop_everything(by=person)
        return
    stopping.stop_everything(by=person)
    if role == "operator":
        with pytest.raises(NotAllowed, match="owner or admin"):
            stopping.resume_everything(by=person)
        assert Instance.objects.is_stopped()
        return
    stopping.resume_everything(by=person)
    assert not Instance.objects.is_stopped()


def test_no_agent_may_and_no_program_with_a_persons_key() -> None:
    company = make.company()
    run, _token = make.live_run(make.agent(company))
    person = make.owner_of(company)
    for by in (
        Actor.of_agent(run.agent, run),
        Actor("user", str(person.pk), "x", user=person, run=run),
    ):
        with pytest.raises(NotAllowed, match="Only a person"):
            stopping.stop_everything(by=by)
    assert not Instance.objects.is_stopped()


def test_resuming_what_is_not_stopped_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="Nothing is stopped"):
        stopping.resume_everything(by=SYSTEM)


# --- The command -----------------------------------------------------------------


def test_the_command_ends_every_run_and_every_process(capsys: Any) -> None:
    runs = [make.live_run(make.agent())[0] for _ in range(2)]
    child = child_of(runs[0])
    call_command("stop_everything")
    assert child.wait(5) != 0
    assert set(Run.objects.values_list("status", flat=True)) == {"cancelled"}
    assert Instance.objects.stopped().stopped_by == "The command line"
    assert "this machine: 1." in capsys.readouterr().out
    call_command("stop_everything", "--resume")
    assert not Instance.objects.is_stopped()


def test_the_command_for_one_company_leaves_the_others_alone() -> None:
    mine, other = (make.live_run(make.agent())[0] for _ in range(2))
    children = [child_of(mine), child_of(other)]
    try:
        call_command("stop_everything", "--company", mine.company.issue_prefix.lower())
        assert children[0].wait(5) != 0 and children[1].poll() is None
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert Company.objects.get(pk=mine.company_id).status == "paused"
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.status, other.status) == ("cancelled", "running")
    call_command("stop_everything", "--resume", "--company", mine.company.issue_prefix)
    assert Company.objects.get(pk=mine.company_id).status == "active"


def test_the_command_names_the_companies_there_are() -> None:
    company = make.company("Digital Agents")
    with pytest.raises(CommandError, match=f"{company.issue_prefix} .Digital Agents"):
        call_command("stop_everything", "--company", "NOPE")


# --- Over HTTP -------------------------------------------------------------------


def test_the_api_stops_and_resumes_everything() -> None:
    company = make.company()
    run, _token = make.live_run(make.agent(company))
    client = make.client_of(make.owner_of(company))
    assert client.get("/api/instance").json()["stoppedAt"] is None
    stopped = client.post("/api/instance/stop")
    assert stopped.status_code == 200 and stopped.json()["stoppedAt"].endswith("Z")
    assert stopped.json()["stoppedBy"] == make.owner_of(company).username
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert client.get("/api/instance").json() == stopped.json()
    assert client.post("/api/instance/resume").json()["stoppedAt"] is None
    assert client.post("/api/instance/resume").status_code == 409


def test_the_api_refuses_those_who_may_not() -> None:
    company = make.company()
    agent, viewer = make.agent(company), make.operator(company, "viewer")
    assert make.client().get("/api/instance").status_code == 401
    assert make.client_of(agent).get("/api/instance").status_code == 403
    assert make.client_of(viewer).get("/api/instance").status_code == 200
    for who in (agent, viewer):
        for act in ("stop", "resume"):
            answer = make.client_of(who).post(f"/api/instance/{act}")
            assert answer.status_code == 403, (who, act)


def test_the_api_stops_and_resumes_one_company() -> None:
    company, other = make.company(), make.company()
    mine, _ = make.live_run(make.agent(company))
    theirs, _ = make.live_run(make.agent(other))
    client = make.client_of(make.owner_of(company))
    assert client.post(f"/api/companies/{other.pk}/stop").status_code == 404
    answer = client.post(f"/api/companies/{company.pk}/stop")
    assert (answer.status_code, answer.json()["status"]) == (200, "paused")
    assert answer.json()["pauseReason"] == "stopped"
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert (mine.status, theirs.status) == ("cancelled", "running")
    answer = client.post(f"/api/companies/{company.pk}/resume")
    assert answer.json()["status"] == "active"
    assert client.post(f"/api/companies/{company.pk}/resume").status_code == 409
    viewer = make.client_of(make.operator(company, "viewer"))
    assert viewer.post(f"/api/companies/{company.pk}/stop").status_code == 403


# --- Beside it -------------------------------------------------------------------


def test_a_process_with_a_made_up_run_id_does_not_stop_the_reaper() -> None:
    run = make.queued_run(make.agent())
    mark = {"PAPERCLIP_INSTANCE": home.instance_id()}
    strange = subprocess.Popen(["sleep", "60"], env=mark | {"PAPERCLIP_RUN_ID": "zzz"})
    orphan = subprocess.Popen(
        ["sleep", "60"], env=mark | {"PAPERCLIP_RUN_ID": str(run.pk)}
    )
    try:
        sweep.reap()
        assert orphan.wait(5) != 0
    finally:
        strange.kill()
        strange.wait()
    assert processes.live_runs() == set()


def test_a_viewer_founds_no_company() -> None:
    viewer = make.operator(make.company(), role="viewer")
    with pytest.raises(NotAllowed):
        Company.objects.found(owner=viewer, by=Actor.of_user(viewer), name="Mine")
