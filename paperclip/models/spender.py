from __future__ import annotations

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _


class Spender(models.Model):
    """Has a budget for each calendar month (UTC), in cents; 0 is none."""

    budget_monthly_cents = models.PositiveIntegerField(_("monthly budget"), default=0)
    # The sum of one month, kept beside its name: in the next month it is nothing.
    spent_cents = models.PositiveBigIntegerField(default=0, editable=False)
    spent_month = models.CharField(max_length=7, default="", editable=False)

    class Meta:
        abstract = True

    @property
    def spent_monthly_cents(self) -> int:
        """What was spent this month, in cents rounded up."""
        return self.spent_cents if self.spent_month == this_month() else 0


def this_month() -> str:
    """`2026-11`, in UTC as all sums of money."""
    return f"{now():%Y-%m}"
