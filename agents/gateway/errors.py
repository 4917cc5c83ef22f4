"""Why there is no answer from a model, in OpenAI's shape of an error."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

# The status that goes with a code, and OpenAI's word for its kind.
CODES = {
    "invalid_request": (400, "invalid_request_error"),
    "provider_refused": (400, "invalid_request_error"),
    "provider_key": (400, "invalid_request_error"),
    "provider_billing": (400, "insufficient_quota"),
    "provider_model": (400, "invalid_request_error"),
    "invalid_token": (401, "authentication_error"),
    "budget_exceeded": (402, "insufficient_quota"),
    "model_unpriced": (402, "insufficient_quota"),
    "model_not_allowed": (403, "permission_error"),
    "not_found": (404, "invalid_request_error"),
    "method_not_allowed": (405, "invalid_request_error"),
    "provider_closed": (429, "rate_limit_error"),
    "budget_reserved": (429, "rate_limit_error"),
    "internal_error": (500, "api_error"),
    "provider_error": (502, "api_error"),
    "provider_timeout": (504, "timeout"),
}


@dataclass
class NoAnswer(Exception):
    """`retry_after`: in how many seconds it is worth asking again. `may_cost`: nobody
    knows whether the provider has done the work, and bills it."""

    code: str
    message: str
    retry_after: float | None = None
    may_cost: bool = False

    @property
    def status(self) -> int:
        return CODES[self.code][0]

    @property
    def body(self) -> dict[str, Any]:
        kind = CODES[self.code][1]
        error = {"message": self.message, "type": kind, "code": self.code}
        return {"error": {**error, "param": None}}

    @property
    def headers(self) -> dict[str, str]:
        wait = self.retry_after
        return {} if wait is None else {"Retry-After": str(max(1, ceil(wait)))}
