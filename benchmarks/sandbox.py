"""What the walls around an agent's program cost: at its start, per call, in memory."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Any

import psutil

from agents import sandbox
from benchmarks.report import figure, heading
from paperclip import home
from tests.instance import Instance

STARTS, CALLS = 100, 200
SETTINGS: dict[str, str] = {}
WAYS: dict[str, dict[str, str]] = {
    "closed, with the network": {"network": "open"},
    "closed, no network": {},
    "closed, no network but the API and the gateway": {"doors": "yes"},
    "host, with the network": {"network": "open", "profile": "host"},
}
# Prints the median of the milliseconds that a call of the API takes.
ASK = """
import http.client, statistics, sys, time
api = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
took = []
for _ in range(int(sys.argv[2])):
    began = time.perf_counter()
    api.request("GET", "/api/companies")
    api.getresponse().read()
    took.append(time.perf_counter() - began)
print(statistics.median(took) * 1000)
"""


def measure(instance: Instance) -> None:
    if not (found := sandbox.state()).works:
        heading(f"No sandbox works here: {found.why}")
        return
    heading(f"Starting `true` behind walls, {STARTS} times each, by {found.which}")
    calls = {"without walls": call(instance, ["true"], None)}
    calls |= {name: call(instance, ["true"], options) for name, options in WAYS.items()}
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(STARTS):
        # By turns, so that whatever else this machine does slows all of them.
        for name, one in calls.items():
            began = time.perf_counter()
            subprocess.run(**one, check=True)
            took[name].append((time.perf_counter() - began) * 1000)
    plain = median(took.pop("without walls"))
    figure("without walls, p50", plain, "ms")
    for name, values in took.items():
        figure(f"more: {name}", median(values) - plain, "ms", 50)
    measure_doors(instance)


def measure_doors(instance: Instance) -> None:
    heading(f"A call of the API, {CALLS} times, one after another")
    ask = [sys.executable, "-c", ASK, str(instance.port), str(CALLS)]
    for name, options in (("straight", None), ("through the door", {"doors": "yes"})):
        said = subprocess.check_output(**call(instance, ask, options))
        figure(f"{name}, p50", float(said), "ms")
    one = subprocess.Popen(**call(instance, ["sleep", "60"], {"doors": "yes"}))
    time.sleep(1)
    family = [psutil.Process(one.pid), *psutil.Process(one.pid).children(True)]
    sizes = [p.memory_full_info().pss for p in family if p.name() != "sleep"]
    figure("memory of the walls and the doors (PSS)", sum(sizes) / 2**20, "MB")
    one.kill()
    one.wait()


def call(
    instance: Instance, argv: list[str], options: dict[str, str] | None
) -> dict[str, Any]:
    """What subprocess takes to run it: plainly, or behind these walls."""
    place = home.directory("workspaces", "benchmark").resolve()
    env = {"PATH": instance.env["PATH"], "HOME": str(place)}
    if options is None:
        return {"args": argv, "env": env, "cwd": place}
    if "doors" in options:
        env["PAPERCLIP_API_URL"] = f"http://127.0.0.1:{instance.port}"
        env["PAPERCLIP_GATEWAY_URL"] = f"http://127.0.0.1:{instance.port + 1}"
    walls = {name: text for name, text in options.items() if name != "doors"}
    argv = sandbox.wrap(argv, workspace=place, env=env, **walls)
    return {"args": argv, "env": env, "cwd": place}
