"""The browser that agents and the tests look at pages with: which one this machine has,
and how it gets one."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from paperclip import home

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
)
APT = ("apt-get", "-qq")


def find() -> str | None:
    """The browser of PAPERCLIP_CHROMIUM, which is then the only one, else of PATH, else
    Playwright's. One that starts: Playwright's lacks libraries on a bare system."""
    if named := os.environ.get("PAPERCLIP_CHROMIUM"):
        return named if starts(named) else None
    for name in NAMES:
        if (one := shutil.which(name)) and starts(one):
            return one
    one = playwrights_own()
    return one if one and starts(one) else None


def install() -> str | None:
    """The browser there is, else Playwright's, else Debian's. None: neither works, or
    another one is named, and that one does not."""
    if os.environ.get("PAPERCLIP_CHROMIUM"):
        return find()
    for bring in (nothing, from_playwright, from_debian):
        bring()
        if found := find():
            return found
    return None


def install_aside() -> None:
    """Let a process of its own see that there is a browser, and say in logs/browser.log
    how that went. Never in the way: it ends with the instance, and its failure is not
    ours."""
    marks = {"PAPERCLIP_UP": home.instance_id(), "PAPERCLIP_PROGRAM": "browser"}
    with (
        contextlib.suppress(OSError),
        (home.directory("logs") / "browser.log").open("wb") as log,
    ):
        subprocess.Popen(
            [sys.executable, "-m", "paperclip.browsers"],
            cwd=home.BASE_DIR,
            env={**os.environ, **marks, "PAPERCLIP_HOME": str(home.path())},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def starts(browser: str) -> bool:
    """Whether a browser gets as far as saying its version."""
    return os.access(browser, os.X_OK) and quiet([browser, "--version"])


def places() -> list[Path]:
    """The directories, outside of /usr, that the browsers of this machine are in. Each
    is a browser's own: an agent may look into it."""
    named = os.environ.get("PAPERCLIP_CHROMIUM")
    downloads = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright"
    candidates = [
        *Path(os.path.expanduser(downloads)).glob("chromium*/chrome-*"),
        Path("/opt/google/chrome"),
        Path("/opt/microsoft/msedge"),
        *([Path(os.path.realpath(named)).parent] if named else []),
    ]
    return [place for place in candidates if is_browsers_own(place)]


def is_browsers_own(place: Path) -> bool:
    """Whether a directory is that of a browser, and neither Paperclip's, nor somebody's
    home, nor above one of these."""
    real = Path(os.path.realpath(place))
    ours = [home.path().resolve(), home.BASE_DIR]
    users = (user.pw_dir for user in pwd.getpwall())
    homes = map(Path, [os.path.expanduser("~"), *users])
    if place.is_relative_to("/usr") or any(map(real.is_relative_to, ours)):
        return False
    if any(one.is_relative_to(real) for one in [*ours, *homes, Path("/tmp")]):  # noqa: S108
        return False
    # Each build of Chromium has its resources beside the program.
    return any(real.glob("*.pak"))


def nothing() -> None:
    """The first way to get a browser: to have one."""


def from_playwright() -> None:
    """Playwright's download. Not reachable from every network."""
    if find_spec("playwright"):
        quiet([sys.executable, "-m", "playwright", "install", "chromium"])


def from_debian() -> None:
    """Debian's and Ubuntu's package, for those who may install one."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet([*APT, "update"])
        quiet([*APT, "install", "-y", "--no-install-recommends", "chromium"])


def playwrights_own() -> str | None:
    """Where Playwright has, or would have, its own browser."""
    if not find_spec("playwright"):
        return None
    ask = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as p: print(p.chromium.executable_path)"
    )
    # In a process of its own: Playwright leaves an event loop in the one that asks.
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    return done.stdout.strip() or None


def quiet(command: list[str]) -> bool:
    """Run a command without a word; whether it went well."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, capture_output=True, env=env, timeout=900)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if __name__ == "__main__":
    browser = install()
    said = f"The browser is {browser}." if browser else "No browser: ask `doctor`."
    sys.stdout.write(f"{said}\n")
