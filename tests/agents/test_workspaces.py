"""Agents work in a directory of their own and cannot be led out of it."""

from __future__ import annotations

import pytest

from agents import workspaces
from paperclip.exceptions import Invalid
from tests import make

pytestmark = pytest.mark.django_db


def test_every_agent_has_a_directory_closed_to_others() -> None:
    company = make.company()
    one, other = (workspaces.of(make.agent(company)) for _ in range(2))
    assert one != other and one.is_dir()
    assert one.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("path", ["/etc", "../other", "a/../../b", ".."])
def test_a_path_outside_is_refused_when_it_is_configured(path: str) -> None:
    with pytest.raises(Invalid, match="workspace"):
        make.agent(adapter_config={"command": "true", "cwd": path})


def test_a_link_that_leads_outside_is_refused_when_it_is_used() -> None:
    agent = make.agent(adapter_config={"command": "true", "cwd": "way/out"})
    (workspaces.of(agent) / "way").symlink_to("/")
    with pytest.raises(Invalid, match="leads out"):
        workspaces.of(agent, "way/out")


def test_a_directory_inside_is_made() -> None:
    agent = make.agent(adapter_config={"command": "true", "cwd": "site/content"})
    assert workspaces.of(agent, "site/content").is_dir()
