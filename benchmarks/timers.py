"""Many timers: how late the gate decides, what that costs, and what a herd may start.

Idle: 10,000 agents with an interval of 30 s and nothing to do. A decision is the
moment its record (the agent's skipped wakeup) was written; the alarm it answers is the
agent's next alarm less the interval. "decided" is decisions of alarms: 100 % means that
none was missed, so no lateness hides behind a later alarm. No run may start.

Sweep: the seconds one call of the sweep takes at 100,000 agents, with no timer that
rang, and with as many that rang as it decides at once; the clock stands still
meanwhile.

Herd: 10,000 agents with an issue each, all of them overdue, in a company that may have
CAP runs; the most that ever lived at once, looked at all the time.

The rows are put into the tables by SQL; what is measured is what the engine does.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import psycopg

from benchmarks.heartbeats import cpu_seconds
from benchmarks.report import figure, heading, least, p50_p95
from benchmarks.rows import agents, copies, database
from tests.instance import Instance, wait_for

AGENTS, INTERVAL, ROUNDS = 10_000, 30, 3
MANY, TIMERS, SWEEPS = 100_000, 400, 10
CAP, HERD_SECONDS = 4, 60
SETTINGS = {"PAPERCLIP_ADAPTERS": "noop=benchmarks.noop.Noop"}
# The gate looks for news since the last run, so they have had one.
TIMER = {
    "heartbeat_enabled": "true",
    "interval_seconds": str(INTERVAL),
    "last_run_started_at": "now()",
}
LATENESS = f"""
SELECT extract(epoch FROM w.updated_at - a.next_heartbeat_at) + {INTERVAL}
FROM agents_wakeup w JOIN agents_agent a ON a.id = w.agent_id
WHERE w.status = 'skipped' AND w.updated_at > a.next_heartbeat_at - interval
    '{INTERVAL} s'
"""
SWEEP = f"""
import json, time
from issues.sweep import sweep
took = []
for _ in range({SWEEPS}):
    began = time.perf_counter()
    sweep()
    took.append((time.perf_counter() - began) * 1000)
print(json.dumps(took))
"""


def measure(instance: Instance) -> None:
    with database(instance) as rows:
        idle(instance, rows)
        one_sweep(instance, rows)
        herd(instance, rows)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


def hire(instance: Instance, name: str, **adapter: object) -> str:
    path = f"/companies/{instance.company()}/agents"
    made = instance.api("POST", path, {"name": name, **adapter})
    if made.status != 201:
        raise SystemExit(str(made.body))
    return str(made.body["id"])


def number(rows: psycopg.Connection, question: str) -> float:
    row = rows.execute(question).fetchone()
    assert row is not None
    return float(row[0] or 0)


# --- Nothing to do ---------------------------------------------------------------


def idle(instance: Instance, rows: psycopg.Connection) -> None:
    pk = hire(instance, "Idle", adapterType="noop")
    phase = f"now() + make_interval(secs => 5 + mod(n, {INTERVAL}))"
    agents(rows, pk, AGENTS, next_heartbeat_at=phase, **TIMER)
    rows.execute("ANALYZE")
    heading(f"{AGENTS:,} agents, every {INTERVAL} s, nothing to do: {ROUNDS} rounds")
    time.sleep(INTERVAL + 10)  # the first time it rings, each gets its own phase
    late: list[float] = []
    for _ in range(ROUNDS):
        late += one_round(instance, rows)
    figure("alarm to decision, p50", p50_p95(late)[0], "s")
    figure("alarm to decision, p95", p50_p95(late)[1], "s", 1)
    figure("alarm to decision, slowest", max(late), "s")
    if started := number(rows, "SELECT count(*) FROM agents_run"):
        raise SystemExit(f"{started:.0f} runs were started")
    silence(rows)


def one_round(instance: Instance, rows: psycopg.Connection) -> list[float]:
    counted = "SELECT sum(times) FROM agents_wakeup WHERE status = 'skipped'"
    before, decided, began = cpu_seconds(instance), number(rows, counted), time.time()
    time.sleep(INTERVAL)
    after, took = cpu_seconds(instance), time.time() - began
    decided = number(rows, counted) - decided
    least("decided", decided * 100 * INTERVAL / AGENTS / took, "%", 97)
    for name in ("clock", "postgres"):
        used = (after[name] - before[name]) / took
        figure(f"CPU of {name}, of one core", used * 100, "%")
    return [float(row[0]) for row in rows.execute(LATENESS)]


def silence(rows: psycopg.Connection) -> None:
    # In the order in which the sweep locks them.
    rows.execute(
        "WITH every AS MATERIALIZED ("
        " SELECT id FROM agents_agent ORDER BY id FOR NO KEY UPDATE)"
        " UPDATE agents_agent a SET heartbeat_enabled = false FROM every"
        " WHERE a.id = every.id"
    )


# --- One sweep -------------------------------------------------------------------


def one_sweep(instance: Instance, rows: psycopg.Connection) -> None:
    pk = hire(instance, "One of many", adapterType="noop")
    later = "now() + interval '1 hour'"
    left = MANY - int(number(rows, "SELECT count(*) FROM agents_agent"))
    agents(rows, pk, left, next_heartbeat_at=later, **TIMER)
    rows.execute(
        f"UPDATE agents_agent SET heartbeat_enabled = true, next_heartbeat_at = {later}"
    )
    rows.execute("ANALYZE")
    heading(f"One sweep at {MANY:,} agents, {SWEEPS} times")
    with stopped(instance.pid("clock")):
        figure("none rang, median", median(sweeps(instance)), "ms", 82)
        for how in ("for the first time", "again"):
            rows.execute(
                "UPDATE agents_agent SET next_heartbeat_at = now() WHERE id IN"
                f" (SELECT id FROM agents_agent ORDER BY id LIMIT {TIMERS * SWEEPS})"
            )
            took = sweeps(instance)
            figure(f"{TIMERS} skipped {how}, median", median(took), "ms", 82)
            figure(f"{TIMERS} skipped {how}, slowest", max(took), "ms")
    silence(rows)


def sweeps(instance: Instance) -> list[float]:
    """What so many sweeps in a row took, in ms, in a process of their own."""
    said = instance.manage("shell", "--no-imports", "-c", SWEEP)
    return [float(ms) for ms in json.loads(said)]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


# --- Everything at once ----------------------------------------------------------


def herd(instance: Instance, rows: psycopg.Connection) -> None:
    pk = hire(
        instance,
        "One of the herd",
        adapterType="process",
        adapterConfig={"command": "sleep", "args": ["0.3"]},
        runtimeConfig={"heartbeat": {"wakeOnDemand": False}},
    )
    rows.execute("UPDATE paperclip_company SET max_concurrent_runs = %s", [CAP])
    # Nobody is told of the issues: each will ring by itself.
    ids = agents(rows, pk, AGENTS, **TIMER)
    give_work(instance, rows, ids)
    rows.execute("ANALYZE")
    heading(f"{AGENTS:,} overdue agents with work, {CAP} runs allowed")
    rows.execute(
        "UPDATE agents_agent SET next_heartbeat_at = now() - interval '1 hour'"
        " WHERE id = ANY(%s)",
        [ids],
    )
    watch(rows)


def give_work(instance: Instance, rows: psycopg.Connection, ids: list[object]) -> None:
    path = f"/companies/{instance.company()}/issues"
    issue = instance.api("POST", path, {"title": "Graze", "status": "todo"}).body["id"]
    listed = ", ".join(f"'{pk}'" for pk in ids)
    copies(
        rows,
        "issues_issue",
        issue,
        len(ids),
        number="t.number + n",
        identifier="t.identifier || '-' || n",
        assignee_agent_id=f"(ARRAY[{listed}]::uuid[])[n]",
    )


def watch(rows: psycopg.Connection) -> None:
    living = (
        "SELECT count(*) FROM agents_run"
        " WHERE status = 'running' AND lease_expires_at > now()"
    )
    overdue = (
        "SELECT count(*) FROM agents_agent"
        " WHERE heartbeat_enabled AND next_heartbeat_at < now() - interval '10 min'"
    )
    seen: list[float] = []
    began = time.time()
    decided = 0.0

    def over() -> bool:
        nonlocal decided
        seen.extend(number(rows, living) for _ in range(10))
        if not decided and not number(rows, overdue):
            decided = time.time() - began
        return bool(decided) and time.time() - began > HERD_SECONDS

    wait_for(over, 600)
    figure("the whole herd was decided after", decided, "s")
    figure(f"most runs that lived at once, {len(seen):,} looks", max(seen), "", CAP)
    figure("runs that lived at once, median", median(seen), "")
    ended = number(rows, "SELECT count(*) FROM agents_run WHERE status = 'succeeded'")
    figure("heartbeats meanwhile", ended / (time.time() - began), "/s")
