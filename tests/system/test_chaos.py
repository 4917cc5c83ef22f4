"""Workers, web, gateway, clock, Valkey and PostgreSQL are killed while agents work, and
every issue is still finished exactly once, without a person."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from paperclip import processes
from tests.instance import Instance, running, wait_for

AGENT = Path(__file__).parent / "working_agent.py"
AGENTS = 4


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("chaos") / "home"
    with running(home, PAPERCLIP_LEASE_SECONDS="3") as one:
        yield one


def file_issues(
    instance: Instance, company: str, agents: list[str], n: int
) -> set[str]:
    filed = set()
    for number in range(n):
        answer = instance.api(
            "POST",
            f"/companies/{company}/issues",
            {
                "title": f"Chaos {number}",
                "status": "todo",
                "assigneeAgentId": agents[number % len(agents)],
            },
        )
        assert answer.status == 201, answer
        filed.add(str(answer.body["id"]))
    return filed


def open_issues(instance: Instance, company: str) -> list[dict[str, Any]]:
    states = "backlog,todo,in_progress,in_review,blocked"
    path = f"/companies/{company}/issues?status={states}&limit=500"
    return list(instance.patiently("GET", path).body)


@pytest.mark.long
def test_every_issue_is_finished_exactly_once(instance: Instance) -> None:
    kills, seed = 24, random.randrange(10**6)
    print(f"kill schedule seed {seed}")
    chance = random.Random(seed)
    company = instance.company()
    config = {"command": sys.executable, "args": [str(AGENT)]}
    agents = [
        instance.hire(f"Worker {n}", adapterType="process", adapterConfig=config)
        for n in range(AGENTS)
    ]
    issues = file_issues(instance, company, agents, 3 * kills)

    victims = ["worker"] * kills + ["web", "gateway", "clock", "valkey", "postgres"]
    chance.shuffle(victims)
    for victim in victims:
        time.sleep(chance.uniform(0.3, 2.5))
        instance.kill(victim)

    wait_for(
        lambda: not open_issues(instance, company),
        240,
        lambda: str([i["identifier"] for i in open_issues(instance, company)]),
    )
    finished = Counter(
        row["entityId"]
        for row in activity(instance, company)
        if row["action"] == "issue.updated" and row["details"].get("status") == "done"
    )
    assert finished == Counter(issues)

    def unfinished_runs() -> list[Any]:
        return list(instance.patiently("GET", f"/companies/{company}/live-runs").body)

    wait_for(lambda: not unfinished_runs(), 60, lambda: str(unfinished_runs()))
    wait_for(lambda: not orphans(instance), 30, lambda: str(orphans(instance)))


def activity(instance: Instance, company: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        path = f"/companies/{company}/activity?limit=500&offset={len(rows)}"
        page = instance.patiently("GET", path).body
        rows += page
        if len(page) < 500:
            return rows


def orphans(instance: Instance) -> list[Any]:
    """Processes of agents that still live."""
    return [
        process for process in instance.agent_processes() if processes.is_alive(process)
    ]
