"""What an agent's next runs go on with, on its page and on the issue's."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.timezone import now

from agents.models import Agent, Run, Session
from issues.models import Issue
from tests import make
from tests.agents.test_sessions_api import session_of
from tests.console.conftest import seen_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def dev(company: Any) -> Agent:
    return make.agent(company, name="Dev")


@pytest.fixture
def issue(company: Any) -> Issue:
    return make.issue(company, title="Write a post")


def seen(console: Any, url: str) -> str:
    return str(console.get(url).content.decode())


def test_sessions_are_on_both_pages(console: Any, dev: Agent, issue: Issue) -> None:
    session_of(
        dev,
        issue,
        context_tokens=62_000,
        hand_over="Your earlier <b>conversation</b>",
        last_error="It broke.",
    )
    for url in (f"/agents/{dev.pk}", f"/issues/{issue.identifier}"):
        page = seen(console, url)
        assert "3 runs, 62k of 100k tokens" in page and "It broke." in page
        assert "earlier &lt;b&gt;conversation" in page and "Start afresh" in page


def test_a_button_starts_one_afresh(console: Any, dev: Agent, issue: Issue) -> None:
    row = session_of(dev, issue)
    answer = console.post(f"/agents/sessions/{row.pk}/reset", follow=True)
    assert "Dev begins afresh there next time." in answer.content.decode()
    assert not Session.objects.exists()


def test_a_button_starts_all_afresh(console: Any, dev: Agent, issue: Issue) -> None:
    session_of(dev, issue)
    session_of(dev, make.issue(dev.company))
    assert "Start all afresh" in seen(console, f"/agents/{dev.pk}")
    console.post(f"/agents/{dev.pk}/sessions_reset")
    assert not Session.objects.exists()


def test_viewers_and_strangers_reset_nothing(
    viewer: Any, stranger: Any, dev: Agent, issue: Issue
) -> None:
    row = session_of(dev, issue)
    assert "Start afresh" not in seen(viewer, f"/agents/{dev.pk}")
    for who, status in ((viewer, 302), (stranger, 404)):
        for url in (
            f"/agents/sessions/{row.pk}/reset",
            f"/agents/{dev.pk}/sessions_reset",
        ):
            assert who.post(url).status_code == status
    assert Session.objects.count() == 1


def test_reuse_is_a_figure_with_an_alarm(
    console: Any, dev: Agent, issue: Issue
) -> None:
    def run(before: str | None) -> None:
        Run.objects.create(
            company=dev.company,
            agent=dev,
            issue_id=issue.pk,
            status="succeeded",
            started_at=now(),
            session_id_before=before,
            session_id_after="s-1",
        )

    run(None)
    assert 'id="reuse"' not in seen(console, f"/agents/{dev.pk}")
    for _ in range(3):
        run("s-1")
    run(None)
    page = seen(console, f"/agents/{dev.pk}")
    assert "75 % reused in the last 7 days: 3 of 4 runs" in page
    assert "That is dear" not in page
    for _ in range(6):
        run(None)
    page = seen(console, f"/agents/{dev.pk}")
    assert "30 % reused" in page and "That is dear" in page


def test_the_form_has_its_settings(company: Any, dev: Agent) -> None:
    console = seen_by(make.owner_of(company))
    url = f"/agents/{dev.pk}/change/"
    form = console.get(url).context["form"]
    sent = {
        name: form[name].value()
        for name in ("name", "role", "adapter_type", "command", "max_concurrent_runs")
    }
    sent |= {
        "resumeArgs": "--resume\r\n{sessionId}",
        "sessionTokens": "50000",
        "interval_seconds_number": "0",
        "interval_seconds_unit": "60",
    }
    console.post(url, sent)
    dev.refresh_from_db()
    assert dev.adapter_config == {
        "command": "true",
        "resumeArgs": ["--resume", "{sessionId}"],
        "sessionTokens": 50_000,
    }
