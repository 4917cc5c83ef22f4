"""Whether what the agents need on this machine works: a word each for the dashboard."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from django.utils.timezone import localtime, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import sandbox
from agents.models import ProviderAccount
from paperclip import browsers
from paperclip.api import health
from paperclip.api.health import Probe
from paperclip.backups import nightly
from paperclip.exceptions import Refused

# A page does not wait longer for all of them together.
PATIENCE = 0.3
RARELY = 300.0


@dataclass(frozen=True)
class State:
    name: Any
    works: bool | None  # None: nobody has looked yet
    said: str


def rarely(look: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The look, but what was found holds for a while: it starts a program."""
    found: dict[str, Any] = {}
    until = 0.0

    def seldom() -> dict[str, Any]:
        nonlocal found, until
        if time.monotonic() > until:
            found, until = look(), time.monotonic() + RARELY
        return found

    seldom.__name__ = look.__name__
    return seldom


def gateway() -> dict[str, Any]:
    """The model gateway answers."""
    try:
        health.gateway()
    except (OSError, HTTPException) as error:
        said = _("does not answer: agents with a model cannot work. Is `up` running?")
        raise Refused(said) from error
    return {}


def walls() -> dict[str, Any]:
    """What agents start is kept in a sandbox."""
    found = sandbox.state()
    if not found.works:
        raise Refused(_("no agent may use the shell: %(why)s") % {"why": found.why})
    return {"said": _("works: %(which)s") % {"which": Path(found.which).name}}


def browser() -> dict[str, Any]:
    """There is a browser to look at pages with."""
    if browsers.find() is None:
        raise Refused(_("none: run `python3 manage.py install_browser`"))
    return {}


def backup() -> dict[str, Any]:
    """There is a backup that counts."""
    if nightly.is_early():
        return {"waits": True, "said": _("the first one is taken tonight")}
    return {"said": nightly.state()}


PROBES = {
    gettext_lazy("Model gateway"): Probe(gateway),
    gettext_lazy("Sandbox"): Probe(walls),
    gettext_lazy("Browser"): Probe(rarely(browser)),
    gettext_lazy("Backup"): Probe(backup),
}


def states() -> list[State]:
    """What each of them says; one that hangs says so."""
    until = time.monotonic() + PATIENCE
    for probe in PROBES.values():
        probe.start()
    found = [state(name, probe.latest(until)) for name, probe in PROBES.items()]
    return found + closed_accounts()


def closed_accounts() -> list[State]:
    """Providers that said "too many": nobody calls them until that time."""
    closed = ProviderAccount.objects.filter(closed_until__gt=now())
    until = _("is closed until %(time)s: it had too many calls")
    return [
        State(
            each.name, False, until % {"time": f"{localtime(each.closed_until):%H:%M}"}
        )
        for each in closed
    ]


def state(name: Any, found: dict[str, Any] | None) -> State:
    if found is None:
        return State(name, None, _("being looked at"))
    works = found["status"] == "ok"
    if works and found.get("waits"):
        return State(name, None, str(found["said"]))
    return State(name, works, str(found.get("said" if works else "error", "")))
