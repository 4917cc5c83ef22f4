"""What a tool is: a name, what it does in words, its parameters, and a function."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from agents.loop.errors import Unusable

LONGEST = 16_000  # characters of a result that a model is shown
HEAD = 10_000
PRIORITIES = ["critical", "high", "medium", "low"]
STATUSES = ["backlog", "todo", "in_progress", "in_review", "blocked", "done"]
STATUSES += ["cancelled"]

# The JSON types that parameters have here, and what they are in Python.
PYTHON: dict[str, type] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
}


class Parameter(NamedTuple):
    type: str
    description: str
    required: bool = True
    choices: list[str] | None = None

    @property
    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        if self.choices:
            schema["enum"] = self.choices
        if self.type == "array":
            schema["items"] = {"type": "string"}
        if self.type == "object":
            schema["additionalProperties"] = {"type": "string"}
        return schema

    def problem(self, value: Any) -> str:
        """Why the value does not fit; empty when it does."""
        # True is an int in Python and no number in JSON.
        if type(value) is not PYTHON[self.type]:
            return f"must be {'an' if self.type[0] in 'aio' else 'a'} {self.type}"
        inner = value if isinstance(value, list) else []
        inner = list(value.values()) if isinstance(value, dict) else inner
        if not all(isinstance(one, str) for one in inner):
            return "must hold strings only"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        return ""


def text(description: str, choices: list[str] | None = None) -> Parameter:
    return Parameter("string", description, choices=choices)


def whole(description: str) -> Parameter:
    return Parameter("integer", description)


def yes(description: str) -> Parameter:
    return Parameter("boolean", description)


def texts(description: str) -> Parameter:
    return Parameter("array", description)


def pairs(description: str) -> Parameter:
    return Parameter("object", description)


def maybe(parameter: Parameter) -> Parameter:
    """The same, but it can be left out."""
    return parameter._replace(required=False)


class Tool(NamedTuple):
    name: str
    description: str
    function: Callable[..., str]
    parameters: dict[str, Parameter]

    @property
    def schema(self) -> dict[str, Any]:
        """As a model is told of it, in OpenAI's shape."""
        properties = {name: one.schema for name, one in self.parameters.items()}
        required = [name for name, one in self.parameters.items() if one.required]
        parameters = {"type": "object", "properties": properties, "required": required}
        about = {"name": self.name, "description": self.description}
        return {"type": "function", "function": {**about, "parameters": parameters}}

    def read(self, arguments: str) -> dict[str, Any]:
        """What a model wrote as arguments; Unusable says what was expected."""
        try:
            given = json.loads(arguments or "{}")
        except ValueError as error:
            raise self._unusable(f"The arguments are no JSON: {error}.") from error
        if not isinstance(given, dict):
            raise self._unusable("The arguments must be a JSON object.")
        # Left out, many models say null.
        given = {name: value for name, value in given.items() if value is not None}
        problems = [f"{name} is unknown" for name in given.keys() - self.parameters]
        for name, parameter in self.parameters.items():
            if name not in given:
                problems += [f"{name} is missing"] if parameter.required else []
            elif problem := parameter.problem(given[name]):
                problems.append(f"{name} {problem}")
        if problems:
            raise self._unusable(f"{'; '.join(problems)}.")
        return given

    def _unusable(self, problem: str) -> Unusable:
        named = (
            f"{name}: {one.type}{'' if one.required else ' (optional)'}"
            for name, one in self.parameters.items()
        )
        return Unusable(f"{problem} Expected: {self.name}({', '.join(named)}).")


def compact(value: Any) -> str:
    """JSON without what is empty: a model pays for every character."""
    if isinstance(value, dict):
        value = {k: v for k, v in value.items() if v not in (None, "", [], {})}
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def cut(text: str, longest: int = LONGEST) -> str:
    """A long text without its middle, and how much that was."""
    if len(text) <= longest:
        return text
    head = longest * HEAD // LONGEST
    tail = longest - head
    missing = len(text) - longest
    return (
        f"{text[:head]}\n[... {missing:,} of {len(text):,} characters were cut here"
        f" ...]\n{text[-tail:]}"
    )
