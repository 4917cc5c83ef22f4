"""How a script answers a chat request: who am I, what was I asked, what have my tools
answered so far, and so: what next?

A role's policy is a generator that yields the calls it wants and is sent what they
answered. For every request it is played anew from the beginning, with the answers in
the messages, up to the first call that has none: that call is the reply. So a policy
reads like a story, and keeps nothing between two requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agents.rehearsal import writing
from agents.rehearsal.acts import Answer, Call, Story
from agents.rehearsal.roles import perform
from agents.rehearsal.scene import Scene, text_of

LOST = "I lost the thread: this conversation is not the one I remember. I stop here."


def reply(request: dict[str, Any]) -> dict[str, Any]:
    """The message that follows on an OpenAI chat request: `content`, and `tool_calls`
    when there is more to do. The same request has the same reply."""
    if (text := writing.answer(request["messages"])) is not None:
        return said(text)
    messages = since_the_wake(request["messages"])
    scene = Scene.of(request.get("model", ""), messages, tools_of(request))
    answered = list(answers(messages))
    return next_act(perform(scene), answered)


def since_the_wake(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what was said in earlier runs: a story begins with its wake."""
    wakes = [
        at
        for at, message in enumerate(messages)
        if message["role"] == "user" and text_of(message).startswith("Wake: ")
    ]
    if not wakes:
        return messages
    who = [message for message in messages if message["role"] == "system"]
    return who + messages[wakes[-1] :]


def next_act(story: Story, answered: list[tuple[str, Answer]]) -> dict[str, Any]:
    """Play the story through what was answered; its next call, or its last words."""
    try:
        call = next(story)
        for name, answer in answered:
            if name != call.name:
                return said(LOST)
            call = story.send(answer)
    except StopIteration as end:
        return said(end.value or "Nothing to do.")
    return said(call.say, call, len(answered) + 1)


def said(text: str, call: Call | None = None, number: int = 0) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if call is not None:
        function = {"name": call.name, "arguments": json.dumps(call.arguments)}
        message["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": function}
        ]
    return message


def tools_of(request: dict[str, Any]) -> frozenset[str]:
    return frozenset(tool["function"]["name"] for tool in request.get("tools") or [])


def answers(messages: list[dict[str, Any]]) -> Iterator[tuple[str, Answer]]:
    """Each call that was made, by name, with what its tool answered."""
    results = {
        message.get("tool_call_id"): Answer(text_of(message))
        for message in messages
        if message["role"] == "tool"
    }
    for message in messages:
        for call in message.get("tool_calls") or []:
            if call["id"] in results:
                yield call["function"]["name"], results[call["id"]]
