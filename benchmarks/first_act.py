"""An agent of the built-in loop: how soon it asks its model, how soon its first tool
has answered, and how much memory it takes while it waits."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import figure, heading, p50_p95
from tests.instance import Instance, wait_for
from tests.loop.model import Message, model, says, uses

WAKES, AGENTS = 20, 3
SETTINGS: dict[str, str] = {}


class Stopwatch:
    """A model that notes when it is asked, and keeps silent while it is held."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, request: dict[str, Any]) -> Message:
        self.asked.append(time.time())
        self.go.wait(120)
        begins = request["messages"][-1]["role"] == "user"
        return uses("shell", command="true") if begins else says("Done.")


def measure(instance: Instance) -> None:
    watch = Stopwatch()
    with model(watch) as scripted:
        agents = [hire(instance, number, scripted.url) for number in range(AGENTS)]
        run(instance, agents[0])  # the gateway loads LiteLLM for its first call
        speed(instance, agents[0], watch)
        memory(instance, agents, watch)


def hire(instance: Instance, number: int, url: str) -> str:
    return instance.hire(
        f"Sprinter {number}",
        adapterType="litellm",
        adapterConfig={"model": "openai/bench", "apiBase": f"{url}/v1"},
        tools=["shell"],
    )


def run(instance: Instance, agent: str) -> None:
    ended = instance.ended(instance.wake(agent), 60)
    if ended["status"] != "succeeded":
        raise RuntimeError(f"The run ended as {ended['status']}: {ended['error']}")


def speed(instance: Instance, agent: str, watch: Stopwatch) -> None:
    first, acted, whole = [], [], []
    for _ in range(WAKES):
        watch.asked.clear()
        began = time.time()
        run(instance, agent)
        whole.append((time.time() - began) * 1000)
        first.append((watch.asked[0] - began) * 1000)
        acted.append((watch.asked[1] - began) * 1000)
    heading(f"A wake of the built-in loop, {WAKES} times, one after another")
    figure("wake to the model's first request, p50", p50_p95(first)[0], "ms")
    figure("wake to the answer of its first tool, p50", p50_p95(acted)[0], "ms")
    figure("whole run: two calls of the model, a command, p50", p50_p95(whole)[0], "ms")


def memory(instance: Instance, agents: list[str], watch: Stopwatch) -> None:
    watch.asked.clear()
    watch.go.clear()
    runs = [instance.wake(agent) for agent in agents]
    wait_for(lambda: len(watch.asked) == AGENTS, 60)
    heading(f"Memory while {AGENTS} agents wait for their models (PSS)")
    total = 0.0
    for process in trees(instance):
        size = process.memory_full_info().pss / 2**20
        total += size
        figure(f"{process.pid:>7} {name_of(process)}", size, "MB")
    figure("each agent, with its walls", total / AGENTS, "MB", 40)
    watch.go.set()
    for each in runs:
        instance.ended(each, 60)


def trees(instance: Instance) -> list[psutil.Process]:
    """Everything that runs for the agents."""
    marked = instance.agent_processes()
    below = [child for one in marked for child in one.children(recursive=True)]
    return list({one.pid: one for one in [*marked, *below]}.values())


def name_of(process: psutil.Process) -> str:
    words = [word for word in process.cmdline() if word.endswith(".py")]
    is_wall = not words or process.name() == "bwrap"
    # The entry's own argv ends with the program that it starts.
    return process.name() if is_wall else "/".join(Path(words[0]).parts[-2:])
