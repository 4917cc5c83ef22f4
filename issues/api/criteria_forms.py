"""What requests about criteria, checks, proof and stages may say."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agents.models.roles import ROLES
from issues import parameters
from issues.checkers import CHECKERS
from issues.models import policy, proof
from issues.models.check import KEY
from paperclip.api.forms import Flag, Form, Text, Whole

TYPES = list(CHECKERS)
PARAMETER_TYPES = list(parameters.TYPES)
PARTICIPANT_TYPES = ["agent", "user"]


class Values(serializers.DictField):
    """Texts and whole numbers by name; their own types are the check's."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().to_internal_value(data)
        if len(found) > parameters.MOST or any(
            not isinstance(value, str | int) for value in found.values()
        ):
            raise serializers.ValidationError("Texts and whole numbers by name.")
        return found


class ParameterForm(Form):
    name = Text(max_length=32)
    type = serializers.ChoiceField(PARAMETER_TYPES)
    options = serializers.ListField(
        child=Text(max_length=300), required=False, max_length=50
    )
    default = serializers.JSONField(required=False, allow_null=True)

    def validate_default(self, value: object) -> object:
        if value is not None and not isinstance(value, str | int):
            raise serializers.ValidationError("A text or a whole number.")
        return value


class CheckFields(Form):
    type = serializers.ChoiceField(TYPES)
    title = Text(max_length=200)
    settings = serializers.DictField(
        required=False, help_text="As its type wants them."
    )
    parameters = ParameterForm(many=True, required=False)
    roles = serializers.ListField(
        child=serializers.ChoiceField(ROLES),
        required=False,
        help_text="Whose work is checked so when an issue has no criteria of its own.",
    )


class CheckForm(CheckFields):
    key = serializers.RegexField(KEY.regex.pattern, max_length=64)  # type: ignore[union-attr]


class CheckChange(CheckFields):
    archived = Flag(required=False, help_text="True: it is offered no longer.")


class CriterionFields(Form):
    title = Text(max_length=200, required=False)
    parameters = Values(required=False)
    settings = serializers.DictField(
        required=False, help_text="Of a free one, as its type wants them."
    )


class CriterionForm(CriterionFields):
    check = Text(
        max_length=64, required=False, help_text="The key of a check of the catalogue."
    )
    type = serializers.ChoiceField(TYPES, required=False, help_text="Of a free one.")

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if ("check" in attrs) == ("type" in attrs):
            raise serializers.ValidationError(
                {"check": "Name a check of the catalogue, or the type of a free one."}
            )
        return attrs


class NoteForm(Form):
    note = Text(max_length=2000, required=False, allow_blank=True)


class ProofForm(Form):
    type = serializers.ChoiceField(proof.TYPES)
    ref = Text(
        max_length=998,
        help_text="The full hash of a commit, the id of a run or of a document's"
        " revision, or the Message-ID of a mail.",
    )


class ParticipantForm(Form):
    id = Text(max_length=64, required=False)
    type = serializers.ChoiceField(PARTICIPANT_TYPES)
    agentId = serializers.UUIDField(required=False, allow_null=True)
    userId = serializers.UUIDField(required=False, allow_null=True)


class StageForm(Form):
    id = Text(max_length=64, required=False)
    type = serializers.ChoiceField(policy.TYPES, required=False)
    approvalsNeeded = Whole(required=False, min_value=1, max_value=20)
    participants = ParticipantForm(many=True, allow_empty=False)


class PolicyForm(Form):
    mode = serializers.ChoiceField(policy.MODES, required=False)
    commentRequired = Flag(required=False)
    stages = StageForm(many=True, allow_empty=False)
