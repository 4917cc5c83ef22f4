"""Runs over HTTP: list, read, follow the log, cancel."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from agents.models import Run
from agents.runlog import LogWriter
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


@pytest.fixture
def operator(company: Company) -> APIClient:
    return make.client_of(make.owner_of(company))


def test_runs_are_filtered(company: Company, operator: APIClient) -> None:
    agent, other = make.agent(company), make.agent(company)
    issue = make.issue(company)
    mine = make.queued_run(agent, issue)
    running, _ = make.live_run(other)
    url = f"/api/companies/{company.pk}/heartbeat-runs"
    for query, run in (
        (f"agentId={agent.pk}", mine),
        (f"issueId={issue.pk}", mine),
        ("status=running", running),
    ):
        found = operator.get(f"{url}?{query}").json()
        assert [one["id"] for one in found] == [str(run.pk)]
    assert operator.get(f"{url}?agentId=x").status_code == 400
    assert operator.get(f"{url}?status=asleep").status_code == 400


def test_live_runs_are_those_that_run_or_wait(
    company: Company, operator: APIClient
) -> None:
    agent = make.agent(company)
    over, _ = make.live_run(agent)
    over.finish("succeeded")
    live, _ = make.live_run(agent)
    waiting = make.queued_run(agent, make.issue(company))
    found = operator.get(f"/api/companies/{company.pk}/live-runs").json()
    assert {run["id"] for run in found} == {str(live.pk), str(waiting.pk)}
    assert {run["agentName"] for run in found} == {agent.name}


def test_a_run_says_why_it_was_woken(company: Company, operator: APIClient) -> None:
    agent = make.agent(company, name="Ada")
    issue = make.issue(company, assignee_agent=agent)
    said = issue.comment("@Ada, hurry", by=make.SYSTEM)
    run = agent.runs.get()
    context = operator.get(f"/api/heartbeat-runs/{run.pk}").json()["contextSnapshot"]
    assert context["issueId"] == context["taskId"] == str(issue.pk)
    assert context["wakeReason"] == "issue_comment_mentioned"
    assert context["wakeCommentIds"] == [str(said.pk)]
    reasons = [wake["reason"] for wake in context["wakes"]]
    assert reasons == ["issue_assigned", "issue_comment_mentioned"]


def test_events_go_on_after_a_number(company: Company, operator: APIClient) -> None:
    run, _ = make.live_run(make.agent(company))
    run.log_event("adapter.invoke", "adapter invocation", command="true")
    url = f"/api/heartbeat-runs/{run.pk}/events"
    assert [event["seq"] for event in operator.get(url).json()] == [1, 2]
    after = operator.get(f"{url}?afterSeq=1").json()
    assert [event["payload"] for event in after] == [{"command": "true"}]
    assert operator.get(f"{url}?afterSeq=x").status_code == 400


def test_the_log_is_read_by_byte(company: Company, operator: APIClient) -> None:
    run, _ = make.live_run(make.agent(company))
    url = f"/api/heartbeat-runs/{run.pk}/log"
    assert operator.get(url).json() == {
        "runId": str(run.pk),
        "store": "local_file",
        "logRef": f"{run.pk}/log.ndjson",
        "content": "",
        "nextOffset": 0,
    }
    with LogWriter(run) as log:
        log.write("stdout", "grüße\n".encode())
        first = operator.get(url).json()
        log.write("stderr", b"oh\n")
        columns = log.columns()
    second = operator.get(f"{url}?offset={first['nextOffset']}").json()
    assert "grüße" in first["content"]
    assert '"stderr"' in second["content"]
    assert second["nextOffset"] == columns["log_bytes"]
    run.finish("succeeded", **columns)
    last = operator.get(f"{url}?offset={second['nextOffset']}").json()
    assert (last["content"], "nextOffset" in last) == ("", False)
    for wrong in ("offset=-1", "offset=x", "limitBytes=0", "limitBytes=9999999"):
        assert operator.get(f"{url}?{wrong}").status_code == 400


def test_an_operator_cancels_a_run(company: Company, operator: APIClient) -> None:
    run, token = make.live_run(make.agent(company))
    url = f"/api/heartbeat-runs/{run.pk}/cancel"
    assert make.client(token).post(url).status_code == 403
    answer = operator.post(url).json()
    assert (answer["status"], answer["errorCode"]) == ("cancelled", "cancelled")
    assert make.client(token).get("/api/agents/me").status_code == 401
    again = operator.post(url)
    assert (again.status_code, again.json()["finishedAt"]) == (
        200,
        answer["finishedAt"],
    )


def test_a_cancelled_run_that_waited_never_starts(
    company: Company, operator: APIClient
) -> None:
    run = make.queued_run(make.agent(company))
    operator.post(f"/api/heartbeat-runs/{run.pk}/cancel")
    assert Run.objects.get(pk=run.pk).claim(host="test") is None


def test_an_agent_reads_what_only_its_own_runs_printed(company: Company) -> None:
    agent = make.agent(company)
    run, _token = make.live_run(agent)
    with LogWriter(run) as log:
        log.write("stdout", b"between us\n")
        run.finish("succeeded", **log.columns())
    url = f"/api/heartbeat-runs/{run.pk}"
    _, others = make.live_run(make.agent(company))
    own, other = make.client_of(agent), make.client(others)
    assert own.get(url).json()["stdoutExcerpt"] == "between us\n"
    assert "between us" in own.get(f"{url}/log").json()["content"]
    assert own.get(f"{url}/events").status_code == 200
    seen = other.get(url).json()
    assert (seen["status"], seen["stdoutExcerpt"]) == ("succeeded", None)
    for part in ("log", "events"):
        answer = other.get(f"{url}/{part}")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    foreign = make.client_of(make.agent(make.company()))
    for part in ("", "/log", "/events"):
        assert foreign.get(url + part).status_code == 404
