"""What companies work with, and what keeps them from it."""

from __future__ import annotations

import os
import re
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import get_connection
from django.db import connection

from agents.models import BudgetIncident, BudgetPolicy, SecretBinding, SecretVersion
from issues.checkers.mailboxes import in_words
from marketing.rehearsal import ports
from paperclip import checkpoints, home, sealing, vault
from paperclip.doctor.findings import (
    FAIL,
    OK,
    PATIENCE,
    WARN,
    Finding,
    is_up,
    log_of,
    migrations,
    of_tables,
)
from paperclip.exceptions import Refused
from paperclip.first_start import MODELS
from paperclip.models import Chain, Company, Instance, Unsealed

ENABLE = (
    "In psql: ALTER TABLE {} ENABLE TRIGGER append_only; where that is not enough, make"
    " it and its function anew, as paperclip/migrations/0007_sealing.py does."
)
KEY = re.compile(r"(?!PAPERCLIP_)[A-Z0-9_]+_API_KEY")


@of_tables
def work() -> Finding:
    """Whether somebody has stopped everything."""
    if stopped := Instance.objects.stopped():
        said = f"all is stopped since {stopped.stopped_at:%Y-%m-%d %H:%M} UTC"
        todo = "Nothing starts until an owner or admin resumes it on the dashboard."
        return Finding(WARN, f"{said}, by {stopped.stopped_by}", todo)
    return Finding(OK, "nobody has stopped it")


@of_tables
def acts() -> Finding:
    """Whether the log of acts is sealed, and what was last found of it."""
    chains = list(Chain.objects.select_related("company"))
    waiting = Unsealed.objects.late().count()
    for chain in chains:
        if chain.findings:
            said = f"{chain.company}: {chain.findings[0]['said']}"
            return Finding(FAIL, said, "See all: `python3 manage.py verify_audit`.")
    if tables := sealing.unguarded():
        todo = " ".join(map(ENABLE.format, tables))
        return Finding(FAIL, f"changes to {', '.join(tables)} are not refused", todo)
    said = f"{sum(chain.length for chain in chains):,} acts sealed"
    if waiting and is_up():
        return Finding(WARN, f"{said}, {waiting:,} wait for it", log_of("clock"))
    for chain in chains:
        file = checkpoints.file_of(chain.pk)
        if chain.checkpoint and not file.exists():
            todo = "Put that file back from a copy: it proves where the log ended."
            return Finding(WARN, f"{said}; {chain.company} has no {file}", todo)
    if is_up() and (stale := next((one for one in chains if one.is_stale), None)):
        said = f"{said}; those of {stale.company} are not verified for two days"
        return Finding(WARN, said, log_of("clock"))
    return Finding(OK, said)


def keys() -> Finding:
    """Whether the instance's keys are closed to others, and open what is kept."""
    folder = home.directory("secrets")
    for file in (folder, *sorted(folder.iterdir())):
        if file.stat().st_mode & 0o077:
            mode = "700" if file.is_dir() else "600"
            todo = f"Run `chmod {mode} {file}`, and renew what others may have read."
            return Finding(FAIL, f"{file} is open to other users", todo)
    try:
        held = [vault.name_of(key) for key in vault.keys()]  # noqa: SIM118
    except Refused as why:
        return Finding(FAIL, str(why))
    if migrations().state == OK and (lost := out_of_reach(held)):
        said = f"{lost} secrets cannot be read: {vault.place()} lacks the key"
        todo = "Put it back from `backup --keys`, or give them new values."
        return Finding(FAIL, said, todo)
    if len(held) > 1:
        todo = "End it with `python3 manage.py rotate_secrets_key`."
        return Finding(WARN, "the master key is being changed", todo)
    return Finding(OK, f"closed to others, in {folder}")


def out_of_reach(held: list[str]) -> int:
    """Secrets whose value is enclosed with none of these."""
    values = SecretVersion.objects.filter(revoked_at=None).exclude(key__in=held)
    found = values.values("secret").distinct().count()
    connection.close()
    return found


def model_keys() -> Finding:
    """Which are set, never what they are."""
    names = [
        name for name, value in os.environ.items() if value and KEY.fullmatch(name)
    ]
    found = ", ".join(sorted(names)) or "none"
    if kept := of_providers():
        return Finding(OK, f"{found}; {kept} of companies, among their secrets")
    if names:
        return Finding(OK, found)
    if settings.MODEL_API_BASE:
        return Finding(OK, f"none; the model is at {settings.MODEL_API_BASE}")
    first = next(iter(MODELS))
    todo = f"Set {first} or another for a real company; a rehearsal needs none."
    return Finding(WARN, found, todo)


def of_providers() -> int:
    if migrations().state != OK:
        return 0
    target = SecretBinding.Kind.PROVIDER
    found = SecretBinding.objects.filter(target_type=target).count()
    connection.close()
    return found


def mail() -> Finding:
    """Whether people are told by mail what waits for them."""
    if not settings.EMAIL_URL:
        todo = "Set PAPERCLIP_EMAIL_URL for mail about what waits for people."
        return Finding(WARN, "off: no server is named", todo)
    said = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}, from {settings.MAIL_FROM}"
    try:
        with get_connection(timeout=PATIENCE):
            return Finding(OK, said)
    except (OSError, SMTPException) as error:
        todo = "Look at PAPERCLIP_EMAIL_URL and that server."
        why = in_words(error, settings.EMAIL_HOST, settings.EMAIL_PORT)
        return Finding(FAIL, f"{said}: {why}", todo)


@of_tables
def world() -> Finding:
    """Whether all that rehearsals work with is served here."""
    rows = Company.objects.filter(rehearsal=True, status=Company.Status.ACTIVE)
    places = list(map(ports.place_of, rows.values_list("pk", flat=True)))
    if not places:
        return Finding(OK, "no company rehearses")
    if not is_up():
        return Finding(OK, "served while the instance runs")
    taken = [port for place in places for port in ports.noted(place).values()]
    if taken:
        return Finding(FAIL, ports.in_words(taken), "")
    return Finding(OK, "all of it is served")


@of_tables
def budgets() -> Finding:
    limits = BudgetPolicy.objects.active().count()
    spent = BudgetIncident.objects.unresolved().count()
    if spent:
        todo = "Raise them, or keep it paused, on the console's page of budgets."
        return Finding(WARN, f"{spent} of {limits} limits are spent", todo)
    return Finding(OK, f"{limits} limits, none is spent")
