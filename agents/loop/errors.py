"""What can go wrong, by whom it is told."""

from __future__ import annotations


class ToolError(Exception):
    """A tool could not do it. The model is told why and goes on."""


class Unusable(ToolError):
    """The call itself was wrong: unknown tool, arguments that do not fit."""


class Over(Exception):
    """The run ends here: its outcome, an error code, and a message for people."""

    def __init__(
        self, code: str, message: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.retry_after = code, message, retry_after

    @property
    def outcome(self) -> str:
        return "failed" if self.retry_after is None else "put_off"


class Stopped(BaseException):
    """Somebody told this program to stop."""
