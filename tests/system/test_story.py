"""One company, through all that governs it: what an agent may, knows, spends, claims,
with real programs, a real worker and the clock's own rounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import workspaces
from agents.models import Agent, Approval, BudgetIncident, Run
from issues import sweep
from issues.models import Claim, Evidence, Issue
from paperclip import home, processes, sealing
from paperclip.actors import SYSTEM
from paperclip.models import Activity, Company
from paperclip.verification import verify
from tests import make
from tests.workers import eventually, worker

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAM = str(Path(__file__).with_name("story_agent.py"))
KEY = "canary-of-the-whole-story"
NO = "Not on the site: keep it as a document."


@pytest.fixture(scope="module")
def _worker(live_server: Any, django_db_setup: None) -> Iterator[None]:
    with worker(PAPERCLIP_API_URL=live_server.url):
        yield


@pytest.fixture
def company() -> Iterator[Company]:
    yield make.company()
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")
    eventually(lambda: not processes.live_runs())


def staff(company: Company, role: str, **fields: Any) -> Agent:
    env = {"ROLE": role, **fields.pop("env", {})}
    config = {"command": sys.executable, "args": [PROGRAM], "env": env, "graceSec": 1}
    return make.agent(company, name=role.title(), adapter_config=config, **fields)


def swept(condition: Callable[[], Any]) -> Any:
    """What becomes true while the clock goes round."""

    def look() -> Any:
        sweep.sweep()
        return condition()

    return eventually(look, 30)


def test_one_company_from_its_first_question_to_its_last_seal(
    company: Company, _worker: None
) -> None:
    person = make.client_of(make.owner_of(company))
    here = f"/api/companies/{company.pk}"
    kept = person.post(f"{here}/secrets", {"name": "Shop", "value": KEY}).json()
    check = {
        **{"key": "report", "type": "file", "title": "The report is written"},
        "settings": {"document": "report", "contains": NO},
    }
    assert person.post(f"{here}/checks", check).status_code == 201
    key = {"type": "secret_ref", "secretId": kept["id"]}
    writer = staff(
        company, "writer", reviewer=staff(company, "reviewer"), env={"SHOP_KEY": key}
    )
    limit = {"scopeType": "agent", "scopeId": str(writer.pk), "metric": "tokens"}
    limit |= {"amount": 10_000, "windowKind": "lifetime"}
    assert person.post(f"{here}/budgets/policies", limit).status_code == 200
    told = {"title": "Write the report", "status": "todo"}
    told |= {"assigneeAgentId": str(writer.pk), "criteria": [{"check": "report"}]}
    issue = Issue.objects.get(pk=person.post(f"{here}/issues", told).json()["id"])

    # It asks, and is told no and why.
    asked = swept(lambda: Approval.objects.filter(type="publish").first())
    swept(lambda: writer.runs.filter(status="succeeded").exists())
    no = f"/api/approvals/{asked.pk}/reject"
    assert person.post(no, {"decisionNote": NO}).status_code == 200

    # It works with its key, until four fifths and then all of its budget are spent.
    soft = swept(lambda: BudgetIncident.objects.filter(threshold="soft").first())
    (place,) = {row.parent for row in workspaces.of(writer).rglob("spent")}
    (place / "go-on").touch()
    hard = swept(lambda: BudgetIncident.objects.filter(threshold="hard").first())
    swept(lambda: not writer.runs.open().exists() and not processes.live_runs())
    stopped = writer.runs.get(error_code="budget_exceeded")
    writer.refresh_from_db()
    assert (soft.observed, hard.observed) == (8_500, 10_500)
    assert (stopped.status, writer.pause_reason) == ("cancelled", "budget")

    # Somebody raises it: just that work goes on, is claimed, checked and reviewed.
    raised = {"action": "raise_budget_and_resume", "amount": 20_000}
    resolve = f"{here}/budget-incidents/{hard.pk}/resolve"
    assert person.post(resolve, raised).status_code == 200

    def is_done() -> bool:
        issue.refresh_from_db()
        return issue.status == "done"

    swept(is_done)
    swept(lambda: not Run.objects.open().exists())
    assert Claim.objects.get(issue=issue).status == Claim.Status.VERIFIED
    receipt = Evidence.objects.get(issue=issue)
    assert (receipt.outcome, receipt.type) == ("passed", "file")
    assert issue.approved_by() == "Reviewer" and issue.assignee_agent == writer
    assert NO in issue.documents.get().body and "***" in issue.documents.get().body
    assert not Approval.objects.filter(status="pending").exists()

    # Every step of it is sealed, who was given the key too; the key is nowhere.
    acts = Activity.objects.filter(company=company).values_list("action", flat=True)
    assert {
        *("approval.rejected", "secret.read", "budget.incident_resolved"),
        *("issue.check_requested", "issue.checked", "issue.review_decided"),
    } <= set(acts)
    sealing.seal()
    report = verify(company.pk)
    assert not report.findings and report.entries == len(acts)
    logs = [file for file in home.directory("runs").rglob("*") if file.is_file()]
    assert logs and not any(KEY.encode() in file.read_bytes() for file in logs)
    assert not any(KEY in str(run.__dict__) for run in Run.objects.all())
