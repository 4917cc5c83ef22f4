"""What a sandboxed program sees of the files of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from django.conf import settings

from paperclip import browsers, home

PYTHON = Path(sys.prefix)
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# What programs read of /etc. None of it names people, hosts or passwords.
ETC = (
    *("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"),
    *("ssl", "ca-certificates", "ca-certificates.conf", "pki", "crypto-policies"),
    *("fonts", "chromium", "chromium.d", "mime.types", "magic", "terminfo"),
)
# With a network, also how names are found.
ETC_NETWORK = ("resolv.conf", "hosts", "nsswitch.conf", "services", "protocols")
UID = 1000  # inside; outside it stays who runs Paperclip
# What this sandbox's own /etc says.
OWN_ETC = {
    "passwd": f"agent:x:{UID}:{UID}:agent:/tmp:/bin/sh\n"
    "root:x:0:0:root:/tmp:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/:/bin/false\n",
    "group": f"agent:x:{UID}:\nroot:x:0:\nnogroup:x:65534:\n",
}
TEMPORARY = "/tmp"  # noqa: S108 (each sandbox has its own)


# What is shown of /run, where other programs' sockets are: how names are found.
RUN = ("/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager/resolv.conf")


def closed(
    workspace: Path,
    network: str,
    read_only: Iterable[str | Path],
    writable: Iterable[str | Path],
) -> list[str]:
    """The system's programs, this Python, browsers, and what is given. Nothing else."""
    seen = [*pythons(), *browsers.places(), *map(Path, read_only)]
    if bundle := os.environ.get("SSL_CERT_FILE"):
        seen.append(Path(bundle))
    return [
        *system(),
        *etc(network),
        *private(sealed=True),
        *binds("--ro-bind-try", seen),
        *hidden(seen),  # after it: nothing that is shown uncovers Paperclip's own
        *binds("--bind", [workspace, *writable]),
    ]


def host(
    workspace: Path,
    network: str,
    read_only: Iterable[str | Path],
    writable: Iterable[str | Path],
) -> list[str]:
    """Every file of the machine, none to be written, and none of Paperclip's own."""
    # /tmp is not this machine's: what the operator named there is shown all the same.
    named = [*map(Path, read_only), home.BASE_DIR, *pythons()]
    shown = [place for place in named if is_shown(place)]
    return [
        *("--ro-bind", "/", "/", "--tmpfs", "/run"),
        *(binds("--ro-bind-try", RUN) if network == "open" else ()),
        # A program may use namespaces itself, as browsers and containers do.
        *private(sealed=os.geteuid() == 0),
        *binds("--ro-bind-try", shown),
        *hidden(),
        *binds("--bind", [*writable, workspace]),
    ]


def private(*, sealed: bool) -> list[str]:
    """What each sandbox has of its own. A sealed /proc cannot be written: where
    Paperclip runs as root, /proc/sys takes any program of it for the machine's root."""
    seal = ["--remount-ro", "/proc"] if sealed else []
    return ["--tmpfs", TEMPORARY, "--dev", "/dev", "--proc", "/proc", *seal]


def binds(option: str, places: Iterable[str | Path]) -> list[str]:
    """Each place at its own path."""
    return [part for one in places for part in (option, str(one), str(one))]


def is_shown(place: Path) -> bool:
    """Whether a place that /tmp would cover may be seen."""
    ours = place.is_relative_to(home.path()) or place.is_relative_to(real_home())
    return place.is_relative_to(TEMPORARY) and not ours and os.path.exists(place)


def real_home() -> Path:
    return home.path().resolve()


def own_places() -> list[Path]:
    """What is Paperclip's own: its home, its program, the files of settings."""
    files = [Path(file).resolve() for file in settings.SECRET_FILES]
    return [real_home(), home.BASE_DIR, *files]


def hidden(seen: Iterable[Path] = ()) -> list[str]:
    """What covers Paperclip's own: its home, and the files with its settings. Of what
    is seen, the parts that lie in the home, as Python may, are seen all the same."""
    ours = real_home()
    parts = [one for one in seen if one.is_relative_to(ours) and one != ours]
    files = [file for file in settings.SECRET_FILES if os.path.isfile(file)]
    empty = str(own_file("empty", ""))
    return [
        *("--tmpfs", str(ours)),
        *binds("--ro-bind-try", parts),
        *(part for file in files for part in ("--ro-bind", empty, file)),
    ]


@cache
def system() -> list[str]:
    """/usr and the names that point there, or that are directories of their own."""
    parts = ["--ro-bind", "/usr", "/usr"]
    for name in SYSTEM:
        place = Path("/", name)
        if place.is_symlink():
            parts += ["--symlink", os.readlink(place), str(place)]
        elif place.is_dir():
            parts += ["--ro-bind", str(place), str(place)]
    return parts


def etc(network: str) -> list[str]:
    names = (*ETC, *(ETC_NETWORK if network == "open" else ()))
    parts = binds("--ro-bind-try", (f"/etc/{name}" for name in names))
    for name, text in OWN_ETC.items():
        parts += ["--ro-bind", str(own_file(name, text)), f"/etc/{name}"]
    return parts


def own_file(name: str, text: str) -> Path:
    """A file of this text in the home, to be seen as another one inside."""
    file = home.directory("run", "sandbox") / name
    if not file.exists() or file.read_text() != text:
        draft = file.with_name(f"{name}.{os.getpid()}.{os.urandom(4).hex()}")
        draft.write_text(text)
        draft.replace(file)
    return file


@cache
def pythons() -> list[Path]:
    """The virtual environment and the Python it was made of, those on the way too. A
    link may lie in a home directory: only what is a Python is shown, not what holds
    a link to one."""
    places = [PYTHON, Path(sys.base_prefix)]
    link = Path(sys.executable)
    while link.is_symlink():
        link = link.parent / os.readlink(link)
        places.append(Path(os.path.normpath(link)).parent.parent)
    return [one for one in dict.fromkeys(places) if not is_system(one) and holds(one)]


def holds(place: Path) -> bool:
    """Whether there is a Python in it: its library, or what makes an environment."""
    library = any(place.glob("lib/python3*/os.py"))
    return library or (place / "pyvenv.cfg").is_file()


def is_system(place: Path) -> bool:
    """Whether it is seen anyway, or is too much to be shown."""
    return place == Path("/") or place.is_relative_to("/usr")
