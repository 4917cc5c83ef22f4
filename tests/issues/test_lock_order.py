"""An agent and its issue are changed at the same moment, again and again."""

from __future__ import annotations

import pytest

from agents.models import Agent
from issues.models import Issue
from paperclip.actors import Actor
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db(transaction=True)


def test_changes_of_an_agent_and_of_its_issue_never_wait_for_each_other() -> None:
    company = make.company()
    boss = Actor.of_user(make.owner_of(company))
    chief, worker = make.agent(company), make.agent(company)
    parents = [make.issue(company), make.issue(company)]
    for number in range(20):
        issue = make.issue(company, assignee_agent=worker)
        by = make.working(worker, issue)
        issue.refresh_from_db()
        issue.check_out(worker, by.run, ["todo"], by=by)

        def act(n: int, pk: object = issue.pk, odd: int = number % 2) -> None:
            if n % 2:
                mine = Agent.objects.select_related("company").get(pk=worker.pk)
                mine.change(by=boss, reports_to=chief if odd else None)
            else:
                Issue.objects.get(pk=pk).change(
                    by=boss, assignee_agent=chief, parent=parents[odd]
                )

        assert together(4, act) == [None] * 4
        for run in worker.runs.open():
            run.cancel(by=boss, why="the next round")
