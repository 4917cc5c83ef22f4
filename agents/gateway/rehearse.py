"""The rehearsal's script as a model: it costs nothing and LiteLLM is not needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.utils.timezone import now

from agents import rehearsal
from agents.gateway.usage import Usage

PREFIX = "rehearsal/"


def answer(request: dict[str, Any]) -> tuple[dict[str, Any], Usage]:
    """The whole completion, in OpenAI's shape, and what it would have used."""
    message = {"role": "assistant", **rehearsal.reply(request)}
    usage = Usage.guessed(request.get("messages"), json.dumps(message))
    completion = {
        "id": f"rehearsal-{uuid4().hex}",
        "object": "chat.completion",
        "created": int(now().timestamp()),
        "model": request["model"],
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": usage.sent,
            "completion_tokens": usage.got,
            "total_tokens": usage.sent + usage.got,
        },
    }
    return completion, usage


def chunks(completion: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A completion as a stream: what it says, why it ends, what it used."""
    head = {key: completion[key] for key in ("id", "created", "model")}
    head["object"] = "chat.completion.chunk"
    choice = completion["choices"][0]
    delta = dict(choice["message"])
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": n, **call} for n, call in enumerate(calls)]
    yield {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    yield {**head, "choices": [end]}
    yield {**head, "choices": [], "usage": completion["usage"]}
