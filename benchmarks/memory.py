"""The memory of a whole instance, each process by its proportional set: at rest, and
with agents that wait for their models, LiteLLM loaded."""

from __future__ import annotations

import time
from collections import Counter

import psutil

from benchmarks.report import figure, heading
from tests.instance import Instance, wait_for
from tests.providers import Provider, says

AGENTS = 7
# It says nothing until all is measured.
PROVIDER = Provider(says("Done.", hangs=90))
SETTINGS = {
    "PAPERCLIP_MODEL": "openai/bench",
    "PAPERCLIP_MODEL_API_BASE": PROVIDER.url,
}


def measure(instance: Instance) -> None:
    time.sleep(15)  # until what loads aside is loaded
    table("Memory at rest (PSS)", instance)
    for number in range(AGENTS):
        instance.wake(instance.hire(f"Thinker {number}", adapterType="litellm"))
    wait_for(lambda: len(PROVIDER.requests) >= AGENTS, 60, instance.output)
    time.sleep(2)
    sizes = table(f"Memory with {AGENTS} agents at work (PSS)", instance)
    figure("each agent", sizes["agents"] / AGENTS, "MB", 40)
    instance.manage("stop_everything")


def table(title: str, instance: Instance) -> Counter[str]:
    heading(title)
    sizes: Counter[str] = Counter()
    top = psutil.Process(instance.up_pid)
    agents = {process.pid for process in instance.agent_processes()}
    names = {instance.pid(name): name for name in programs(instance)}
    for process in [top, *top.children(recursive=True)]:
        if process.status() == psutil.STATUS_ZOMBIE:
            continue
        of_agent = process.pid in agents or bool(agents & parents(process))
        name = "agents" if of_agent else program(process, names)
        sizes[name] += process.memory_full_info().pss / 2**20
    for name, size in sizes.most_common():
        figure(f"  {name}", size, "MB")
    # The peer: 595 MB of node and 173 MB of PostgreSQL, without a gateway or an agent.
    figure("all processes", sizes.total(), "MB", 700)
    return sizes


def programs(instance: Instance) -> list[str]:
    return [file.stem for file in (instance.home / "run").glob("*.pid")]


def parents(process: psutil.Process) -> set[int]:
    return {above.pid for above in process.parents()}


def program(process: psutil.Process, names: dict[int, str]) -> str:
    """The program of the instance that a process is, or is a child of."""
    for one in (process, *process.parents()):
        if one.pid in names and names[one.pid] != "supervisord":
            return names[one.pid]
    return names.get(process.pid, "up")
