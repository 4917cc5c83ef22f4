"""The loop itself: ask the model, do what it wants, tell it what came of it, until it
has nothing more to do or a limit ends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.loop.desk import Desk
from agents.loop.errors import Over, ToolError, Unusable
from agents.loop.gateway import Gateway, choice_of
from agents.loop.session import spared
from agents.loop.tools import TOOLS
from agents.loop.tools.base import cut
from agents.loop.transcript import say

MOST_SLIPS = 5
# A provider that is closed for a moment is waited for once there is work to lose.
SHORT_WAIT, MOST_WAITS = 20.0, 3
EMPTY = "Your answer was empty. Use a tool, or say in a sentence that you are done."
TOO_LONG = (
    "Your answer was cut off because it was too long. Go on, shorter: write long texts"
    " into files, in pieces."
)
LAST_TURNS = (
    "You have {left} answers left in this run. Leave a comment on where you are, and"
    " put the issue into the right status, now."
)


@dataclass
class Limits:
    turns: int
    seconds: float
    tokens: int


class Conversation:
    def __init__(
        self,
        gateway: Gateway,
        desk: Desk,
        request: dict[str, Any],
        tools: Sequence[str],
        limits: Limits,
        keep: Callable[[list[dict[str, Any]]], None],
    ) -> None:
        """`request` is what every call to the model has: its name, a temperature.
        `keep` is handed the conversation whenever it can be gone on with."""
        self._gateway, self._desk, self._limits = gateway, desk, limits
        self._keep_it = keep
        self._tools = {name: TOOLS[name] for name in tools if name in TOOLS}
        self._request = dict(request)
        if self._tools:
            self._request["tools"] = [tool.schema for tool in self._tools.values()]
        self._messages: list[dict[str, Any]] = []
        self._slips = self._waits = 0
        self.turns = self.input_tokens = self.output_tokens = 0
        self.cached_tokens = self._last_read = 0

    def hold(
        self, system: str, first: str, history: Sequence[dict[str, Any]] = ()
    ) -> str:
        """Talk until the model is done; its last words. Over when it cannot go on.
        `history` is what was said in earlier runs."""
        self._messages = [{"role": "system", "content": system}, *history]
        self._tell("user", first)
        while True:
            self._must_be_within_limits()
            answer = self._ask()
            message, finish = answer["message"], answer.get("finish_reason")
            if calls := message.get("tool_calls"):
                self._do(calls, cut_off=finish == "length")
                self.keep()
            elif finish == "length":
                self._slip(TOO_LONG)
            elif not str(message.get("content") or "").strip():
                self._slip(EMPTY)
            else:
                return str(message["content"])
            self._announce_end()

    def keep(self) -> None:
        # Not what it is told in every run anew.
        self._keep_it(self._messages[1:])

    @property
    def context_tokens(self) -> int:
        """What a run that goes on from here reads at its first call, about."""
        return max(0, self._last_read - spared(self._messages[1:]))

    # --- asking ------------------------------------------------------------------

    def _ask(self) -> dict[str, Any]:
        self.turns += 1
        began = time.monotonic()
        body = self._complete()
        choice = choice_of(body)
        assert choice is not None  # noqa: S101 (the gateway's client looked)
        message = {k: v for k, v in choice["message"].items() if v is not None}
        message.setdefault("role", "assistant")
        message.setdefault("content", "")
        calls = [call for call in message.get("tool_calls") or [] if "function" in call]
        message["tool_calls"] = calls
        if not calls:
            del message["tool_calls"]
        self._messages.append(message)
        say(
            "assistant",
            turn=self.turns,
            text=str(message["content"] or ""),
            toolCalls=[shown(call) for call in calls],
            usage=self._count(body.get("usage") or {}, message),
            seconds=round(time.monotonic() - began, 2),
        )
        return {**choice, "message": message}

    def _complete(self) -> dict[str, Any]:
        request = {**self._request, "messages": self._messages}
        while True:
            try:
                return self._gateway.complete(request, self._desk.seconds_left)
            except Over as over:
                self._must_have_time()  # then that is why
                wait = over.retry_after
                if wait is None or not self._is_worth(wait):
                    raise
                self._waits += 1
                say("retry", after=wait, message=over.message)
                time.sleep(wait)

    def _is_worth(self, wait: float) -> bool:
        """Whether to wait here, rather than to begin anew in another run."""
        short = wait <= min(SHORT_WAIT, self._desk.seconds_left)
        return self.turns > 1 and short and self._waits < MOST_WAITS

    def _count(self, usage: dict[str, Any], answer: dict[str, Any]) -> dict[str, int]:
        """What the call used; guessed from the length when nobody says."""
        sent = usage.get("prompt_tokens") or len(str(self._messages)) // 4
        got = usage.get("completion_tokens") or len(str(answer)) // 4
        self.input_tokens += sent
        self.output_tokens += got
        details = usage.get("prompt_tokens_details") or {}
        self.cached_tokens += details.get("cached_tokens") or 0
        self._last_read = sent + got
        return {"inputTokens": sent, "outputTokens": got}

    # --- doing -------------------------------------------------------------------

    def _do(self, calls: list[dict[str, Any]], *, cut_off: bool) -> None:
        slipped = False
        for call in calls:
            self._must_have_time()
            began = time.monotonic()
            result, failed, wrong = self._result_of(call["function"], cut_off)
            slipped |= wrong
            name = str(call["function"].get("name"))
            self._messages.append(
                {"role": "tool", "tool_call_id": call.get("id"), "content": result}
            )
            say(
                "tool",
                turn=self.turns,
                id=call.get("id"),
                name=name,
                result=result,
                isError=failed,
                seconds=round(time.monotonic() - began, 2),
            )
        if slipped:
            self._slip("")
        else:
            self._slips = 0

    def _result_of(
        self, function: dict[str, Any], cut_off: bool
    ) -> tuple[str, bool, bool]:
        """What came of it, whether it failed, and whether the call itself was wrong."""
        name = str(function.get("name"))
        try:
            tool = self._tools.get(name)
            if tool is None:
                mine = ", ".join(self._tools) or "none"
                raise Unusable(f"You have no tool {name!r}. You have: {mine}.")
            arguments = tool.read(function.get("arguments") or "")
            return cut(tool.function(self._desk, **arguments)), False, False
        except Unusable as error:
            # An answer with such arguments is refused by some providers when it comes
            # back in the history.
            function["arguments"] = "{}"
            more = f" {TOO_LONG}" if cut_off else ""
            return f"Error: {error}{more}", True, True
        except ToolError as error:
            return cut(f"Error: {error}"), True, False
        except Exception as error:
            return f"Error: {name} broke: {error!r}", True, False

    def _slip(self, advice: str) -> None:
        """The model did something that leads nowhere: tell it, but not for ever."""
        self._slips += 1
        if self._slips >= MOST_SLIPS:
            raise Over(
                "model_misbehaves",
                f"The model gave {MOST_SLIPS} unusable answers in a row. Another model"
                " may do better.",
            )
        if advice:
            self._tell("user", advice)

    def _tell(self, role: str, text: str) -> None:
        self._messages.append({"role": role, "content": text})

    # --- limits ------------------------------------------------------------------

    def _must_be_within_limits(self) -> None:
        self._must_have_time()
        limits = self._limits
        if self.turns >= limits.turns:
            raise Over("turn_limit_reached", f"It took its {limits.turns} turns.")
        used = self.input_tokens + self.output_tokens
        if used >= limits.tokens:
            raise Over(
                "token_limit_reached",
                f"It used {used:,} tokens; a run of it has {limits.tokens:,}.",
            )

    def _must_have_time(self) -> None:
        if time.monotonic() >= self._desk.deadline:
            raise Over("timeout", f"It took its {self._limits.seconds:.0f} seconds.")

    def _announce_end(self) -> None:
        left = self._limits.turns - self.turns
        if left == 2 and self._limits.turns > 4:
            self._tell("user", LAST_TURNS.format(left=left))


def shown(call: dict[str, Any]) -> dict[str, Any]:
    """A call of a tool as the transcript has it: arguments in full, if they are any."""
    function = call["function"]
    tool = TOOLS.get(str(function.get("name")))
    arguments: Any = function.get("arguments") or ""
    try:
        arguments = tool.read(arguments) if tool else {"arguments": arguments}
    except Unusable:
        arguments = {"arguments": arguments}
    return {"id": call.get("id"), "name": function.get("name"), "arguments": arguments}
