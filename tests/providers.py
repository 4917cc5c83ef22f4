"""A model provider on loopback that speaks as OpenAI does, answers what it was told to,
and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Request = dict[str, Any]


@dataclass
class Answer:
    """`hangs`: for so many seconds before it says anything. `breaks`: a stream that
    ends after its first chunk, without a word. `drops`: the connection, once it has
    read what it is asked."""

    message: dict[str, Any] = field(default_factory=lambda: {"content": "Done."})
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    finish: str = ""
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {
            "prompt_tokens": 1000,
            "completion_tokens": 100,
            "total_tokens": 1100,
        }
    )
    hangs: float = 0
    breaks: bool = False
    drops: bool = False
    drips: float = 0  # seconds between the chunks of a stream
    # Sent instead of what OpenAI would say: another provider's answer, or the events of
    # its stream.
    body: Any = None
    events: list[dict[str, Any]] | None = None

    @property
    def finish_reason(self) -> str:
        return self.finish or ("tool_calls" if "tool_calls" in self.message else "stop")


def says(text: str, **more: Any) -> Answer:
    return Answer({"content": text}, **more)


def calls(name: str, arguments: Any, **more: Any) -> Answer:
    """One tool call; arguments that are a text are sent as they are, right or wrong."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": name, "arguments": text}
    call = {"id": f"call_{name}", "type": "function", "function": function}
    return Answer({"content": "", "tool_calls": [call]}, **more)


def refuses(status: int, message: str = "no", **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"message": message}, status, names)


class Provider:
    """Its answers in order, the last one for ever; `requests` is what it was asked."""

    def __init__(self, *answers: Answer | Callable[[Request], Answer]) -> None:
        self.answers = list(answers) or [Answer()]
        self.requests: list[Request] = []
        self.keys: list[str] = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.requests.append(body)
                provider.keys.append(self.headers["Authorization"])
                answer = provider.next(body)
                time.sleep(answer.hangs)
                if answer.drops:
                    self.close_connection = True
                else:
                    send(self, body, answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def next(self, request: Request) -> Answer:
        rest = len(self.answers) > 1
        found = self.answers.pop(0) if rest else self.answers[0]
        return found(request) if callable(found) else found

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def provider(*answers: Answer | Callable[[Request], Answer]) -> Iterator[Provider]:
    one = Provider(*answers)
    try:
        yield one
    finally:
        one.close()


def send(handler: BaseHTTPRequestHandler, asked: Request, answer: Answer) -> None:
    try:
        if answer.events is not None:
            open_stream(handler, answer)
            for event in answer.events:
                tell(handler, event)
            return
        if answer.status == 200 and asked.get("stream"):
            stream(handler, asked, answer)
            return
        if answer.body is not None:
            body = answer.body
        elif answer.status != 200:
            body = {"error": {**answer.message, "type": "error", "code": "error"}}
        else:
            body = completion(asked, answer)
        data = json.dumps(body).encode()
        handler.send_response(answer.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, value in {**headers, **answer.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # whoever asked is gone


def head(asked: Request, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": asked["model"]}


def completion(asked: Request, answer: Answer) -> dict[str, Any]:
    message = {"role": "assistant", **answer.message}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    used = {"usage": answer.usage} if answer.usage else {}
    return {**head(asked, "chat.completion"), "choices": [choice], **used}


def tell(handler: BaseHTTPRequestHandler, event: dict[str, Any]) -> None:
    handler.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
    handler.wfile.flush()


def open_stream(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Connection", "close")
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.close_connection = True


def stream(handler: BaseHTTPRequestHandler, asked: Request, answer: Answer) -> None:
    open_stream(handler, answer)
    same = head(asked, "chat.completion.chunk")

    def send_on(**part: Any) -> None:
        tell(handler, {**same, **part})

    text = str(answer.message.get("content") or "")
    for number, word in enumerate(text.split(" ")):
        if answer.breaks and number:
            handler.connection.close()
            return
        time.sleep(answer.drips if number else 0)
        delta = {"role": "assistant", "content": word if not number else f" {word}"}
        send_on(choices=[{"index": 0, "delta": delta, "finish_reason": None}])
    if made := answer.message.get("tool_calls"):
        delta = {"tool_calls": [{"index": n, **call} for n, call in enumerate(made)]}
        send_on(choices=[{"index": 0, "delta": delta, "finish_reason": None}])
    end = {"index": 0, "delta": {}, "finish_reason": answer.finish_reason}
    send_on(choices=[end])
    if answer.usage and (asked.get("stream_options") or {}).get("include_usage"):
        send_on(choices=[], usage=answer.usage)
    handler.wfile.write(b"data: [DONE]\n\n")
