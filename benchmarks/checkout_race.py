"""50 agents, each in a live run of its own, race for one issue over HTTP, 20 times."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Any

from benchmarks.report import figure, heading, p50_p95
from tests.instance import Instance, call, wait_for

AGENTS = 50
ROUNDS = 20
SETTINGS = {"PAPERCLIP_WORKER_THREADS": str(AGENTS + 2)}


class Racer(threading.Thread):
    """One agent: its key, its live run, a connection that is kept."""

    def __init__(self, instance: Instance, company: str, number: int) -> None:
        super().__init__(daemon=True)
        self.agent = instance.hire(
            f"Racer {number}",
            company=company,
            adapterType="process",
            adapterConfig={"command": "sleep", "args": ["600"]},
        )
        key = instance.api("POST", f"/agents/{self.agent}/keys", {"name": "race"})
        self.key = key.body["token"]
        self.run_id = instance.wake(self.agent)
        self.connection = http.client.HTTPConnection("127.0.0.1", instance.port)
        self.status = 0
        self.took = 0.0

    def race(self, issue: str, start: threading.Barrier) -> None:
        start.wait()
        began = time.perf_counter()
        answer = call(
            self.connection,
            "POST",
            f"/issues/{issue}/checkout",
            {"agentId": self.agent, "expectedStatuses": ["todo"]},
            self.key,
            X_Paperclip_Run_Id=self.run_id,
        )
        self.status, self.took = answer.status, time.perf_counter() - began


def one_round(instance: Instance, company: str, racers: list[Racer], n: int) -> float:
    issue = instance.api(
        "POST",
        f"/companies/{company}/issues",
        {"title": f"Race {n}", "status": "todo"},
    ).body["id"]
    barrier = threading.Barrier(len(racers) + 1)
    threads = [threading.Thread(target=r.race, args=(issue, barrier)) for r in racers]
    for thread in threads:
        thread.start()
    barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = (time.perf_counter() - began) * 1000
    won = [r.status for r in racers].count(200)
    lost = [r.status for r in racers].count(409)
    if (won, lost) != (1, len(racers) - 1):
        raise SystemExit(f"round {n}: {won} x 200 and {lost} x 409")
    return took


def measure(instance: Instance) -> None:
    company = instance.company()
    racers = [Racer(instance, company, number) for number in range(AGENTS)]

    def live() -> Any:
        path = f"/companies/{company}/live-runs?limit=200"
        runs = instance.api("GET", path).body
        return sum(run["status"] == "running" for run in runs) >= AGENTS

    wait_for(live, 120)
    took = [one_round(instance, company, racers, n) for n in range(ROUNDS)]
    heading(
        f"{AGENTS} agents race for one issue, {ROUNDS} rounds: always 1 x 200, rest 409"
    )
    # The peer's burst of the same size took 0.98 s.
    figure("slowest round", max(took), "ms", 980)
    figure("median round", p50_p95(took)[0], "ms")
    instance.manage("stop_everything")
    instance.manage("stop_everything", "--resume")
