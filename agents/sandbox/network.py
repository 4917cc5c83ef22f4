"""A network in which only Paperclip itself answers.

The sandbox has a loopback of its own and nothing else. Each address of the control
plane is a door: outside, a relay listens on a unix socket; inside, the entry listens
on the address and passes each connection to that socket. It carries bytes, so TLS is
between the program and the server as ever.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from agents.sandbox import mounts, relay

URLS = ("PAPERCLIP_API_URL", "PAPERCLIP_GATEWAY_URL")
ENTRY = Path(__file__).with_name("entry.py")
INSIDE = "/run/paperclip"  # where the sockets and the entry are, in the sandbox
FIRST_FREE_PORT = 1024  # a port below it takes a capability


class Door(NamedTuple):
    """One address that works inside."""

    host: str
    port: int

    @property
    def name(self) -> str:
        return sha256(f"{self.host}:{self.port}".encode()).hexdigest()[:12]

    @property
    def is_name(self) -> bool:
        """Whether the host is a name, which /etc/hosts must know."""
        try:
            ip_address(self.host)
        except ValueError:
            return True
        return False

    @property
    def listens(self) -> str:
        """The address inside: its own, or the loopback's for a name."""
        return "127.0.0.1" if self.is_name else self.host

    @property
    def is_elsewhere(self) -> bool:
        """Whether the address must be given to the loopback first."""
        return not ip_address(self.listens).is_loopback


def doors(env: Mapping[str, str]) -> list[Door]:
    """What the environment says of the control plane, each address once."""
    found = []
    for url in (env[name] for name in URLS if env.get(name)):
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found.append(Door(parts.hostname or "127.0.0.1", port))
    return list(dict.fromkeys(found))


def walls(doors: list[Door]) -> list[str]:
    """What bwrap is told: no network but the doors."""
    names = " ".join(door.host for door in doors if door.is_name)
    hosts = f"127.0.0.1 localhost {names}\n::1 localhost\n"
    digest = sha256(hosts.encode()).hexdigest()[:12]
    known = mounts.own_file(f"hosts-{digest}", hosts)
    parts = ["--unshare-net", "--ro-bind", str(known), "/etc/hosts"]
    for door in doors:
        socket = relay.socket_to(door.host, door.port)
        parts += ["--ro-bind", str(socket), f"{INSIDE}/{door.name}"]
    if doors:
        parts += ["--ro-bind", str(ENTRY), f"{INSIDE}/entry.py"]
    return parts


def capabilities(doors: list[Door]) -> list[str]:
    """What the entry needs to open these doors. It gives them up before it starts the
    program."""
    needed = []
    if any(door.port < FIRST_FREE_PORT for door in doors):
        needed += ["--cap-add", "CAP_NET_BIND_SERVICE"]
    if any(door.is_elsewhere for door in doors):
        needed += ["--cap-add", "CAP_NET_ADMIN"]
    return needed


def entry(doors: list[Door]) -> list[str]:
    """What stands before the program's own argv, so that the doors open."""
    if not doors:
        return []
    listens = [f"{door.listens},{door.port},{INSIDE}/{door.name}" for door in doors]
    return [
        os.path.realpath(sys.executable),
        "-I",
        "-S",
        f"{INSIDE}/entry.py",
        *listens,
        "--",
    ]
