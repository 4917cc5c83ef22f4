"""What policies are written in: calls of tools, and what the tools answered."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A wish to use a tool, and a word about why."""

    name: str
    arguments: dict[str, Any]
    say: str = ""


class Answer(str):
    """What a tool answered, as it was shown."""

    __slots__ = ()

    @property
    def is_error(self) -> bool:
        return self.startswith("Error")

    @property
    def exit_code(self) -> int | None:
        """Of a shell command; None when it did not get that far."""
        found = re.match(r"exit code: (-?\d+)", self)
        return int(found[1]) if found else None

    @property
    def output(self) -> str:
        """Of a shell command, without the line about the exit code."""
        return self.partition("\n")[2].strip()

    @property
    def http_status(self) -> int | None:
        found = re.match(r"HTTP (\d+)", self)
        return int(found[1]) if found else None

    @property
    def body(self) -> str:
        """Of an HTTP answer."""
        return self.partition("\n")[2]

    def json(self) -> Any:
        return json.loads(self)


Story = Generator[Call, Answer, str]
Step = Generator[Call, Answer, Answer]


class Stuck(Exception):
    """A tool refused or failed, and the story has no other way."""

    def __init__(self, call: Call, answer: Answer) -> None:
        super().__init__(f"{call.name}: {answer}")
        self.call, self.answer = call, answer


def use(name: str, say: str = "", **arguments: Any) -> Step:
    """Use a tool; Stuck when it answers with an error."""
    call = Call(name, arguments, say)
    answer = yield call
    if answer.is_error:
        raise Stuck(call, answer)
    return answer


def attempt(name: str, say: str = "", **arguments: Any) -> Step:
    """Use a tool and get its answer, whatever it is."""
    return (yield Call(name, arguments, say))
