"""How each limit of a company stands, and how far what is left of it will take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.utils.timezone import now

from agents.models import BudgetCounter, BudgetPolicy
from agents.models.budget import SCOPES
from agents.models.counter import FULL, WARNED
from paperclip import sql
from paperclip.models import Company

# A forecast is made of so many ended runs at most, and of none that is older.
RUNS, DAYS = 200, timedelta(days=90)
LIKELY = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY used),
    percentile_cont(0.9) WITHIN GROUP (ORDER BY used)
FROM (
    SELECT {used} AS used FROM agents_run r
    WHERE r.{scope}_id = %(id)s AND r.started_at IS NOT NULL
      AND r.finished_at > %(since)s
    ORDER BY r.created_at DESC LIMIT %(most)s
) lately
"""
OF_LEDGER = (
    "coalesce((SELECT sum({0}) FROM agents_costevent e WHERE e.run_id = r.id), 0)"
)
USED = {
    "billed_cents": OF_LEDGER.format("e.cost_micros"),
    "tokens": OF_LEDGER.format(
        "greatest(e.input_tokens, e.cached_input_tokens) + e.output_tokens"
    ),
    "runs": "1",
    "minutes": "extract(epoch FROM r.finished_at - r.started_at)",
}


@dataclass(frozen=True)
class Forecast:
    """What half of the runs and nine of ten of them stay below, of so many that were
    looked at; in what is counted."""

    count: int = 0
    p50: int = 0
    p90: int = 0

    def lasts(self, left: int) -> tuple[int, int] | None:
        """For how many more runs that is enough: if they are as ever, and if all are
        among the dearest. None when nobody knows."""
        if not self.p90:
            return None
        return left // max(1, self.p50), left // self.p90


def forecast(scope_type: str, scope_id: UUID, metric: str = "billed_cents") -> Forecast:
    """What a run of the scope uses, by those that ended lately. Runs about an issue
    stand for what comes of it next."""
    statement = LIKELY.format(used=USED[metric], scope=scope_type)
    told = {"id": scope_id, "since": now() - DAYS, "most": RUNS}
    count, p50, p90 = sql.planned(statement, **told)[0]
    return Forecast(count, round(p50 or 0), round(p90 or 0))


@dataclass(frozen=True)
class Standing:
    """One limit as it stands in the window of now."""

    policy: BudgetPolicy
    counter: BudgetCounter
    subject: Any

    @property
    def name(self) -> str:
        return str(getattr(self.subject, "identifier", self.subject))

    @property
    def observed(self) -> int:
        """What is used, in whole units, rounded up."""
        return -(-self.counter.spent // self.policy.unit)

    @property
    def reserved(self) -> int:
        return -(-self.counter.reserved // self.policy.unit)

    @property
    def remaining(self) -> int:
        return max(0, self.policy.amount - self.observed)

    @property
    def percent(self) -> float:
        amount = self.policy.limit
        return round(100 * self.counter.spent / amount, 2) if amount else 0.0

    @property
    def status(self) -> str:
        if self.policy.is_active and self.counter.reached >= FULL:
            return "hard_stop"
        near = self.policy.is_active and self.counter.reached >= WARNED
        return "warning" if near else "ok"

    @property
    def is_paused(self) -> bool:
        return bool(getattr(self.subject, "paused_at", None))

    @property
    def pause_reason(self) -> str | None:
        return getattr(self.subject, "pause_reason", None)

    @property
    def starts_at(self) -> datetime:
        return self.policy.starts_at(now())

    @property
    def ends_at(self) -> datetime | None:
        return self.policy.ends_at(now())

    @property
    def forecast(self) -> Forecast:
        policy = self.policy
        return forecast(policy.scope_type, policy.scope_id, policy.metric)


def standings(company: Company, **which: Any) -> list[Standing]:
    """The limits of a company that are in force, the widest first."""
    policies = list(
        BudgetPolicy.objects.active().filter(company=company, **which).order_by("pk")
    )
    found = counters(policies)
    if missing := [one for one in policies if key_of(one) not in found]:
        BudgetCounter.objects.open(company.pk, None, now())
        found |= counters(missing)
    subjects = subjects_of(policies)
    rank = list(SCOPES).index
    return sorted(
        (
            Standing(policy, found[key_of(policy)], subjects[policy.scope_id])
            for policy in policies
            # Of what was removed nothing stands.
            if policy.scope_id in subjects
        ),
        key=lambda one: (rank(one.policy.scope_type), one.name, one.policy.metric),
    )


Key = tuple[UUID, str, datetime]


def key_of(policy: BudgetPolicy) -> Key:
    return policy.scope_id, policy.metric, policy.starts_at(now())


def counters(policies: Iterable[BudgetPolicy]) -> dict[Key, BudgetCounter]:
    scopes = {policy.scope_id for policy in policies}
    rows = BudgetCounter.objects.current().filter(scope_id__in=scopes)
    return {(row.scope_id, row.metric, row.starts_at): row for row in rows}


def subjects_of(policies: Iterable[BudgetPolicy]) -> dict[UUID, Any]:
    """The rows that limits are for, by their ids."""
    found: dict[UUID, Any] = {}
    for scope, model in SCOPES.items():
        ids = {one.scope_id for one in policies if one.scope_type == scope}
        if ids:
            found |= apps.get_model(model)._default_manager.in_bulk(ids)
    return found
