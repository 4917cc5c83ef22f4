"""The form that asks for the variables of a routine, for a person who runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from issues import variables
from issues.models import Routine
from paperclip.exceptions import Invalid


class ValueField(forms.CharField):
    """The value of one variable."""

    def __init__(self, one: Mapping[str, Any]) -> None:
        self.one = one
        default = one.get("default")
        is_flag = one["type"] == "boolean"
        required = bool(one.get("required")) and not is_flag
        falls_back = default not in (None, "") and not required and not is_flag
        super().__init__(
            label=one.get("label") or one["name"],
            required=required,
            initial=default,
            strip=False,
            widget=widget_of(one),
            help_text=_("Empty: %(default)s.") % {"default": variables.in_text(default)}
            if falls_back
            else "",
            error_messages={"required": _("It needs a value.")},
        )

    def to_python(self, value: Any) -> Any:
        name, text = self.one["name"], "1" if value is True else str(value or "")
        return variables.typed([self.one], {name: text})[name]

    def validate(self, value: Any) -> None:
        super().validate(value)
        if self.required and isinstance(value, str) and not value.strip():
            raise forms.ValidationError(self.error_messages["required"])
        if value in self.empty_values:
            return
        try:
            variables.must_fit(self.one, value)
        except Invalid as no:
            raise forms.ValidationError(str(no)) from no

    def run_validators(self, value: Any) -> None:
        if isinstance(value, str):
            super().run_validators(value)


def widget_of(one: Mapping[str, Any]) -> forms.Widget:
    kind, options = one["type"], one.get("options") or []
    if kind == "boolean":
        return forms.CheckboxInput()
    if kind == "select":
        chosen = one.get("required") and one.get("default")
        none = [] if chosen else [("", "")]
        return forms.Select(choices=[*none, *((text, text) for text in options)])
    if kind == "textarea":
        return forms.Textarea(attrs={"rows": 4})
    if kind == "date":
        return forms.DateInput(attrs={"type": "date"})
    return forms.TextInput(attrs={"inputmode": "decimal"} if kind == "number" else {})


class RunForm(forms.Form):
    """Its variables, with their defaults. A default that somebody takes away from one
    that has to have a value is not put back behind their back."""

    def __init__(self, routine: Routine, data: Any = None) -> None:
        super().__init__(data, prefix="value")
        for one in routine.variables:
            self.fields[one["name"]] = ValueField(one)
