"""A company with a site and a job at work, for the tests of the jobs."""

from __future__ import annotations

from typing import Any

from django.test import Client

from agents.models import Run
from marketing.jobs.base import Work
from marketing.models import JobRun, JobSchedule, Site
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make


def site(company: Company | None = None, **fields: Any) -> Site:
    """A site whose jobs an idle CMO does. A rehearsal may read this machine."""
    company = company or make.company(rehearsal=True)
    values = {
        "name": "Digiton",
        "base_url": "http://127.0.0.1:1/",
        "agent": make.agent(company, name="CMO", role="cmo", max_concurrent_runs=10),
        **fields,
    }
    row = Site.objects.create(company=company, **values)
    JobSchedule.objects.seed(row)
    return row


def browser(company: Company, role: str = "admin") -> Client:
    """Signed in as somebody of the company with that role."""
    client = Client()
    client.force_login(make.operator(company, role))
    return client


def work(site: Site, job: str, **fields: Any) -> Work:
    """A run of the job that its heartbeat has begun."""
    row = JobRun.objects.start(site.company, job, by=SYSTEM)
    run = Run.objects.get(issue_id=row.issue_id, status="queued")
    assert run.claim(host="test") is not None
    return Work(job_run=row, site=site, **fields)
