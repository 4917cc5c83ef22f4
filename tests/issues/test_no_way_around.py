"""Ways around the check and the review that agents have tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.models import Agent
from issues import checking
from issues.models import Check, Criterion, Document, Issue
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, NotAllowed
from paperclip.models import Company
from tests import make

# A check lets go of its connection while it waits.
pytestmark = pytest.mark.django_db(transaction=True)

MAY_ASSIGN = {"canAssignTasks": True}


def check_of(company: Company, key: str = "report", **fields: Any) -> Check:
    settings = {"document": "report", **fields.pop("settings", {})}
    return Check.objects.define(
        company, by=SYSTEM, key=key, type="file", title=key, settings=settings, **fields
    )


def taken(issue: Issue, agent: Agent) -> Actor:
    """The agent, at work on the issue."""
    by = make.working(agent, issue)
    issue.check_out(agent, by.run, ["todo"], by=by)
    return by


@pytest.mark.parametrize("whom", ["nobody", "an agent", "a person"])
def test_done_and_handed_on_at_once_is_refused(whom: str) -> None:
    worker = make.agent(permissions=MAY_ASSIGN)
    issue = make.issue(assignee_agent=worker)
    Criterion.objects.add(issue, by=SYSTEM, check=check_of(worker.company))
    by = taken(issue, worker)
    named: dict[str, Any] = {
        "nobody": {"assignee_agent": None},
        "an agent": {"assignee_agent": make.agent(worker.company)},
        "a person": {"assignee_user": make.owner_of(worker.company)},
    }[whom]
    with pytest.raises(Invalid, match="not both"):
        issue.change(by=by, status="done", comment="Done.", **named)
    issue.refresh_from_db()
    assert issue.status == "in_progress"


def test_no_reviewer_ends_the_review_by_naming_somebody() -> None:
    company = make.company()
    first, second, worker = (make.agent(company) for _ in range(3))
    stages = [
        {"participants": [{"type": "agent", "agentId": str(one.pk)}]}
        for one in (first, second)
    ]
    issue = make.issue(assignee_agent=worker, review_policy={"stages": stages})
    issue.change(by=taken(issue, worker), status="done", comment="Done.")
    assert issue.assignee_agent == first
    with pytest.raises(Invalid, match="not both"):
        issue.change(
            by=make.working(first, issue),
            status="done",
            comment="Fine.",
            assignee_agent=None,
        )


def test_a_manager_who_closes_it_skips_no_check_of_the_role() -> None:
    boss = make.agent()
    worker = make.agent(boss.company, role="engineer", reports_to=boss)
    check_of(boss.company, roles=["engineer"])
    issue = make.issue(assignee_agent=worker)
    issue.change(by=make.working(boss, issue), status="done", comment="Good enough.")
    checking.check_on()
    issue.refresh_from_db()
    assert issue.status == "in_progress"
    claim = issue.claims.get()
    assert (claim.status, claim.agent) == ("refused", worker)


def test_what_it_chose_itself_takes_no_check_of_its_role_away() -> None:
    worker = make.agent(role="engineer")
    check_of(worker.company, "hard", roles=["engineer"], settings={"contains": "x"})
    check_of(worker.company, "easy")
    by = make.working(worker)
    issue = Issue.objects.file(
        worker.company, by=by, title="Mine", status="todo", criteria=[{"check": "easy"}]
    )
    issue.check_out(worker, by.run, ["todo"], by=by)
    Document.objects.write(issue, "report", by=by, body="nothing")
    issue.change(by=by, status="done", comment="Done.")
    checking.check_on()
    issue.refresh_from_db()
    assert issue.status == "in_progress"
    assert {one.title for one in issue.that_count()} == {"easy", "hard"}


def test_two_criteria_that_ask_for_the_same_are_proven_both() -> None:
    worker = make.agent()
    issue = make.issue(assignee_agent=worker)
    check = check_of(worker.company)
    for _ in range(2):
        Criterion.objects.add(issue, by=SYSTEM, check=check)
    by = taken(issue, worker)
    Document.objects.write(issue, "report", by=by, body="All of it.")
    issue.change(by=by, status="done", comment="Done.")
    checking.check_on()
    issue.refresh_from_db()
    assert (issue.status, issue.claims.get().status) == ("done", "verified")


def test_a_persons_key_in_its_run_is_no_other_pair_of_eyes() -> None:
    boss = make.agent()
    worker = make.agent(boss.company, reviewer=boss)
    issue = make.issue(assignee_agent=worker)
    by = taken(issue, worker)
    person = replace(make.by(make.owner_of(boss.company)), run=by.run)
    issue.change(by=person, status="done", comment="Done.")
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == ("in_review", boss)
    with pytest.raises(NotAllowed):
        issue.change(by=person, status="done", comment="I looked at it.")


def test_a_part_that_was_opened_again_is_not_proven_by_what_it_was() -> None:
    worker = make.agent()
    above = make.issue(worker.company, assignee_agent=worker)
    part = make.issue(worker.company, assignee_agent=worker, parent=above)
    ask = {"type": "children", "title": "All of it", "settings": {"verified": True}}
    Criterion.objects.add(above, by=SYSTEM, **ask)
    criterion = Criterion.objects.add(part, by=SYSTEM, check=check_of(worker.company))
    by = taken(part, worker)
    Document.objects.write(part, "report", by=by, body="All of it.")
    part.change(by=by, status="done", comment="Done.")
    checking.check_on()
    part.refresh_from_db()
    assert part.claims.get().status == "verified"
    part.change(by=SYSTEM, status="todo")
    criterion.remove(by=SYSTEM)
    part.check_out(worker, by.run, ["todo"], by=by)
    part.change(by=by, status="done", comment="Done again.")
    above.change(by=by, status="done", comment="Done.")
    checking.check_on()
    above.refresh_from_db()
    assert (part.status, above.status) == ("done", "in_progress")
