"""The gateway's routes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from agents.gateway.calls import call_of, text_of
from agents.gateway.errors import NoAnswer
from agents.models import Run

log = logging.getLogger(__name__)
View = Callable[[HttpRequest], Any]
# What could be half of a surrogate pair, which no provider can be sent.
ESCAPED = re.compile(r"\\u[dD]")
MOST_BYTES = 20_000_000
# What a message may be made of.
PARTS = ("text", "refusal", "image_url", "input_audio")
AWAY = "The database does not answer now; another try in a moment may do better."


def answering(method: str) -> Callable[[View], View]:
    """A view that takes this method and says no in OpenAI's shape."""

    def wrap(view: View) -> View:
        @wraps(view)
        def answered(request: HttpRequest) -> HttpResponseBase:
            try:
                if request.method != method:
                    raise NoAnswer("method_not_allowed", f"Only {method} is taken.")
                done: HttpResponseBase = view(request)
                return done
            except NoAnswer as no:
                return refusal(no)
            except (OperationalError, InterfaceError):
                connection.close()
                return refusal(NoAnswer("provider_error", AWAY))
            except Exception:
                log.exception("the gateway itself is at fault")
                return refusal(NoAnswer("internal_error", "The gateway is at fault."))

        return answered

    return wrap


def refusal(no: NoAnswer) -> JsonResponse:
    return JsonResponse(no.body, status=no.status, headers=no.headers)


def missing(request: HttpRequest, exception: Exception) -> JsonResponse:
    return refusal(NoAnswer("not_found", f"There is nothing at {request.path}."))


def run_of(request: HttpRequest) -> Run:
    """The live run whose token came along."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    run = Run.objects.of_token(token.strip()) if scheme.lower() == "bearer" else None
    if run is None:
        raise NoAnswer(
            "invalid_token",
            "Send the token of a live run as: Authorization: Bearer <token>",
        )
    return run


@answering("GET")
def health(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@answering("GET")
def models(request: HttpRequest) -> JsonResponse:
    """The one model that the caller's agent works with."""
    name = run_of(request).agent.model_names[0]
    model = {"id": name, "object": "model", "created": 0, "owned_by": "paperclip"}
    return JsonResponse({"object": "list", "data": [model]})


@answering("POST")
def chat(request: HttpRequest) -> HttpResponseBase:
    call = call_of(run_of(request), read(request))
    if not call.streams:
        return HttpResponse(call.answer(), content_type="application/json")
    chunks = call.stream()
    first = next(chunks)  # a refusal still has a status of its own
    connection.close()
    return StreamingHttpResponse(
        events(first, chunks, usage_wanted=call.wants_usage),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


def read(request: HttpRequest) -> dict[str, Any]:
    if int(request.headers.get("Content-Length") or 0) > MOST_BYTES:
        raise NoAnswer("invalid_request", f"A request has {MOST_BYTES} bytes at most.")
    try:
        body = json.loads(text := request.read().decode())
        if ESCAPED.search(text):
            json.dumps(body, ensure_ascii=False).encode()
    except ValueError as error:
        raise NoAnswer("invalid_request", f"The body is no JSON: {error}.") from error
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        raise NoAnswer("invalid_request", "messages is a list of at least one message.")
    if not all(isinstance(one, dict) and "role" in one for one in messages):
        raise NoAnswer("invalid_request", "Each message is an object with a role.")
    for message in messages:
        must_be_inside(message.get("content"))
    return dict(body)


def must_be_inside(content: Any) -> None:
    """Refuse a picture that somebody would have to fetch: the gateway can reach places
    that the agent cannot."""
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in PARTS:
            known = ", ".join(PARTS)
            raise NoAnswer(
                "invalid_request", f"A part of a message is one of: {known}."
            )
        picture = part.get("image_url")
        url = picture.get("url") if isinstance(picture, dict) else picture
        if kind == "image_url" and not str(url).startswith("data:"):
            raise NoAnswer("invalid_request", "Send a picture itself, as a data: URL.")


def events(
    first: dict[str, Any], chunks: Iterator[dict[str, Any]], *, usage_wanted: bool
) -> Iterator[bytes]:
    """Server-sent events, as OpenAI sends them. Closed by the client, the call ends."""
    try:
        if usage_wanted or first.get("choices"):
            yield event(first)
        for chunk in chunks:
            if usage_wanted or chunk.get("choices"):
                yield event(chunk)
        yield b"data: [DONE]\n\n"
    except NoAnswer as no:
        yield event(no.body)
    finally:
        chunks.close()  # type: ignore[attr-defined]
        connection.close()


def event(data: dict[str, Any]) -> bytes:
    return f"data: {text_of(data)}\n\n".encode()
