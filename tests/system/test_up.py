"""One instance in a path with a blank, and what it stands."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from paperclip import home, processes
from tests.instance import MANAGE, Instance, running, wait_for
from tests.long import long

PROGRAMS = ("postgres", "valkey", "gateway", "web", "worker", "clock")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with running(tmp_path_factory.mktemp("a path") / "the home") as one:
        yield one


def up(instance: Instance, **environment: str) -> subprocess.CompletedProcess[str]:
    """Another `up`, like this instance's but for some of its environment."""
    return subprocess.run(
        [sys.executable, str(MANAGE), "up"],
        env=instance.env | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def pid_of(instance: Instance, program: str) -> int | None:
    return processes.pid_in(instance.home / "run" / f"{program}.pid")


def mark(instance: Instance) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAPERCLIP_HOME", str(instance.home))
        return home.instance_id()


def alive(instance: Instance) -> list[psutil.Process]:
    """Every process of the instance: `up`'s children by their mark, the servers by
    where they work (they write over their environment), the runs by theirs."""
    marks = {"PAPERCLIP_UP": mark(instance)}
    runs = processes.carriers({"PAPERCLIP_INSTANCE": mark(instance)})
    servers = [p for p in psutil.process_iter() if works_in(p, instance.home)]
    return [p for p in processes.carriers(marks) + runs + servers if p.is_running()]


def works_in(process: psutil.Process, place: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(place)
    except psutil.Error:
        return False


def agents_process(instance: Instance, tmp_path: Path) -> psutil.Process:
    """A process as a heartbeat's child is one, deaf to a polite request."""
    child = processes.spawn(
        ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
        cwd="/",
        env={"PAPERCLIP_INSTANCE": mark(instance), "PAPERCLIP_RUN_ID": "one"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return psutil.Process(child.pid)


def logs(instance: Instance) -> str:
    files = sorted((instance.home / "logs").glob("*.log"))
    return "\n".join(f"{file.name}: {file.read_text()[-2000:]}" for file in files)


def is_refused(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) != 0


def comes_back(
    instance: Instance, victim: int, current: Callable[[], int | None]
) -> None:
    """Kill a process and wait for another in its place and for a well instance."""
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: current() not in (None, victim), 30, lambda: logs(instance))
    wait_for(instance.is_healthy, 30, lambda: logs(instance))


def test_it_says_each_phase_and_where_to_sign_in(instance: Instance) -> None:
    said = instance.output()
    for phase in ("Database", "Broker", "Migrations", "Company", "Processes"):
        assert re.search(rf"^{phase} \.\.\. \d+\.\d s$", said, re.MULTILINE), said
    url = f"http://localhost:{instance.port}"
    assert f"Ready at {url}." in said
    assert re.search(rf"{url}/sign-in/\S+", said)


def test_preparing_twice_is_preparing_once(instance: Instance) -> None:
    assert instance.manage("prepare", "--patience", "5")
    assert len(instance.api("GET", "/companies").body) == 1


def test_a_second_start_on_the_same_home_is_refused(instance: Instance) -> None:
    second = up(instance, PAPERCLIP_PORT="3999")
    assert second.returncode == 1
    assert len(second.stderr.splitlines()) == 1
    assert instance.process and str(instance.process.pid) in second.stderr
    assert "--home" in second.stderr
    assert instance.is_healthy()


def test_a_taken_port_is_refused(instance: Instance, tmp_path: Path) -> None:
    second = up(instance, PAPERCLIP_HOME=str(tmp_path / "other"))
    assert second.returncode == 1
    assert len(second.stderr.splitlines()) == 1
    assert str(instance.port) in second.stderr
    assert "--port" in second.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_process_comes_back(instance: Instance, program: str) -> None:
    victim = pid_of(instance, program)
    assert victim is not None
    comes_back(instance, victim, lambda: pid_of(instance, program))


def test_a_killed_child_of_the_web_server_comes_back(instance: Instance) -> None:
    main = psutil.Process(pid_of(instance, "web"))
    before = {child.pid for child in main.children()}
    victim = next(c.pid for c in main.children() if "granian" in " ".join(c.cmdline()))

    def newcomer() -> int | None:
        return next((c.pid for c in main.children() if c.pid not in before), None)

    comes_back(instance, victim, newcomer)
    now = {child.pid for child in main.children()}
    assert victim not in now and len(now) == len(before)


def test_a_killed_supervisor_comes_back_and_doubles_nothing(instance: Instance) -> None:
    before = {name: pid_of(instance, name) for name in PROGRAMS}
    victim = pid_of(instance, "supervisord")
    assert victim is not None
    comes_back(instance, victim, lambda: pid_of(instance, "supervisord"))
    wait_for(lambda: all(pid_of(instance, n) != before[n] for n in PROGRAMS), 30)
    assert not [pid for pid in before.values() if pid and psutil.pid_exists(pid)]


def test_no_secret_is_in_an_argument(instance: Instance) -> None:
    secrets = [file.read_text() for file in (instance.home / "secrets").iterdir()]
    assert secrets
    lines = [" ".join(process.cmdline()) for process in alive(instance)]
    assert not [s for s in secrets for line in lines if s in line]


def test_its_files_are_closed_to_others(instance: Instance) -> None:
    for folder in ("logs", "run", "secrets", "valkey"):
        for file in (instance.home / folder, *(instance.home / folder).iterdir()):
            assert file.stat().st_mode & 0o077 == 0, file


@pytest.mark.long
def test_another_instance_runs_beside_it(instance: Instance, tmp_path: Path) -> None:
    with running(tmp_path / "other") as other:
        assert other.is_healthy() and instance.is_healthy()
        assert not set(alive(other)) & set(alive(instance))
    assert instance.is_healthy()
    assert not alive(other)


@pytest.mark.long
def test_it_runs_on_servers_that_are_there(tmp_path: Path) -> None:
    theirs = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    with running(tmp_path / "home", **theirs) as instance:
        assert instance.is_healthy()
        assert not pid_of(instance, "postgres") and not pid_of(instance, "valkey")
    with psycopg.connect(theirs["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM paperclip_user").fetchone()


def test_a_start_after_kill_9_ends_what_was_left(instance: Instance) -> None:
    left = alive(instance)
    assert instance.process
    instance.process.kill()
    instance.process.wait()
    assert instance.is_healthy()  # the supervisor is still there
    instance.start()
    # One that nobody has buried yet is dead all the same.
    assert not [process for process in left if processes.is_alive(process)]


@pytest.mark.parametrize("number", [signal.SIGINT, long(signal.SIGTERM)])
def test_a_stopped_instance_leaves_nothing(
    instance: Instance, number: signal.Signals, tmp_path: Path
) -> None:
    if instance.process is None or instance.process.poll() is not None:
        instance.start()  # the other signal has stopped it
    agent = agents_process(instance, tmp_path)
    ports = [int(file.read_text()) for file in (instance.home / "run").glob("*.port")]
    assert len(ports) == 2
    assert instance.process
    instance.process.send_signal(number)
    assert instance.process.wait(60) == 0
    assert not alive(instance)
    assert not processes.is_alive(agent)
    assert all(is_refused(port) for port in [*ports, instance.port])
