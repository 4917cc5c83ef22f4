from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models, transaction
from django.db.models import Count, Q, Sum
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.run import Run
from paperclip import audit, live
from paperclip.exceptions import Invalid, NotAllowed
from paperclip.models import Company, Scoped, ScopedQuerySet
from paperclip.models.spender import this_month

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models.agent import Agent
    from paperclip.actors import Actor
    from paperclip.models.spender import Spender

CENT = 10_000  # millionths of a dollar


def cents(micros: int) -> int:
    """Whole cents, rounded up."""
    return -(-micros // CENT)


def month_of(moment: datetime) -> datetime:
    """The start of its calendar month, UTC."""
    return moment.astimezone(UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )


class CostEventQuerySet(ScopedQuerySet):
    def this_month(self) -> Self:
        return self.filter(occurred_at__gte=month_of(now()))

    def sums(self) -> dict[str, int]:
        """`micros`, tokens, and how many calls are `unpriced` and not in it."""
        return self.aggregate(**SUMS)

    def summed(self, *names: str, **more: Any) -> Any:
        """A row with these columns and the sums for each value, the dearest first.
        `more` sums come first: the others take the names of their columns."""
        rows = self.order_by().values(*names).annotate(**more, **SUMS)
        return rows.order_by("-micros", "-output_tokens", *names[:1])

    def report(
        self, company: Company, *, by: Actor, belongs: Any = (), **columns: Any
    ) -> CostEvent:
        """Enter a cost that somebody tells us of. `belongs`: rows it names that must be
        of the company. NotAllowed for another agent's costs and for viewers."""
        by.must_write(company.pk, "report costs")
        agent: Agent = columns["agent"]
        if by.agent is not None and by.agent.pk != agent.pk:
            raise NotAllowed("An agent can only report its own costs.")
        run: Run | None = columns.get("run")
        if run is not None and run.agent_id != agent.pk:
            raise Invalid(f"The run {run.pk} is not one of {agent}.")
        for row in (agent, *belongs):
            if row.company_id != company.pk:
                raise Invalid(f"{row} is another company's.")
        with transaction.atomic():
            event: CostEvent = self.create(company=company, **columns)
            audit.record(by, "cost_event.created", event, agentId=str(agent.pk))
        event.count()
        return event


SUMS: dict[str, Any] = {
    "micros": Sum("cost_micros", default=0),
    "input_tokens": Sum("input_tokens", default=0),
    "cached_input_tokens": Sum("cached_input_tokens", default=0),
    "output_tokens": Sum("output_tokens", default=0),
    "unpriced": Count("pk", filter=Q(cost_micros=None)),
}


class CostEvent(Scoped):
    """What one model call used and cost. A ledger: rows are added, never changed."""

    agent = models.ForeignKey("agents.Agent", models.CASCADE, related_name="costs")
    run = models.ForeignKey(Run, models.SET_NULL, null=True, related_name="costs")
    issue_id = models.UUIDField(null=True)
    project_id = models.UUIDField(null=True)
    goal_id = models.UUIDField(null=True)
    billing_code = models.CharField(max_length=64, null=True)  # noqa: DJ001
    provider = models.CharField(max_length=60)
    biller = models.CharField(max_length=60)
    billing_type = models.CharField(max_length=24, default="metered_api")
    model = models.CharField(max_length=200)
    input_tokens = models.PositiveIntegerField(default=0)
    cached_input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    # Millionths of a dollar. Null: nobody told us the price, which is not nothing.
    cost_micros = models.PositiveBigIntegerField(null=True)
    # The provider did not say how much it was (a broken stream): counted by us.
    estimated = models.BooleanField(default=False)
    occurred_at = models.DateTimeField(default=now)

    objects = CostEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("cost event")
        ordering = ["-occurred_at", "-id"]
        indexes = [
            models.Index(fields=["company", "occurred_at"], name="costs_of_company"),
            models.Index(fields=["agent", "occurred_at"], name="costs_of_agent"),
            models.Index(fields=["run"], name="costs_of_run"),
            models.Index(fields=["issue_id"], name="costs_of_issue"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.input_tokens} in, {self.output_tokens} out"

    def count(self) -> None:
        """Count again, from the ledger, what its company and its agent have spent this
        month. Call it after the transaction that adds the event: each is counted in
        one of its own, so that nobody who holds one of them and waits for the other
        is waited for."""
        month = this_month()
        if self.cost_micros and f"{self.occurred_at.astimezone(UTC):%Y-%m}" == month:
            recount(self.company, month, company=self.company_id)
            recount(self.agent, month, agent=self.agent_id)
        live.changed(self.company_id)


@transaction.atomic
def recount(spender: Spender, month: str, **whose: UUID) -> None:
    # Under the lock of its row: of two counts, the later one sees both.
    rows = type(spender)._default_manager.filter(pk=spender.pk)
    rows.select_for_update(no_key=True).get()
    spent = cents(CostEvent.objects.filter(**whose).this_month().sums()["micros"])
    rows.update(spent_cents=spent, spent_month=month)
