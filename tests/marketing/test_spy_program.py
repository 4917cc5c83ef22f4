"""The spy as a program of its own, with its Chromium, under a real worker."""

from __future__ import annotations

import os
import signal
import threading

import psutil
import pytest
from werkzeug import Request, Response

from agents.models import Run
from marketing.models import Competitor, JobRun, PageSnapshot
from paperclip import browsers
from paperclip.actors import SYSTEM
from tests.marketing import rivals, scene
from tests.marketing.rivals import html
from tests.marketing.test_program import ended
from tests.workers import eventually, running, worker

pytestmark = pytest.mark.django_db(transaction=True)


def browsers_of_the_spy() -> list[int]:
    return [
        one.pid
        for one in psutil.process_iter(["cmdline"])
        if any("--paperclip-crawl=" in arg for arg in one.info["cmdline"] or ())
    ]


def test_killed_with_a_page_open_it_leaves_no_browser_and_reads_on() -> None:
    assert browsers.find(), "this test needs Chromium"
    opened, killed = threading.Event(), threading.Event()

    def slow(request: Request) -> Response:
        if not opened.is_set():
            opened.set()
            killed.wait(20)
        return Response("document.title = 'Made'", mimetype="text/javascript")

    ours = scene.site(topics=["AI agents"])
    before = browsers_of_the_spy()
    with rivals.running("altair") as sites, worker(2):
        rival = sites["altair"]
        rival.pages = {
            "/": html("<script src=/s.js></script><h1>A</h1>"),
            "/s.js": slow,
        }
        Competitor.objects.add(ours.company, "Altair", rival.url, by=SYSTEM)
        row = JobRun.objects.start(ours.company, "spy", by=SYSTEM)
        run = running(Run.objects.get(issue_id=row.issue_id))
        eventually(opened.is_set, 30)
        assert browsers_of_the_spy() != before
        os.kill(run.process_pid, signal.SIGKILL)
        killed.set()
        row = ended(row)
    assert row.status == "ok", row.note
    row.issue.refresh_from_db()
    assert row.issue.status == "done", row.issue.description
    page = PageSnapshot.objects.get(status="ok")
    assert (page.how, page.fields["title"]["value"]) == ("browser", "Made")
    eventually(lambda: browsers_of_the_spy() == before, 10)
