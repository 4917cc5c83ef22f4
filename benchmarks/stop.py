"""The red button with a full queue: 10,000 runs of 10,000 agents wait when everything
is stopped; until the last of them is cancelled, with its wakeup, event and act."""

from __future__ import annotations

import os
import time

from benchmarks.report import figure, heading
from benchmarks.rows import agents, copies, database
from tests.instance import Instance

RUNS = 10_000
SETTINGS: dict[str, str] = {}
LIMIT = 10.0  # seconds


def measure(instance: Instance) -> None:
    config = {"command": "true"}
    agent = instance.hire("Waiting", adapterType="process", adapterConfig=config)
    with database(instance) as rows:
        rows.execute("UPDATE paperclip_company SET max_concurrent_runs = 0")
        agents(rows, agent, RUNS)
        first = instance.wake(agent)
        whose = "(SELECT a.id FROM agents_agent a WHERE a.url_key = 'waiting-' || n)"
        copies(rows, "agents_run", first, RUNS - 1, agent_id=whose)
        rows.execute("ANALYZE")
        heading(f"{RUNS:,} runs wait, and everything is stopped")
        began = time.monotonic()
        answer = instance.patiently("POST", "/instance/stop", {})
        took = time.monotonic() - began
        if answer.status != 200:
            raise SystemExit(str(answer.body))
        left = rows.execute("SELECT count(*) FROM agents_run WHERE status = 'queued'")
        if left.fetchone() != (0,):
            raise SystemExit("Some still wait.")
    figure("until the last is cancelled", took, "s", LIMIT)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
