"""The numbers of a company at a glance, over HTTP."""

from __future__ import annotations

import pytest

from paperclip.actors import SYSTEM
from tests import make

pytestmark = pytest.mark.django_db


def test_the_dashboard_counts() -> None:
    company = make.company()
    operator = make.client_of(make.owner_of(company))
    agent = make.agent(company)
    idle = make.agent(company)
    make.agent(company).pause(by=SYSTEM)
    run, _ = make.live_run(agent)
    over, _ = make.live_run(idle)
    over.finish("failed", error_code="adapter_failed")
    make.issue(company, assignee_agent=agent).change(by=SYSTEM, status="in_progress")
    make.issue(company).change(by=SYSTEM, status="done")
    answer = operator.get(f"/api/companies/{company.pk}/dashboard").json()
    assert answer["agents"] == {"active": 0, "running": 1, "paused": 1, "error": 1}
    assert answer["tasks"] == {"open": 1, "inProgress": 1, "blocked": 0, "done": 1}
    assert len(answer["runActivity"]) == 14
    assert answer["runActivity"][-1]["failed"] == 1
    assert answer["runActivity"][-1]["failedByErrorCode"] == {"adapter_failed": 1}
    assert run.is_live
