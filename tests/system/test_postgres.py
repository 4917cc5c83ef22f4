"""The embedded PostgreSQL: never two writers, nothing committed is lost."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from paperclip import home, processes, servers
from paperclip.servers import postgres
from tests.instance import wait_for
from tests.system.servers import clean_up, connect, kill, log, mains, start


@pytest.fixture(scope="module")
def a_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a database; made once, as that takes a second."""
    place = tmp_path_factory.mktemp("postgres") / "a home"
    with clean_up(place):
        start("postgres")
        with connect() as connection:
            connection.execute("CREATE TABLE done (n bigint PRIMARY KEY, text text)")
        yield place


@pytest.fixture(autouse=True)
def stopped(a_cluster: Path) -> None:
    """Each test starts it in its own way."""
    servers.end_orphans("postgres")


def checksums_hold() -> bool:
    """Whether every page on the disk is what was written. The server must be off."""
    command = [str(postgres.program("pg_checksums")), "--check"]
    data = str(home.path() / "postgres")
    done = subprocess.run([*postgres.lowered(), *command, "-D", data], text=True)
    return done.returncode == 0


class Writer(threading.Thread):
    """Writes numbers as fast as it can, and knows which ones were acknowledged."""

    def __init__(self, first: int) -> None:
        super().__init__(daemon=True)
        self.next = first
        self.acknowledged: set[int] = set()

    def run(self) -> None:
        with connect() as connection:
            try:
                while True:
                    row = (self.next, "x" * 500)
                    connection.execute("INSERT INTO done VALUES (%s, %s)", row)
                    self.acknowledged.add(self.next)
                    self.next += 1
            except psycopg.OperationalError:
                return


def crash_while_writing(first: int) -> int:
    """One crash in a burst of writes; the next free number."""
    process = start("postgres")
    writers = [Writer(first + n * 10**7) for n in range(3)]
    for writer in writers:
        writer.start()
    wait_for(lambda: all(len(w.acknowledged) > 5 for w in writers), 30)
    time.sleep(random.uniform(0, 0.2))
    victims = [process.pid]
    if random.random() < 0.5:
        victims = [one.pid for one in servers.serving("postgres")]
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    process.wait()
    for writer in writers:
        writer.join(30)
    again = start("postgres")
    with connect() as connection:
        rows = connection.execute("SELECT n FROM done WHERE n >= %s", (first,))
        found = {n for (n,) in rows}
    assert not set().union(*(w.acknowledged for w in writers)) - found
    kill(again)
    return first + 10**8


def test_crashes_in_a_burst_of_writes_lose_nothing() -> None:
    crash_often(3)


@pytest.mark.long
def test_a_hundred_crashes_in_bursts_of_writes_lose_nothing() -> None:
    crash_often(100)


def crash_often(times: int) -> None:
    with connect_to_new() as connection:
        first = connection.execute("SELECT coalesce(max(n), 0) FROM done").fetchone()
    number = first[0] + 10**8 if first else 0
    servers.end_orphans("postgres")
    for _ in range(times):
        number = crash_while_writing(number)
    start("postgres")
    connect().close()
    servers.end_orphans("postgres")
    assert checksums_hold()


def connect_to_new() -> psycopg.Connection:
    start("postgres")
    return connect()


def test_a_pid_file_that_names_a_live_stranger_is_no_obstacle() -> None:
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        connect_to_new().close()
        file = home.path() / "postgres" / "postmaster.pid"
        lines = file.read_text().splitlines()
        for process in servers.serving("postgres"):
            process.kill()
        wait_for(lambda: not servers.serving("postgres"), 10)
        file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        connect_to_new().close()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_server_on_the_same_data_ends_the_first() -> None:
    start("postgres")
    with connect() as writer:
        first = mains()
        start("postgres")
        wait_for(lambda: mains() not in ([], first), 30, lambda: log("postgres"))
        connect().close()
        assert len(mains()) == 1
        with pytest.raises(psycopg.OperationalError):
            writer.execute("INSERT INTO done VALUES (-1)")


def test_it_waits_until_the_last_writer_of_a_killed_server_is_gone() -> None:
    process = start("postgres")
    with connect() as connection:
        writer = psutil.Process(connection.info.backend_pid)
        writer.suspend()  # it cannot see that its server is dead
        kill(process)
        assert processes.is_alive(writer)
        start("postgres")
        connect().close()
        assert not processes.is_alive(writer)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to be lowered")
def test_root_is_lowered_in_either_way() -> None:
    for way in (1, 0, 1):  # the data change hands, there and back
        start("postgres", before=f"del servers.postgres.LOWERED[{way}]")
        with connect() as connection:
            connection.execute("INSERT INTO done VALUES (-2) ON CONFLICT DO NOTHING")
            owner = (home.path() / "postgres").stat().st_uid
            assert owner == (0 if way else 65534)
            user = psutil.Process(connection.info.backend_pid).uids().real
            assert user == owner
        servers.end_orphans("postgres")


def test_its_role_is_no_superuser_and_needs_its_password() -> None:
    with connect_to_new() as connection:
        query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        assert connection.execute(query).fetchone() == (False,)
    port = home.port_of("postgres")
    for user in ("paperclip", "postgres"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=port, user=user, password="guess")
