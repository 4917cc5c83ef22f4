"""The `litellm` adapter: the built-in loop, in a sandboxed child of its own.

The child knows neither LiteLLM nor a provider's key; the model gateway does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework import serializers

from agents import bindings, outside, sandbox, skills, workspaces
from agents.adapters import base
from agents.adapters.child import (
    Call,
    Ended,
    cut_short,
    run_child,
)
from agents.loop.prompt import PROJECT
from agents.loop.tools import DEFAULT_TOOLS, TOOL_NAMES
from agents.models.queue import BUDGET
from agents.models.run import Run
from agents.models.session import MOST_HOURS
from agents.sessions import Thread, lost
from agents.texts import storable_json
from paperclip import browsers, processes
from paperclip.exceptions import Refused

if TYPE_CHECKING:
    from agents.models import Agent

LOOP = Path(__file__).resolve().parent.parent / "loop"
# -I -S: nothing but the standard library, whatever is installed or in the environment.
# The real one: what links to it may be in a place that no sandbox shows.
PROGRAM = (os.path.realpath(sys.executable), "-I", "-S", str(LOOP / "__main__.py"))
TURNS, SECONDS, TOKENS = 40, 900, 1_000_000
# The loop ends itself at its limit; this long it has for a last tool and its last line.
OVERTIME, GRACE = 30, 5
# By which of its limits it says that it ended, in the words of Ended.
OWN_LIMITS = {"timeout": "timeout", BUDGET: "budget"}
SILENT = "The loop ended without saying how it went."


class LiteLLMConfig(base.EnvironmentConfig):
    """A run ends at the first of `maxTurns` model calls, `timeoutSec` seconds and
    `maxTokens` tokens. Without a `model` it is the instance's."""

    model = serializers.RegexField(r"^\S+$", max_length=200, required=False)
    apiBase = serializers.RegexField(r"^https?://\S+$", max_length=300, required=False)
    # Asked when the account of the one before is closed.
    fallbackModels = serializers.ListField(
        child=serializers.RegexField(r"^[\w.-]+/\S+$", max_length=200),
        max_length=5,
        required=False,
    )
    maxTurns = serializers.IntegerField(min_value=1, max_value=500, required=False)
    timeoutSec = serializers.IntegerField(
        min_value=10, max_value=86_400, required=False
    )
    maxTokens = serializers.IntegerField(
        min_value=1000, max_value=100_000_000, required=False
    )
    temperature = serializers.FloatField(min_value=0, max_value=2, required=False)
    network = serializers.ChoiceField(sandbox.NETWORKS, required=False)


class LiteLLM(base.Adapter):
    Config = LiteLLMConfig
    TOOLS, DEFAULT_TOOLS = TOOL_NAMES, DEFAULT_TOOLS
    # A run has 1,000,000 tokens for 40 calls, 25,000 a call. One that begins with most
    # of these still has them for some 25 calls, and nearly every model reads as much.
    SESSION_TOKENS = 40_000

    @classmethod
    def reads_outside(cls, agent: Agent) -> str:
        # Its tools report what they fetch; a command does not.
        is_open = agent.adapter_config.get("network") == "open"
        return (
            "commands with an open network"
            if is_open and "shell" in agent.tools
            else ""
        )

    def execute(self, context: base.Context) -> base.Outcome:
        """Succeeded is: the model said that it has nothing more to do."""
        workspace = workspaces.of(context.run.agent)
        try:
            own, hidden = bindings.environment_of(context.run)
        except Refused as error:
            return base.refused(error)
        env = environment(context, own, workspace)
        walled = has_walls(context.run)
        token = context.env["PAPERCLIP_API_KEY"]
        told = document(context.run, token, context.thread, walled=walled)
        call = Call(
            argv=behind_walls(context.run, workspace, env) if walled else PROGRAM,
            cwd=workspace,
            env=env,
            stdin=json.dumps(told).encode(),
            secrets=[token, *hidden],
            timeout=told["limits"]["seconds"] + OVERTIME,
            grace=GRACE,
            sandboxed=walled,
        )
        done = outcome(run_child(context, call))
        resumes, result = context.thread.resumes, done.columns["result"]
        if resumes and result and result.get("sessionId") != resumes:
            lost(context.run, resumes, "Its transcript says why.")
        return done


def has_walls(run: Run) -> bool:
    """Whether it runs sandboxed. An event of the run says so when it does not."""
    found = sandbox.state()
    if not found.works:
        shell = "allowed" if settings.UNSANDBOXED_SHELL else "refused"
        said = f"No sandbox, so commands are {shell}: {found.why}"
        run.log_event("sandbox", said, level="warn")
    return found.works


def behind_walls(run: Run, workspace: Path, env: dict[str, str]) -> list[str]:
    network = run.agent.adapter_config.get("network", "none")
    return sandbox.wrap(
        PROGRAM, workspace=workspace, env=env, network=network, read_only=[LOOP]
    )


def environment(
    context: base.Context, own: dict[str, str], workspace: Path
) -> dict[str, str]:
    """What the loop's commands may see: the token is not in it, and of secrets what
    operators have bound to this agent."""
    told = {k: v for k, v in context.env.items() if k != "PAPERCLIP_API_KEY"}
    home = str(workspace)
    env = {**processes.inherited(), "HOME": home, **own, **told, "AGENT_HOME": home}
    env.pop("TMPDIR", None)  # inside, /tmp is
    if "shell" in context.run.agent.tools:
        with suppress(LookupError):
            env["PAPERCLIP_CHROMIUM"] = browser()
    return env


@cache
def browser() -> str:
    """The browser of this machine. LookupError, asked anew each time, without one."""
    found = browsers.find()
    if found is None:
        raise LookupError("There is no browser on this machine.")
    return found


def document(
    run: Run, token: str, thread: Thread | None = None, *, walled: bool
) -> dict[str, Any]:
    """What the loop is told on stdin."""
    agent, config = run.agent, run.agent.adapter_config
    model = agent.model_names[0]
    told: dict[str, Any] = {
        "token": token,
        "model": model,
        "temperature": config.get("temperature"),
        "agent": {
            "id": str(agent.pk),
            "name": agent.name,
            "title": agent.title,
            "role": agent.role,
        },
        "company": agent.company.name,
        "skill": skills.HEARTBEAT.read_text(),
        "instructions": agent.instructions,
        "tools": agent.tools,
        "limits": {
            "turns": config.get("maxTurns", TURNS),
            "seconds": config.get("timeoutSec", SECONDS),
            "tokens": config.get("maxTokens", TOKENS),
        },
        "wakes": run.wakes,
        "issueId": str(run.issue_id) if run.issue_id else None,
        "commentIds": run.comment_ids,
        "sandboxed": walled,
        "network": config.get("network", "none"),
        "unsandboxedShell": settings.UNSANDBOXED_SHELL,
        "marked": outside.spans_before(run),
        "session": session(config, thread or Thread()) if run.issue_id else None,
    }
    if agent.company.rehearsal:
        # Here, so that only workers that rehearse have it in memory.
        from agents.rehearsal.world import address

        told["rehearsalWorld"] = address(settings.GATEWAY_URL, model, PROJECT)
    return told


def session(config: dict[str, Any], thread: Thread) -> dict[str, Any]:
    """What the loop is told of the conversation to go on with."""
    hours = config.get("maxSessionAgeHours", MOST_HOURS)
    return {
        "resumes": thread.resumes or None,
        "handOver": thread.hand_over,
        "keepSeconds": hours * 3600,
    }


def outcome(ended: Ended) -> base.Outcome:
    """What the last line of the transcript says about the run."""
    result = last_result(ended.columns["stdout_excerpt"])
    columns = {**ended.columns, "result": result, "usage": usage_in(result)}
    by = ended.by
    if by in ("itself", "us"):
        by = OWN_LIMITS.get(result.get("errorCode", ""), by)
    if by == "budget":
        columns["error"] = result.get("message")
    if stopped := cut_short(ended, by, columns):
        return stopped
    if result.get("outcome") == "succeeded":
        columns["session_id_after"] = result.get("sessionId")
        return base.Outcome(Run.Status.SUCCEEDED, columns)
    code = result.get("errorCode") or "adapter_failed"
    said = result.get("message", SILENT + ended.last_word)
    columns |= {"error": said, "error_code": code}
    if result.get("outcome") == "put_off":
        wait = float(result["retryAfter"])
        return base.Outcome(Run.Status.CANCELLED, columns, put_off=wait)
    return base.Outcome(Run.Status.FAILED, columns)


def usage_in(result: dict[str, Any]) -> dict[str, Any] | None:
    """The tokens of the run, and those a run that goes on from there begins with."""
    if "inputTokens" not in result:
        return None
    cached = result.get("cachedInputTokens", 0)
    return {
        "inputTokens": max(0, result["inputTokens"] - cached),
        "cachedInputTokens": cached,
        "outputTokens": result["outputTokens"],
        "contextTokens": result.get("contextTokens", 0),
    }


def last_result(printed: str) -> dict[str, Any]:
    return next(results(printed), {})


def results(printed: str) -> Iterator[dict[str, Any]]:
    # Not splitlines(): JSON leaves some other ends of lines as they are.
    for line in reversed(printed.split("\n")):
        if line.startswith('{"type": "result"'):
            try:
                # A model may say anything, a NUL too.
                yield storable_json(json.loads(line))
            except ValueError:
                continue
