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
from uuid import UUID

import psutil
from django.db import connection
from rest_framework import serializers

from agents import workspaces
from agents.adapters import base
from agents.models.run import Run
from agents.runlog import LogWriter
from paperclip import live, processes
from paperclip.exceptions import Invalid, Refused

TICK = 0.5
GRACE = 15
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
        run = context.run
        try:
            call = self._call(context)
        except Refused as error:
            return base.Outcome(
                Run.Status.FAILED,
                {"error": str(error), "error_code": "configuration_incomplete"},
            )
        pid_file = run.directory / "pid"
        with LogWriter(run, self._secrets(context)) as log:
            child = processes.spawn(
                **call,
                pid_file=pid_file,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            ended_by = self._supervise(child, context, log)
            columns = {**log.columns(), "exit_code": child.returncode}
            if child.returncode > 0 and processes.pid_in(pid_file) is None:
                raise OSError(f"It did not start: {columns['stderr_excerpt']}")
        return self._outcome(columns, ended_by)

    def _call(self, context: base.Context) -> dict[str, Any]:
        agent = context.run.agent
        config = agent.adapter_config
        cwd = str(workspaces.of(agent, config.get("cwd", "")))
        env = self._environment(context, cwd)
        program = self._program(config["command"], env["PATH"], cwd)
        return {"argv": [program, *config.get("args", [])], "cwd": cwd, "env": env}

    def _secrets(self, context: base.Context) -> list[str]:
        own = context.run.agent.adapter_config.get("env", {})
        return [context.env["PAPERCLIP_API_KEY"], *own.values()]

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

    def _supervise(
        self, child: subprocess.Popen[bytes], context: base.Context, log: LogWriter
    ) -> str:
        """Watch it and end its tree: what _watch() says."""
        config, ended_by = context.run.agent.adapter_config, "us"
        try:
            context.run.started_process(child.pid)
            connection.close()
            with Output(child, log, context.run.company_id) as output:
                timeout = config.get("timeoutSec", 3600)
                ended_by = self._watch(child, context, output, timeout)
                if ended_by == "timeout":
                    self._part(context, output, config.get("graceSec", GRACE))
        finally:
            # What it left behind had its chance, and a stop means stop.
            grace = 1 if ended_by == "itself" else 5
            grace = min(grace, config.get("graceSec", GRACE))
            processes.end_tree(str(context.run.pk), grace)
            child.wait()
            for pipe in (child.stdout, child.stderr):
                if pipe:
                    pipe.close()
        return ended_by

    def _watch(
        self,
        child: subprocess.Popen[bytes],
        context: base.Context,
        output: Output,
        timeout: int,
    ) -> str:
        """Copy output to the log until the program ends: "itself", or by "timeout" or
        "us" (cancelled, or the lease was lost)."""
        deadline = time.monotonic() + timeout if timeout else float("inf")
        while context.beat():
            # Asked before copying: what it printed before its end is copied below.
            over = child.poll() is not None
            if over:
                # A left-over child may hold the pipes and print for ever.
                deadline = min(deadline, time.monotonic() + 1)
            left = max(0.0, deadline - time.monotonic())
            wrote = output.copy(0 if over else min(TICK, left))
            if over and not (wrote and left):
                return "itself"
            if not left:
                return "timeout"
        return "us"

    def _part(self, context: base.Context, output: Output, grace: int) -> None:
        """End the tree, and until it has ended hold the lease and copy its output."""

        def wait(asked: list[psutil.Process], seconds: float) -> bool:
            deadline = time.monotonic() + seconds
            while any(map(processes.is_alive, asked)):
                if time.monotonic() > deadline or not context.beat():
                    return False
                if not output.copy(0):
                    time.sleep(processes.POLL_SECONDS)
            return True

        processes.end_tree(str(context.run.pk), grace, wait)
        output.copy(0)

    def _outcome(self, columns: dict[str, Any], ended_by: str) -> base.Outcome:
        code = columns["exit_code"]
        if code < 0:
            columns |= {"exit_code": None, "signal": signal_name(-code)}
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


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"  # most real-time signals have no name


class Output:
    """What a program prints, on its way to the log and to the open pages."""

    def __init__(
        self, child: subprocess.Popen[bytes], log: LogWriter, company_id: UUID
    ) -> None:
        self._child, self._log, self._company_id = child, log, company_id
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
        if any(read):
            live.bump(self._company_id)
        return any(read)

    def _read(self, key: selectors.SelectorKey) -> bool:
        data = b""
        with suppress(BlockingIOError):
            data = os.read(key.fd, CHUNK)
            if not data:
                self._selector.unregister(key.fileobj)
        self._log.write(key.data, data)
        return bool(data)
