"""One run of the built-in loop, from stdin to its last line."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from agents.loop import prompt
from agents.loop.api import Api
from agents.loop.conversation import Conversation, Limits
from agents.loop.desk import Desk
from agents.loop.errors import Over, Stopped, ToolError
from agents.loop.fence import fenced
from agents.loop.gateway import Gateway
from agents.loop.session import Session
from agents.loop.tools.base import cut
from agents.loop.transcript import say

PR_SET_DUMPABLE = 4
LONGEST = 4_000  # characters of its last words that the run keeps
# What a shell calls a failure that another time would not be one.
EXIT_CODES = {"succeeded": 0, "failed": 1, "put_off": 75}


def main() -> int:
    """Do the work; the last line printed is a result, whatever happens."""
    signal.signal(signal.SIGTERM, stop)
    # A model may write half a character, which UTF-8 has not.
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    document = json.load(sys.stdin.buffer)
    if document.get("sandboxed"):
        hide()
    run = Run(document)
    try:
        return run.end("succeeded", None, run.work())
    except Over as over:
        more = {} if over.retry_after is None else {"retryAfter": over.retry_after}
        return run.end(over.outcome, over.code, over.message, **more)
    except Stopped:
        return run.end("failed", "stopped", "It was told to stop.")
    except Exception as error:
        run.end("failed", "internal_error", f"The loop itself broke: {error!r}")
        raise


def stop(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    raise Stopped


def hide() -> None:
    """Nobody of the same user, our own commands least of all, reads our memory. Not
    outside a sandbox: there the supervisor could not see whose process this is."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


class Run:
    """What came in on stdin and in the environment, at work."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        limits = Limits(**document["limits"])
        env, token = os.environ, document["token"]
        near = (env["PAPERCLIP_API_URL"], env["PAPERCLIP_GATEWAY_URL"])
        walled, is_open = document.get("sandboxed"), document.get("network") == "open"
        api = Api(
            near[0],
            token,
            env["PAPERCLIP_RUN_ID"],
            env["PAPERCLIP_COMPANY_ID"],
        )
        self._desk = Desk(
            api,
            document["agent"],
            Path.cwd(),
            deadline=time.monotonic() + limits.seconds,
            may_shell=bool(walled or document.get("unsandboxedShell")),
            doors=None if walled or is_open else near,
            near=near,
            is_open=is_open,
            marked=document.get("marked", ()),
        )
        request = {"model": document["model"]}
        if (temperature := document.get("temperature")) is not None:
            request["temperature"] = temperature
        gateway = Gateway(near[1], token)
        tools = document["tools"]
        say("start", model=document["model"], tools=tools, limits=document["limits"])
        self._session = Session(Path.cwd(), document.get("session"))
        self._talk = Conversation(
            gateway, self._desk, request, tools, limits, self._session.keep
        )

    def work(self) -> str:
        history = self._session.recall()
        try:
            words = self._talk_about(history)
        except Over as over:
            # A history that a provider does not take, it takes at no other time.
            first_call = history and self._talk.turns == 1
            if not (first_call and over.code == "provider_refused"):
                raise
            self._session.forget(f"it is not taken: {over.message}")
            words = self._talk_about([])
        # Nothing was said to it and it did nothing: that is nothing to remember.
        if self._talk.turns > 1 or self._document.get("commentIds"):
            self._talk.keep()
        return words

    def _talk_about(self, history: list[dict[str, Any]]) -> str:
        first = self._first_message("" if history else self._session.hand_over)
        say("prompt", text=first)
        return self._talk.hold(prompt.system(self._document), first, history)

    def end(self, outcome: str, code: str | None, message: str, **more: Any) -> int:
        say(
            "result",
            outcome=outcome,
            errorCode=code,
            message=cut(message, LONGEST),
            **more,
            turns=self._talk.turns,
            inputTokens=self._talk.input_tokens,
            outputTokens=self._talk.output_tokens,
            cachedInputTokens=self._talk.cached_tokens,
            contextTokens=self._talk.context_tokens,
            sessionId=self._session.id if self._session.is_kept else None,
        )
        return EXIT_CODES[outcome]

    def _first_message(self, hand_over: str) -> str:
        issue, workspace = None, ""
        if issue_id := self._document.get("issueId"):
            try:
                issue = self._desk.api.issue(issue_id)
                workspace = self._desk.take_up(issue)
            except ToolError as error:
                workspace = f"the issue cannot be read: {error}"
        comments = self._comments(issue) if issue else []
        found = os.environ.get("PAPERCLIP_WORK_FOUND", "")
        text = prompt.first(self._document, issue, workspace, found, comments)
        if told := os.environ.get("PAPERCLIP_TOLD"):
            text = f"{text}\n{told}"
        if hand_over:
            source = "hand-over of your earlier conversation"
            text = f"{text}\n{fenced(source, hand_over)}"
        return text

    def _comments(self, issue: dict[str, Any]) -> list[dict[str, Any]]:
        """What it was woken by; what cannot be had, it finds in the thread."""
        api, found = self._desk.api, []
        for pk in self._document.get("commentIds", [])[-5:]:
            if said := api.find(f"/issues/{issue['id']}/comments/{pk}"):
                by = api.name_of(said["authorAgentId"], said["authorUserId"])
                found.append({"by": by or "Paperclip", "body": said["body"]})
        return found
