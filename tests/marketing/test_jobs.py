"""The frame of the jobs: one run at a time, one issue, one alert, and switches."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask

from agents.adapters import program_of
from agents.models import Run
from issues.checkers import CLAIMS
from issues.checkers.base import Checker, Result, failed, passed, unable
from issues.models import Evidence, Issue
from issues.models.base import JOB
from marketing import conduct, verification
from marketing.jobs import JOBS
from marketing.jobs.base import Blocked, Failed, Job, Work
from marketing.models import JobRun, JobSchedule, Site
from marketing.models.job import ALERT
from marketing.upcoming import next_run
from paperclip.actors import SYSTEM, Actor
from paperclip.api.forms import Form
from paperclip.exceptions import Conflict, Missing, NotAllowed
from tests import make
from tests.marketing import scene

pytestmark = pytest.mark.django_db
SAID: dict[str, Result] = {}


class Doing(Job):
    """What the next run does."""

    does = staticmethod(lambda work: None)

    def run(self, work: Work) -> None:
        type(self).does(work)


class Seen(Checker):
    Settings = Form
    of_catalogue = True

    def in_words(self, settings: object) -> str:
        return "The test says so."

    def check(self, job: object) -> Result:
        return SAID["now"]


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch):
    """Rows of the tables for this test."""
    monkeypatch.setitem(JOBS, "content", f"{__name__}.Doing")
    monkeypatch.setitem(CLAIMS, "crawl", f"{__name__}.Seen")

    def put(act):
        monkeypatch.setattr(Doing, "does", staticmethod(act))

    return put


def conducted(site: Site) -> JobRun:
    row = conduct.conduct(scene.work(site, "content"))
    row.refresh_from_db()
    return row


def alerts() -> list[Issue]:
    return list(Issue.objects.filter(origin_kind=ALERT).order_by("number"))


def test_each_job_has_its_line_in_beat_and_an_edited_one_stays() -> None:
    site = scene.site()
    assert JobSchedule.objects.filter(company=site.company).count() == len(JOBS)
    task = JobSchedule.objects.get(company=site.company, job="pr").task
    assert (task.interval.every, task.interval.period) == (8, "hours")
    JobSchedule.objects.get(job="pr").run_every(12, by=SYSTEM)
    JobSchedule.objects.seed(site)
    assert PeriodicTask.objects.get(pk=task.pk).interval.every == 12


def test_one_tick_is_one_run_however_often_it_rings() -> None:
    site, at = scene.site(), now()
    first = JobRun.objects.tick(site.company_id, "content", at)
    assert first is not None and first.issue.origin_kind == JOB
    assert JobRun.objects.tick(site.company_id, "content", at) is None
    with pytest.raises(Conflict, match="at work already"):
        JobRun.objects.start(site.company, "content", by=SYSTEM)
    assert JobRun.objects.tick(site.company_id, "spy", at) is not None


def test_what_has_just_rung_is_not_due_again() -> None:
    """Beat writes down only now and then when it rang."""
    site = scene.site()
    schedule = JobSchedule.objects.get(job="pr")
    long_ago = now() - timedelta(hours=8)
    PeriodicTask.objects.filter(pk=schedule.task_id).update(last_run_at=long_ago)
    schedule.refresh_from_db()
    assert next_run(schedule) < now() + timedelta(minutes=1)
    JobRun.objects.tick(site.company_id, "pr", now())
    assert next_run(schedule) > now() + timedelta(hours=7)


def test_the_run_of_a_job_is_a_program_of_ours() -> None:
    site = scene.site()
    row = JobRun.objects.start(site.company, "content", by=SYSTEM)
    run = Run.objects.get(issue_id=row.issue_id)
    assert program_of(run).__name__ == "JobProgram"
    other = make.queued_run(site.agent)
    assert program_of(other).__name__ == "Process"


def test_what_a_job_did_is_in_its_issue(does) -> None:
    def act(work: Work) -> None:
        work.count("pages read", 3)
        work.did("Read three pages.")
        work.waits_for_person("Approve the post.", "/approvals/1")

    does(act)
    row = conducted(scene.site())
    row.issue.refresh_from_db()
    assert (row.status, row.issue.status) == ("ok", "done")
    for told in ("pages read | 3", "Read three pages.", "Approve the post.", row.pk):
        assert str(told) in row.issue.description


def test_a_run_with_nothing_to_do_says_so(does) -> None:
    does(lambda work: None)
    row = conducted(scene.site())
    row.issue.refresh_from_db()
    assert (row.status, row.issue.status) == ("noop", "done")


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (passed("It is there."), "done"),
        (unable("The server is away."), "in_review"),
        (failed("It is not there."), "in_review"),
    ],
)
def test_a_claim_is_what_its_checker_saw(does, seen: Result, state: str) -> None:
    does(lambda work: work.claim("crawl", "A page was read", page="x"))
    SAID["now"] = seen
    row = conducted(scene.site())
    row.issue.refresh_from_db()
    assert row.issue.status == state
    assert Evidence.objects.get(issue=row.issue).said == seen.said


def test_what_could_not_be_proven_is_looked_at_again_and_refuted_stays(does) -> None:
    does(lambda work: work.claim("crawl", "A page was read", page="x"))
    SAID["now"] = unable("The server is away.")
    row = conducted(scene.site())
    SAID["now"] = passed("It is there.")
    verification.verify_open(row.company_id, "content", now())
    row.issue.refresh_from_db()
    assert row.issue.status == "done"
    assert Evidence.objects.filter(issue=row.issue).count() == 2

    SAID["now"] = failed("It is not there.")
    row = conducted(scene.site())
    SAID["now"] = passed("It is there.")
    verification.verify_open(row.company_id, "content", now())
    row.issue.refresh_from_db()
    assert row.issue.status == "in_review"


def test_failures_are_one_alert_that_closes_when_it_works(does) -> None:
    def breaks(work: Work) -> None:
        raise Failed("The sitemap does not answer.")

    site = scene.site()
    does(breaks)
    assert [conducted(site).status for _ in range(3)] == ["failed"] * 3
    (alert,) = alerts()
    assert "sitemap" in alert.title and alert.status == "todo"
    does(lambda work: None)
    conducted(site)
    (alert,) = alerts()
    assert alert.status == "done"


def test_a_missing_setting_blocks_and_is_named(does) -> None:
    def act(work: Work) -> None:
        raise Blocked("“IndexNow key” of Digiton is not set: no page can be told of.")

    does(act)
    row = conducted(scene.site())
    assert row.status == "blocked" and "IndexNow key" in row.note
    assert "IndexNow key" in alerts()[0].title


def test_a_fault_of_ours_is_a_failure_and_no_traceback_for_people(does) -> None:
    does(lambda work: 1 / 0)
    row = conducted(scene.site())
    assert row.status == "failed" and "ZeroDivisionError" in row.note


def test_a_job_that_is_switched_off_ends_before_its_next_step(does) -> None:
    steps: list[str] = []

    def act(work: Work) -> None:
        steps.append("first")
        JobSchedule.objects.get(job="content").switch(False, by=SYSTEM)
        work.at("second")
        steps.append("second")

    does(act)
    site = scene.site()
    row = conducted(site)
    assert (steps, row.status, alerts()) == (["first"], "blocked", [])
    assert JobRun.objects.tick(site.company_id, "content", now()) is None


def test_nobody_runs_jobs_without_a_site_or_the_right() -> None:
    company = make.company()
    with pytest.raises(Missing, match="site"):
        JobRun.objects.start(company, "content", by=SYSTEM)
    site = scene.site()
    viewer = Actor.of_user(make.operator(site.company, "viewer"))
    with pytest.raises(NotAllowed):
        JobRun.objects.start(site.company, "content", by=viewer)


def test_a_paused_agent_does_no_jobs_and_one_run_says_why() -> None:
    site, at = scene.site(), now()
    site.agent.pause(by=SYSTEM)
    for ticks in range(3):
        later = at + timedelta(hours=ticks)
        JobRun.objects.tick(site.company_id, "content", later)
    (row,) = JobRun.objects.all()
    assert row.status == "blocked" and "paused" in row.note
    assert row.tick_at == later.replace(second=0, microsecond=0)
    assert not Issue.objects.filter(origin_kind=JOB).exists()


def test_a_lost_run_makes_room_for_the_next(does) -> None:
    site = scene.site()
    row = JobRun.objects.start(site.company, "content", by=SYSTEM)
    Run.objects.filter(issue_id=row.issue_id).update(status="failed")
    again = JobRun.objects.start(site.company, "content", by=SYSTEM)
    row.refresh_from_db()
    assert (row.status, again.status) == ("failed", "running")


def test_a_jobs_issue_is_in_nobodys_inbox() -> None:
    site = scene.site()
    JobRun.objects.start(site.company, "content", by=SYSTEM)
    assert not Issue.objects.inbox_of(site.agent).exists()
    assert not Issue.objects.workable().filter(origin_kind=JOB).exists()
