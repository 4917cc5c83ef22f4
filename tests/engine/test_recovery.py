"""T-10: what fails is tried again a few times, then parked with the plain reason."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine
from django.utils.timezone import now

from agents.faults import WAITS, fault_of
from agents.models import Agent, Attempt, Run
from issues import heartbeat, recovery, sweep
from issues.models import Issue
from paperclip.actors import SYSTEM
from paperclip.models import Activity
from tests import make
from tests.engine.clock import START, look
from tests.long import long
from tests.workers import hired

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Any:
    return make.company()


# --- T-10b: the table ------------------------------------------------------------

ANTHROPIC_BILLING = (
    '{"type":"error","error":{"type":"invalid_request_error","message":"Your credit'
    " balance is too low to access the Anthropic API. Please go to Plans & Billing to"
    ' upgrade or purchase credits."}}'
)
OPENAI_QUOTA = (
    "Error code: 429 - {'error': {'message': 'You exceeded your current quota, please"
    " check your plan and billing details.', 'type': 'insufficient_quota'}}"
)
GOOGLE_QUOTA = (
    "429 RESOURCE_EXHAUSTED. {'error': {'code': 429, 'message': 'You exceeded your"
    " current quota, please check your plan and billing details. For more information"
    " on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.'}}"
)
GOOGLE_CREDIT = "429 RESOURCE_EXHAUSTED. Your prepayment credits are depleted."
GOOGLE_NOTHING = "generate_content_free_tier_requests, limit: 0, model: gemini-3.1-pro"
OPENAI_RATE = "Error code: 429 - Rate limit reached for gpt-5 on tokens per min (TPM)."
GOOGLE_KEY = "400 INVALID_ARGUMENT. API key not valid. Please pass a valid API key."
CLAUDE_LOGIN = "Invalid API key · Please run /login"
OPENAI_KEY = "Error code: 401 - Incorrect API key provided: sk-***."
ANTHROPIC_MODEL = (
    '{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}'
)
OPENAI_MODEL = "The model `gpt-99` does not exist or you do not have access to it."
OVERLOADED = '{"type":"error","error":{"type":"overloaded_error"}}'

# adapter, error code, exit code, what it printed: cause, kind, of the whole agent
FIXTURES = [
    ("litellm", "provider_key", None, "", "provider_key", "permanent", True),
    ("litellm", "provider_billing", None, "", "provider_billing", "permanent", True),
    ("litellm", "provider_model", None, "", "provider_model", "permanent", True),
    ("litellm", "model_not_allowed", None, "", "provider_model", "permanent", True),
    ("litellm", "model_unpriced", None, "", "model_unpriced", "permanent", True),
    ("litellm", "provider_refused", None, "", "provider_refused", "permanent", False),
    ("litellm", "model_misbehaves", None, "", "model_misbehaves", "permanent", False),
    ("litellm", "provider_error", None, "", "provider_error", "transient", False),
    ("litellm", "provider_timeout", None, "", "provider_timeout", "transient", False),
    ("litellm", "internal_error", None, "", "internal_error", "transient", False),
    ("litellm", "stopped", None, "", "stopped", "transient", False),
    ("litellm", "timeout", None, "", "timeout", "doubtful", False),
    ("litellm", "turn_limit_reached", 1, "", "turn_limit_reached", "doubtful", False),
    ("litellm", "token_limit_reached", 1, "", "token_limit_reached", "doubtful", False),
    ("litellm", "adapter_failed", 1, "", "unknown", "doubtful", False),
    ("process", "process_lost", None, "", "process_lost", "lost", False),
    (
        *("process", "configuration_incomplete", None, ""),
        *("configuration_incomplete", "permanent", True),
    ),
    ("process", "timeout", None, "", "timeout", "doubtful", False),
    ("process", "adapter_failed", 75, "", "temporary_failure", "transient", False),
    ("process", "adapter_failed", 77, "", "provider_key", "permanent", True),
    (
        *("process", "adapter_failed", 78, ""),
        *("configuration_incomplete", "permanent", True),
    ),
    (
        *("process", "adapter_failed", 1, ANTHROPIC_BILLING),
        *("provider_billing", "permanent", True),
    ),
    (
        *("process", "adapter_failed", 1, OPENAI_QUOTA),
        *("provider_billing", "permanent", True),
    ),
    (
        *("process", "adapter_failed", 1, GOOGLE_CREDIT),
        *("provider_billing", "permanent", True),
    ),
    (
        *("process", "adapter_failed", 1, GOOGLE_NOTHING),
        *("provider_billing", "permanent", True),
    ),
    ("process", "adapter_failed", 1, GOOGLE_QUOTA, "rate_limited", "transient", False),
    ("process", "adapter_failed", 1, OPENAI_RATE, "rate_limited", "transient", False),
    ("process", "adapter_failed", 1, GOOGLE_KEY, "provider_key", "permanent", True),
    ("process", "adapter_failed", 1, CLAUDE_LOGIN, "provider_key", "permanent", True),
    ("process", "adapter_failed", 1, OPENAI_KEY, "provider_key", "permanent", True),
    (
        *("process", "adapter_failed", 1, ANTHROPIC_MODEL),
        *("provider_model", "permanent", True),
    ),
    ("process", "adapter_failed", 1, OPENAI_MODEL, "provider_model", "permanent", True),
    ("process", "adapter_failed", 1, OVERLOADED, "overloaded", "transient", False),
    ("process", "adapter_failed", 1, "Segfault", "unknown", "doubtful", False),
]


@pytest.mark.parametrize(
    ("adapter", "code", "exit_code", "said", "cause", "kind", "whole"), FIXTURES
)
def test_a_fault_is_told_by_its_signs(
    adapter: str,
    code: str,
    exit_code: int | None,
    said: str,
    cause: str,
    kind: str,
    whole: bool,
) -> None:
    run = Run(error="It ended.", error_code=code, exit_code=exit_code)
    run.stderr_excerpt = f"starting {adapter}\n{said}\n"
    fault = fault_of(run)
    assert (fault.cause, fault.kind, fault.whole_agent) == (cause, kind, whole)


def test_no_kind_is_tried_more_than_three_times_but_what_is_nobodys_fault() -> None:
    for kind, waits in WAITS.items():
        assert list(waits) == sorted(waits)
        assert len(waits) + 1 <= (10 if kind == "lost" else 3)


# --- T-10a -----------------------------------------------------------------------


def a_day_of(agent: Agent) -> None:
    """A day passes: the sweep looks, and what is queued is carried out here, with real
    processes."""
    with time_machine.travel(START, tick=True) as clock:
        for _ in range(24 * 6):
            clock.shift(timedelta(minutes=10))
            look()
            heartbeat.beat_on()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("script", "cause", "tries"),
    [
        ("echo 'Credit balance is too low' >&2; exit 1", "provider_billing", 1),
        long("exit 3", "unknown", 3),
        long("exit 75", "temporary_failure", 3),
    ],
)
def test_a_failing_adapter_for_a_day(
    company: Any, script: str, cause: str, tries: int
) -> None:
    with time_machine.travel(START - timedelta(hours=1), tick=False):
        agent = hired(company, script)
        agent.change(by=SYSTEM, heartbeat_enabled=True, interval_seconds=600)
        issue = make.issue(company, assignee_agent=agent)
    a_day_of(agent)
    assert Issue.objects.count() == 1  # recovery makes none
    runs = list(agent.runs.filter(issue_id=issue.pk).order_by("created_at"))
    assert [run.status for run in runs] == ["failed"] * tries
    parked = agent.attempts.parked().get()
    assert (parked.cause, parked.tries) == (cause, tries)
    assert parked.reason.startswith("The program ended with exit code")
    assert Activity.objects.filter(action="attempt.parked").count() == 1
    gaps = [(b.ready_at - a.finished_at).total_seconds() for a, b in pairwise(runs)]
    assert gaps == sorted(gaps)


def test_a_parked_agent_says_so_when_it_is_woken(company: Any) -> None:
    agent = make.agent(company)
    run, _ = make.live_run(agent, make.issue(company, assignee_agent=agent))
    run.finish("failed", error="The key is wrong.", error_code="provider_key")
    recovery.follow_up(run)
    wakeup = agent.wake("automation", "issue_commented", by=SYSTEM)
    assert wakeup.status == "skipped"
    assert wakeup.note.startswith("Parked: The key is wrong. Put a working key")


@pytest.mark.parametrize("way", ["a person wakes it", "it is changed", "try again"])
def test_how_a_parked_agent_goes_on(company: Any, way: str) -> None:
    agent = make.agent(company)
    run, _ = make.live_run(agent)
    run.finish("failed", error="The key is wrong.", error_code="provider_key")
    recovery.follow_up(run)
    by = make.by(make.operator(company))
    attempt = agent.attempts.parked().get()
    if way == "a person wakes it":
        agent.wake("on_demand", "manual", by=by)
    elif way == "it is changed":
        agent.change(by=by, title="Developer")
    else:
        attempt.retry(by=by)
    assert not agent.attempts.exists()
    assert agent.wake("automation", "test", by=SYSTEM).status != "skipped"


def test_the_work_at_which_an_agent_was_parked_goes_on(company: Any) -> None:
    """Mended by a change of the agent, which names no issue."""
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    later = make.issue(company)
    run = agent.runs.get()
    run.claim(host="test")
    make.end(run, "failed", error="The key is wrong.", error_code="provider_key")
    later.change(by=SYSTEM, assignee_agent=agent)
    look()
    assert not agent.runs.filter(status="queued").exists()
    agent.change(by=make.by(make.operator(company)), title="Developer")
    look()
    waiting = agent.runs.filter(status="queued").values_list("issue_id", flat=True)
    assert set(waiting) == {issue.pk, later.pk}


def test_an_agent_cannot_unpark_itself(company: Any) -> None:
    agent = make.agent(company)
    run, _ = make.live_run(agent)
    run.finish("failed", error="The key is wrong.", error_code="provider_key")
    recovery.follow_up(run)
    client = make.client_of(agent)
    answer = client.post(f"/api/agents/{agent.pk}/heartbeat/invoke", {})
    assert answer.status_code == 409
    assert answer.json()["error"].startswith("Parked: The key is wrong.")
    assert agent.attempts.parked().exists()


def test_success_forgives(company: Any) -> None:
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    for status, kept in (("failed", [1]), ("failed", [2]), ("succeeded", [])):
        run = agent.runs.get(status="queued")
        Run.objects.filter(pk=run.pk).update(ready_at=now())
        assert run.claim(host="test")
        if status == "succeeded":
            Issue.objects.filter(pk=issue.pk).update(status="done")
        make.end(run, status)
        assert list(agent.attempts.values_list("tries", flat=True)) == kept


def test_a_retry_that_was_lost_is_made_up_for(company: Any) -> None:
    """The ledger says when; the queued run only makes it faster."""
    agent = make.agent(company)
    run, _ = make.live_run(agent, make.issue(company, assignee_agent=agent))
    run.finish("failed", error="500", error_code="provider_error")
    recovery.follow_up(run)
    Run.objects.filter(status="queued").delete()
    sweep.wake_waiting()
    assert not Run.objects.filter(status="queued").exists()
    Attempt.objects.update(next_at=now())
    sweep.wake_waiting()
    assert agent.runs.filter(status="queued").count() == 1


def test_standing_work_is_not_called_stranded(company: Any) -> None:
    """T-10c: an issue that its agent keeps blocked, or that waits for its parts."""
    agent = make.agent(company)
    issue = make.issue(company, assignee_agent=agent)
    make.issue(company, parent=issue, title="A part")
    run = agent.runs.get()
    run.claim(host="test")
    make.end(run)
    with time_machine.travel(now() + timedelta(days=30)):
        look()
    assert not Run.objects.filter(status="queued").exists()
    assert not Attempt.objects.parked().exists()


# --- ended early -----------------------------------------------------------------

FINISHES_AT_THE_SECOND_TRY = """
if [ -e begun ]; then
    curl -sS --fail -X PATCH -H "Authorization: Bearer $PAPERCLIP_API_KEY" \\
        -H 'Content-Type: application/json' \\
        -d '{"status": "done", "comment": "It works."}' \\
        "$PAPERCLIP_API_URL/api/issues/$PAPERCLIP_TASK_ID"
else
    touch begun
fi
"""


@pytest.mark.django_db(transaction=True)
def test_an_agent_that_ended_early_is_woken_again_and_finishes(
    company: Any, live_server: Any, settings: Any
) -> None:
    settings.API_URL = live_server.url
    agent = hired(company, FINISHES_AT_THE_SECOND_TRY)
    issue = make.issue(company, assignee_agent=agent)
    heartbeat.beat()
    again = agent.runs.get(status="queued")
    assert again.wakes[-1]["reason"] == "issue_unfinished"
    assert 25 < (again.ready_at - now()).total_seconds() <= 30
    Run.objects.filter(pk=again.pk).update(ready_at=now())
    heartbeat.beat()
    issue.refresh_from_db()
    assert issue.status == "done"
    assert not Run.objects.open().exists() and not Attempt.objects.exists()
