"""The conversation about one issue, from run to run: a file of the workspace."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from agents.loop.desk import SESSIONS
from agents.loop.tools.base import cut
from agents.loop.transcript import say

Message = dict[str, Any]

VERSION = 1
# A result of an earlier run that is longer is cut to so many characters: what it was
# needed for is done, and what is still needed is in a file or in the issue.
LONG, SHORT = 2_000, 1_500
CHARACTERS = 4  # of a token


class Session:
    """`told` is what the run's document says of it; None: nothing is kept, because the
    run is about no issue."""

    def __init__(self, workspace: Path, told: dict[str, Any] | None) -> None:
        self._told = told or {}
        self._folder = workspace / SESSIONS
        self.id = str(self._told.get("resumes") or uuid4())
        self.is_kept = False

    @property
    def hand_over(self) -> str:
        return str(self._told.get("handOver") or "")

    def recall(self) -> list[Message]:
        """The messages to go on from; none when there are none. The transcript says
        when there should be some."""
        if not self._told.get("resumes"):
            return []
        messages = read(self._file, self.id)
        if messages is None:
            self.forget("its file is missing or broken")
            return []
        self.is_kept = True
        say("session", id=self.id, resumed=True, messages=len(messages))
        return shortened(messages)

    def forget(self, why: str) -> None:
        """Nobody knows it any more: what comes now is another one."""
        say("session", id=self.id, resumed=False, message=why)
        self.id, self.is_kept = str(uuid4()), False

    def keep(self, messages: list[Message]) -> None:
        """Write the conversation down, whole or not at all. The work goes on without:
        a full disk must not end it."""
        if not self._told:
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if not self.is_kept:
                self._sweep()
            self._write(messages)
            self.is_kept = True
        except OSError as error:
            self.is_kept = False
            said = f"the conversation cannot be kept: {error}"
            say("session", id=self.id, resumed=False, message=said)

    def _write(self, messages: list[Message]) -> None:
        text = json.dumps(
            {"version": VERSION, "id": self.id, "messages": messages},
            ensure_ascii=False,
        )
        fresh = self._file.with_suffix(".new")
        # A model may write half a character, which UTF-8 has not.
        fresh.write_text(text, encoding="utf-8", errors="replace")
        os.replace(fresh, self._file)

    @property
    def _file(self) -> Path:
        return self._folder / f"{self.id}.json"

    def _sweep(self) -> None:
        """Remove what is too old to be resumed."""
        oldest = time.time() - float(self._told["keepSeconds"])
        for file in self._folder.iterdir():
            with suppress(OSError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


def read(file: Path, name: str) -> list[Message] | None:
    """The messages in it; None when it is not there or no conversation of ours."""
    try:
        found = json.loads(file.read_text("utf-8"))
        messages = found["messages"]
        ours = found["version"] == VERSION and found["id"] == name
        return messages if ours and is_sound(messages) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_sound(messages: list[Message]) -> bool:
    """Whether a model takes it: every call of a tool has its result, and no result is
    without a call."""
    open_calls: set[Any] = set()
    for message in messages:
        if message["role"] == "tool":
            if not isinstance(message["content"], str):
                return False
            if message["tool_call_id"] not in open_calls:
                return False
            open_calls.discard(message["tool_call_id"])
        elif open_calls or message["role"] not in ("user", "assistant"):
            return False
        open_calls |= {call["id"] for call in message.get("tool_calls") or []}
    return bool(messages) and not open_calls


def shortened(messages: list[Message]) -> list[Message]:
    """The same conversation without the middle of long results."""
    return [
        {**message, "content": cut(message["content"], SHORT)}
        if message["role"] == "tool" and length(message) > LONG
        else message
        for message in messages
    ]


def spared(messages: list[Message]) -> int:
    """So many tokens fewer the next run reads of it, about."""
    before, after = (sum(map(length, each)) for each in (messages, shortened(messages)))
    return (before - after) // CHARACTERS


def length(message: Message) -> int:
    return len(str(message.get("content") or ""))
