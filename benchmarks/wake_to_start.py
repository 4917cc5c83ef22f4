"""From the commit of a wake to the start of its run, and to its program's first act."""

from __future__ import annotations

from datetime import datetime

from benchmarks.report import figure, heading, p50_p95
from tests.instance import Instance, wait_for

WAKES = 100
SETTINGS: dict[str, str] = {}


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def measure(instance: Instance) -> None:
    company = instance.company()
    agent = instance.api(
        "POST",
        f"/companies/{company}/agents",
        {
            "name": "Sprinter",
            "adapterType": "process",
            "adapterConfig": {"command": "date", "args": ["+%s.%N"]},
        },
    ).body["id"]
    claimed, acted, finished = [], [], []
    for number in range(WAKES + 5):
        queued = instance.api("POST", f"/agents/{agent}/heartbeat/invoke", {}).body
        path = f"/heartbeat-runs/{queued['id']}"
        wait_for(lambda p=path: instance.api("GET", p).body["finishedAt"], 20)
        run = instance.api("GET", path).body
        if number < 5:
            continue  # the first ones open connections
        asked = at(run["createdAt"])
        claimed.append((at(run["startedAt"]) - asked) * 1000)
        acted.append((float(run["stdoutExcerpt"]) - asked) * 1000)
        finished.append((at(run["finishedAt"]) - asked) * 1000)
    heading(f"A wake, {WAKES} times, one after another")
    figure("wake to start of the run, p50", p50_p95(claimed)[0], "ms")
    figure("wake to start of the run, p95", p50_p95(claimed)[1], "ms", 50)
    figure("wake to the program's first act, p95", p50_p95(acted)[1], "ms")
    # The peer: 242 ms from created to finished.
    figure("whole heartbeat of a no-op program, p50", p50_p95(finished)[0], "ms", 242)
