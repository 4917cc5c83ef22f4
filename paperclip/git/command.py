"""One git command, run where nothing but its arguments can steer it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from paperclip import home
from paperclip.exceptions import Refused

# No hook, no helper and no setting of anybody's clone or account is ever obeyed.
CONFIG = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.bigFileThreshold": "16m",
    "safe.directory": "*",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "transfer.fsckObjects": "true",
    "protocol.allow": "never",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "merge.renames": "true",
}
# What git asks a remote host with; it never asks a person.
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10"
TIMEOUT = 60.0
# GitHub takes any name beside a token, GitLab and Gitea too.
ASKPASS = """\
#!/bin/sh
case "$1" in
Username*) echo x-access-token ;;
*) printenv PAPERCLIP_GIT_TOKEN ;;
esac
"""


class GitError(Refused):
    """Git refused; the text is what it said, cut short."""

    code = "git_failed"


def git(
    *args: str,
    at: Path | None = None,
    given: bytes | None = None,
    to: IO[bytes] | None = None,
    protocols: tuple[str, ...] = (),
    timeout: float = TIMEOUT,
    fine: tuple[int, ...] = (0,),
    token: str = "",
    env: Mapping[str, str] | None = None,
) -> bytes:
    """What git printed (nothing when it prints `to` a file). GitError when it ends with
    a status that is not fine, or takes longer than `timeout` seconds.

    `token` is what a remote over https is told as the password: it is in git's
    environment alone, and kept nowhere. `env` adds variables of git.
    """
    wanted = settings(protocols, stored=not token)
    command = ["git", *(["-C", str(at)] if at else []), *wanted, *args]
    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=to or subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment() | asking(token) | dict(env or {}),
        start_new_session=True,
    )
    try:
        out, err = started.communicate(given, timeout)
    except subprocess.TimeoutExpired:
        raise GitError(f"git {args[0]} took longer than {timeout:.0f} s.") from None
    finally:
        end(started)
    if started.returncode not in fine:
        raise GitError(said(err) or f"git {args[0]} ended with {started.returncode}.")
    return out or b""


def end(started: subprocess.Popen[bytes]) -> None:
    """End it with the helpers it has started (ssh, the HTTP transport)."""
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


def settings(protocols: tuple[str, ...], *, stored: bool = True) -> list[str]:
    wanted = CONFIG | {f"protocol.{name}.allow": "always" for name in protocols}
    # A helper would be told a token that worked, and write it down.
    if stored and {"http", "https"} & {*protocols}:
        wanted["credential.helper"] = f"store --file={credentials()}"
    return [part for name in wanted for part in ("-c", f"{name}={wanted[name]}")]


def credentials() -> Path:
    """Where an operator puts what remotes over https ask for, a line for each:
    `https://user:token@github.com`. Agents never see it."""
    return home.directory("secrets") / "git-credentials"


def asking(token: str) -> dict[str, str]:
    """What makes git answer a server that asks who it is with the token."""
    if not token:
        return {}
    return {"GIT_ASKPASS": str(askpass()), "PAPERCLIP_GIT_TOKEN": token}


def askpass() -> Path:
    """The program that git asks. It says what is in its environment."""
    file = home.directory("secrets") / "askpass"
    if not file.exists():
        draft = file.with_name(f".askpass-{os.getpid()}-{threading.get_ident()}")
        draft.write_text(ASKPASS)
        draft.chmod(0o700)
        draft.rename(file)
    return file


def environment() -> dict[str, str]:
    """Names that are ours, and of the instance's own environment only the path and how
    this network is left."""
    network = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE")
    kept = {name: os.environ[name] for name in network if name in os.environ}
    name, mail = "Paperclip", "paperclip@localhost"
    return kept | {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home.directory("repositories")),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": SSH,
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }


def said(err: bytes) -> str:
    """The last words of git, for a person."""
    lines = [line.strip() for line in err.decode(errors="replace").splitlines()]
    return " ".join(line for line in lines if line)[-600:]
