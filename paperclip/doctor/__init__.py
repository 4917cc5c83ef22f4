"""What an instance stands on, looked at from outside: also when it does not run."""

from __future__ import annotations

from collections.abc import Iterator

from paperclip.doctor import company, findings, machine, marketing, servers
from paperclip.doctor.findings import FAIL, OK, WARN, Check, Finding, first_line

__all__ = ["FAIL", "OK", "WARN", "Finding", "examine"]

CHECKS: dict[str, Check] = {
    "instance": servers.instance,
    "database": findings.database,
    "migrations": findings.migrations,
    "broker": servers.broker,
    "console": servers.console,
    "gateway": servers.gateway,
    "workers": servers.workers,
    "work": company.work,
    "acts": company.acts,
    "keys": company.keys,
    "model keys": company.model_keys,
    "mail": company.mail,
    "world": company.world,
    "budgets": company.budgets,
    "address": machine.address,
    "sandbox": machine.walls,
    "browser": machine.browser,
    "git": machine.git,
    "disk": machine.disk,
    "backup": machine.backup,
}


def examine() -> Iterator[tuple[str, Finding]]:
    """Each check's name and finding, then those of the marketing. One that itself fails
    is a finding too."""
    for name, check in CHECKS.items():
        try:
            yield name, check()
        except Exception as error:
            yield name, Finding(FAIL, first_line(error), "This check itself failed.")
    try:
        yield from marketing.examine()
    except Exception as error:
        yield "marketing", Finding(FAIL, first_line(error), "This check itself failed.")
