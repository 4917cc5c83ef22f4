"""Which issues an agent may move, and which it may only comment on."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from paperclip.actors import Actor
from paperclip.exceptions import Conflict, NotAllowed
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def company() -> Company:
    return make.company()


def acting(agent: Agent) -> Actor:
    run, _ = make.live_run(agent)
    return Actor.of_agent(agent, run)


@pytest.mark.parametrize(
    "change", [{"status": "done"}, {"assignee_agent": None}, {"hidden_at": None}]
)
def test_the_work_of_another_agent_is_not_ours_to_move(
    company: Company, change: dict[str, Any]
) -> None:
    issue = make.issue(company, assignee_agent=make.agent(company))
    stranger = acting(make.agent(company))
    with pytest.raises(NotAllowed, match="Comment instead"):
        issue.change(by=stranger, **change)
    issue.change(by=stranger, comment="But I may say something.")


def test_the_work_of_a_person_is_not_ours_to_move(company: Company) -> None:
    issue = make.issue(company, assignee_user=make.operator(company))
    with pytest.raises(NotAllowed):
        issue.change(by=acting(make.agent(company)), status="done")


def test_a_reviewer_and_a_manager_may_move_it(company: Company) -> None:
    chief = make.agent(company)
    lead = make.agent(company, reports_to=chief)
    tester = make.agent(company)
    worker = make.agent(company, reports_to=lead, reviewer=tester)
    for colleague in (worker, lead, chief, tester):
        issue = make.issue(company, assignee_agent=worker)
        issue.change(by=acting(colleague), status="cancelled")
        issue.refresh_from_db()
        assert issue.status == "cancelled"


def test_a_closed_issue_is_not_checked_out(company: Company) -> None:
    agent = make.agent(company)
    by = acting(agent)
    issue = make.issue(company, status="cancelled")
    with pytest.raises(Conflict):
        issue.check_out(agent, by.run, ["cancelled"], by=by)
