from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from issues.models import Issue
from tests import make
from tests.loop import stage


@pytest.fixture
def api(live_server: Any, settings: Any) -> str:
    """The address of the API, where programs look for it."""
    settings.API_URL = live_server.url
    return str(live_server.url)


@pytest.fixture
def company(api: str) -> Any:
    return make.company()


@pytest.fixture
def dev(company: Any) -> Agent:
    return stage.agent(company, name="Dev", title="Developer", role="engineer")


@pytest.fixture
def issue(dev: Agent) -> Issue:
    """An issue of a project, assigned to Dev."""
    project = make.project(dev.company, name="Site")
    return make.issue(dev.company, assignee_agent=dev, project=project, title="Build")
