"""The `process` adapter: any program, in a process tree of its own."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rest_framework import serializers

from agents import bindings, found, outside, sandbox, sessions, workspaces
from agents.adapters import base
from agents.adapters.child import (
    GRACE,
    Call,
    Ended,
    cut_short,
    run_child,
)
from agents.adapters.report import Report, report_in
from agents.loop.fence import fenced
from agents.models.run import Run
from agents.sandbox import NETWORKS
from paperclip import processes
from paperclip.exceptions import Invalid, Refused

if TYPE_CHECKING:
    from agents.models import Agent


LONGEST_ERROR = 1000
# Stands for the session's id in `resumeArgs`.
SESSION = "{sessionId}"


class ProcessConfig(base.EnvironmentConfig):
    """`command` is a program, not a shell line: write ["-c", "..."] after `sh`.

    It is sandboxed unless `sandbox` is false, with the machine's network unless
    `network` is "none", and may write in its workspace and in `writable`. A run that
    goes on with a session is started with `resumeArgs` after `args`.
    """

    command = serializers.CharField(max_length=1000)
    args = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
    )
    resumeArgs = serializers.ListField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False),
        required=False,
    )
    cwd = serializers.CharField(required=False, allow_blank=True)
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

    def validate_resumeArgs(self, value: list[str]) -> list[str]:
        if value and not any(SESSION in part for part in value):
            raise serializers.ValidationError(
                f"One of them must hold {SESSION}, such as --resume {SESSION}."
            )
        return value

    def validate_writable(self, value: list[str]) -> list[str]:
        try:
            return [str(sandbox.may_be_writable(place)) for place in value]
        except Invalid as error:
            raise serializers.ValidationError(str(error)) from error


class Process(base.Adapter):
    Config = ProcessConfig
    REPORTS_USAGE = True

    @classmethod
    def reads_outside(cls, agent: Agent) -> str:
        config = agent.adapter_config
        walled = config.get("sandbox", True) and config.get("network") == "none"
        return "" if walled else "a program with an open network"

    def execute(self, context: base.Context) -> base.Outcome:
        """Exit code 0 is success, unless the program reports an error. The whole tree
        is gone when this returns. When a session cannot be resumed, the program is
        started once more, without it."""
        try:
            return self._outcome(*self._run(context))
        except Refused as error:
            return base.refused(error)

    def _run(self, context: base.Context) -> tuple[Ended, Report]:
        resumes = context.thread.resumes
        began = time.monotonic()
        outside.note_workspace(context.run)
        own = bindings.environment_of(context.run)
        call = self._call(context, own, resumes)
        ended = started(context, call)
        report = report_in(ended.printed)
        if resumes and session_is_unknown(context.run, ended, report):
            sessions.lost(context.run, resumes, last_words(ended, report))
            again = self._call(context, own, "")
            if call.timeout:
                left = call.timeout - (time.monotonic() - began)
                again = replace(again, timeout=max(1.0, left))
            ended = started(context, again)
            report = report_in(ended.printed)
        return ended, report

    def _call(
        self,
        context: base.Context,
        own: tuple[dict[str, str], list[str]],
        session_id: str,
    ) -> Call:
        agent = context.run.agent
        config = agent.adapter_config
        workspace = workspaces.of(agent)
        cwd = str(workspaces.of(agent, config["cwd"]) if "cwd" in config else workspace)
        walls = self._has_walls(context)
        env = self._environment(context, own[0], workspace, cwd, session_id)
        if walls:
            env.pop("TMPDIR", None)  # inside, /tmp is
        program = self._program(config["command"], env["PATH"], cwd)
        argv = [program, *config.get("args", [])]
        if session_id:
            more = config.get("resumeArgs", [])
            argv += [part.replace(SESSION, session_id) for part in more]
        return Call(
            argv=self._walled(argv, agent, workspace, env) if walls else argv,
            cwd=cwd,
            env=env,
            secrets=[env["PAPERCLIP_API_KEY"], *own[1]],
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

    def _walled(
        self, argv: list[str], agent: Agent, workspace: Path, env: dict[str, str]
    ) -> list[str]:
        config = agent.adapter_config
        writable = config.get("writable", [])
        for place in writable:
            if not Path(place).exists():
                raise Invalid(f"{place}, which it may write, is not on this machine.")
        return sandbox.wrap(
            argv,
            workspace=workspace,
            env=env,
            profile="host",
            network=config.get("network", "open"),
            read_only=[part for part in argv if Path(part).is_absolute()],
            writable=writable,
        )

    def _environment(
        self,
        context: base.Context,
        own: dict[str, str],
        workspace: Path,
        cwd: str,
        session_id: str,
    ) -> dict[str, str]:
        return {
            **processes.inherited(),
            "HOME": str(workspace),
            **own,
            **context.env,
            **told(context.thread, session_id),
            "AGENT_HOME": str(workspace),
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

    def _outcome(self, ended: Ended, report: Report) -> base.Outcome:
        columns = {**ended.columns, "usage": report.usage}
        if report.said:
            columns["result"] = report.said
        if stopped := cut_short(ended, ended.by, columns):
            return stopped
        if ended.went_well and not report.is_error:
            columns["session_id_after"] = report.session_id
            return base.Outcome(Run.Status.SUCCEEDED, columns)
        columns |= {
            "error": last_words(ended, report),
            "error_code": "adapter_failed",
        }
        return base.Outcome(Run.Status.FAILED, columns)


def started(context: base.Context, call: Call) -> Ended:
    """As run_child; Invalid when it is a program that no system starts."""
    try:
        return run_child(context, call)
    except OSError as error:
        program = str(call.argv[0])
        if call.sandboxed or error.filename != program:
            raise
        raise Invalid(
            f"{program} cannot be started: {error.strerror}. Look at its first line"
            " (#!/bin/sh, or what it is written for), or change the command of this"
            " agent."
        ) from error


def told(thread: sessions.Thread, session_id: str) -> dict[str, str]:
    """The session to go on with; else what the one before it left."""
    if session_id:
        return {"PAPERCLIP_SESSION_ID": session_id}
    if thread.hand_over:
        text = fenced("hand-over of your earlier conversation", thread.hand_over)
        return {"PAPERCLIP_HAND_OVER": text}
    return {}


def session_is_unknown(run: Run, ended: Ended, report: Report) -> bool:
    """Whether the session it was to go on with cannot have been there. By what is
    known, not by what it says: it ended by itself without a turn that went well, used
    no tokens, and changed nothing through the API."""
    good = ended.went_well and report.is_good
    if ended.by != "itself" or good or report.used_tokens:
        return False
    return not found.wrote_anything(run)


def last_words(ended: Ended, report: Report) -> str:
    """Why it failed: what it says itself, else how it ended."""
    code = ended.columns["exit_code"]
    if ended.went_well and not report.is_error:
        return "It did not tell of a turn that went well."
    if ended.went_well:
        return report.text[:LONGEST_ERROR] or "The program reported an error."
    how = f"signal {ended.columns['signal']}" if code is None else f"exit code {code}"
    said = f" {report.text[:LONGEST_ERROR]}" if report.is_error else ended.last_word
    return f"The program ended with {how}.{said}"
