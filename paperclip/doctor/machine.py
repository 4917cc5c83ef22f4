"""What this machine has for it."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import subprocess

from django.conf import settings

from agents import sandbox
from paperclip import browsers, home
from paperclip.backups import nightly
from paperclip.doctor.findings import FAIL, OK, PATIENCE, WARN, Finding
from paperclip.exceptions import Refused

LOW_MB, LITTLE_MB = 100, 1000
OLDEST_GIT = (2, 38)  # its merge-tree merges without a work tree


def walls() -> Finding:
    found = sandbox.state()
    if found.works:
        return Finding(OK, found.which)
    todo = "Until then agents with a model have no shell, and `process` no walls."
    return Finding(WARN, found.why, todo)


def address() -> Finding:
    """Whether passwords and sessions could be read on their way."""
    bound = ipaddress.ip_address(os.environ.get("PAPERCLIP_BIND", "127.0.0.1"))
    if settings.HTTPS or bound.is_loopback:
        return Finding(OK, settings.URL)
    said = f"{settings.URL} is served to other machines ({bound}) without encryption"
    todo = "Put a TLS proxy before it and set PAPERCLIP_URL to its https:// address."
    return Finding(WARN, said, todo)


def browser() -> Finding:
    found = browsers.find()
    if found:
        return Finding(OK, found)
    if named := os.environ.get("PAPERCLIP_CHROMIUM"):
        said = f"PAPERCLIP_CHROMIUM names {named}, which does not start"
        return Finding(FAIL, said, "Name one that does, or none at all.")
    return Finding(WARN, "none", "Run `python3 manage.py install_browser`.")


def git() -> Finding:
    found = shutil.which("git")
    if found is None:
        todo = "Install git: projects' repositories need it."
        return Finding(FAIL, "none", todo)
    said = subprocess.check_output([found, "--version"], text=True, timeout=PATIENCE)
    version = re.search(r"(\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < OLDEST_GIT:
        todo = "Install git {}.{} or newer: approved work is merged by it."
        return Finding(FAIL, said.strip(), todo.format(*OLDEST_GIT))
    return Finding(OK, said.strip())


def disk() -> Finding:
    free = shutil.disk_usage(home.directory()).free // 2**20
    said = f"{free:,} MB free in {home.path()}"
    if free < LOW_MB:
        return Finding(FAIL, said, "Make room: the database stops without it.")
    if free < LITTLE_MB:
        return Finding(WARN, said, "Make room.")
    return Finding(OK, said)


def backup() -> Finding:
    try:
        return Finding(OK, nightly.state())
    except Refused as why:
        todo = "Run `python3 manage.py backup`, and keep its --keys apart."
        return Finding(WARN, str(why), todo)
