"""The model, through the gateway."""

from __future__ import annotations

import time
from typing import Any

from agents.loop import web
from agents.loop.errors import Over
from agents.loop.transcript import say

LONGEST_CALL = 600.0
# A gateway that restarts is waited for this long.
PATIENCE = 30.0
PAUSE = 2.0
# What the gateway says no with, when it forgot its code.
CODES = {401: "invalid_token", 402: "budget_exceeded", 403: "model_not_allowed"}


class Gateway:
    """`complete` answers one chat request; Over when there is no answer to be had."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/") + "/v1/chat/completions"
        self._headers = {"Authorization": f"Bearer {token}"}

    def complete(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        until = time.monotonic() + min(PATIENCE, seconds)
        while True:
            try:
                return self._once(request, min(seconds, LONGEST_CALL))
            except TimeoutError as error:
                raise Over(
                    "provider_timeout", "The model did not answer in time."
                ) from error
            except web.Broken as error:
                if time.monotonic() > until:
                    raise Over(
                        "provider_error", f"The model gateway is away: {error}."
                    ) from error
                say("retry", after=PAUSE, message=f"The gateway is away: {error}.")
                time.sleep(PAUSE)

    def _once(self, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        answer = web.ask("POST", self._url, request, self._headers, timeout)
        if answer.status == 200 and choice_of(answer.body) is not None:
            body: dict[str, Any] = answer.body
            return body
        raise refusal(answer)


def choice_of(body: Any) -> dict[str, Any] | None:
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) and "message" in first else None


def refusal(answer: web.Answer) -> Over:
    body = answer.body if isinstance(answer.body, dict) else {}
    error = body.get("error")
    error = error if isinstance(error, dict) else {"message": str(error or "")}
    fallback = "provider_error" if answer.status >= 500 else "provider_refused"
    code = str(error.get("code") or CODES.get(answer.status, fallback))
    message = str(error.get("message") or f"The gateway answered {answer.status}.")
    if answer.status == 200:
        code, message = "provider_error", "The model's answer had no message in it."
    if answer.status == 429:
        return Over("provider_closed", message, retry_after=seconds_in(answer))
    return Over(code, message)


def seconds_in(answer: web.Answer) -> float:
    try:
        return max(1.0, float(answer.headers.get("retry-after", "60")))
    except ValueError:
        return 60.0
