"""What a program behind the walls can reach: its workspace, Paperclip, nothing else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from django.conf import LazySettings

from agents import sandbox
from agents.sandbox import mounts
from agents.sandbox.ending import Ending
from paperclip import home, processes
from paperclip.exceptions import Invalid
from tests.agents.walls import command, inside, new_workspace
from tests.instance import wait_for

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="bubblewrap needs Linux"
)
PROFILES = pytest.mark.parametrize("profile", ["closed", "host"])


@pytest.fixture
def place() -> Path:
    return new_workspace()


def test_a_sandbox_works_on_this_machine() -> None:
    assert sandbox.state() == (True, sandbox.state().which, "")


# --- Files -----------------------------------------------------------------------


@PROFILES
def test_it_writes_in_its_workspace_and_nowhere_else(place: Path, profile: str) -> None:
    outside = Path(tempfile.mkdtemp(dir="/var/tmp"))
    tries = ["/usr/x", "/etc/x", "/x", "/bin/x", "/dev/x/y", outside / "x"]
    names = " ".join(map(str, tries))
    script = (
        f"echo mine > here; for one in {names}; do echo x > $one && echo $one; done"
    )
    done = inside(place, script, profile=profile)
    outside.rmdir()
    assert done.stdout == "" and (place / "here").read_text() == "mine\n"


@PROFILES
def test_its_tmp_is_nobody_elses(place: Path, profile: str) -> None:
    shared = Path(tempfile.mkdtemp(dir="/tmp"))
    mine = str(uuid4())
    done = inside(place, f"ls {shared}; echo x > /tmp/{mine}", profile=profile)
    shared.rmdir()
    assert "No such file" in done.stderr and not (shared.parent / mine).exists()


@PROFILES
def test_it_sees_nothing_of_the_home(
    place: Path, profile: str, settings: LazySettings
) -> None:
    secret = home.secret("django")
    other = home.directory("workspaces", str(uuid4()))
    (other / "private").write_text(secret)
    link = place / "link"
    link.symlink_to(other)
    script = f"find {settings.HOME} -type f; cat link/private {other}/private; ls link/"
    done = inside(place, script, profile=profile)
    assert done.stdout == "" and secret not in done.stderr


@PROFILES
def test_it_sees_no_settings(place: Path, profile: str, settings: LazySettings) -> None:
    held = Path(tempfile.mkdtemp(dir="/var/tmp"))
    file = held / "paperclip.env"
    file.write_text("GEMINI_API_KEY=canary")
    settings.SECRET_FILES = [str(file)]
    done = inside(place, f"cat {file}; wc -c {file}", profile=profile)
    shutil.rmtree(held)
    assert "canary" not in done.stdout + done.stderr


def test_closed_shows_no_people_and_no_programs_of_theirs(place: Path) -> None:
    tries = "/etc/shadow /etc/ssh /root/.ssh /home /var /srv /sys /run"
    done = inside(place, f"for one in {tries}; do ls -A $one 2>/dev/null; done; id -un")
    assert done.stdout == "agent\n"


def test_closed_has_what_programs_need(place: Path) -> None:
    script = (
        f"{sys.executable} -c 'import ssl, httpx; ssl.create_default_context()' &&"
        " git init -q . && sed --version | head -1 && echo x > /dev/null && nproc"
    )
    done = inside(place, script)
    assert done.returncode == 0, done.stderr


# --- The browser -----------------------------------------------------------------


@pytest.fixture
def chrome(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The browser that is named, in a directory of its own."""
    held = Path(tempfile.mkdtemp(dir="/var/tmp"))
    own = held / "chrome-linux"
    own.mkdir()
    (own / "chrome").write_text("#!/bin/sh\necho it starts")
    (own / "chrome").chmod(0o755)
    (own / "resources.pak").touch()
    (held / "canary").write_text("canary")
    monkeypatch.setenv("PAPERCLIP_CHROMIUM", str(own / "chrome"))
    yield own / "chrome"
    shutil.rmtree(held)


def test_the_browser_is_inside_and_nothing_beside_it(place: Path, chrome: Path) -> None:
    held = chrome.parent.parent
    done = inside(place, f"{chrome}; ls {held}; touch {chrome}")
    assert done.stdout == "it starts\nchrome-linux\n"
    assert "Read-only" in done.stderr


def test_a_browser_in_a_home_shows_nothing_of_the_home(
    place: Path, chrome: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor of all homes, when it lies beside them."""
    theirs = chrome.parent.parent
    shutil.copytree(chrome.parent, theirs, dirs_exist_ok=True)
    monkeypatch.setenv("PAPERCLIP_CHROMIUM", str(theirs / "chrome"))
    assert "canary" in inside(place, f"ls {theirs}").stdout  # it is nobody's home yet
    for someones in (theirs, chrome.parent):
        monkeypatch.setenv("HOME", str(someones))
        assert inside(place, f"ls -A {theirs}; id -un").stdout == "agent\n"


def test_a_browser_beside_paperclips_own_uncovers_nothing(
    place: Path, chrome: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the home, at it, or in it; the programs start all the same."""
    ours = chrome.parent.parent / "home"
    monkeypatch.setenv("PAPERCLIP_HOME", str(ours))
    home.secret("django")
    for at in (ours.parent, ours, ours / "secrets"):
        shutil.copytree(chrome.parent, at, dirs_exist_ok=True)
        monkeypatch.setenv("PAPERCLIP_CHROMIUM", str(at / "chrome"))
        script = f"find {ours.parent} -name django -o -name canary -o -name chrome"
        done = inside(new_workspace(), f"{script}; id -un")
        assert done.stdout == "agent\n", done


def test_a_home_that_is_shown_by_mistake_is_covered(
    place: Path, settings: LazySettings
) -> None:
    secret = home.secret("django")
    script = f"cat {settings.HOME}/secrets/django; id -un"
    done = inside(place, script, read_only=[settings.HOME, settings.HOME.parent])
    assert secret not in done.stdout and done.stdout == "agent\n"


@pytest.mark.parametrize("named", ["/nonexistent", "/", "~/chrome", "chrome", "/a/b"])
def test_a_browser_that_is_not_there_is_not_there_inside(
    place: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERCLIP_CHROMIUM", os.path.expanduser(named))
    url = {"PAPERCLIP_API_URL": "http://127.0.0.1:3100"}
    done = inside(place, "ls -d /home /root/.[bs]*; id -un", env=url)
    assert (done.stdout, done.returncode) == ("agent\n", 0), done


@pytest.mark.skipif(not os.access("/usr/local", os.W_OK), reason="needs root")
def test_a_home_below_what_is_shown_is_not(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(dir="/usr/local") as below:
        monkeypatch.setenv("PAPERCLIP_HOME", below)
        home.secret("django")
        done = inside(new_workspace(), f"find {below} -type f; pwd")
        assert done.stdout.startswith(f"{below}/workspaces/"), done


def test_host_shows_the_files_of_the_machine(place: Path) -> None:
    given = Path(tempfile.mkdtemp(dir="/tmp"))
    (given / "agent.sh").write_text("echo hello")
    script = f"cat {given}/agent.sh /etc/hosts"
    seen = {"profile": "host", "read_only": [given / "agent.sh"], "network": "open"}
    done = inside(place, script, **seen)
    shutil.rmtree(given)
    assert done.stdout == "echo hello" + Path("/etc/hosts").read_text()


def test_what_the_operator_opens_can_be_written(place: Path) -> None:
    site = Path(tempfile.mkdtemp(dir="/var/tmp"))
    inside(place, f"echo new > {site}/page", profile="host", writable=[site])
    assert (site / "page").read_text() == "new\n"
    shutil.rmtree(site)


def test_what_is_paperclips_own_cannot_be_opened(settings: LazySettings) -> None:
    for ours in ("/", home.BASE_DIR, settings.HOME, settings.HOME / "secrets", "site"):
        with pytest.raises(Invalid):
            sandbox.may_be_writable(str(ours))


# --- Processes -------------------------------------------------------------------


@PROFILES
def test_it_sees_and_reaches_no_other_process(place: Path, profile: str) -> None:
    env = {"PATH": os.defpath, "CANARY": "of a stranger"}
    stranger = subprocess.Popen(["sleep", "600"], env=env)
    script = (
        "cat /proc/*/environ | tr '\\0' '\\n' | grep CANARY;"
        " ls /proc | grep -c '^[0-9]';"
        f"kill -9 {stranger.pid}; cat /proc/{stranger.pid}/cmdline; hostname"
    )
    done = inside(place, script, profile=profile)
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    seen, name = done.stdout.split()
    assert int(seen) < 10 and name == "agent"
    assert "No such process" in done.stderr


@PROFILES
def test_it_has_no_right_that_others_lack(place: Path, profile: str) -> None:
    script = (
        "grep -E '^(CapPrm|CapEff|NoNewPrivs)' /proc/self/status; mount -t tmpfs x ."
    )
    done = inside(place, script, profile=profile)
    assert done.stdout.split()[1::2] == ["0" * 16, "0" * 16, "1"]
    assert done.returncode != 0


@PROFILES
def test_it_cannot_change_the_kernel_of_the_machine(place: Path, profile: str) -> None:
    """Not by the name of root either, and not from a namespace further in."""
    setting = "/proc/sys/kernel/core_pattern"
    change = f"p=$(cat {setting}); echo $p > {setting} && echo changed"
    script = f"{change}; unshare -Urpf --mount-proc sh -c '{change}'; find /proc /sys"
    find = f"{script} -path '/proc/[0-9]*' -prune -o -type f -writable -print"
    done = inside(place, find, profile=profile, network="open")
    written = [line for line in done.stdout.splitlines() if "/self/" not in line]
    assert not [line for line in written if "/thread-self/" not in line]


def test_exit_codes_and_signals_come_out(place: Path) -> None:
    assert inside(place, "exit 7").returncode == 7
    url = {"PAPERCLIP_API_URL": "http://127.0.0.1:3100"}
    assert inside(place, "exit 7", env=url).returncode == 7
    assert inside(place, "kill -15 $$", env=url).returncode == 128 + 15
    # Python, which the doors are made of, ignores this one.
    assert inside(place, "kill -13 $$", env=url).returncode == 128 + 13
    assert inside(place, "ls /proc | wc -l", env=url).returncode == 0


HIDDEN = "env -i setsid sh -c 'env -i setsid sleep 600 &'; echo up; sleep 600"


def test_who_hides_is_ended_with_the_rest(place: Path) -> None:
    """An emptied environment, a session of its own and no parent: seen from outside it
    is nobody's, and it ends with the sandbox."""
    run_id = str(uuid4())
    call = command(place, HIDDEN, env={"PAPERCLIP_RUN_ID": run_id})
    argv = call.pop("args")
    child = processes.spawn(
        argv,
        **call,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout and child.stdout.readline() == b"up\n"
    wait_for(lambda: len(sleepers(child.pid)) == 2, 5)
    hidden = sleepers(child.pid)
    processes.end_tree(run_id, grace=0)
    wait_for(lambda: not [one for one in hidden if processes.is_alive(one)], 5)
    child.stdout.close()
    # bwrap itself, or what it ran first: whichever was killed first says how it ended.
    assert child.wait(5) in (-signal.SIGKILL, 128 + signal.SIGKILL)


def test_its_end_is_seen_when_nothing_of_it_lives(place: Path) -> None:
    """What it left behind ends with it, and is gone when that is said."""
    call = command(place, "setsid sleep 600 & echo up; read word")
    with Ending(call.pop("args")) as ending:
        child = processes.spawn(
            ending.argv,
            **call,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[ending.fd],
        )
        assert child.stdin and child.stdout and child.stdout.readline() == b"up\n"
        wait_for(lambda: len(sleepers(child.pid)) == 1, 5)
        left = sleepers(child.pid)
        child.stdin.close()
        assert child.wait(5) == 1
        assert ending.is_seen() and not any(map(processes.is_alive, left))
        child.stdout.close()


def test_where_an_end_cannot_be_seen_one_has_to_look(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every Python knows pidfds."""
    monkeypatch.delattr(os, "pidfd_open")
    call = command(place, "true")
    with Ending(call.pop("args")) as ending:
        subprocess.run(ending.argv, **call, pass_fds=[ending.fd], check=True)
        assert not ending.is_seen()


def test_a_sandbox_that_lives_is_not_taken_for_one_that_has_ended(place: Path) -> None:
    call = command(place, "echo up; read word")
    with Ending(call.pop("args")) as ending:
        assert not ending.is_seen()  # it has not said who is the first
    with Ending(command(place, "echo up; read word")["args"]) as ending:
        child = subprocess.Popen(
            ending.argv,
            **call,
            pass_fds=[ending.fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdin and child.stdout and child.stdout.readline() == b"up\n"
        assert not ending.is_seen()
        child.communicate(b"")


def sleepers(pid: int) -> list[psutil.Process]:
    family = psutil.Process(pid).children(recursive=True)
    return [one for one in family if one.name() == "sleep"]


def test_it_is_asked_to_end_before_it_must(place: Path) -> None:
    run_id = str(uuid4())
    script = (
        # What it waits for must not end first: the shell would end well with it.
        "trap '' TERM; sleep 60 &"
        " trap 'sleep 0.3; echo tidy > done; exit 7' TERM; echo > up; wait"
    )
    env = {"PAPERCLIP_RUN_ID": run_id, "PAPERCLIP_API_URL": "http://127.0.0.1:3100"}
    child = subprocess.Popen(**command(place, script, env=env))
    wait_for((place / "up").exists, 5)
    processes.end_tree(run_id, grace=10)
    assert child.wait(5) == 7 and (place / "done").exists()


def test_it_dies_with_who_started_it(place: Path) -> None:
    call = command(place, HIDDEN)
    starter = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    call["args"] = [sys.executable, "-c", starter, *call["args"]]
    child = subprocess.Popen(**call, stdout=subprocess.PIPE)
    assert child.stdout and child.stdout.readline() == b"up\n"
    wait_for(lambda: len(sleepers(child.pid)) == 2, 5)
    hidden = sleepers(child.pid)
    child.kill()
    child.wait()
    wait_for(lambda: not [one for one in hidden if processes.is_alive(one)], 5)
    child.stdout.close()


# --- Where there is none ---------------------------------------------------------


def test_a_bwrap_that_does_not_work_is_found_out() -> None:
    said = sandbox.trial("/bin/false")
    assert said == "exit 1"


def test_without_user_namespaces_it_says_so_and_what_to_do() -> None:
    """In a namespace that may have no others below it, as on a hardened machine."""
    ask = "from agents import sandbox; print(sandbox.look())"
    python = f"import django; django.setup(); {ask}"
    forbid = "echo 0 > /proc/sys/user/max_user_namespaces"
    shell = f'{forbid} && exec "$0" -c "$1"'
    done = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user"),
            "sh",
            "-c",
            shell,
            sys.executable,
            python,
        ],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "paperclip.settings"},
        cwd=home.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert "works=False" in done.stdout, done.stderr
    assert "max_user_namespaces" in done.stdout


def test_a_link_to_python_in_a_home_shows_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_home = tmp_path / "bin" / "python3"
    in_a_home.parent.mkdir()
    in_a_home.symlink_to(sys.executable)
    (tmp_path / "python3").symlink_to(in_a_home)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    mounts.pythons.cache_clear()
    try:
        shown = mounts.pythons()
    finally:
        monkeypatch.undo()
        mounts.pythons.cache_clear()
    assert tmp_path not in shown
    assert all(mounts.holds(place) for place in shown)
    assert mounts.holds(Path(sys.base_prefix))
