"""Complete heartbeats a second, from queued to succeeded: with a program that does
nothing (`process`, sandboxed as ever), and with an adapter that does nothing in the
worker itself, which leaves the engine alone.

The runs of many agents are queued while their company may have none; then all may
start. The rate counts from the first start to the last end. CPU is what each program's
processes used meanwhile, divided by the heartbeats.
"""

from __future__ import annotations

import os
from statistics import median

import psutil
import psycopg

from benchmarks.report import figure, heading, least
from benchmarks.rows import agents, copies, database
from tests.instance import Instance, wait_for

RUNS, ROUNDS = 300, 3
SETTINGS = {"PAPERCLIP_ADAPTERS": "noop=benchmarks.noop.Noop"}
KINDS = {
    "Program": {"adapterType": "process", "adapterConfig": {"command": "true"}},
    "Noop": {"adapterType": "noop"},
}
PROGRAMS = ("worker", "clock", "web", "postgres", "valkey")
# The peer starts 9 to 11 a second on a machine of this size.
WANTED, PEER = 100.0, 10.5


def measure(instance: Instance) -> None:
    company = instance.company()
    with database(instance) as rows:
        for kind, adapter in KINDS.items():
            body = {"name": kind, **adapter}
            made = instance.api("POST", f"/companies/{company}/agents", body)
            if made.status != 201:
                raise SystemExit(str(made.body))
            agents(rows, made.body["id"], RUNS)
            heading(f"{RUNS} heartbeats, {ROUNDS} times: {adapter['adapterType']}")
            told = [one_round(instance, rows, made.body) for _ in range(ROUNDS)]
            least(
                "complete heartbeats, median", median(t[0] for t in told), "/s", WANTED
            )
            figure("one heartbeat, started to ended, p50", told[-1][1], "ms")
            for name in PROGRAMS:
                used = median(t[2][name] for t in told)
                figure(f"CPU of {name} a heartbeat", used * 1000 / RUNS, "ms")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def one_round(
    instance: Instance, rows: psycopg.Connection, agent: dict[str, str]
) -> tuple[float, float, dict[str, float]]:
    """The rate, the median length in ms, and the seconds of CPU by program."""
    rows.execute("UPDATE paperclip_company SET max_concurrent_runs = 0")
    first = instance.api("POST", f"/agents/{agent['id']}/heartbeat/invoke", {}).body[
        "id"
    ]
    colleague = (
        f"(SELECT a.id FROM agents_agent a WHERE a.url_key = '{agent['urlKey']}-' || n)"
    )
    copies(rows, "agents_run", first, RUNS - 1, agent_id=colleague, rung_at="NULL")
    before = cpu_seconds(instance)
    since = rows.execute("SELECT now()").fetchone()
    rows.execute("UPDATE paperclip_company SET max_concurrent_runs = NULL")

    def done() -> bool:
        left = "SELECT count(*) FROM agents_run WHERE status IN ('queued', 'running')"
        return rows.execute(left).fetchone() == (0,)

    wait_for(done, 120)
    after = cpu_seconds(instance)
    counted = rows.execute(
        "SELECT count(*) FILTER (WHERE status = 'succeeded'),"
        " extract(epoch FROM max(finished_at) - min(started_at)),"
        " percentile_cont(0.5) WITHIN GROUP (ORDER BY"
        "   extract(epoch FROM finished_at - started_at))"
        " FROM agents_run WHERE started_at > %s",
        since,
    ).fetchone()
    assert counted is not None
    if counted[0] != RUNS:
        raise SystemExit(f"{counted[0]} of {RUNS} succeeded")
    used = {name: after[name] - before[name] for name in PROGRAMS}
    return RUNS / float(counted[1]), float(counted[2]) * 1000, used


def cpu_seconds(instance: Instance) -> dict[str, float]:
    """What each program, its children and those that have ended have used."""
    return {name: used_by(instance.pid(name)) for name in PROGRAMS}


def used_by(pid: int) -> float:
    top = psutil.Process(pid)
    every = [top, *top.children(recursive=True)]
    return float(sum(sum(one.cpu_times()[:4]) for one in every))
