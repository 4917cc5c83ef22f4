"""What a call used, and what that costs as far as anybody told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

# What of a request a model is told.
READ = ("messages", "tools", "tool_choice", "response_format", "stop")
PICTURE_TOKENS = 2500
# What no tokenizer cuts into more than two pieces for three bytes: spaces and plain
# words. Digits, marks, base64 and what is no ASCII may be a token each byte.
PLAIN = re.compile(r"\s+|(?<![A-Za-z0-9])[A-Z]?[a-z]{1,20}(?![A-Za-z0-9])", re.ASCII)


@dataclass(frozen=True)
class Usage:
    """Tokens of one call. `cached` of `sent` came out of the provider's cache.
    `estimated`: the provider did not say, we counted."""

    sent: int
    got: int
    cached: int = 0
    estimated: bool = False

    @classmethod
    def stated(cls, found: Any) -> Usage | None:
        """From a `usage` in OpenAI's shape; None when there is none."""
        sent = getattr(found, "prompt_tokens", None)
        got = getattr(found, "completion_tokens", None)
        if sent is None or got is None:
            return None
        details = getattr(found, "prompt_tokens_details", None)
        cached = getattr(details, "cached_tokens", None) or 0
        return cls(int(sent), int(got), min(int(cached), int(sent)))

    @classmethod
    def most(
        cls, request: dict[str, Any], got: int, window: int | None = None
    ) -> Usage:
        """What a call can use at worst: a token for each byte, less for plain words,
        and no more than its model can read at all (`window`). A picture is not as many
        as its text has."""
        pictures = list(pictures_in(request["messages"]))
        read = weight({name: request.get(name) for name in READ})
        sent = (read - sum(map(weight, pictures))) // 3 + PICTURE_TOKENS * len(pictures)
        return cls(min(sent + 1, window or sent + 1), got, estimated=True)

    @classmethod
    def guessed(cls, request: Any, answer: str) -> Usage:
        """Four characters are about a token."""
        return cls(len(str(request)) // 4 + 1, len(answer) // 4 + 1, estimated=True)


def pictures_in(messages: Iterable[Any]) -> Iterator[Any]:
    """The parts that are pictures. One in the midst of a text is a text."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            if part.get("type") == "image_url":
                yield part


def weight(value: Any) -> int:
    """Thirds of a token that it can be."""
    text = json.dumps(value, ensure_ascii=False).replace("\\n", "\n")
    plain = len(text) - len(PLAIN.sub("", text))
    return 3 * len(text.encode("utf-8", "replace")) - plain


def micros(dollars: float) -> int:
    """Millionths of a dollar, rounded up."""
    exact = Decimal(repr(dollars)) * 1_000_000
    return int(exact.to_integral_value(ROUND_CEILING))
