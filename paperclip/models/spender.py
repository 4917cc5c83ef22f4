from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from paperclip.actors import Actor

CENT = 10_000  # millionths of a dollar
# The reason of a pause that the budget is for.
SPENT = "budget"


class Spender(models.Model):
    """Has a budget for each calendar month (UTC), in cents; 0 is none."""

    # What its BudgetPolicy says, which is the way to change it.
    budget_monthly_cents = models.PositiveIntegerField(_("monthly budget"), default=0)

    class Meta:
        abstract = True

    @property
    def spent_monthly_cents(self) -> int:
        """What was spent this month, in cents rounded up. A list reads it for all its
        rows at once: put `spent_micros` on each."""
        known: int | None = getattr(self, "spent_micros", None)
        if known is None:
            counters = self.budget_counters()
            known = counters.values_list("spent", flat=True).first()
        return cents(known or 0)

    def put_budget(self, *, by: Actor, is_new: bool = False) -> None:
        """Make the monthly limit one that holds, where it is kept. The caller saved
        the row; `is_new`: nothing was spent yet."""
        if is_new and not self.budget_monthly_cents:
            return
        policies: Any = apps.get_model("agents.BudgetPolicy")._default_manager
        policies.put(
            getattr(self, "company", self),
            by=by,
            scope_type=self._meta.model_name,
            scope_id=self.pk,
            amount=self.budget_monthly_cents,
            is_new=is_new,
        )

    def budget_counters(self) -> models.QuerySet[models.Model]:
        """What is counted of its money this month."""
        company_id = self.company_id  # type: ignore[attr-defined]
        counters = apps.get_model("agents.BudgetCounter")._default_manager
        return counters.filter(
            company=company_id,
            scope_id=self.pk,
            metric="billed_cents",
            starts_at=month_of(now()),
        )


def cents(micros: int) -> int:
    """Whole cents, rounded up."""
    return -(-micros // CENT)


def month_of(moment: datetime) -> datetime:
    """The start of its calendar month, UTC."""
    return moment.astimezone(UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
