"""A job as a program of its own, under a real worker: from its start to its verified
claims, and through kill -9."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import Any

import pytest
from django.db import connection
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from agents.models import Agent, Run
from issues import sweep
from marketing.models import JobRun, JobSchedule, RankReading, Site
from paperclip.actors import SYSTEM
from tests.marketing import scene, searchers
from tests.marketing.test_ranks import OURS, keyword, with_secret
from tests.workers import eventually, running, worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(httpserver: HTTPServer) -> Site:
    base = httpserver.url_for("").rstrip("/")
    site = scene.site(
        base_url="https://us.example/", endpoints={"serper": f"{base}/serper"}
    )
    site.serp_vendor, site.serp_monthly_cents = "serper", 100
    site.bing_site = "https://us.example"
    site.save()
    with_secret(site, "serp_key", "s3rp-k3y-0000")
    for number in range(3):
        keyword(site, f"word {number}")
    return site


def ended(row: JobRun) -> JobRun:
    def over() -> bool:
        sweep.sweep()
        row.refresh_from_db()
        return row.status != "running"

    try:
        eventually(over, 30)
    except TimeoutError:
        for run in Run.objects.filter(issue_id=row.issue_id).order_by("created_at"):
            print(run.status, run.error, run.stderr_excerpt, run.wakes)
        raise
    return row


def test_a_job_runs_through_kill_9_and_is_believed_by_its_checker(
    site: Site, httpserver: HTTPServer
) -> None:
    asked: list[str] = []
    killed = threading.Event()

    def answer(request: Request) -> Response:
        asked.append(request.get_json()["q"])
        if len(asked) == 2 and not killed.is_set():
            killed.wait(20)
        return Response(searchers_json(), content_type="application/json")

    httpserver.expect_request("/serper/search").respond_with_handler(answer)
    # An open network alone would mark the run.
    Agent.objects.update(adapter_config={"command": "true", "network": "none"})
    with worker(2):
        row = JobRun.objects.start(site.company, "ranks", by=SYSTEM)
        run = running(Run.objects.get(issue_id=row.issue_id))
        eventually(lambda: len(asked) == 2, 30)
        os.kill(run.process_pid, signal.SIGKILL)
        killed.set()
        row = ended(row)
    assert row.status == "ok", row.note
    row.issue.refresh_from_db()
    assert row.issue.status == "done", row.issue.description
    assert "verified" in row.issue.description
    assert Run.objects.filter(issue_id=row.issue_id).count() == 2
    # One reading for each keyword, whichever attempt it is of.
    assert RankReading.objects.filter(status="ranked").count() == 3
    run.refresh_from_db()
    # Whoever reads of it is marked like it.
    assert run.outside == "what the Rank Monitor reads"
    assert "s3rp-k3y" not in str(run.stdout_excerpt) + str(run.stderr_excerpt)


def searchers_json() -> Any:
    return json.dumps(searchers.serper_page([OURS]))


def test_a_job_that_is_switched_off_while_it_runs_ends(
    site: Site, httpserver: HTTPServer
) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.get_json()["q"])
        if len(asked) == 1:
            JobSchedule.objects.get(job="ranks").switch(False, by=SYSTEM)
            connection.close()  # of the server's thread
        return Response(searchers_json(), content_type="application/json")

    httpserver.expect_request("/serper/search").respond_with_handler(answer)
    with worker(2):
        row = ended(JobRun.objects.start(site.company, "ranks", by=SYSTEM))
    assert (row.status, len(asked)) == ("blocked", 1)
