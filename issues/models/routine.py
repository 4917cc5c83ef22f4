from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from issues import hook_secrets, variables
from issues.cron import Schedule
from issues.models.base import Priority
from issues.models.firing import Firing
from issues.models.goal import Goal
from issues.models.issue import Issue
from issues.models.project import Project
from issues.models.routine_criteria import checked, must_be_set_by
from issues.models.routine_revision import RoutineRevision
from issues.models.routine_run import RoutineRun
from issues.models.routine_trigger import SCHEDULE, WEBHOOK, RoutineTrigger
from paperclip import audit
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Company, ScopedQuerySet

if TYPE_CHECKING:
    from paperclip.actors import Actor

LINKS = ("assignee_agent", "project", "goal", "parent_issue")


class RoutineQuerySet(ScopedQuerySet):
    @transaction.atomic
    def define(
        self,
        company: Company,
        *,
        by: Actor,
        title: str,
        schedule: Schedule | None = None,
        **fields: Any,
    ) -> Routine:
        """New recurring work, with its schedule if it has one; triggers can be added to
        it later. Invalid for a link to another company, and a schedule, variables or
        criteria that make no sense; NotAllowed for an agent that defines work for
        others, or says what its own has to prove."""
        by.must_write(company.pk, "define routines")
        routine = Routine(company=company)
        routine.name_creator(by)
        routine._set({**fields, "title": title}, by=by)
        routine.must_be_managed_by(by)
        routine.save(force_insert=True)
        routine.revise("Created routine", by=by, action="routine.created")
        if schedule is not None:
            routine._keep_to(schedule, by=by)
        return routine

    def tell(self, routines: Iterable[Routine]) -> list[Any]:
        """Each with its `triggers`, its `last_run` and the `active_issue` that it has
        filed and that is open, in four queries for all."""
        found = list(routines)
        models.prefetch_related_objects(found, "triggers")
        runs = RoutineRun.objects.filter(routine__in=found)
        runs = runs.select_related("linked_issue", "trigger")
        newest = ("routine_id", "-triggered_at", "-created_at")
        last = runs.order_by(*newest).distinct("routine_id")
        last_of = {run.routine_id: run for run in last}
        open_of = {
            run.routine_id: run.linked_issue
            for run in runs.at_work().order_by(*newest).distinct("routine_id")
        }
        for routine in found:
            routine.last_run = last_of.get(routine.pk)  # type: ignore[attr-defined]
            routine.active_issue = open_of.get(routine.pk)  # type: ignore[attr-defined]
        return found


class Routine(Firing):
    """Recurring work: each time it is fired it files an issue, which wakes whoever it
    is assigned to."""

    objects = RoutineQuerySet.as_manager()

    class Meta:
        verbose_name = _("routine")
        ordering = ["title"]
        indexes = [
            models.Index(fields=["company", "created_at"], name="routines_of_company")
        ]

    def __str__(self) -> str:
        return self.title

    def hold(self, *, by: Actor) -> None:
        """Lock it to be changed. Conflict once it is archived; NotAllowed as said of
        must_be_managed_by."""
        self.lock()
        if self.status == self.Status.ARCHIVED:
            raise Conflict(f"“{self.title}” is archived and stays as it is.")
        self.must_be_managed_by(by)

    @transaction.atomic
    def change(self, *, by: Actor, **fields: Any) -> None:
        """Set any of its fields, its status too; `schedule` takes the place of its
        first one, None takes that one off. Refuses what define refuses, and any change
        of what is archived."""
        self.hold(by=by)
        status = fields.pop("status", self.status)
        when = [fields.pop("schedule")] if "schedule" in fields else []
        was = {name: getattr(self, name) for name in fields}
        self._set(fields, by=by)
        self.must_be_managed_by(by)
        changed = sorted(name for name in fields if getattr(self, name) != was[name])
        if changed:
            named = ", ".join(name.replace("_", " ") for name in changed)
            self.revise(f"Changed {named}", by=by)
        for schedule in when:
            self._keep_to(schedule, by=by)
        if self.triggers.filter(kind=SCHEDULE, enabled=True).exists():
            self.must_need_no_answers(SCHEDULE)
        if status != self.status:
            self._turn(status, by=by)

    def pause(self, *, by: Actor) -> None:
        """Only a person or the API fires it now. What it misses is not made up for."""
        self.change(by=by, status=self.Status.PAUSED)

    def resume(self, *, by: Actor) -> None:
        """Its schedules count from now."""
        self.change(by=by, status=self.Status.ACTIVE)

    def archive(self, *, by: Actor) -> None:
        """For good: it stays to be looked at."""
        self.change(by=by, status=self.Status.ARCHIVED)

    @transaction.atomic
    def restore(
        self, revision: RoutineRevision, *, by: Actor
    ) -> list[tuple[RoutineTrigger, str]]:
        """Make it what it was after that revision: its words, its links as far as they
        are still there, and its triggers. Whether it is paused stays as it is. Webhooks
        that are made again get a new secret: they are returned with it, this one
        time."""
        self.hold(by=by)
        self._set(fields_of(self.company, revision.snapshot["routine"]), by=by)
        self.must_be_managed_by(by)
        told = revision.snapshot["triggers"]
        made = RoutineTrigger.objects.restore(self, told, by=by)
        summary = f"Restored revision {revision.number}"
        self.revise(summary, by=by, restored_from=revision)
        return made

    def revise(
        self,
        summary: str,
        *,
        by: Actor,
        action: str = "routine.updated",
        restored_from: RoutineRevision | None = None,
    ) -> RoutineRevision:
        """Save it, keep what it is now as a revision, and log who did it."""
        self.name_editor(by)
        revision = RoutineRevision.objects.keep(
            self, by=by, summary=summary, restored_from=restored_from
        )
        self.save()
        audit.record(by, action, self, title=self.title, summary=summary)
        return revision

    def must_need_no_answers(self, kind: str) -> None:
        """Invalid when nobody would be there to give a value that has to be given."""
        asked = variables.unanswered(self.variables)
        if kind == SCHEDULE and asked:
            raise Invalid(
                f"A schedule cannot be asked for {', '.join(asked)}: give a default, or"
                " do not require it.",
                code="unanswered_variables",
            )

    def _keep_to(self, schedule: Schedule | None, *, by: Actor) -> None:
        """Have one schedule, this one, whatever else fires it."""
        has = self.triggers.filter(kind=SCHEDULE).order_by("created_at", "id").first()
        if has is not None:
            has.routine = self
        told = schedule and {
            "cron_expression": schedule.expression,
            "time_zone": schedule.zone,
        }
        if has and told:
            has.change(by=by, **told)
        elif told:
            RoutineTrigger.objects.add(self, by=by, kind=SCHEDULE, **told)
        elif has:
            has.remove(by=by)

    def _turn(self, status: str, *, by: Actor) -> None:
        self.status = status
        act = {"active": "resumed", "paused": "paused", "archived": "archived"}[status]
        if status == self.Status.ACTIVE:
            for trigger in self.triggers.filter(kind=SCHEDULE):
                trigger.set_alarm(now())
                trigger.save(update_fields=["next_run_at", "updated_at"])
        if status == self.Status.ARCHIVED:
            # It is called no more: its secrets are free for good.
            for trigger in self.triggers.filter(kind=WEBHOOK):
                hook_secrets.bind(trigger, None, by=by)
        self.revise(f"{act.capitalize()} routine", by=by, action=f"routine.{act}")

    def _set(self, fields: dict[str, Any], *, by: Actor) -> None:
        if fields.get("criteria", self.criteria) != self.criteria:
            must_be_set_by(by)
            told = checked(self.company_id, fields["criteria"])
            fields = {**fields, "criteria": told}
        for name, value in fields.items():
            setattr(self, name, value)
        self.title = self.title.strip()
        if not self.title:
            raise Invalid("A routine needs a title.")
        for name in LINKS:
            other = getattr(self, name)
            if other is not None and other.company_id != self.company_id:
                word = name.replace("_", " ")
                raise Invalid(f"The {word} belongs to another company.")
        agent = self.assignee_agent
        gone = (Agent.Status.TERMINATED, Agent.Status.PENDING)
        if "assignee_agent" in fields and agent and agent.status in gone:
            raise Invalid(f"{agent} is {agent.status}: nothing can be assigned.")
        variables.check(self.variables)


def fields_of(company: Company, told: dict[str, Any]) -> dict[str, Any]:
    """The fields of a snapshot. A link to what is gone is none."""

    def found(rows: Any, pk: str | None) -> Any:
        return rows.filter(company=company, pk=pk).first() if pk else None

    return {
        "title": told["title"],
        "description": told["description"],
        "priority": Priority[told["priority"].upper()],
        "concurrency_policy": told["concurrencyPolicy"],
        "catch_up_policy": told["catchUpPolicy"],
        "variables": told["variables"],
        "criteria": told.get("criteria", []),
        "assignee_agent": found(Agent.objects.employed(), told["assigneeAgentId"]),
        "project": found(Project.objects.all(), told["projectId"]),
        "goal": found(Goal.objects.all(), told["goalId"]),
        "parent_issue": found(Issue.objects.all(), told["parentIssueId"]),
    }
