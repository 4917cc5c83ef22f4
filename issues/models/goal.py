from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from paperclip import audit
from paperclip.exceptions import Invalid
from paperclip.models import Company, Scoped, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor


class GoalQuerySet(ScopedQuerySet):
    @transaction.atomic
    def set(self, company: Company, *, by: Actor, title: str, **fields: Any) -> Goal:
        """A new goal of the company."""
        by.must_write(company.pk, "set goals")
        goal = Goal(company=company, title=title)
        goal._set(fields)
        goal.save(force_insert=True)
        audit.record(by, "goal.created", goal, title=title)
        return goal

    def default_of(self, company: Company) -> Goal | None:
        """What issues without a goal work for: the first active company goal."""
        top = self.filter(company=company, level="company", status="active")
        return top.order_by("created_at").first()


class Goal(Scoped):
    """What the work is for."""

    class Level(models.TextChoices):
        COMPANY = "company", _("company")
        TEAM = "team", _("team")
        AGENT = "agent", _("agent")
        TASK = "task", _("task")

    class Status(models.TextChoices):
        PLANNED = "planned", _("planned")
        ACTIVE = "active", _("active")
        ACHIEVED = "achieved", _("achieved")
        CANCELLED = "cancelled", _("cancelled")

    title = models.CharField(_("title"), max_length=300)
    description = models.TextField(_("description"), null=True, blank=True)  # noqa: DJ001
    level = models.CharField(max_length=16, choices=Level.choices, default=Level.TASK)
    status = models.CharField(
        max_length=16, choices=Status.choices, default=Status.PLANNED
    )
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children"
    )
    owner = models.ForeignKey(
        Agent, models.SET_NULL, null=True, blank=True, related_name="goals"
    )

    objects = GoalQuerySet.as_manager()

    class Meta:
        verbose_name = _("goal")
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.title

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        by.must_write(self.company_id, "change goals")
        self._set(fields)
        self.save(update_fields=[*fields, "updated_at"])
        audit.record(by, "goal.updated", self, changed=sorted(fields))

    def _set(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        for other in (self.parent, self.owner):
            if other is not None and other.company_id != self.company_id:
                raise Invalid(f"{other} belongs to another company.")
        if self.parent_id is not None:
            self._must_not_be_its_own_part()

    def _must_not_be_its_own_part(self) -> None:
        # One tree per company at a time, and read now: two moves that each look fine
        # could together close a circle.
        Company.objects.select_for_update(no_key=True).get(pk=self.company_id)
        goals = Goal.objects.filter(company=self.company_id)
        parents = dict(goals.values_list("pk", "parent_id"))
        above = self.parent_id
        while above is not None:
            if above == self.pk:
                raise Invalid("A goal cannot be part of itself.")
            above = parents[above]
