"""A model that says what a test wants: a loopback OpenAI-compatible server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from django.db import connection

Message = dict[str, Any]
numbers = count(1)


def uses(name: str, /, **arguments: Any) -> Message:
    """A message that uses one tool."""
    return calls((name, arguments))


def calls(*wanted: tuple[str, Any]) -> Message:
    """A message that uses tools; arguments that are a text are sent as they are."""
    made = [
        {
            "id": f"call_{next(numbers)}",
            "type": "function",
            "function": {
                "name": name,
                "arguments": given if isinstance(given, str) else json.dumps(given),
            },
        }
        for name, given in wanted
    ]
    return {"content": None, "tool_calls": made}


def says(text: str, **more: Any) -> Message:
    return {"content": text, **more}


class Refusal(Exception):
    """What the model's server answers instead of a message."""

    def __init__(self, status: int, body: Any = None, **headers: str) -> None:
        super().__init__(status)
        self.status, self.headers = status, headers
        self.body = body or {"error": {"message": f"no: {status}"}}


Answer = Message | Refusal | Callable[[dict[str, Any]], Message | Refusal]


class Model:
    """`answers` are given one after another, the last one again and again. `requests`
    is what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers, self.requests = list(answers), list[dict[str, Any]]()
        self.tokens = (100, 10)
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, headers, body = model.reply(asked)
                data = json.dumps(body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reply(self, asked: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        self.requests.append(asked)
        more = len(self.answers) > 1
        answer = self.answers.pop(0) if more else self.answers[0]
        if callable(answer):
            answer = answer(asked)
            connection.close()  # this thread's, if it looked into the database
        if isinstance(answer, Refusal):
            return answer.status, answer.headers, answer.body
        message = {"role": "assistant", **answer}
        usual = "tool_calls" if message.get("tool_calls") else "stop"
        finish = message.pop("finish_reason", usual)
        sent, got = self.tokens
        usage = {"prompt_tokens": sent, "completion_tokens": got}
        return (
            200,
            {},
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": 1,
                "model": asked["model"],
                "choices": [{"index": 0, "finish_reason": finish, "message": message}],
                "usage": {**usage, "total_tokens": sent + got},
            },
        )

    def told(self, number: int = -1) -> list[str]:
        """The texts of the tools and of us that a request ended with."""
        texts: list[str] = []
        for message in reversed(self.requests[number]["messages"]):
            if message["role"] == "assistant":
                break
            texts.insert(0, message["content"])
        return texts


@contextmanager
def model(*answers: Answer) -> Iterator[Model]:
    one = Model(*answers)
    thread = threading.Thread(target=one.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        one.server.server_close()
        thread.join()
