"""The marketing over HTTP: jobs that are run, and what they have found and made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.models import Approval, Run
from issues.checkers import CLAIMS
from issues.checkers.base import failed
from marketing import conduct
from marketing.jobs import JOBS
from marketing.models import JobRun, JobSchedule, KeywordGap, Site
from paperclip.actors import SYSTEM
from tests import make
from tests.access.marketing import outside
from tests.marketing import scene, test_jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return scene.site(make.company())


def api(site: Site, who: Any, method: str, path: str, body: Any = None) -> Any:
    client = who if hasattr(who, "get") else make.client_of(who)
    return getattr(client, method)(f"/api/companies/{site.company_id}/{path}", body)


def test_a_job_is_run_once_at_a_time_and_shown_with_its_times(site: Site) -> None:
    person = make.operator(site.company, "operator")
    answer = api(site, person, "post", "jobs/content/run", {})
    assert (answer.status_code, answer.json()["verdict"]) == (202, "allowed")
    run = answer.json()["run"]
    assert run["status"] == "running" and run["startedBy"] == person.username
    again = api(site, person, "post", "jobs/content/run", {})
    assert (again.status_code, again.json()["code"]) == (409, "job_at_work")
    assert api(site, person, "post", "jobs/dance/run", {}).status_code == 404
    JobSchedule.objects.get(job="pr").switch(False, by=SYSTEM)
    jobs = {row["job"]: row for row in api(site, person, "get", "jobs").json()}
    assert list(jobs) == list(JOBS)
    assert jobs["content"]["state"] == "running"
    assert jobs["content"]["lastRun"]["id"] == run["id"]
    assert (jobs["pr"]["state"], jobs["pr"]["nextRunAt"]) == ("off", None)
    assert jobs["blog"]["schedule"] == "every 2 hours" and jobs["blog"]["nextRunAt"]
    (row,) = api(site, person, "get", "jobs/content/runs").json()
    assert row["id"] == run["id"]


def test_a_dry_run_is_done_by_a_worker_and_files_nothing(site: Site) -> None:
    site.base_url = ""
    site.save()
    person = make.operator(site.company, "operator")
    answer = api(site, person, "post", "jobs/pr/run", {"dryRun": True})
    row = JobRun.objects.get(pk=answer.json()["run"]["id"])
    assert row.is_dry and row.issue is None
    conduct.look(str(row.pk))
    row.refresh_from_db()
    assert row.status != "running"
    told = make.client_of(person).get(f"/api/job-runs/{row.pk}").json()
    assert (told["status"], told["claims"]) == (row.status, [])


def test_what_a_run_claims_is_told_with_what_was_seen(site: Site, monkeypatch) -> None:
    monkeypatch.setitem(JOBS, "content", f"{test_jobs.__name__}.Doing")
    monkeypatch.setitem(CLAIMS, "crawl", f"{test_jobs.__name__}.Seen")
    monkeypatch.setitem(test_jobs.SAID, "now", failed("It is not there."))

    def act(work: Any) -> None:
        work.did("Read a page.")
        work.count("pages read")
        work.claim("crawl", "A page was read", page="x")

    monkeypatch.setattr(test_jobs.Doing, "does", staticmethod(act))
    row = test_jobs.conducted(site)
    person = make.operator(site.company, "viewer")
    told = make.client_of(person).get(f"/api/job-runs/{row.pk}").json()
    assert (told["lines"], told["counters"]) == (["Read a page."], {"pages read": 1})
    (claim,) = told["claims"]
    assert claim["state"] == "refuted"
    assert claim["evidence"]["said"] == "It is not there."


def test_the_agent_whose_jobs_they_are_runs_them_and_nobody_else_does(
    site: Site,
) -> None:
    _run, token = make.live_run(site.agent)
    _other, theirs = make.live_run(make.agent(site.company))
    refused = api(site, make.client(theirs), "post", "jobs/spy/run", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_your_job")
    answer = api(site, make.client(token), "post", "jobs/spy/run", {})
    assert answer.json()["run"]["startedBy"] == site.agent.name
    # A run of its own, beside the one that has asked for it.
    row = JobRun.objects.get()
    assert Run.objects.get(issue_id=row.issue_id).status == "queued"


def test_a_run_that_has_read_words_of_strangers_asks_before_a_job_with_effects(
    site: Site,
) -> None:
    run, token = make.live_run(site.agent)
    Run.objects.filter(pk=run.pk).update(outside="")
    client = make.client(token)
    outside(site.company)
    assert KeywordGap.objects.filter(company=site.company).exists()
    api(site, client, "get", "jobs")
    run.refresh_from_db()
    assert run.outside == ""
    assert api(site, client, "get", "keyword-gaps").json()[0]["term"] == "term"
    run.refresh_from_db()
    assert run.outside
    # Reading alone needs nobody's yes; what goes out does.
    assert api(site, client, "post", "jobs/spy/run", {}).json()["run"]
    asked = api(site, client, "post", "jobs/content/run", {}).json()
    assert (asked["verdict"], asked["run"]) == ("pending", None)
    assert not JobRun.objects.filter(job="content").exists()
    card = Approval.objects.get(pk=asked["approval"]["id"])
    assert card.title == "Run the Content Engine now"
    card.decide("approved", by=make.by(make.owner_of(site.company)))
    assert api(site, client, "post", "jobs/content/run", {}).json()["run"]
    # The yes was for one run.
    JobRun.objects.get(job="content").finish("ok", by=SYSTEM)
    assert api(site, client, "post", "jobs/content/run", {}).json()["run"] is None


def test_mail_is_exported_with_whole_addresses_for_an_admin(site: Site) -> None:
    outside(site.company)
    owner = make.owner_of(site.company)
    (row,) = api(site, owner, "get", "messages").json()
    assert row["outlet"] == "Press"
    answer = api(site, owner, "get", "messages/export")
    assert answer["Content-Type"] == "application/x-ndjson"
    (line,) = b"".join(answer.streaming_content).splitlines()
    assert json.loads(line)["to"] == "a@press.example"
    operator = make.operator(site.company, "operator")
    assert api(site, operator, "get", "messages/export").status_code == 403
