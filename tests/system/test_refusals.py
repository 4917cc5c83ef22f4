"""What cannot be done is one line that says what to do, and no traceback."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.instance import MANAGE, Instance, free_port, running, wait_for

ROOT = MANAGE.parent
BOOTSTRAP = ("manage.py", "paperclip/__init__.py", "paperclip/bootstrap.py")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")


def up(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MANAGE), "up"],
        env={**Instance(Path("/nowhere")).env, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


# --- The first start, before there is a package ----------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with nothing to install, on a machine that can install nothing."""
    place = tmp_path / "a clone"
    for name in BOOTSTRAP:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    (place / "requirements.txt").touch()
    return place


def first_start(clone: Path, *path: Path, **environment: str) -> subprocess.Popen[str]:
    """`manage.py` of the clone, run by a bare Python, with this PATH."""
    bare = Path(sys.base_prefix) / "bin" / "python3"
    return subprocess.Popen(
        [str(bare), str(clone / "manage.py"), "up"],
        env={
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(clone),
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def without(tmp_path: Path, *modules: str) -> str:
    """A PYTHONPATH on which these modules cannot be imported."""
    for module in modules:
        (tmp_path / f"{module}.py").write_text("raise ImportError")
    return str(tmp_path)


def test_a_python_without_pip_and_ensurepip_is_told_what_to_install(
    clone: Path, tmp_path: Path
) -> None:
    shadow = without(tmp_path, "pip", "ensurepip")
    said = first_start(clone, PYTHONPATH=shadow).communicate()[1]
    assert "apt-get install python3-venv" in said.splitlines()[-1]
    assert "Traceback" not in said


def test_packages_that_cannot_be_had_show_the_installers_last_words(
    clone: Path,
) -> None:
    (clone / "requirements.txt").write_text("no-such-package==1\n")
    start = first_start(clone, PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    said = start.communicate()[1]
    assert start.returncode == 1
    assert "could not be installed" in said and "no-such-package" in said
    assert "Traceback" not in said


def test_of_two_first_starts_one_installs(clone: Path, tmp_path: Path) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(f"#!/bin/sh\necho ran >> '{tmp_path}/log'\nsleep 1\n")
    uv.chmod(0o755)
    starts = [first_start(clone, uv.parent, Path("/bin")) for _ in range(2)]
    for start in starts:
        start.communicate()
    assert (tmp_path / "log").read_text() == "ran\n"


def test_an_old_python_is_refused_before_it_meets_new_syntax(tmp_path: Path) -> None:
    assert ast.parse(MANAGE.read_text(), feature_version=(3, 4)).body
    # Alone, so that importing anything of ours before the refusal fails.
    shutil.copy(MANAGE, tmp_path)
    old = "import runpy, sys; sys.version_info = (3, 10); runpy.run_path('manage.py')"
    command = [sys.executable, "-c", old]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert "needs Python 3.11 or newer" in last_line(done)


# --- A start that cannot be ------------------------------------------------------


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    command = [sys.executable, str(MANAGE), "up", f"--port={port}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "--port takes a number" in last_line(done)


def test_an_option_that_is_cut_short_is_not_taken_for_nothing(tmp_path: Path) -> None:
    for option in (f"--hom={tmp_path}", "--por=1"):
        command = [sys.executable, str(MANAGE), "up", option]
        env = Instance(tmp_path / "home").env
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 2
        assert f"unrecognized arguments: {option}" in done.stderr
        assert not (tmp_path / "home" / "run").exists()


def test_a_setting_that_cannot_be_read_is_named() -> None:
    assert "setting cannot be read" in last_line(up(PAPERCLIP_PORT="http"))


def test_a_home_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "--home" in last_line(up(PAPERCLIP_HOME=str(tmp_path / "file" / "home")))


def test_a_database_that_does_not_answer_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(MANAGE), "up"],
        env=Instance(tmp_path).env
        | {"DATABASE_URL": f"postgres://a:b@127.0.0.1:{free_port()}/c"},
        capture_output=True,
        text=True,
    )
    said = last_line(done)
    assert "database does not answer" in said and "DATABASE_URL" in said


# --- A full disk -----------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 MB of our own."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, leave: int = 0) -> Path:
    """A file that takes the rest of the disk."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        while (free := shutil.disk_usage(disk).free - leave) > 0:
            file.write(b"0" * min(free, 2**20))
            file.flush()
    return filler


@needs_root
def test_a_full_disk_is_refused(small_disk: Path) -> None:
    fill(small_disk)
    assert "home cannot be written" in last_line(up(PAPERCLIP_HOME=str(small_disk)))


@needs_root
def test_a_nearly_full_disk_is_refused(small_disk: Path) -> None:
    fill(small_disk, leave=20 * 2**20)
    said = last_line(up(PAPERCLIP_HOME=str(small_disk)))
    assert "MB are free" in said and "--home" in said


@needs_root
@pytest.mark.long
def test_an_instance_heals_when_a_full_disk_has_space_again(small_disk: Path) -> None:
    with running(small_disk / "home") as instance:
        filler = fill(small_disk)
        instance.kill("postgres")
        wait_for(lambda: not instance.is_healthy(), 30)
        fill(small_disk)
        filler.unlink()
        wait_for(instance.is_healthy, 60, instance.output)
