"""How much a company, a project, an agent or an issue may use, of what, and in which
time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.apps import apps
from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.counter import BudgetCounter
from agents.models.counting import EVER, LIFETIME, MONTH
from paperclip import audit
from paperclip.exceptions import Invalid, Missing
from paperclip.models import Company, Scoped, ScopedQuerySet
from paperclip.models.spender import CENT, month_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from paperclip.actors import Actor

# The widest first: what rules first is named first.
SCOPES = {
    "company": "paperclip.Company",
    "project": "issues.Project",
    "agent": "agents.Agent",
    "issue": "issues.Issue",
}
# How much of what is counted one unit of a limit is: money is counted in millionths of
# a dollar, time in seconds.
UNITS = {"billed_cents": CENT, "tokens": 1, "runs": 1, "minutes": 60}
MOST = 2**50


class BudgetPolicyQuerySet(ScopedQuerySet):
    def active(self) -> Self:
        return self.filter(is_active=True)

    @transaction.atomic
    def put(
        self,
        company: Company,
        *,
        by: Actor,
        scope_type: str,
        scope_id: UUID,
        amount: int,
        metric: str = "billed_cents",
        window_kind: str = "",
        is_new: bool = False,
        **more: Any,
    ) -> BudgetPolicy:
        """Set what the scope may use: there is one limit for each metric and window.
        0 is no limit. `is_new`: nothing can have been used yet.

        Missing for a scope that is not the company's; NotAllowed for agents and
        viewers. What follows from it (a stop, a resume) the sweep sees to at once.
        """
        by.must_be_operator(company.pk, "set a budget")
        subject = subject_of(company, scope_type, scope_id)
        if not 0 <= amount <= MOST // UNITS[metric]:
            raise Invalid("A limit is a whole number that is not below 0.")
        once = scope_type in ("project", "issue")
        kind = window_kind or (LIFETIME if once else MONTH)
        # The row of the agent or the company before the counters, as everybody does.
        mirror(subject, metric, kind, amount)
        scope = {"company": company, "scope_type": scope_type, "scope_id": scope_id}
        new = {"created_by": by.user, "amount": amount}
        row, made = self.get_or_create(
            **scope, metric=metric, window_kind=kind, defaults=new
        )
        policy: BudgetPolicy = self.select_for_update(no_key=True).get(pk=row.pk)
        for name, value in {**more, "amount": amount}.items():
            setattr(policy, name, value)
        policy.is_active, policy.updated_by = amount > 0, by.user
        policy.save()
        BudgetCounter.objects.limit(policy, now(), is_new=is_new)
        said = {"metric": metric, "amount": amount}
        said |= {"scopeType": scope_type, "scopeId": str(scope_id)}
        said["name"] = f"{subject}, {policy.in_words(amount)}"
        act = "budget.policy_created" if made else "budget.policy_changed"
        audit.record(by, act, policy, **said)
        return policy


def subject_of(company: Company, scope_type: str, scope_id: Any) -> Any:
    """The row a budget is for; Missing when the company has no such one."""
    rows: Any = apps.get_model(SCOPES[scope_type])._default_manager
    if scope_type != "company":
        rows = rows.filter(company=company)
    elif str(scope_id) != str(company.pk):
        rows = rows.none()
    found = rows.filter(pk=scope_id).first()
    if found is None:
        raise Missing(f"{scope_type.capitalize()} not found")
    return found


def mirror(subject: Any, metric: str, window_kind: str, amount: int) -> None:
    """The limit that agents and companies show themselves."""
    shown = hasattr(subject, "budget_monthly_cents")
    if not shown or (metric, window_kind) != ("billed_cents", MONTH):
        return
    rows = type(subject)._default_manager.filter(pk=subject.pk)
    rows.exclude(budget_monthly_cents=amount).update(
        budget_monthly_cents=amount, updated_at=now()
    )
    subject.budget_monthly_cents = amount


class BudgetPolicy(Scoped):
    """One limit of one scope."""

    class Scope(models.TextChoices):
        COMPANY = "company", _("company")
        PROJECT = "project", _("project")
        AGENT = "agent", _("agent")
        ISSUE = "issue", _("issue")

    class Metric(models.TextChoices):
        CENTS = "billed_cents", _("money")
        TOKENS = "tokens", _("tokens")
        RUNS = "runs", _("runs")
        MINUTES = "minutes", _("minutes")

    class Window(models.TextChoices):
        MONTH = MONTH, _("month (UTC)")
        LIFETIME = LIFETIME, _("for ever")

    scope_type = models.CharField(max_length=8, choices=Scope.choices)
    scope_id = models.UUIDField()
    metric = models.CharField(max_length=12, choices=Metric.choices)
    window_kind = models.CharField(max_length=20, choices=Window.choices)
    # In whole units: cents, tokens, runs, minutes.
    amount = models.PositiveBigIntegerField()
    warn_percent = models.PositiveSmallIntegerField(default=80)
    hard_stop = models.BooleanField(default=True)
    notify = models.BooleanField(default=True)
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(
        "paperclip.User", models.SET_NULL, null=True, related_name="+"
    )
    updated_by = models.ForeignKey(
        "paperclip.User", models.SET_NULL, null=True, related_name="+"
    )

    objects = BudgetPolicyQuerySet.as_manager()

    class Meta:
        verbose_name = _("budget")
        verbose_name_plural = _("budgets")
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["scope_id", "metric", "window_kind"],
                name="one_budget_per_scope_metric_and_window",
            ),
            models.CheckConstraint(
                condition=models.Q(warn_percent__range=(1, 100)),
                name="a_budget_warns_within_its_limit",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.metric} for the {self.scope_type}"

    def in_words(self, amount: int) -> str:
        """So much of it, with its unit."""
        if self.metric == self.Metric.CENTS:
            return f"${amount / 100:,.2f}"
        return f"{amount:,} {self.get_metric_display()}"

    @property
    def unit(self) -> int:
        return UNITS[self.metric]

    @property
    def limit(self) -> int:
        """The amount in what is counted."""
        return self.amount * self.unit

    @property
    def ceiling(self) -> int | None:
        """What may not be passed; None when it only warns."""
        return self.limit if self.is_active and self.hard_stop else None

    @property
    def warn_at(self) -> int | None:
        """From where on it warns, rounded up."""
        return -(-self.limit * self.warn_percent // 100) if self.is_active else None

    def counter(self, at: datetime) -> BudgetCounter:
        """What is counted of it in the window that moment is in."""
        key = {"scope_id": self.scope_id, "metric": self.metric}
        mine = BudgetCounter.objects.filter(**key, starts_at=self.starts_at(at))
        found = mine.first()
        if found is None:
            BudgetCounter.objects.open(self.company_id, None, at)
            found = mine.first()
        # A limit that is not in force has no window of its own.
        return found or BudgetCounter(**key, scope_type=self.scope_type)

    def starts_at(self, at: datetime) -> datetime:
        """The start of the window that moment is in."""
        return month_of(at) if self.window_kind == MONTH else EVER

    def ends_at(self, at: datetime) -> datetime | None:
        """Its end; None: never."""
        if self.window_kind != MONTH:
            return None
        first = month_of(at)
        return first.replace(
            year=first.year + first.month // 12, month=first.month % 12 + 1
        )
