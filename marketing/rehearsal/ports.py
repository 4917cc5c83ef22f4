"""Which parts of a rehearsal's world cannot be served, because other programs have
their ports: written down by the world, read by whoever tells a person."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from paperclip import home, servers

HOST = "127.0.0.1"
PLAN, TAKEN = "world.json", "taken.json"
TODO = (
    "End that program, or leave the rehearsal: what is behind a port is served as soon"
    " as it is free, and what it would have proven stays unverified until then."
)


def place_of(company: object) -> Path:
    return home.path() / "worlds" / str(company)


def note(place: Path, taken: dict[str, int]) -> None:
    """Write down the ports that others have, by the part that wants them."""
    new = place / f".{TAKEN}"
    new.write_text(json.dumps(taken))
    os.replace(new, place / TAKEN)


def noted(place: Path) -> dict[str, int]:
    """What the world has last written down."""
    try:
        found: dict[str, int] = json.loads((place / TAKEN).read_text())
    except FileNotFoundError:
        return {}
    return found


def busy(place: Path) -> dict[str, int]:
    """The ports that others have now, while the world itself does not run."""
    try:
        ports: dict[str, int] = json.loads((place / PLAN).read_text())["ports"]
    except FileNotFoundError:
        return {}
    return {part: port for part, port in ports.items() if not is_free(port)}


def is_free(port: int) -> bool:
    return servers.is_free(HOST, port)


def in_words(ports: Iterable[int]) -> str:
    """Which ports are taken, and by whom where that can be seen. Empty for none."""
    told = [f"{port} ({who})" if (who := holder(port)) else f"{port}" for port in ports]
    if not told:
        return ""
    return (
        f"Other programs have ports of the rehearsal's world: {', '.join(told)}. {TODO}"
    )


def holder(port: int) -> str:
    # Here, so that the world that waits does without its memory.
    import psutil

    try:
        for one in psutil.net_connections("tcp"):
            if one.status != "LISTEN" or not one.pid:
                continue
            if getattr(one.laddr, "port", None) == port:
                return f"{psutil.Process(one.pid).name()}, process {one.pid}"
    except psutil.Error:
        pass
    return ""
