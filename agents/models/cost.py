from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4, uuid5

from django.db import models, transaction
from django.db.models import Count, Q, Sum
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models.counter import BudgetCounter
from agents.models.grant import Scopes
from agents.models.run import Run
from paperclip import audit, live
from paperclip.exceptions import Invalid, NotAllowed
from paperclip.models import Company, Scoped, ScopedQuerySet
from paperclip.models.spender import month_of

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from agents.models.agent import Agent
    from paperclip.actors import Actor


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
        agent: Agent = columns.pop("agent")
        if by.agent is not None and by.agent.pk != agent.pk:
            raise NotAllowed("An agent can only report its own costs.")
        run: Run | None = columns.get("run")
        if run is not None and run.agent_id != agent.pk:
            raise Invalid(f"The run {run.pk} is not one of {agent}.")
        for row in (agent, *belongs):
            if row.company_id != company.pk:
                raise Invalid(f"{row} is another company's.")
        moment = columns.pop("occurred_at", now())
        pk = self.id_of(run, moment, columns)
        BudgetCounter.objects.open_missing(company.pk, agent.pk)
        with transaction.atomic():
            if self.enter(pk, company.pk, agent, at=moment, **columns):
                event = self.get(pk=pk)
                audit.record(by, "cost_event.created", event, agentId=str(agent.pk))
        found: CostEvent = self.get(pk=pk)
        return found

    def id_of(self, run: Run | None, at: datetime, columns: dict[str, Any]) -> UUID:
        """The same word for the same usage of a run: told again it is no news."""
        if run is None:
            return uuid4()
        told = sorted((name, str(value)) for name, value in columns.items())
        return uuid5(run.pk, f"{at.isoformat()} {told}")

    def enter(
        self,
        pk: UUID,
        company_id: UUID,
        agent: Agent,
        *,
        at: datetime | None = None,
        run: Run | None = None,
        issue_id: UUID | None = None,
        project_id: UUID | None = None,
        reservation: UUID | None = None,
        whole: bool = True,
        **columns: Any,
    ) -> bool:
        """Add an event to the ledger and to what is counted of every limit it falls
        under. False, and nothing counted, when the ledger had it already."""
        used = {
            "billed_cents": columns.get("cost_micros") or 0,
            "tokens": tokens_of(columns),
        }
        is_new = BudgetCounter.objects.enter(
            Scopes(company_id, agent.pk, project_id, issue_id),
            used,
            at=at or now(),
            event={"id": pk, "run_id": run and run.pk, **columns},
            reservation=reservation,
            whole=whole,
        )
        live.changed(company_id)
        return is_new


def tokens_of(columns: dict[str, Any]) -> int:
    """All that was read and written. What came out of a cache is part of what was read,
    and some count it beside that."""
    read = columns.get("input_tokens", 0), columns.get("cached_input_tokens", 0)
    return int(max(read) + columns.get("output_tokens", 0))


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
            models.Index(
                fields=["project_id"],
                condition=Q(project_id__isnull=False),
                name="costs_of_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.input_tokens} in, {self.output_tokens} out"
