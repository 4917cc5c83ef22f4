"""What the console says of the engine: who is parked and why, what an issue waits for,
what an idle agent skipped, and the buttons that let things go on."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now

from agents.models import Agent, Attempt, Run
from issues import gate, recovery
from paperclip.actors import SYSTEM
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def dev(company: Any) -> Agent:
    return make.agent(company, name="Dev")


@pytest.fixture
def parked(dev: Agent) -> Attempt:
    issue = make.issue(dev.company, assignee_agent=dev, title="Build")
    run, _ = make.live_run(dev, issue)
    run.finish("failed", error="The key is wrong.", error_code="provider_key")
    recovery.follow_up(run)
    found: Attempt = dev.attempts.parked().get()
    return found


def issue_url(dev: Agent) -> str:
    return f"/issues/{dev.issues.get().identifier}"


def test_an_alert_stands_where_people_look(
    console: Client, dev: Agent, parked: Attempt
) -> None:
    for url in ("/", f"/agents/{dev.pk}", issue_url(dev)):
        page = console.get(url).content.decode()
        assert "The key is wrong. Put a working key in place" in page, url
        assert f"/agents/attempts/{parked.pk}/retry" in page, url


def test_try_again_lets_it_go_on(console: Client, dev: Agent, parked: Attempt) -> None:
    url = f"/agents/attempts/{parked.pk}/retry"
    answer = console.post(url, {"next": "/"}, follow=True)
    assert "Dev tries it again." in answer.content.decode()
    assert not Attempt.objects.exists()
    assert dev.runs.filter(status="queued").exists()


def test_a_viewer_sees_it_and_may_not(
    viewer: Client, stranger: Client, dev: Agent, parked: Attempt
) -> None:
    url = f"/agents/attempts/{parked.pk}/retry"
    assert "Try again" not in viewer.get(f"/agents/{dev.pk}").content.decode()
    viewer.post(url)
    assert stranger.post(url).status_code == 404
    assert Attempt.objects.filter(pk=parked.pk).exists()


def test_what_an_idle_agent_skipped_is_counted(console: Client, dev: Agent) -> None:
    dev.change(by=SYSTEM, heartbeat_enabled=True, interval_seconds=600)
    for _ in range(23):
        Agent.objects.filter(pk=dev.pk).update(next_heartbeat_at=now())
        gate.wake_due(now(), 10)
    page = console.get(f"/agents/{dev.pk}").content.decode()
    since = dev.wakeups.get().created_at
    assert f"skipped 23 times since {since:%H:%M} UTC: Nothing has changed." in page


def test_an_issue_says_why_it_does_not_move(console: Client, dev: Agent) -> None:
    blocker = make.issue(dev.company, title="First", status="backlog")
    issue = make.issue(dev.company, assignee_agent=dev, blocked_by=[blocker])
    page = console.get(f"/issues/{issue.identifier}").content.decode()
    assert f"It waits for {blocker.identifier}." in page


def test_a_comment_nobody_has_read_says_whom_it_waits_for(
    console: Client, dev: Agent
) -> None:
    issue = make.issue(dev.company, assignee_agent=dev)
    run = dev.runs.get()
    run.claim(host="test")
    console.post(f"/issues/{issue.identifier}/comment", {"body": "Blue, please."})
    page = console.get(f"/issues/{issue.identifier}").content.decode()
    assert "It waits for the next run of Dev." in page
    assert "Interrupt the run" in page
    make.end(run)
    again = dev.runs.get(status="queued")
    Run.objects.filter(pk=again.pk).update(ready_at=now())
    again.claim(host="test")
    page = console.get(f"/issues/{issue.identifier}").content.decode()
    assert "Dev is reading it." in page
    make.end(again)
    page = console.get(f"/issues/{issue.identifier}").content.decode()
    assert "is reading it." not in page and "waits for the next run" not in page


def test_active_hours_are_set_and_shown(console: Client, dev: Agent) -> None:
    form = console.get(f"/agents/{dev.pk}/change/").context["form"]
    values = {name: field.value() for name, field in ((f.name, f) for f in form)}
    sent = {key: value for key, value in values.items() if value not in (None, [], {})}
    sent |= {
        "active_days": ["0", "4"],
        "active_from": "08:00",
        "active_to": "18:30",
        "time_zone": "Europe/Lisbon",
    }
    sent = {key: value for key, value in sent.items() if value is not False}
    answer = console.post(f"/agents/{dev.pk}/change/", sent, follow=True)
    dev.refresh_from_db()
    assert (dev.active_days, dev.active_to) == ([0, 4], time(18, 30)), answer.content
    page = console.get(f"/agents/{dev.pk}").content.decode()
    assert "Mon, Fri 08:00-18:30 (Europe/Lisbon)" in page


def test_half_a_span_is_refused_in_words(console: Client, dev: Agent) -> None:
    sent = {"name": "Dev", "role": "general", "adapter_type": "process"}
    sent |= {"command": "true", "active_from": "08:00", "max_concurrent_runs": "1"}
    answer = console.post(f"/agents/{dev.pk}/change/", sent)
    assert "Give a beginning and an end, or neither." in answer.content.decode()
