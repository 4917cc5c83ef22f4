"""The `process` adapter: any program, in a process tree of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rest_framework import serializers

from agents import sandbox, workspaces
from agents.adapters import base
from agents.adapters.child import (
    GRACE,
    Call,
    Ended,
    inherited,
    run_child,
    too_many,
)
from agents.models.run import Run
from agents.sandbox import NETWORKS
from paperclip.exceptions import Invalid, Refused

if TYPE_CHECKING:
    from agents.models import Agent


class ProcessConfig(base.Config):
    """`command` is a program, not a shell line: write ["-c", "..."] after `sh`.

    It is sandboxed unless `sandbox` is false, with the machine's network unless
    `network` is "none", and may write in its workspace and in `writable`.
    """

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

    sandbox = serializers.BooleanField(required=False)
    network = serializers.ChoiceField(NETWORKS, required=False)
    writable = serializers.ListField(
        child=serializers.CharField(max_length=1000), required=False, max_length=50
    )

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

    def validate_writable(self, value: list[str]) -> list[str]:
        try:
            return [str(sandbox.may_be_writable(place)) for place in value]
        except Invalid as error:
            raise serializers.ValidationError(str(error)) from error


class Process(base.Adapter):
    Config = ProcessConfig

    def execute(self, context: base.Context) -> base.Outcome:
        """Exit code 0 is success. The whole tree is gone when this returns."""
        try:
            call = self._call(context)
        except Refused as error:
            return base.Outcome(
                Run.Status.FAILED,
                {"error": str(error), "error_code": "configuration_incomplete"},
            )
        return self._outcome(run_child(context, call))

    def _call(self, context: base.Context) -> Call:
        agent = context.run.agent
        config = agent.adapter_config
        cwd = str(workspaces.of(agent, config.get("cwd", "")))
        walls = self._has_walls(context)
        env = self._environment(context, cwd)
        if walls:
            env.pop("TMPDIR", None)  # inside, /tmp is
        program = self._program(config["command"], env["PATH"], cwd)
        argv = [program, *config.get("args", [])]
        return Call(
            argv=self._walled(argv, agent, env) if walls else argv,
            cwd=cwd,
            env=env,
            secrets=[env["PAPERCLIP_API_KEY"], *config.get("env", {}).values()],
            timeout=config.get("timeoutSec", 3600),
            grace=config.get("graceSec", GRACE),
            sandboxed=walls,
        )

    def _has_walls(self, context: base.Context) -> bool:
        """Whether it runs sandboxed. An event of the run says so when it does not."""
        config = context.run.agent.adapter_config
        found = sandbox.state()
        if found.works and config.get("sandbox", True):
            return True
        if config.get("network") == "none":
            why = found.why or "its configuration says sandbox: false."
            raise Invalid(f"Without a sandbox it cannot be kept off the network: {why}")
        why = found.why if config.get("sandbox", True) else "as configured"
        context.run.log_event("sandbox", f"No sandbox: {why}", level="warn")
        return False

    def _walled(self, argv: list[str], agent: Agent, env: dict[str, str]) -> list[str]:
        config = agent.adapter_config
        writable = config.get("writable", [])
        for place in writable:
            if not Path(place).exists():
                raise Invalid(f"{place}, which it may write, is not on this machine.")
        return sandbox.wrap(
            argv,
            workspace=workspaces.of(agent),
            env=env,
            profile="host",
            network=config.get("network", "open"),
            read_only=[part for part in argv if Path(part).is_absolute()],
            writable=writable,
        )

    def _environment(self, context: base.Context, cwd: str) -> dict[str, str]:
        own = context.run.agent.adapter_config.get("env", {})
        workspace = str(workspaces.of(context.run.agent))
        return {
            **inherited(),
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

    def _outcome(self, ended: Ended) -> base.Outcome:
        columns = dict(ended.columns)
        if ended.by == "timeout":
            columns |= {"error": "It took too long.", "error_code": "timeout"}
            return base.Outcome(Run.Status.TIMED_OUT, columns)
        if ended.by == "crowd":
            return base.Outcome(Run.Status.FAILED, columns | too_many())
        if ended.went_well:
            return base.Outcome(Run.Status.SUCCEEDED, columns)
        how = f"exit code {columns['exit_code']}"
        if columns["exit_code"] is None:
            how = f"signal {columns['signal']}"
        columns |= {
            "error": f"The program ended with {how}.{ended.last_word}",
            "error_code": "adapter_failed",
        }
        return base.Outcome(Run.Status.FAILED, columns)
