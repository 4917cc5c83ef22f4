"""Makes .venv and installs the locked packages into it, so that `python3` is enough.

Standard library only: manage.py calls it before any package is there.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
VENV = BASE_DIR / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"  # the hashes of the locks that are in .venv
RUNTIME = BASE_DIR / "requirements.txt"
TESTS = BASE_DIR / "tests" / "requirements.txt"
NEED_TESTS = {"test"}
UV = "uv==0.13.9"  # installs in a tenth of pip's time


def enter(argv: list[str]) -> list[str]:
    """Go on inside .venv with every package there; the arguments left for Django."""
    command = argv[1] if len(argv) > 1 else ""
    if command != "test":  # its arguments are pytest's
        argv = take_flags(argv)
    started = time.monotonic()
    locks = [RUNTIME, TESTS] if command in NEED_TESTS else [RUNTIME]
    if missing(locks):
        progress("Dependencies ... ", end="")
        install(locks)
        progress(f"{time.monotonic() - started:.1f} s")
    if Path(sys.prefix).resolve() != VENV.resolve():
        os.execv(PYTHON, [str(PYTHON), *argv])
    if command == "test":
        keep_tests_apart()
    if argv[1:2] == ["systemd"]:
        leave_home_alone()
    return argv


def take_flags(argv: list[str]) -> list[str]:
    """Turn --home and --port into the environment variables they stand for."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--home")
    parser.add_argument("--port")
    # What follows `hire ... --run` belongs to the agent's program.
    end = argv.index("--run") if "--run" in argv else len(argv)
    flags, rest = parser.parse_known_args(argv[:end])
    rest += argv[end:]
    if flags.home:
        os.environ["PAPERCLIP_HOME"] = os.path.abspath(flags.home)
    if flags.port:
        if not flags.port.isdecimal() or not 0 < int(flags.port) < 65536:
            sys.exit(f"--port takes a number from 1 to 65535, not {flags.port!r}.")
        os.environ["PAPERCLIP_PORT"] = flags.port
    return rest


def keep_tests_apart() -> None:
    """The tests get a home of their own, and nothing from the operator's .env. They may
    keep what they compile, or each of some hundred processes would do it again."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PAPERCLIP_TEST_HOME"] = tempfile.mkdtemp(prefix="paperclip-")
    os.environ["PAPERCLIP_HOME"] = os.environ["PAPERCLIP_TEST_HOME"]
    os.environ["PAPERCLIP_ENV_FILE"] = os.devnull


def leave_home_alone() -> None:
    """A command that prints what will run, maybe as somebody else, makes no home."""
    from paperclip import home

    home.is_left_alone = True


def open_home() -> None:
    """See that the settings can be read, and the home written: secrets are in it."""
    from django.conf import settings

    try:
        _ = settings.SECRET_KEY
    except OSError as error:
        sys.exit(
            f"The home cannot be written ({error.strerror}: {error.filename}): make "
            "room, or choose another place with --home."
        )
    except ValueError as error:
        sys.exit(f"A setting cannot be read (see .env.example): {error}.")


def missing(locks: list[Path]) -> bool:
    """Whether a lock has changed since it was installed."""
    installed = STAMP.read_text().split() if STAMP.exists() else []
    return not PYTHON.exists() or any(digest(lock) not in installed for lock in locks)


def digest(lock: Path) -> str:
    """What a lock says, in 64 characters."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def install(locks: list[Path]) -> None:
    """Bring .venv up to the locks. Of several first starts one does it, the others
    wait. Leaves the program with one clear line when it cannot be done."""
    with open(BASE_DIR / "manage.py") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        if not missing(locks):
            return
        try:
            make_venv()
            install_packages(locks)
            STAMP.write_text("\n".join(map(digest, locks)))
        except OSError as error:
            sys.exit(f"\n.venv cannot be made in {BASE_DIR}: {error.strerror}.")
        except KeyboardInterrupt:
            sys.exit("\nStopped; the next start goes on from here.")


def make_venv() -> None:
    """An empty .venv, unless there is one that works."""
    if STAMP.exists() and PYTHON.exists():
        return
    if Path(sys.prefix).resolve() != VENV.resolve():
        venv.create(VENV, clear=True, symlinks=True)


def install_packages(locks: list[Path]) -> None:
    """uv first, as it is quick; pip when it fails, as it reads pip.conf."""
    listed = [part for lock in locks for part in ("-r", str(lock))]
    uv = find_uv()
    if uv and run([*uv, "pip", "install", "-q", f"--python={PYTHON}", *listed]):
        return
    done = run([*find_pip(), "install", "-q", *listed])
    if not done:
        sys.exit(
            "\nThe packages could not be installed: see that this machine reaches PyPI "
            f"and has 500 MB free, then start again. The last words were:\n{done.last}"
        )


def find_uv() -> list[str]:
    """The uv on PATH, else the one in .venv, installed when it is not there."""
    if found := shutil.which("uv"):
        return [found]
    ours = [str(PYTHON), "-m", "uv"]
    if not run([*ours, "--version"]) and not run([*find_pip(), "install", "-q", UV]):
        return []
    return ours


def find_pip() -> list[str]:
    """A pip that installs into .venv: this Python's own, else the one it can unpack."""
    theirs = [sys.executable, "-m", "pip", f"--python={PYTHON}"]
    if run([*theirs, "--version"]):
        return theirs
    ours = [str(PYTHON), "-m", "pip"]
    if run([*ours, "--version"]) or run([str(PYTHON), "-m", "ensurepip"]):
        return ours
    sys.exit(
        "\nThis Python cannot install packages (it has no pip and no ensurepip): "
        "run `apt-get install python3-venv`, or install uv, then start again."
    )


class Finished:
    """How a command ended; true when it went well."""

    def __init__(self, code: int, output: str) -> None:
        self.code = code
        self.last = "\n".join(output.strip().splitlines()[-5:])

    def __bool__(self) -> bool:
        return self.code == 0


def run(command: list[str]) -> Finished:
    """Run an installer's command without a word of its own."""
    # Compiled now, or each of the first start's processes would do it again.
    # PIP_USER is refused inside a virtual environment.
    env = {**os.environ, "UV_COMPILE_BYTECODE": "1", "PIP_USER": "0"}
    if mirror := os.environ.get("PIP_INDEX_URL"):
        env.setdefault("UV_DEFAULT_INDEX", mirror)
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    return Finished(done.returncode, done.stdout + done.stderr)


def progress(text: str, end: str = "\n") -> None:
    """One phase of the start. Not on stdout: `board_key` and others are piped."""
    print(text, end=end, file=sys.stderr, flush=True)
