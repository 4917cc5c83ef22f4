"""The variables of a routine as rows of its form."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

from django import forms
from django.core import signing
from django.utils.translation import gettext_lazy as _

from issues import variables
from issues.api.routine_forms import MOST_VARIABLES
from paperclip.exceptions import Invalid

PREFIX = "variables"
SHOWN = f"{PREFIX}-shown"
SALT = "paperclip.variables"
BLANK = 2
TYPES = [
    ("text", _("a line of text")),
    ("textarea", _("a longer text")),
    ("number", _("a number")),
    ("boolean", _("yes or no")),
    ("select", _("one of these")),
    ("date", _("a day")),
]
YES, NO = ("yes", "true", "1"), ("no", "false", "0")
ANSWERS = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)


class VariableForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=64,
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    label = forms.CharField(label=_("What is asked"), max_length=120, required=False)
    type = forms.ChoiceField(label=_("Its value is"), choices=TYPES, initial="text")
    options = forms.CharField(
        label=_("These, one a line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    default = forms.CharField(
        label=_("Default"),
        max_length=10_000,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 1}),
    )
    required = forms.BooleanField(label=_("It needs a value"), required=False)

    def clean(self) -> dict[str, Any]:
        if not self.errors:
            try:
                variables.check([self.value()])
            except Invalid as no:
                self.add_error(None, str(no))
        return self.cleaned_data

    def value(self) -> dict[str, Any]:
        """The variable as the routine keeps it."""
        told = self.cleaned_data
        made = {name: told[name] for name in ("name", "type", "required")}
        made["label"] = told["label"] or None
        if told["type"] == "select":
            lines = [line.strip() for line in told["options"].splitlines()]
            made["options"] = [line for line in lines if line]
        text = told["default"]
        if not {"default", "type"} & set(self.changed_data):
            # As it is: not every number can be written as one writes it here.
            if (kept := self.initial.get("kept")) is not None:
                made["default"] = kept
        elif text and told["type"] == "boolean":
            made["default"] = ANSWERS.get(text.strip().lower(), text)
        elif text:
            typed = variables.typed([made], {told["name"]: text})
            made["default"] = typed[told["name"]]
        return made


class VariableRows(forms.BaseFormSet):
    shown = ""

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["DELETE"].label = _("Take it off")

    @property
    def any_named(self) -> bool:
        return any(form["name"].value() for form in self.forms)

    def values(self) -> list[dict[str, Any]]:
        return [
            form.value()
            for form in self.forms
            if form.cleaned_data and not form.cleaned_data.get("DELETE")
        ]

    def clean(self) -> None:
        if not any(self.errors):
            try:
                variables.check(self.values())
            except Invalid as no:
                raise forms.ValidationError(str(no)) from no


Rows = forms.formset_factory(
    VariableForm,
    formset=VariableRows,
    extra=BLANK,
    can_delete=True,
    max_num=MOST_VARIABLES,
    validate_max=True,
)


def rows(data: Any, declared: list[dict[str, Any]]) -> VariableRows:
    """The variables as they are, or as they were filled in, and some rows more. What
    the page was shown comes back with it: changed is what differs from that."""
    if data and SHOWN in data:
        with suppress(signing.BadSignature):
            declared = signing.loads(data[SHOWN], salt=SALT)
    shown = [
        {
            **one,
            "label": one.get("label") or "",
            "options": "\n".join(one.get("options") or []),
            "kept": one.get("default"),
            "default": variables.in_text(
                "" if one.get("default") is None else one["default"]
            ),
        }
        for one in declared
    ]
    made = cast(VariableRows, Rows(data, initial=shown, prefix=PREFIX))
    made.shown = signing.dumps(declared, salt=SALT)
    return made
