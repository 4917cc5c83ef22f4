"""What the domain can say no with. One handler turns each into an answer (api.py)."""

from typing import Any


class Refused(Exception):
    """A refusal: what was wrong and what to do, in words an operator understands.

    `code` is for programs, `details` (camelCase keys) for both.
    """

    status = 409
    code = "refused"

    def __init__(self, message: str, *, code: str = "", **details: Any) -> None:
        super().__init__(message)
        self.code = code or self.code
        self.details = details


class BadRequest(Refused):
    """The request itself is malformed."""

    status = 400
    code = "bad_request"


class NotSignedIn(Refused):
    """No credential, or one that does not hold."""

    status = 401
    code = "not_signed_in"


class NotAllowed(Refused):
    """The actor may see this and may not do it."""

    status = 403
    code = "not_allowed"


class Missing(Refused):
    """There is no such row, or it is another company's: the answer is the same."""

    status = 404
    code = "not_found"


class Conflict(Refused):
    """The state of things forbids it now."""

    status = 409
    code = "conflict"


class Invalid(Refused):
    """A rule of the domain forbids it, whatever the state."""

    status = 422
    code = "invalid"


class TooMany(Refused):
    """It was asked for too often: not before so many seconds again."""

    status = 429
    code = "too_many"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after
