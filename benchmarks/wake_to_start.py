"""From the commit of a wake to the start of its run, and to its program's first act."""

from __future__ import annotations

from datetime import datetime

from benchmarks.report import figure, heading, p50_p95
from tests.instance import Instance

WAKES = 100
SETTINGS: dict[str, str] = {}


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def measure(instance: Instance) -> None:
    config = {"command": "date", "args": ["+%s.%N"]}
    agent = instance.hire("Sprinter", adapterType="process", adapterConfig=config)
    claimed, acted, finished = [], [], []
    for number in range(WAKES + 5):
        run = instance.ended(instance.wake(agent), 20)
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
