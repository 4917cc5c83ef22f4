"""The `process` adapter: any program, in a process tree of its own."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any, Self

from django.db import connection
from rest_framework import serializers

from agents import workspaces
from agents.adapters import base
from agents.models.run import Run
from agents.runlog import LogWriter
from paperclip import live, processes
from paperclip.exceptions import Invalid, Refused

TICK = 0.5
CHUNK = 65_536
# What a child inherits of our own environment; secrets and addresses stay here.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")


class ProcessConfig(base.Config):
    """`command` is a program, not a shell line: write ["-c", "..."] after `sh`."""

    command = serializers.CharField(max_length=1000)
    args = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
    )
    cwd = serializers.CharField(required=False, allow_blank=True)
    env = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
    )
    timeoutSec = serializers.IntegerField(min_value=0, required=False)
    graceSec = serializers.IntegerField(min_value=0, max_value=600, required=False)

    def validate_cwd(self, value: str) -> str:
        try:
            return workspaces.inside(value)
        except Invalid as error:
            raise serializers.ValidationError(str(error)) from error

    def validate_env(self, value: dict[str, str]) -> dict[str, str]:
        if ours := sorted(name for name in value if name.startswith("PAPERCLIP_")):
            raise serializers.ValidationError(
                f"{', '.join(ours)} are set by Paperclip."
            )
        if any("=" in name or "\0" in name + text for name, text in value.items()):
            raise serializers.ValidationError("A name or value holds = or NUL.")
        return value


class Process(base.Adapter):
    Config = ProcessConfig

    def execute(self, context: base.Context) -> base.Outcome:
        """Exit code 0 is success. The whole tree is gone when this returns."""
        run, config = context.run, context.run.agent.adapter_config
        try:
            cwd = workspaces.of(run.agent, config.get("cwd", ""))
            env = self._environment(context, str(cwd))
            program = self._program(config["command"], env["PATH"], str(cwd))
        except Refused as error:
            return base.Outcome(
                Run.Status.FAILED,
                {"error": str(error), "error_code": "configuration_incomplete"},
            )
        with LogWriter(run) as log:
            child = processes.spawn(
                [program, *config.get("args", [])],
                pid_file=run.directory / "pid",
                cwd=cwd,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            grace = config.get("graceSec", 15)
            try:
                run.started_process(child.pid)
                connection.close()
                ended_by = self._watch(
                    child, context, log, config.get("timeoutSec", 3600)
                )
                # What it left behind had its chance, and a stop means stop.
                grace = min(grace, {"itself": 1, "us": 5}.get(ended_by, grace))
            finally:
                processes.end_tree(str(run.pk), grace)
                child.wait()
                for pipe in (child.stdout, child.stderr):
                    if pipe:
                        pipe.close()
            return self._outcome(child.returncode, ended_by, log)

    def _environment(self, context: base.Context, cwd: str) -> dict[str, str]:
        ours = {name: os.environ[name] for name in INHERITED if name in os.environ}
        ours.setdefault("PATH", os.defpath)
        own = context.run.agent.adapter_config.get("env", {})
        workspace = str(workspaces.of(context.run.agent))
        return {
            **ours,
            "HOME": workspace,
            **own,
            **context.env,
            "AGENT_HOME": workspace,
            "PAPERCLIP_WORKSPACE_CWD": cwd,
        }

    def _program(self, command: str, path: str, cwd: str) -> str:
        found = shutil.which(command, path=path)
        if found is None and "/" in command:
            found = shutil.which(os.path.join(cwd, command))
        if found is None:
            raise Invalid(
                f"There is no program {command!r} on this machine. Install it, or"
                " change the command of this agent."
            )
        return found

    def _watch(
        self,
        child: subprocess.Popen[bytes],
        context: base.Context,
        log: LogWriter,
        timeout: int,
    ) -> str:
        """Copy output to the log until the program ends: "itself", or by "timeout" or
        "us" (cancelled, or the lease was lost)."""
        deadline = time.monotonic() + timeout if timeout else float("inf")
        with Output(child, log) as output:
            while context.beat():
                # Asked before copying: what it printed before its end is copied below.
                over = child.poll() is not None
                if over:
                    # A left-over child may hold the pipes and print for ever.
                    deadline = min(deadline, time.monotonic() + 1)
                left = max(0.0, deadline - time.monotonic())
                if wrote := output.copy(0 if over else min(TICK, left)):
                    live.bump(context.run.company_id)
                if over and not (wrote and left):
                    return "itself"
                if not left:
                    return "timeout"
        return "us"

    def _outcome(self, code: int, ended_by: str, log: LogWriter) -> base.Outcome:
        columns: dict[str, Any] = {**log.columns(), "exit_code": code}
        if code < 0:
            columns |= {"exit_code": None, "signal": signal.Signals(-code).name}
        if ended_by == "timeout":
            columns |= {"error": "It took too long.", "error_code": "timeout"}
            return base.Outcome(Run.Status.TIMED_OUT, columns)
        if code == 0 and ended_by == "itself":
            return base.Outcome(Run.Status.SUCCEEDED, columns)
        how = f"exit code {code}" if code >= 0 else f"signal {columns['signal']}"
        columns |= {
            "error": f"The program ended with {how}.",
            "error_code": "adapter_failed",
        }
        return base.Outcome(Run.Status.FAILED, columns)


class Output:
    """What a program prints, on its way to the log."""

    def __init__(self, child: subprocess.Popen[bytes], log: LogWriter) -> None:
        self._child, self._log = child, log
        self._selector = selectors.DefaultSelector()
        for stream in ("stdout", "stderr"):
            pipe = getattr(child, stream)
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._selector.close()

    def copy(self, wait: float) -> bool:
        """Copy what comes within so many seconds; False when nothing came."""
        if not self._selector.get_map():
            # Both pipes are closed; only the end of the program is missing.
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(wait)
            return False
        # A list, not any() on the way: every ready pipe is read.
        read = [self._read(key) for key, _ in self._selector.select(wait)]
        return any(read)

    def _read(self, key: selectors.SelectorKey) -> bool:
        data = b""
        with suppress(BlockingIOError):
            data = os.read(key.fd, CHUNK)
            if not data:
                self._selector.unregister(key.fileobj)
        self._log.write(key.data, data)
        return bool(data)
