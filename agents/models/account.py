from __future__ import annotations

import random
from datetime import timedelta

from django.db import models
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.texts import storable

# Without a stated time: 15 s, 30 s, 1 min ... at most an hour, each up to a fifth more.
FIRST_WAIT, LONGEST_WAIT, JITTER = 15, 3600, 0.2
# What a provider states is believed up to a week: some count by the week.
LONGEST_STATED = 7 * 86_400


class ProviderAccountQuerySet(models.QuerySet["ProviderAccount"]):
    def named(self, name: str) -> ProviderAccount:
        """The account of that name; made on first use."""
        account, _made = self.get_or_create(name=name[:300])
        return account


class ProviderAccount(models.Model):
    """Where model calls are billed: one provider, one address, one key. A provider that
    says "too many" closes it for every agent until the time it names."""

    # `gemini`, or `openai http://127.0.0.1:8080`; a key is told apart by its digest.
    name = models.CharField(_("name"), max_length=300, unique=True)
    closed_until = models.DateTimeField(null=True)
    # Refusals in a row without a stated time: each doubles the wait.
    strikes = models.PositiveSmallIntegerField(default=0)
    said = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ProviderAccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("provider account")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def closed_for(self) -> float:
        """For how many seconds nobody may call; 0 when it is open."""
        if self.closed_until is None:
            return 0.0
        return max(0.0, (self.closed_until - now()).total_seconds())

    def close(self, seconds: float | None, said: str) -> None:
        """Nobody calls for so long; without a stated time, for longer each time."""
        if seconds is None:
            wait = min(FIRST_WAIT * 2.0**self.strikes, LONGEST_WAIT)
            wait *= 1 + JITTER * random.random()  # noqa: S311 (not a secret)
        else:
            wait = min(max(seconds, 1.0), LONGEST_STATED)
        # Calls under way are refused too, one after the other: one strike for them all.
        fresh = ProviderAccount.objects.filter(pk=self.pk, strikes=self.strikes)
        fresh.update(strikes=F("strikes") + 1)
        ProviderAccount.objects.filter(pk=self.pk).update(
            closed_until=Greatest("closed_until", now() + timedelta(seconds=wait)),
            said=storable(said)[:1000],
            updated_at=now(),
        )
        self.refresh_from_db()

    def answered(self) -> None:
        """It works: the waits begin anew."""
        if self.strikes:
            # Not when another call has closed it since this one began.
            same = ProviderAccount.objects.filter(pk=self.pk, strikes=self.strikes)
            same.update(strikes=0, closed_until=None, said="", updated_at=now())
