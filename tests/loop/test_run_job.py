"""The tool by which the CMO runs a job, in the built-in loop."""

from __future__ import annotations

from typing import Any

import pytest

from agents.loop.tools.marketing import JOBS
from agents.models import Approval, Run
from marketing.models import JobName, JobRun
from paperclip.actors import SYSTEM
from tests import make
from tests.loop import stage
from tests.loop.model import calls, says
from tests.marketing import scene


def test_it_knows_each_job() -> None:
    assert list(JOBS) == JobName.values


@pytest.mark.django_db(transaction=True)
def test_a_job_is_queued_and_asked_for_once_strangers_were_read(company: Any) -> None:
    cmo = stage.agent(company, tools=["run_job"])
    scene.site(company, agent=cmo)
    issue = make.issue(company, assignee_agent=cmo)
    spy, pr = ("run_job", {"job": "spy"}), ("run_job", {"job": "pr"})
    first = stage.play(cmo, issue, calls(spy), calls(spy), says("It runs later."))
    row = JobRun.objects.get()
    assert row.issue.identifier in first.results[0] and "queued" in first.results[0]
    assert "at work already" in first.results[1]
    assert Run.objects.get(issue_id=row.issue_id).status == "queued"
    offered = first.model.requests[0]["tools"]
    assert [tool["function"]["name"] for tool in offered] == ["run_job"]
    # The issue that it reads next was written by a run that had read a page.
    make.end(Run.objects.get(issue_id=row.issue_id))
    row.finish("ok", by=SYSTEM)
    Run.objects.filter(pk=first.run.pk).update(outside="page http://evil.example/")
    second = stage.play(cmo, issue, calls(pr), says("I wait."))
    assert second.results[0].startswith("Error: Not started: pending.")
    assert Approval.objects.get().issue_links.get().issue == issue
