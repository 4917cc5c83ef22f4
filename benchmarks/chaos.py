"""Minutes of random SIGKILL under steady load; afterwards everything must be right.

Issues are filed all the time, in turn for four agents: a program, the same in no
sandbox, one in no sandbox with a grandchild that ignores SIGTERM, and the built-in
loop with a scripted model behind the gateway. Meanwhile workers, the clock (beat lives
in it), web, gateway, Valkey and single backends of PostgreSQL are killed, by a schedule
that the seed alone decides: BENCH_SEED=n repeats who is killed after how many seconds,
BENCH_MINUTES=n makes it longer or shorter.

At the end every issue that was filed is done, once; no run is queued or running; no
process of an agent lives. What is not so is listed, and the command fails.

A recovery is the time from a kill until a run that started after it has succeeded, so
it may have more kills in it. An issue's life is from filed to done.
"""

from __future__ import annotations

import os
import random
import re
import sys
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

import psutil
import psycopg

from benchmarks.report import figure, heading, p50_p95
from benchmarks.rows import database
from benchmarks.timers import number
from tests.instance import MANAGE, Instance, wait_for
from tests.loop.model import Message, model, says, uses
from tests.system.test_chaos import activity, open_issues, orphans

SETTINGS = {"PAPERCLIP_LEASE_SECONDS": "3"}
VICTIMS = ("worker", "worker", "clock", "web", "gateway", "valkey", "backend")
PAUSE = (1.0, 6.0)  # seconds between two kills
EVERY = 0.75  # seconds between two issues
FINISH = 300  # seconds for what is open when the last one was killed
PROGRAMS = MANAGE.parent / "tests" / "system"
ENDED = """
SELECT extract(epoch FROM min(finished_at)) - %s FROM agents_run
WHERE status = 'succeeded' AND started_at > to_timestamp(%s)
"""
LIVES = """
SELECT extract(epoch FROM completed_at - created_at) FROM issues_issue
WHERE completed_at IS NOT NULL
"""


class Kill(NamedTuple):
    after: float  # seconds since the start
    victim: str


def schedule(seed: int, seconds: float) -> list[Kill]:
    """Who is killed when: the same for the same seed, as long as it lasts."""
    chance, kills, at = random.Random(seed), list[Kill](), 0.0
    while (at := at + chance.uniform(*PAUSE)) < seconds:
        kills.append(Kill(at, chance.choice(VICTIMS)))
    return kills


def measure(instance: Instance) -> None:
    seed = int(os.environ.get("BENCH_SEED") or random.randrange(10**6))
    minutes = float(os.environ.get("BENCH_MINUTES") or 5)
    kills = schedule(seed, minutes * 60)
    heading(f"Chaos for {minutes:g} minutes: {len(kills)} kills, BENCH_SEED={seed}")
    with model(follow) as scripted:
        load = Load(instance, staff(instance, scripted.url))
        load.start()
        moments = kill_all(instance, kills, random.Random(seed))
        load.over.set()
        load.join()
        wrong = what_is_wrong(instance, load.filed)
    report(instance, kills, moments, load.filed)
    if wrong:
        listed = "\n".join(f"- {one}" for one in wrong)
        raise SystemExit(f"BENCH_SEED={seed} BENCH_MINUTES={minutes:g}:\n{listed}")


# --- The load --------------------------------------------------------------------


def staff(instance: Instance, model_url: str) -> list[str]:
    """One agent of each kind."""

    def program(name: str, **more: Any) -> dict[str, Any]:
        config = {"command": sys.executable, "args": [str(PROGRAMS / name)], **more}
        return {"adapterType": "process", "adapterConfig": config}

    loop = {
        "adapterType": "litellm",
        "adapterConfig": {"model": "openai/bench", "apiBase": f"{model_url}/v1"},
    }
    kinds = {
        "Walled": program("working_agent.py"),
        "Open": program("working_agent.py", sandbox=False),
        "Stubborn": program("stubborn_agent.py", sandbox=False),
        "Thinker": loop,
    }
    often = {"runtimeConfig": {"heartbeat": {"maxConcurrentRuns": 3}}}
    return [instance.hire(name, **kind, **often) for name, kind in kinds.items()]


def follow(asked: dict[str, Any]) -> Message:
    """What the model of the loop's agent says: check out, report, done."""
    messages = asked["messages"]
    told = next(m["content"] for m in messages if m["role"] == "user")
    issue = re.search(r"^Issue: (\S+)", told, re.MULTILINE)
    steps = sum(len(message.get("tool_calls") or ()) for message in messages)
    refused = messages[-1]["role"] == "tool" and messages[-1]["content"][:5] == "Error"
    if issue is None or refused or steps == 2:
        return says("That is all.")
    if steps == 0:
        return uses("checkout", issue=issue[1])
    return uses("request_review", issue=issue[1], comment="Did it.")


class Load(threading.Thread):
    """Files issues, each exactly once, until it is over."""

    def __init__(self, instance: Instance, agents: list[str]) -> None:
        super().__init__(daemon=True)
        self.instance, self.agents = instance, agents
        self.company = instance.company()
        self.filed: dict[str, str] = {}  # what each is called
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(EVERY):
            turn = len(self.filed)
            body = {
                "title": f"Chaos {turn}",
                "status": "todo",
                "assigneeAgentId": self.agents[turn % len(self.agents)],
            }
            path = f"/companies/{self.company}/issues"
            # Sent again when no answer came, it is filed once.
            answer = self.instance.patiently(
                "POST", path, body, Idempotency_Key=f"chaos-{turn}"
            )
            if answer.status != 201:
                raise RuntimeError(str(answer))
            self.filed[answer.body["id"]] = answer.body["identifier"]


# --- The kills -------------------------------------------------------------------


def kill_all(
    instance: Instance, kills: list[Kill], chance: random.Random
) -> list[float]:
    """When each was killed, as UNIX times."""
    began, moments = time.time(), []
    for kill in kills:
        time.sleep(max(0.0, began + kill.after - time.time()))
        moments.append(time.time())
        if kill.victim == "backend":
            kill_backend(instance, chance)
        else:
            instance.kill(kill.victim)
    return moments


def kill_backend(instance: Instance, chance: random.Random) -> None:
    """One process of PostgreSQL that serves a connection. The others end with it."""
    try:
        every = psutil.Process(instance.pid("postgres")).children(recursive=True)
        serving = [one for one in every if "postgres: paperclip" in one.cmdline()[0]]
        if serving:
            chance.choice(serving).kill()
    except (psutil.NoSuchProcess, FileNotFoundError, IndexError):
        return  # it is just starting again


# --- The end ---------------------------------------------------------------------


def what_is_wrong(instance: Instance, filed: dict[str, str]) -> list[str]:
    company = instance.company()
    return [
        *unfinished(instance, company),
        *done_not_once(instance, company, filed),
        *open_runs(instance),
        *(f"an orphan lives: {one}" for one in left(lambda: orphans(instance), 60)),
    ]


def left(look: Any, seconds: float) -> list[Any]:
    """What is still there after so many seconds."""
    try:
        wait_for(lambda: not look(), seconds)
    except TimeoutError:
        return list(look())
    return []


def unfinished(instance: Instance, company: str) -> list[str]:
    rows = left(lambda: open_issues(instance, company), FINISH)
    return [f"{row['identifier']} is still {row['status']}" for row in rows]


def done_not_once(instance: Instance, company: str, filed: dict[str, str]) -> list[str]:
    done = Counter(
        row["entityId"]
        for row in activity(instance, company)
        if row["action"] == "issue.updated" and row["details"].get("status") == "done"
    )
    return [
        f"{filed.get(pk, f'one that nobody filed ({pk})')} was done {done[pk]} times"
        for pk in {*filed, *done}
        if done[pk] != 1 or pk not in filed
    ]


def open_runs(instance: Instance) -> list[str]:
    question = (
        "SELECT id, status, error FROM agents_run WHERE status IN ('queued', 'running')"
    )
    with database(instance) as rows:
        found = left(lambda: rows.execute(question).fetchall(), 90)
    return [f"the run {pk} is {status} ({error})" for pk, status, error in found]


def report(
    instance: Instance, kills: list[Kill], moments: list[float], filed: dict[str, str]
) -> None:
    for victim, count in sorted(Counter(kill.victim for kill in kills).items()):
        figure(f"killed: {victim}", count, "")
    with database(instance) as rows:
        tell(rows, moments)
    print(f"{len(filed)} issues filed; load average {os.getloadavg()[0]:.1f}")


def tell(rows: psycopg.Connection, moments: list[float]) -> None:
    by_status = "SELECT status, count(*) FROM agents_run GROUP BY status ORDER BY 1"
    for status, count in rows.execute(by_status):
        figure(f"runs that ended as {status}", count, "")
    took = [rows.execute(ENDED, [at, at]).fetchone() for at in moments]
    recoveries = [float(row[0]) for row in took if row and row[0] is not None]
    if len(recoveries) > 1:
        figure("recovery, median", p50_p95(recoveries)[0], "s")
        figure("recovery, slowest", max(recoveries), "s")
    lives = [float(row[0]) for row in rows.execute(LIVES)]
    if len(lives) > 1:
        figure("life of an issue, p50", p50_p95(lives)[0], "s")
        figure("life of an issue, slowest", max(lives), "s")
    figure("issues done", number(rows, f"SELECT count(*) FROM ({LIVES}) l"), "")
