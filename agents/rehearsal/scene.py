"""Who acts, where and why: read from the messages, as a model would."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from agents.rehearsal.plot import Plot, seed_of

WHO = re.compile(r"You are (?P<name>.+?), (?P<title>.+?) \(role: (?P<role>\w+)\)")


@dataclass(frozen=True)
class Scene:
    """`issue` is an identifier, `place` the directory of the clone, `world` an address;
    each empty when the prompt names none."""

    name: str
    role: str
    plot: Plot
    tools: frozenset[str]
    issue: str
    place: str
    world: str

    @classmethod
    def of(
        cls, model: str, messages: list[dict[str, Any]], tools: frozenset[str]
    ) -> Scene:
        texts = {"system": "", "user": ""}
        for message in reversed(messages):
            if message["role"] in texts:
                texts[message["role"]] = text_of(message)
        who = WHO.search(texts["system"])
        prompt = texts["user"]
        return cls(
            name=who["name"] if who else "",
            role=who["role"] if who else "",
            plot=Plot.of(seed_of(model)),
            tools=tools,
            issue=line(prompt, r"Issue: (\S+)"),
            place=line(prompt, r"Workspace: git clone .* in the directory ([\w.-]+)"),
            world=line(prompt, r"Rehearsal world: (\S+)"),
        )


def line(prompt: str, pattern: str) -> str:
    found = re.search("^" + pattern, prompt, flags=re.M)
    return found[1] if found else ""


def text_of(message: dict[str, Any]) -> str:
    """The text of a message, also when it comes in parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)
