"""Every process of a run is found and ended, and nobody else's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from paperclip import home, processes
from tests.instance import wait_for

# Each line another way to get out of sight.
ESCAPES = """
sleep 600 &
setsid sleep 600 &
(setsid sh -c 'sleep 600 & env -i sleep 600' &)
env -i sleep 600 &
env -i setsid sleep 600 &
trap '' TERM
while :; do sleep 0.1; done
"""


@pytest.fixture
def run_id() -> Iterator[str]:
    one = str(uuid4())
    yield one
    processes.end_tree(one, grace=0)


def start(run_id: str, place: Path, script: str) -> subprocess.Popen[bytes]:
    marks = {"PAPERCLIP_RUN_ID": run_id, "PAPERCLIP_INSTANCE": home.instance_id()}
    return processes.spawn(
        ["sh", "-c", script],
        cwd=place,
        env={"PATH": os.defpath, **marks},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_it_is_known_from_the_first_moment(run_id: str, tmp_path: Path) -> None:
    child = start(run_id, tmp_path, "while :; do sleep 1; done")
    assert child.pid in [one.pid for one in processes.tree(run_id)]
    assert os.getsid(child.pid) == child.pid


def test_a_program_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no/such/program"):
        processes.spawn(
            ["/no/such/program"],
            cwd="/",
            env={},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def test_the_whole_tree_is_found_and_ended(run_id: str, tmp_path: Path) -> None:
    child = start(run_id, tmp_path, ESCAPES)
    wait_for(lambda: len(processes.tree(run_id)) >= 8, 10)
    tree = processes.tree(run_id)
    assert run_id in processes.live_runs()
    assert processes.end_tree(run_id, grace=0.3) >= 8
    assert not [process for process in tree if processes.is_alive(process)]
    assert processes.tree(run_id) == []
    assert run_id not in processes.live_runs()
    assert child.wait(5) == -signal.SIGKILL  # its parent still learns how it ended


def test_a_tree_that_grows_while_it_is_ended_is_ended(
    run_id: str, tmp_path: Path
) -> None:
    bomb = "trap '' TERM; while :; do (sleep 5; sleep 5) & sleep 0.02; done"
    start(run_id, tmp_path, bomb)
    wait_for(lambda: len(processes.tree(run_id)) > 10, 10)
    processes.end_tree(run_id, grace=0.2)
    time.sleep(0.2)
    assert processes.tree(run_id) == []


def test_a_polite_end_is_waited_for(run_id: str, tmp_path: Path) -> None:
    tidy = "trap 'sleep 0.3; touch done; exit 7' TERM; touch up"
    script = f"{tidy}; while :; do sleep 0.05; done"
    child = start(run_id, tmp_path, script)
    wait_for((tmp_path / "up").exists, 5)
    processes.end_tree(run_id, grace=10)
    assert child.wait(5) == 7
    assert (tmp_path / "done").exists()


def test_strangers_and_the_caller_live_on(run_id: str, tmp_path: Path) -> None:
    other = str(uuid4())
    stranger = start(other, tmp_path, "sleep 600")
    # A program that ends the run it belongs to itself must get to the end of it.
    suicide = (
        "from paperclip import processes; import os;"
        f"processes.end_tree({run_id!r}, 0); os._exit(5)"
    )
    env = {**os.environ, "PAPERCLIP_RUN_ID": run_id}
    done = subprocess.run([sys.executable, "-c", suicide], env=env, cwd=home.BASE_DIR)
    assert done.returncode == 5
    assert stranger.poll() is None
    processes.end_tree(other, grace=0)
    stranger.wait()


def test_to_find_nothing_costs_little() -> None:
    started = time.perf_counter()
    for _ in range(10):
        assert processes.end_tree(str(uuid4()), grace=5) == 0
    assert time.perf_counter() - started < 1
