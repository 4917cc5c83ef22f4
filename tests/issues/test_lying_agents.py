"""What agents claim is looked at by the control plane itself: a real worker, git, a
site and a mailbox. The liar is refused in each case, the honest one needs nobody."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.models import Run
from issues import repositories, sweep
from issues.models import Check, Claim, Criterion, Evidence, Issue, Project
from paperclip import processes
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.issues.evidence import RIGHT, claimed, project, suite, worked_on
from tests.mailserver import mail
from tests.mailserver import settings as mailbox
from tests.pageserver import site
from tests.workers import Worker, ended, eventually, worker

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAM = Path(__file__).with_name("claimant.py")


@pytest.fixture(scope="module")
def outside(live_server: Any, django_db_setup: None) -> Iterator[dict[str, str]]:
    """The addresses an agent gets to know."""
    with mail() as (_store, smtp, imap), site() as pages:
        ports = {"SMTP": str(smtp), "IMAP": str(imap)}
        yield {"API": live_server.url, "SITE": pages.url, **ports}


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Project]:
    company = make.company()
    yield project(company, tmp_path / "first")
    Run.objects.open().cancel(by=SYSTEM, why="the test is over")
    sweep.reap()
    eventually(lambda: not processes.live_runs())


def assigned(ours: Project, outside: dict[str, str], work: str) -> Issue:
    """An issue with a criterion of each kind, given to an agent of that kind."""
    company = ours.company
    env = {"SITE": outside["SITE"], "SMTP": outside["SMTP"], "WORK": work}
    agent = make.agent(
        company,
        name=work.capitalize(),
        adapter_config={"command": sys.executable, "args": [str(PROGRAM)], "env": env},
    )
    issue = make.issue(company, project=ours, title="Build the tool")
    suite(company)
    catalogue = Check.objects
    catalogue.define(
        company, by=SYSTEM, key="handed-over", type="git", title="It is committed",
        settings={"changes": ["tool.py"]},
    )  # fmt: skip
    catalogue.define(
        company, by=SYSTEM, key="page", type="http", title="Its page is online",
        settings={"url": outside["SITE"] + "/{page}", "contains": "The tool"},
        parameters=[{"name": "page", "type": "path"}],
    )  # fmt: skip
    catalogue.define(
        company, by=SYSTEM, key="mail", type="mail", title="The mail went out",
        settings={
            **mailbox(company, int(outside["IMAP"])),
            "to": "{to}",
            "subject": "The tool",
        },
        parameters=[{"name": "to", "type": "word"}],
    )  # fmt: skip
    given = {"page": {"page": "tool.html"}, "mail": {"to": "ann@example.org"}}
    for key in ("tests", "handed-over", "page", "mail"):
        values = given.get(key, {})
        Criterion.objects.add(issue, by=SYSTEM, check=key, parameters=values)
    issue.change(by=SYSTEM, assignee_agent=agent)
    return issue


def answered(issue: Issue) -> Claim:
    """The first claim, once it has its answer."""

    def found() -> Claim | None:
        claim = issue.claims.order_by("created_at").first()
        return claim if claim and not claim.is_open else None

    claim: Claim = eventually(found, 60)
    issue.refresh_from_db()
    return claim


def test_a_liar_is_refused_in_each_case(ours: Project, outside: dict[str, str]) -> None:
    issue = assigned(ours, outside, "lying")
    with worker(PAPERCLIP_API_URL=outside["API"]):
        claim = answered(issue)
        ended(issue.assignee_agent.runs.earliest("created_at"))  # type: ignore[union-attr]
    assert claim.status == Claim.Status.REFUSED
    assert issue.status != "done" and issue.completed_at is None
    receipts = Evidence.objects.filter(claim=claim)
    assert {r.title: r.outcome for r in receipts} == {
        "The tests pass": "failed",
        "It is committed": "failed",
        "Its page is online": "failed",
        "The mail went out": "failed",
    }
    (said,) = issue.comments.filter(author_agent=None)[:1]
    assert all(receipt.title in said.body for receipt in receipts)
    assert f"none is <{issue.pk}@agents.example>" in said.body
    shown = make.client_of(make.owner_of(ours.company)).get(f"/api/issues/{issue.pk}")
    assert shown.json()["verification"]["status"] in ("refused", "pending", "checking")


def test_an_honest_agent_needs_nobody(ours: Project, outside: dict[str, str]) -> None:
    issue = assigned(ours, outside, "honest")
    with worker(PAPERCLIP_API_URL=outside["API"]):
        claim = answered(issue)
    assert claim.status == Claim.Status.VERIFIED, claim.said
    assert issue.status == "done" and issue.is_proven()
    assert repositories.show(ours, "main", "tool.py") == RIGHT.encode()
    receipts = {r.type: r.facts for r in Evidence.objects.filter(claim=claim)}
    assert receipts["command"]["exitCode"] == 0
    assert receipts["http"]["status"] == 200
    assert receipts["mail"]["messageId"] == f"<{issue.pk}@agents.example>"
    assert receipts["git"]["commit"] == receipts["command"]["commit"]
    assert all(len(r.get("digest", "x" * 64)) == 64 for r in receipts.values())


def slow(ours: Project, place: Path) -> tuple[Issue, Actor]:
    """An issue whose check takes some seconds, and its agent at work on it."""
    company = ours.company
    settings = {"command": ["sleep", "3"], "seconds": 30}
    fields = {"key": "slow", "type": "command", "title": "Slow", "settings": settings}
    check = Check.objects.define(company, by=SYSTEM, **fields)
    issue = make.issue(company, project=ours, assignee_agent=make.agent(company))
    Criterion.objects.add(issue, by=SYSTEM, check=check)
    _work, by = worked_on(issue, place, tool_py=RIGHT)
    return issue, by


def being_checked(claim: Claim) -> dict[str, str]:
    """Wait for its program; the mark of that."""
    mark = {"PAPERCLIP_CHECK_ID": str(claim.pk)}
    eventually(lambda: processes.carriers(mark))
    claim.refresh_from_db()
    assert (claim.status, claim.progress) == ("checking", "1 of 1: Slow")
    return mark


def swept_until(claim: Claim, status: str) -> None:
    def is_over() -> bool:
        sweep.sweep()
        claim.refresh_from_db()
        return claim.status == status

    eventually(is_over, 40)


def test_a_killed_checker_is_tried_again_and_counted_once(
    ours: Project, tmp_path: Path
) -> None:
    issue, by = slow(ours, tmp_path / "work")
    first = Worker(PAPERCLIP_CHECK_LEASE_SECONDS="1.5")
    try:
        claim = claimed(issue, by)
        mark = being_checked(claim)
    finally:
        first.kill()
    eventually(lambda: not processes.carriers(mark))
    with worker():
        swept_until(claim, "verified")
    assert claim.tries == 2
    assert Evidence.objects.filter(issue=issue).count() == 1
    assert issue.claims.count() == 1


def test_what_is_stopped_is_not_refused(ours: Project, tmp_path: Path) -> None:
    issue, by = slow(ours, tmp_path / "work")
    with worker():
        claim = claimed(issue, by)
        mark = being_checked(claim)
        Run.objects.stop_company(ours.company, by=SYSTEM)
        processes.end(mark, grace=0)
        swept_until(claim, "pending")
        assert claim.tries == 0 and not Evidence.objects.filter(issue=issue).exists()
        ours.company.resume(by=SYSTEM)
        swept_until(claim, "verified")
    assert claim.tries == 1
