"""What the file of a company may say."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agents.models.roles import ROLES
from agents.naming import name_problem
from issues import parameters, routine_template
from issues.api.criteria_forms import ParameterForm
from issues.api.routine_forms import RoutineCriterionForm
from issues.checkers import CHECKERS, checked_settings
from issues.models.check import KEY
from issues.routine_template import PRIORITIES
from paperclip.api.forms import Flag, Form, Text, Whole
from paperclip.exceptions import Invalid


class NamedForm(Form):
    name = Text(max_length=200)
    description = Text(max_length=10_000, required=False)


class GoalForm(Form):
    title = Text(max_length=300)
    description = Text(max_length=10_000, required=False)


class AgentForm(Form):
    name = Text(max_length=80)
    role = serializers.ChoiceField(ROLES)
    title = Text(max_length=120)
    capabilities = Text(max_length=10_000, required=False)
    instructions = Text(max_length=200)
    reports_to = Text(max_length=80, required=False)
    reviewer = Text(max_length=80, required=False)
    tools = serializers.ListField(child=Text(max_length=40), allow_empty=False)
    network = serializers.ChoiceField(["none", "open"], required=False, default="none")
    model = Text(max_length=200, required=False)
    wakes_every = Whole(required=False, default=0, max_value=60 * 24 * 31)
    budget = Whole(required=False, default=0)
    may_assign_work = Flag(required=False, default=False)
    may_hire = Flag(required=False, default=False)
    may_configure = Flag(required=False, default=False)

    def validate_name(self, name: str) -> str:
        if problem := name_problem(name):
            raise serializers.ValidationError(problem)
        return name


class CheckForm(Form):
    """A check of the catalogue; `id` is its key."""

    id = serializers.RegexField(KEY.regex.pattern, max_length=64)  # type: ignore[union-attr]
    type = serializers.ChoiceField(list(CHECKERS))
    title = Text(max_length=200)
    settings = serializers.DictField(required=False)
    parameters = ParameterForm(many=True, required=False)
    roles = serializers.ListField(child=serializers.ChoiceField(ROLES), required=False)

    def validate(self, one: dict[str, Any]) -> dict[str, Any]:
        """As the catalogue takes it."""
        try:
            settings = checked_settings(one["type"], one.get("settings", {}))
            parameters.check(one.get("parameters", []), settings)
        except Invalid as no:
            raise serializers.ValidationError({"settings": str(no)}) from no
        return one


class IssueForm(Form):
    title = Text(max_length=300)
    description = Text(max_length=60_000, required=False)
    assignee = Text(max_length=80, required=False)
    priority = serializers.ChoiceField(list(PRIORITIES), required=False)
    criteria = RoutineCriterionForm(many=True, required=False)


class CompanyForm(Form):
    name = Text(max_length=120)
    description = Text(max_length=10_000, required=False)
    tokens = Whole(required=False, default=0, max_value=2**40)
    goal = GoalForm(required=False)
    project = NamedForm(required=False)
    agents = AgentForm(many=True, allow_empty=False)
    issues = IssueForm(many=True, required=False)
    routines = routine_template.RoutineForm(many=True, required=False)
    checks = CheckForm(many=True, required=False)
