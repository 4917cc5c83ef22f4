"""Programs behind real walls, and a workspace for them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents import sandbox
from paperclip import home


def new_workspace() -> Path:
    return home.directory("workspaces", str(uuid4())).resolve()


def command(place: Path, script: str, **options: Any) -> dict[str, Any]:
    """What subprocess takes to run a shell script sandboxed in this workspace."""
    env = {"PATH": os.environ["PATH"], "HOME": str(place)} | options.pop("env", {})
    argv = sandbox.wrap(["sh", "-c", script], workspace=place, env=env, **options)
    return {"args": argv, "env": env, "cwd": place}


def inside(
    place: Path, script: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    call = command(place, script, **options)
    return subprocess.run(**call, capture_output=True, text=True, timeout=60)
