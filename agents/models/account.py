from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Count, F, Func, Q, Value
from django.db.models.functions import Greatest, Least
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.texts import storable
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Company
from paperclip.models.instance import must_have_somewhere

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models.agent import Agent
    from paperclip.actors import Actor

# Without a stated time: 15 s, 30 s, 1 min ... at most an hour, each up to a fifth more.
FIRST_WAIT, LONGEST_WAIT, JITTER = 15, 3600, 0.2
MOST_DOUBLINGS, MOST_STRIKES = 8, 30_000
# What a provider states is believed up to a week: some count by the week.
LONGEST_STATED = 7 * 86_400
MOST_RESERVED = 90


def must_be_person(by: Actor) -> None:
    """Accounts are of the whole instance: who may it in some company may it."""
    must_have_somewhere(by, "change a provider's account")


class ProviderAccountQuerySet(models.QuerySet["ProviderAccount"]):
    def paying(
        self, name: str, model: str, api_base: str | None, owner: UUID | None = None
    ) -> ProviderAccount:
        """The account of that name, made on first use. It remembers that it pays for
        this model, so that others know without asking LiteLLM; with an `owner`, for
        that company alone."""
        account, _made = self.get_or_create(name=name[:300])
        line = line_of(model, api_base, owner)
        if line not in account.pays_for:
            # Of two that add at once, each adds its own.
            added = Func(F("pays_for"), Value(line), function="array_append")
            unknown = self.filter(pk=account.pk).exclude(pays_for__contains=[line])
            unknown.update(pays_for=added)
            account.pays_for = [*account.pays_for, line]
        return account

    def of(
        self, model: str, api_base: str | None, company_id: UUID
    ) -> ProviderAccount | None:
        """The account that pays for the model there: the company's own, else ours.
        None before its first call."""
        own = line_of(model, api_base, company_id)
        found = self.filter(pays_for__overlap=[own, line_of(model, api_base)])
        return max(found, key=lambda one: own in one.pays_for, default=None)

    def forget_company(self, company_id: UUID, provider: str) -> None:
        """The company pays this provider itself no more."""
        for account in self.filter(name__startswith=f"{provider} "):
            end = owner_mark(company_id)
            kept = [line for line in account.pays_for if not line.endswith(end)]
            self.filter(pk=account.pk).update(pays_for=kept)

    def with_waiting(self) -> Self:
        """Adds `waiting`: how many runs wait for it to open."""
        waits = Q(runs__status="queued", runs__ready_at__gt=now())
        return self.annotate(waiting=Count("runs", filter=waits))

    def opening_for(
        self, agent: Agent
    ) -> tuple[ProviderAccount | None, datetime | None]:
        """The account that a run of the agent would use now, of its model or of the
        first fallback that is open; and when none is, the account that opens first and
        the time of that. None and None for an agent that calls no provider, or none
        that anybody knows yet."""
        closed: list[ProviderAccount] = []
        for model, api_base in agent.models_in_order():
            account = self.of(model, api_base, agent.company_id)
            if account is None or not account.closed_for:
                return account, None
            closed.append(account)
        if not closed:
            return None, None
        first = min(closed, key=lambda account: account.closed_for)
        return first, first.closed_until


def line_of(model: str, api_base: str | None, owner: UUID | None = None) -> str:
    line = f"{model} {api_base or ''}".strip()
    return f"{line}{owner_mark(owner)}" if owner else line


def owner_mark(owner: UUID) -> str:
    return f" of {owner}"


class ProviderAccount(models.Model):
    """Where model calls are billed: one provider, one address, one key. A provider that
    says "too many" closes it for every agent until the time it names."""

    # `gemini`, or `openai http://127.0.0.1:8080`; a key is told apart by its digest.
    name = models.CharField(_("name"), max_length=300, unique=True)
    closed_until = models.DateTimeField(null=True)
    # Refusals in a row without a stated time: each doubles the wait.
    strikes = models.PositiveSmallIntegerField(default=0)
    said = models.TextField(blank=True)
    # The models it pays for, each with its address if it has one of its own.
    pays_for = ArrayField(models.CharField(max_length=600), default=list)
    max_concurrent_runs = models.PositiveSmallIntegerField(
        _("runs at the same time"), null=True, blank=True
    )
    # So much of the provider's window agents leave for people.
    reserve_percent = models.PositiveSmallIntegerField(
        _("kept for people, in per cent"), default=0
    )
    # What the provider said last of its tightest window.
    window_limit = models.BigIntegerField(null=True)
    window_left = models.BigIntegerField(null=True)
    resets_at = models.DateTimeField(null=True)
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

    @property
    def left_percent(self) -> int | None:
        """How much of the provider's window is left; None when it does not say, or it
        has begun anew since."""
        if not self.window_limit or self.window_left is None:
            return None
        if self.resets_at is not None and self.resets_at <= now():
            return None
        return max(0, 100 * self.window_left // self.window_limit)

    def note(self, window: tuple[int, int, float] | None) -> None:
        """See note_window; None when the provider did not speak of one."""
        if window is not None:
            self.note_window(*window)

    def note_window(self, limit: int, left: int, resets_in: float) -> None:
        """What the provider says of its window. When no more is left than is kept for
        people, agents leave it alone until it begins anew."""
        reset = now() + timedelta(seconds=min(resets_in, LONGEST_STATED))
        seen = {"window_limit": limit, "window_left": left, "resets_at": reset}
        ProviderAccount.objects.filter(pk=self.pk).update(**seen)
        for name, value in seen.items():
            setattr(self, name, value)
        share = self.left_percent
        if share is not None and self.reserve_percent and share < self.reserve_percent:
            # No strike: the provider has not refused anybody.
            ProviderAccount.objects.filter(pk=self.pk).update(
                closed_until=Greatest("closed_until", reset),
                said=f"{share} % of its window is left and is kept for people.",
                updated_at=now(),
            )

    @transaction.atomic
    def open(self, *, by: Actor) -> None:
        """Let agents call again now, whatever was said. For people."""
        must_be_person(by)
        ProviderAccount.objects.filter(pk=self.pk).update(
            closed_until=None, strikes=0, said="", updated_at=now()
        )
        self.refresh_from_db()
        self._record(by, "provider_account.opened")

    @transaction.atomic
    def change(
        self, *, by: Actor, max_concurrent_runs: int | None, reserve_percent: int
    ) -> None:
        """Set how many runs it may have at once, and how much of its window is kept for
        people. Invalid for a share over 90 per cent. For people."""
        must_be_person(by)
        if not 0 <= reserve_percent <= MOST_RESERVED:
            raise Invalid(f"Keep 0 to {MOST_RESERVED} per cent for people.")
        if max_concurrent_runs is not None and max_concurrent_runs < 1:
            raise Invalid("At least one run at a time; empty for no limit.")
        ProviderAccount.objects.filter(pk=self.pk).update(
            max_concurrent_runs=max_concurrent_runs, reserve_percent=reserve_percent
        )
        self.refresh_from_db()
        self._record(by, "provider_account.updated")

    def _record(self, by: Actor, action: str) -> None:
        # It is nobody's company's alone: each of the person's own is told.
        for company in Company.objects.visible_to(by):
            audit.record(by, action, company, account=self.name)

    def close(self, seconds: float | None, said: str) -> None:
        """Nobody calls for so long; without a stated time, for longer each time."""
        if seconds is None:
            doubled = min(self.strikes, MOST_DOUBLINGS)
            wait = min(FIRST_WAIT * 2.0**doubled, LONGEST_WAIT)
            wait *= 1 + JITTER * random.random()  # noqa: S311 (not a secret)
        else:
            wait = min(max(seconds, 1.0), LONGEST_STATED)
        # Calls under way are refused too, one after the other: one strike for them all.
        fresh = ProviderAccount.objects.filter(pk=self.pk, strikes=self.strikes)
        fresh.update(strikes=Least(F("strikes") + 1, MOST_STRIKES))
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
