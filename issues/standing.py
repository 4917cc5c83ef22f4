"""How far an agent's word goes, and how long reviews take, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    Aggregate,
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    QuerySet,
)
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from issues.models import Claim, Decision
from paperclip.models import Company

DAYS = 30
S = Claim.Status
# What becomes of claims, the best first: a name for each, and what belongs to it.
PARTS: list[tuple[str, Any, tuple[str, ...]]] = [
    ("verified", _("verified"), (S.VERIFIED,)),
    ("accepted", _("accepted by somebody"), (S.ACCEPTED,)),
    ("unverified", _("claimed, unverified"), (S.UNVERIFIED,)),
    ("waiting", _("waiting"), (S.PENDING, S.CHECKING, S.UNABLE)),
    ("refused", _("refused"), (S.REFUSED,)),
]


@dataclass(frozen=True)
class Part:
    """A share of the claims, in whole per cent."""

    key: str
    label: str
    count: int
    share: int


@dataclass(frozen=True)
class Standing:
    claimed: int
    parts: list[Part]

    @property
    def verified(self) -> Part:
        return self.parts[0]


def standing_of(agent_id: UUID) -> Standing:
    """What an agent called done in the last 30 days, and what came of it. What it took
    back itself does not count."""
    since = now() - timedelta(days=DAYS)
    rows = Claim.objects.filter(agent_id=agent_id, created_at__gt=since)
    rows = rows.exclude(status=S.WITHDRAWN).order_by()
    counts = dict(rows.values_list("status").annotate(n=Count("pk")))
    total = sum(counts.values())
    parts = []
    for key, label, states in PARTS:
        count = sum(counts.get(state, 0) for state in states)
        share = round(100 * count / total) if total else 0
        parts.append(Part(key, str(label), count, share))
    return Standing(total, parts)


class Percentile(Aggregate):
    """The value below which a part of the values is."""

    function = "percentile_cont"
    template = "%(function)s(%(at)s) WITHIN GROUP (ORDER BY %(expressions)s)"

    def __init__(self, expression: Any, at: float) -> None:
        super().__init__(expression, at=at, output_field=DurationField())


@dataclass(frozen=True)
class Turnaround:
    """From a request for a review to its decision: how long half of them take, and nine
    in ten."""

    count: int
    p50: timedelta
    p90: timedelta


def decisions_of(
    company: Company, since: datetime | None = None, until: datetime | None = None
) -> QuerySet[Decision]:
    """What was decided in that time, the last 30 days if none is said, with how long
    it took."""
    took = ExpressionWrapper(F("decided_at") - F("created_at"), DurationField())
    span = (since or now() - timedelta(days=DAYS), until or now())
    rows = Decision.objects.decided().filter(company=company, decided_at__range=span)
    found: QuerySet[Decision] = rows.order_by().annotate(took=took)
    return found


TOLD = {
    "count": Count("pk"),
    "p50": Percentile("took", 0.5),
    "p90": Percentile("took", 0.9),
}


def turnaround(decisions: QuerySet[Decision]) -> Turnaround | None:
    """None when nothing was decided."""
    found = decisions.aggregate(**TOLD)
    return Turnaround(**found) if found["count"] else None


def turnaround_of(agent: Any) -> Turnaround | None:
    """Of what the agent decided itself."""
    return turnaround(decisions_of(agent.company).filter(by_agent=agent))


def by_reviewer(company: Company) -> list[tuple[str, UUID | None, Turnaround]]:
    """Name, agent (None for a person) and turnaround of everybody who decided, the
    slowest first."""
    names = ("by_agent_id", "by_agent__name", "by_user__username")
    rows = decisions_of(company).values(*names).annotate(**TOLD)
    found = [
        (agent or user or "?", pk, Turnaround(*told))
        for pk, agent, user, *told in rows.values_list(*names, *TOLD)
    ]
    return sorted(found, key=lambda each: each[2].p90, reverse=True)
