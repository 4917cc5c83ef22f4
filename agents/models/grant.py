"""Whose limits something counts against, and what of them it got."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID


class Scopes(NamedTuple):
    """Whose limits something counts against."""

    company_id: UUID
    agent_id: UUID
    project_id: UUID | None = None
    issue_id: UUID | None = None

    @classmethod
    def of(cls, row: Any) -> Scopes:
        """Of a run, or a cost event."""
        return cls(row.company_id, row.agent_id, row.project_id, row.issue_id)

    @property
    def ids(self) -> list[UUID]:
        return [pk for pk in self if pk is not None]


class Short(NamedTuple):
    """A counter that has less `room` than was asked for. `left` would be there if
    nobody else were at work."""

    scope_type: str
    scope_id: UUID
    metric: str
    ceiling: int
    room: int
    left: int
    least: int

    @property
    def is_full(self) -> bool:
        """Whether it stays so, whatever becomes of what others have reserved."""
        return self.left < self.least


class Grant(NamedTuple):
    """What was reserved of each metric that is limited, or what was `short`: then it is
    nothing at all. The tightest counter comes first."""

    amounts: dict[str, int]
    short: list[Short]

    @property
    def is_full(self) -> bool:
        return any(one.is_full for one in self.short)
