"""The web of the rehearsal, on the gateway's address: agents without a network can
reach that one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from agents.rehearsal.world import world

Wsgi = Callable[..., Iterable[bytes]]


def below(prefix: str, application: Wsgi) -> Wsgi:
    """The rehearsal's world below the prefix, the application everywhere else."""

    def mounted(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = str(environ.get("PATH_INFO", ""))
        if not path.startswith(f"{prefix}/"):
            return application(environ, start)
        inner = {"SCRIPT_NAME": prefix, "PATH_INFO": path.removeprefix(prefix)}
        return world({**environ, **inner}, start)

    return mounted
