"""A user without rights."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from paperclip import processes
from tests.instance import MANAGE, Instance, wait_for

NOBODY = 65534
AS_NOBODY: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")


@pytest.fixture
def instance() -> Iterator[Instance]:
    place = Path(tempfile.mkdtemp())  # pytest's own directories are closed to others
    os.chown(place, NOBODY, NOBODY)
    one = Instance(place / "home", HOME=str(place))
    yield one
    one.stop()
    shutil.rmtree(place)


def python_for_all() -> str:
    """A Python that every user may run; ours may lie in root's home."""
    for place in (sys.base_prefix, "/usr", "/usr/local"):
        python = f"{place}/bin/python3"
        with suppress(OSError):
            if subprocess.run([python, "-c", ""], **AS_NOBODY).returncode == 0:
                return python
    pytest.skip("there is no Python here that every user may run")


def linked(source: str, target: str) -> None:
    """A file that is root's in both places; a copy where no link can be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def clone_for(python: str, place: Path) -> Path:
    """A clone where this Python's user may make .venv. Has ours when it fits."""
    version = subprocess.check_output([python, "--version"], text=True)
    fits = version.split()[1] == platform.python_version()
    leave_out = [".git", ".paperclip", *([] if fits else [".venv"])]
    ignore = shutil.ignore_patterns(*leave_out)
    shutil.copytree(
        MANAGE.parent, place, symlinks=True, ignore=ignore, copy_function=linked
    )
    os.chown(place, NOBODY, NOBODY)
    return place


@pytest.mark.long
def test_a_clone_is_usable_within_a_minute_and_runs_as_its_user(
    instance: Instance,
) -> None:
    python = python_for_all()
    clone = clone_for(python, instance.home.parent / "a clone")
    with (instance.home.parent / "out").open("wb") as out:
        instance.process = subprocess.Popen(
            [python, str(clone / "manage.py"), "up"],
            env=instance.env,
            stdout=out,
            stderr=out,
            **AS_NOBODY,
        )
    wait_for(instance.is_healthy, 60, (instance.home.parent / "out").read_text)
    family = psutil.Process(instance.process.pid).children(recursive=True)
    assert len(family) > 6
    assert {process.uids().real for process in family} == {NOBODY}
    doctor = [python, str(clone / "manage.py"), "doctor"]
    said = subprocess.check_output(doctor, env=instance.env, text=True, **AS_NOBODY)
    assert "\nok    sandbox " in said
    instance.stop()
    assert instance.process.returncode == 0
    assert not [process for process in family if processes.is_alive(process)]
