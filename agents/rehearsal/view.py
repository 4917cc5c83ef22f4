"""An issue as the control-plane tools show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

CLOSED = ("done", "cancelled")


@dataclass(frozen=True)
class View:
    data: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        """identifier, title, status, priority, description, as they were shown."""
        return self.data.get(name) or ""

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    @property
    def parts(self) -> list[View]:
        return [View(one) for one in self.data.get("children") or []]

    @property
    def above(self) -> View | None:
        """What it is a part of."""
        ancestors = self.data.get("ancestors") or []
        return View(ancestors[0]) if ancestors else None

    @property
    def comments(self) -> list[tuple[str, str]]:
        """Who said what, the oldest first."""
        return [
            (one.get("author") or one.get("by") or "", one.get("body") or "")
            for one in self.data.get("comments") or []
        ]

    def part(self, title: str) -> View | None:
        """The part whose title begins like this."""
        return next((one for one in self.parts if one.title.startswith(title)), None)

    def has_said(self, name: str, words: str) -> bool:
        return any(who == name and words in what for who, what in self.comments)
