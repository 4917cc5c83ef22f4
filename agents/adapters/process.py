"""The `process` adapter: any program, in a process tree of its own."""

from __future__ import annotations

import os
import shutil

from rest_framework import serializers

from agents import workspaces
from agents.adapters import base
from agents.adapters.child import GRACE, Call, Ended, inherited, run_child
from agents.models.run import Run
from paperclip.exceptions import Invalid, Refused


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
        env = self._environment(context, cwd)
        program = self._program(config["command"], env["PATH"], cwd)
        return Call(
            argv=[program, *config.get("args", [])],
            cwd=cwd,
            env=env,
            secrets=[env["PAPERCLIP_API_KEY"], *config.get("env", {}).values()],
            timeout=config.get("timeoutSec", 3600),
            grace=config.get("graceSec", GRACE),
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
        if ended.went_well:
            return base.Outcome(Run.Status.SUCCEEDED, columns)
        how = f"exit code {columns['exit_code']}"
        if columns["exit_code"] is None:
            how = f"signal {columns['signal']}"
        columns |= {
            "error": f"The program ended with {how}.",
            "error_code": "adapter_failed",
        }
        return base.Outcome(Run.Status.FAILED, columns)
