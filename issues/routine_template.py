"""Recurring work in a company as a file: the `[[routines]]` of a template."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django.conf import settings
from rest_framework import serializers

from issues import cron, variables
from issues.api.routine_forms import (
    MOST_VARIABLES,
    RoutineCriterionForm,
    VariableForm,
)
from issues.models import Routine
from issues.models.base import Priority
from paperclip.api.forms import Form, Text
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from agents.models import Agent
    from issues.models import Goal, Project
    from paperclip.actors import Actor
    from paperclip.models import Company

PRIORITIES = {str(one.label): one for one in Priority}


class Variable(VariableForm):
    def to_internal_value(self, data: Any) -> Any:
        """TOML has days of its own, which JSON has not."""
        if isinstance(data, dict) and type(data.get("default")) is date:
            data = {**data, "default": data["default"].isoformat()}
        return super().to_internal_value(data)


class RoutineForm(Form):
    title = Text(max_length=300)
    description = Text(max_length=60_000, required=False)
    assignee = Text(max_length=80, required=False)
    priority = serializers.ChoiceField(
        list(PRIORITIES), required=False, default="medium"
    )
    schedule = Text(max_length=120, required=False)
    time_zone = Text(max_length=64, required=False)
    concurrency_policy = serializers.ChoiceField(
        Routine.Concurrency.values, required=False
    )
    catch_up_policy = serializers.ChoiceField(Routine.CatchUp.values, required=False)
    criteria = RoutineCriterionForm(many=True, required=False)
    variables = Variable(many=True, required=False, max_length=MOST_VARIABLES)  # type: ignore[call-arg]

    def validate(self, one: dict[str, Any]) -> dict[str, Any]:
        declared = one.get("variables", [])
        try:
            variables.check(declared)
        except Invalid as no:
            raise serializers.ValidationError({"variables": str(no)}) from no
        asked = variables.unanswered(declared)
        if asked and one.get("schedule"):
            raise serializers.ValidationError(
                {
                    "variables": f"A schedule cannot be asked for {', '.join(asked)}:"
                    " give a default, or do not require it."
                }
            )
        return one

    def validate_schedule(self, line: str) -> str:
        if problem := cron.problem_of(line):
            raise serializers.ValidationError(problem)
        return line

    def validate_time_zone(self, zone: str) -> str:
        if zone not in available_timezones():
            raise serializers.ValidationError(
                f"There is no time zone {zone}: write one like Europe/Lisbon."
            )
        return zone


def misfits(routines: list[dict[str, Any]], names: list[str]) -> Iterator[str]:
    """Where they name nobody."""
    for number, one in enumerate(routines, 1):
        if one.get("assignee", names[0]) not in names:
            where = f"routines: {number} ({one['title']}): assignee: "
            yield f"{where}{one['assignee']} is nobody in this file."


def define(
    company: Company,
    routines: list[dict[str, Any]],
    staff: dict[str, Agent],
    *,
    by: Actor,
    project: Project | None,
    goal: Goal | None,
) -> None:
    """Define them; the first time of each lies ahead. Without a time zone it is the
    instance's."""
    for one in routines:
        kept = (
            *("title", "description", "variables", "criteria"),
            *("concurrency_policy", "catch_up_policy"),
        )
        zone = one.get("time_zone") or settings.TIME_ZONE
        line = one.get("schedule")
        Routine.objects.define(
            company,
            by=by,
            schedule=cron.Schedule(line, zone) if line else None,
            priority=PRIORITIES[one["priority"]],
            assignee_agent=staff.get(one.get("assignee", "")),
            project=project,
            goal=goal,
            origin_kind="template",
            **{name: one[name] for name in kept if name in one},
        )
