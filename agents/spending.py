"""What the models cost: sums over the ledger, by agent, model, day or issue.

Money is in millionths of a dollar. A call whose price nobody told is counted, never
taken for free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate
from django.utils.timezone import now

from agents.models import CostEvent
from paperclip.models import Company

SUMS: dict[str, Any] = {
    "micros": Sum("cost_micros", default=0),
    "calls": Count("pk"),
    "unpriced": Count("pk", filter=Q(cost_micros=None)),
    "input_tokens": Sum("input_tokens", default=0),
    "output_tokens": Sum("output_tokens", default=0),
}


@dataclass(frozen=True)
class Spend:
    """A sum. `unpriced` of its calls have no price and are not in `micros`."""

    micros: int = 0
    calls: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            *(a + b for a, b in zip(astuple(self), astuple(other), strict=True))
        )

    def share_of(self, cents: int) -> int:
        """Per cent of a limit, at most 100."""
        return min(100, round(self.micros / (cents * 100))) if cents else 0


@dataclass(frozen=True)
class Month:
    """A calendar month, UTC: budgets go by it."""

    year: int
    number: int

    @classmethod
    def now(cls) -> Month:
        today = now().astimezone(UTC)
        return cls(today.year, today.month)

    @classmethod
    def of(cls, text: str) -> Month:
        """`2026-11`; what cannot be read is this month."""
        try:
            found = datetime.strptime(text, "%Y-%m")  # noqa: DTZ007 (a month has none)
        except ValueError:
            return cls.now()
        return cls(found.year, found.month) if found.year < 9999 else cls.now()

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"

    @property
    def first(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def following(self) -> Month:
        later = self.first + timedelta(days=31)
        return Month(later.year, later.month)

    @property
    def previous(self) -> Month:
        earlier = self.first - timedelta(days=1)
        return Month(earlier.year, earlier.month)

    @property
    def days(self) -> list[date]:
        count = (self.following.first - self.first).days
        return [self.first + timedelta(days=n) for n in range(count)]

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Its first moment, and the one after its last."""
        midnight = datetime.min.time()
        begin, end = self.first, self.following.first
        return (
            datetime.combine(begin, midnight, UTC),
            datetime.combine(end, midnight, UTC),
        )

    def events(self, company: Company) -> Any:
        begin, end = self.span
        ours = CostEvent.objects.filter(company=company)
        return ours.filter(occurred_at__gte=begin, occurred_at__lt=end)


def total(events: Any) -> Spend:
    return Spend(**events.aggregate(**SUMS))


def by(events: Any, *names: str) -> dict[Any, Spend]:
    """A sum for each value of these columns, the dearest first."""
    rows = events.order_by().values(*names).annotate(**SUMS)
    found = {}
    for row in rows.order_by("-micros", "-calls"):
        key = tuple(row.pop(name) for name in names)
        found[key[0] if len(names) == 1 else key] = Spend(**row)
    return found


def by_day(events: Any) -> dict[date, Spend]:
    return by(events.annotate(day=TruncDate("occurred_at", tzinfo=UTC)), "day")


def of_agents(company: Company) -> dict[UUID, Spend]:
    """What each agent has spent this month."""
    return by(Month.now().events(company), "agent_id")


def of_issues(issues: Iterable[UUID]) -> Spend:
    """What was ever spent on these issues."""
    return total(CostEvent.objects.filter(issue_id__in=list(issues)))
