"""From a fresh clone with an empty package cache to the console; and once more."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import figure, heading
from tests.instance import MANAGE, Instance, wait_for

SETTINGS: dict[str, str] = {}


def start(clone: Path, home: Path, cache: Path) -> tuple[float, str]:
    instance = Instance(home, UV_CACHE_DIR=str(cache), PIP_NO_CACHE_DIR="1")
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=clone,
        env={k: v for k, v in instance.env.items() if k != "VIRTUAL_ENV"},
        stdout=(home.parent / "up.out").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for(instance.is_healthy, 300)
        took = time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(60)
    return took, (home.parent / "up.out").read_text()


def measure(instance: Instance) -> None:
    instance.stop()
    with tempfile.TemporaryDirectory() as place:
        clone, home, cache = (Path(place) / n for n in ("clone", "home", "cache"))
        subprocess.run(
            ["git", "clone", "-q", str(MANAGE.parent), str(clone)],
            check=True,
            env=os.environ,
        )
        first, said = start(clone, home, cache)
        second, _ = start(clone, home, cache)
    heading("Fresh clone, empty package cache\n" + said.rstrip())
    figure("first `up` to a healthy console", first, "s", 60)
    figure("second `up`", second, "s", 5)
