"""The Procfile as units of systemd."""

from __future__ import annotations

import sys
from pathlib import Path

from paperclip import home, supervise

TARGET = "paperclip.target"
PREPARE = "paperclip-prepare.service"
WORKER = "worker"
PATIENCE_SECONDS = 600
# What bubblewrap needs is left alone: a service that may not make namespaces, set a
# host name or mount a /proc (Protect{Proc,KernelTunables,KernelLogs,Hostname},
# RestrictNamespaces, PrivateUsers) has no sandbox for its agents.
HARDENING = """\
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=full
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
UMask=0077
"""


def units(user: str, environment: Path, *, worker_only: bool = False) -> dict[str, str]:
    """The text of each unit by its name: one for each program of the Procfile, one
    that prepares the database before them, and the target that is all of them.

    `worker_only` is for further hosts: just the worker, of a database that is ready."""
    lines = supervise.programs()
    if worker_only:
        lines = {WORKER: lines[WORKER]}
    made, before = {}, [] if worker_only else [PREPARE]
    if not worker_only:
        made[PREPARE] = service(
            "prepares the database",
            "Type=oneshot\nRemainAfterExit=yes\n" + prepare(),
            user,
            environment,
        )
    for name, line in lines.items():
        unit = f"paperclip-{name}.service"
        # Started in the Procfile's order, so stopped in the opposite one.
        made[unit] = service(name, run(line), user, environment, before)
        before = [*before, unit]
    made[TARGET] = target(list(made))
    return made


def service(
    what: str, runs: str, user: str, environment: Path, before: list[str] | None = None
) -> str:
    """One service. What it needs of those before it is the preparation alone: it waits
    out the absence of the others."""
    after = " ".join(["network-online.target", *(before or [])])
    needs = f"Requires={PREPARE}\n" if PREPARE in (before or []) else ""
    return f"""\
[Unit]
Description=Paperclip: {what}
PartOf={TARGET}
Wants=network-online.target
After={after}
StartLimitIntervalSec=0
{needs}
[Service]
User={user}
WorkingDirectory={escaped(home.BASE_DIR)}
Environment="PATH={escaped(binaries())}:/usr/local/bin:/usr/bin:/bin"
Environment="PAPERCLIP_HOME={escaped(home.path())}"
Environment="PAPERCLIP_ENV_FILE={escaped(environment)}"
EnvironmentFile={escaped(environment)}
{runs}{HARDENING}
[Install]
WantedBy={TARGET}
"""


def run(line: str) -> str:
    """A line of the Procfile, brought back whenever it ends. Only the program itself is
    asked to end: a worker ends its agents in its own way."""
    return f"""\
ExecStart=/bin/sh -c {quoted(line)}
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec={supervise.STOP_SECONDS}
"""


def prepare() -> str:
    python, manage = binaries() / "python", home.BASE_DIR / "manage.py"
    command = f"{quoted(str(python))} {quoted(str(manage))} prepare"
    # At boot the database may come later than we do, and it may be on another host.
    return f"ExecStart={command} --patience {PATIENCE_SECONDS}\n"


def target(members: list[str]) -> str:
    return f"""\
[Unit]
Description=Paperclip
Wants={" ".join(members)}

[Install]
WantedBy=multi-user.target
"""


def binaries() -> Path:
    return Path(sys.executable).parent


def escaped(value: object) -> str:
    """A value in which % begins no specifier of systemd's."""
    return str(value).replace("%", "%%")


def quoted(text: str) -> str:
    """One argument of a command line, with nothing in it that systemd would replace."""
    text = escaped(text).replace("$", "$$")
    for special in ("\\", '"'):
        text = text.replace(special, "\\" + special)
    return f'"{text}"'
