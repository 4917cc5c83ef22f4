"""The units of systemd say what the Procfile says."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest

from paperclip import home, supervise, units
from tests.instance import MANAGE, OURS

FILE = Path("/etc/paperclip/paperclip.env")


def parsed(text: str) -> RawConfigParser:
    unit = RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    return unit


def command(unit: RawConfigParser) -> list[str]:
    """The command line as systemd starts it."""
    line = unit["Service"]["ExecStart"].replace("%%", "%").replace("$$", "$")
    return shlex.split(line)


def test_each_program_of_the_procfile_has_its_line() -> None:
    made = units.units("paperclip", FILE)
    for name, line in supervise.programs().items():
        unit = parsed(made.pop(f"paperclip-{name}.service"))
        assert command(unit) == ["/bin/sh", "-c", line]
        assert unit["Service"]["Restart"] == "always"
        assert unit["Service"]["User"] == "paperclip"
        assert unit["Service"]["EnvironmentFile"] == str(FILE)
        assert unit["Unit"]["Requires"] == units.PREPARE
    assert set(made) == {units.PREPARE, units.TARGET}


def test_they_start_in_the_order_of_the_procfile() -> None:
    made = units.units("paperclip", FILE)
    before = ["network-online.target", units.PREPARE]
    for name in supervise.programs():
        unit = f"paperclip-{name}.service"
        assert parsed(made[unit])["Unit"]["After"].split() == before
        before.append(unit)
    assert parsed(made[units.TARGET])["Unit"]["Wants"].split() == list(made)[:-1]


def test_a_further_host_has_the_worker_alone() -> None:
    made = units.units("paperclip", FILE, worker_only=True)
    assert list(made) == ["paperclip-worker.service", units.TARGET]
    assert "Requires" not in parsed(made["paperclip-worker.service"])["Unit"]


def test_nothing_forbids_what_the_sandbox_needs() -> None:
    for text in units.units("paperclip", FILE).values():
        for line in ("RestrictNamespaces", "ProtectProc", "ProtectKernel", "PrivateU"):
            assert line not in text
        assert "ProtectHostname" not in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_takes_them(tmp_path: Path) -> None:
    write = ["systemd", "--user", getpass.getuser(), "--write", str(tmp_path)]
    subprocess.run([sys.executable, str(MANAGE), *write], check=True)
    files = [file for file in tmp_path.iterdir() if file.suffix != ".d"]
    assert len(files) == len(supervise.programs()) + 2
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, files)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_printing_them_makes_no_home(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if k not in OURS}
    place = tmp_path / "home"
    command = [sys.executable, str(MANAGE), "--home", str(place), "systemd"]
    for user, is_warned in (("root", True), ("paperclip", False)):
        done = subprocess.run(
            [*command, "--user", user], env=env, capture_output=True, text=True
        )
        assert f'"PAPERCLIP_HOME={place}"' in done.stdout and f"User={user}\n" in (
            done.stdout
        )
        assert ("as root" in done.stderr) is is_warned, done.stderr
    assert not place.exists()


def test_preparing_without_a_database_says_so(tmp_path: Path) -> None:
    env = os.environ | {"DATABASE_URL": "postgres://a:b@127.0.0.1:1/c"}
    done = subprocess.run(
        [sys.executable, str(MANAGE), "prepare"],
        env=env | {"PAPERCLIP_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        cwd=home.BASE_DIR,
    )
    assert done.returncode == 1 and "does not answer" in done.stderr
