"""What is counted of each limit: what was used, and what is reserved for what is under
way. Of many that reserve at once, no two get the same.

Whoever holds a counter waits for nothing but other counters, in the order of their ids:
companies, agents and runs are locked before.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import counting
from agents.models.grant import Grant, Scopes, Short
from paperclip import sql
from paperclip.models import Company
from paperclip.models.spender import month_of

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models.budget import BudgetPolicy

WARNED, FULL = 1, 2


class BudgetCounterQuerySet(models.QuerySet["BudgetCounter"]):
    def current(self, at: datetime | None = None) -> Self:
        """Those of the windows that moment is in."""
        return self.filter(starts_at__in=counting.windows(at or now()))

    def unsettled(self) -> Self:
        """Those that have passed a mark, or come back below it, and nobody has seen to
        what follows."""
        return self.exclude(reached=F("handled"))

    def reserve(
        self,
        pk: UUID,
        scopes: Scopes,
        asks: dict[str, tuple[int, int]],
        *,
        lasts: timedelta,
        run_id: UUID | None = None,
        renews: bool = False,
    ) -> Grant:
        """Reserve on all counters of the scopes at once, or on none. `asks`: for each
        metric the least that will do and what is wanted; the tightest counter decides
        how much it is. Said again with the same `pk`, it takes the place of what was
        reserved before; who only `renews` reserves nothing when that is gone."""
        moment = now()
        told: dict[str, Any] = {
            "id": pk,
            "company": scopes.company_id,
            "agent": scopes.agent_id,
            "run": run_id,
            "renews": renews,
            "scopes": scopes.ids,
            "starts": counting.windows(moment),
            "month": month_of(moment),
            "metrics": list(asks),
            "least": [least for least, _want in asks.values()],
            "want": [want for _least, want in asks.values()],
            "at": moment,
            "until": moment + lasts,
        }
        rows = sql.planned(counting.RESERVE, **told)
        if not rows[0][0]:
            self.open(scopes.company_id, scopes.agent_id, moment)
            rows = sql.planned(counting.RESERVE, **told)
        found = [row[1:] for row in rows if row[1] is not None]
        amounts = {row[2]: row[-1] for row in found if row[-1] is not None}
        short = [Short(*row[:7]) for row in found if row[4] < row[6]]
        return Grant(amounts, sorted(short, key=lambda one: one.room - one.least))

    def enter(
        self,
        scopes: Scopes,
        used: dict[str, int],
        *,
        at: datetime,
        event: dict[str, Any] | None = None,
        reservation: UUID | None = None,
        whole: bool = True,
    ) -> bool:
        """Count what was used, with the event that says so in the ledger: once, however
        often that is said. The reservation is given back, as a `whole` or as much of it
        as was used. False when the event was there already."""
        columns = counting.event_columns(event, scopes, at)
        rows = sql.planned(
            counting.ENTER,
            **columns,
            counts=event is None,
            scopes=scopes.ids,
            starts=counting.windows(at),
            metrics=list(used),
            used=list(used.values()),
            seconds=used.get("minutes", 0),
            reservation=reservation,
            whole=whole,
        )
        mine = {pk for pk, _entered in rows}
        ours = {scopes.company_id, scopes.agent_id}
        if month_of(at) == month_of(now()) and not ours <= mine:
            self.open(scopes.company_id, scopes.agent_id, now())
        return event is None or any(entered for _pk, entered in rows)

    def open_missing(self, company_id: UUID, agent_id: UUID) -> None:
        """As `open`, when the month has not begun for them. Before anything is added to
        the ledger in the same transaction: two that did would wait for each other."""
        mine = self.filter(metric="billed_cents", starts_at=month_of(now()))
        if mine.filter(scope_id__in=[company_id, agent_id]).count() < 2:
            self.open(company_id, agent_id, now())

    @transaction.atomic
    def open(self, company_id: UUID, agent_id: UUID | None, at: datetime) -> None:
        """Begin the windows that moment is in: those of every limit of the company, and
        what it and the agent spend in the month. What the ledger has is in them."""
        counting.wait_for_ledger()
        rows = sql.planned(
            counting.MISSING,
            company=company_id,
            agent=agent_id,
            month=month_of(at),
            ever=counting.EVER,
        )
        self._make(company_id, rows)

    def _make(
        self, company_id: UUID, rows: list[tuple[Any, ...]], *, is_new: bool = False
    ) -> None:
        for scope_type, scope_id, metric, starts_at, ceiling, warn_at in rows:
            spent = 0
            if not is_new:
                spent = counting.sum_of(scope_type, scope_id, metric, starts_at)
            self.get_or_create(
                scope_id=scope_id,
                metric=metric,
                starts_at=starts_at,
                defaults={
                    "company_id": company_id,
                    "scope_type": scope_type,
                    "spent": spent,
                    "ceiling": ceiling,
                    "warn_at": warn_at,
                    "overrun": max(0, spent - ceiling) if ceiling is not None else 0,
                    "reached": level(spent, ceiling, warn_at),
                },
            )

    def limit(self, policy: BudgetPolicy, at: datetime, *, is_new: bool) -> None:
        """The limit of the window that moment is in is as the policy says from now on.
        Call it with the policy's row locked."""
        starts_at = policy.starts_at(at)
        key = (policy.scope_type, policy.scope_id, policy.metric, starts_at)
        marks = (policy.ceiling, policy.warn_at)
        mine = self.filter(
            scope_id=policy.scope_id, metric=policy.metric, starts_at=starts_at
        )
        if not mine.exists():
            if not is_new:
                counting.wait_for_ledger()
            self._make(policy.company_id, [(*key, *marks)], is_new=is_new)
        sql.planned(
            counting.LIMIT,
            scope=policy.scope_id,
            metric=policy.metric,
            start=starts_at,
            ceiling=policy.ceiling,
            warn_at=policy.warn_at,
        )

    def give_back_expired(self) -> int:
        """Give back what is reserved for what must be dead; for how many."""
        rows = sql.planned(counting.GIVE_BACK, at=now())
        return int(rows[0][0])


def level(spent: int, ceiling: int | None, warn_at: int | None) -> int:
    if ceiling is not None and spent >= ceiling:
        return FULL
    return WARNED if warn_at is not None and spent >= warn_at else 0


def spent_this_month(scope: str) -> Coalesce:
    """For an annotation: the millionths of a dollar that the scope of this id has spent
    in the month."""
    mine = BudgetCounter.objects.filter(
        scope_id=OuterRef(scope), metric="billed_cents", starts_at=month_of(now())
    )
    return Coalesce(Subquery(mine.values("spent")), 0)


class BudgetCounter(models.Model):
    """What a scope has used of one thing in one window. Without a limit it is just the
    sum. `overrun` is what was used above the limit, by who was billed more than was
    reserved or told of it later: reserving never adds to it."""

    company = models.ForeignKey(Company, models.CASCADE, related_name="+")
    scope_type = models.CharField(max_length=8)
    scope_id = models.UUIDField()
    metric = models.CharField(max_length=12)
    starts_at = models.DateTimeField()
    spent = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    overrun = models.BigIntegerField(default=0)
    # What may not be passed, and from where on it warns. Null: nothing.
    ceiling = models.BigIntegerField(null=True)
    warn_at = models.BigIntegerField(null=True)
    # Which mark it has reached, and up to which one somebody has seen to it.
    reached = models.SmallIntegerField(default=0)
    handled = models.SmallIntegerField(default=0)

    objects = BudgetCounterQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget counter")
        constraints = [
            models.UniqueConstraint(
                fields=["scope_id", "metric", "starts_at"],
                name="one_counter_per_scope_metric_and_window",
            ),
            models.CheckConstraint(
                condition=Q(spent__gte=0, reserved__gte=0, overrun__gte=0),
                name="nothing_counted_is_below_zero",
            ),
            models.CheckConstraint(
                condition=Q(ceiling=None)
                | Q(ceiling__gte=F("spent") + F("reserved") - F("overrun")),
                name="nobody_reserves_above_the_limit",
            ),
        ]
        indexes = [
            models.Index(
                fields=["id"],
                condition=~Q(reached=F("handled")),
                name="counters_unsettled",
            ),
            models.Index(
                fields=["scope_id"], condition=Q(reached=2), name="counters_full"
            ),
            models.Index(fields=["company", "starts_at"], name="counters_of_company"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} of {self.scope_type} {self.scope_id}"

    @property
    def policy(self) -> BudgetPolicy | None:
        """The limit it is counted for; None for what is only summed."""
        once = self.starts_at == counting.EVER
        rows = apps.get_model("agents.BudgetPolicy")._default_manager.filter(
            scope_id=self.scope_id,
            metric=self.metric,
            window_kind=counting.LIFETIME if once else counting.MONTH,
        )
        found: BudgetPolicy | None = rows.first()
        return found


class BudgetReservation(models.Model):
    """What is set aside for one model call or one run, on each of its counters."""

    id = models.UUIDField(primary_key=True)
    company = models.ForeignKey(Company, models.CASCADE, related_name="+")
    run = models.ForeignKey("agents.Run", models.CASCADE, null=True, related_name="+")
    counters = ArrayField(models.BigIntegerField())
    amounts = ArrayField(models.BigIntegerField())
    # Of a run: the seconds that are counted already.
    counted_seconds = models.PositiveIntegerField(default=0)
    # Who holds it is dead when this is past.
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("budget reservation")
        indexes = [models.Index(fields=["expires_at"], name="reservations_expire")]

    def __str__(self) -> str:
        return f"{sum(self.amounts)} until {self.expires_at:%H:%M:%S}"
