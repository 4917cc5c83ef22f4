"""The form of a check of the catalogue: the settings of its type, and its parameters
as lines."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents import bindings
from agents.fields import LinesField
from agents.models import Secret
from agents.models.roles import ROLES
from issues.checkers import CHECKERS, checker_class
from issues.models import Check
from paperclip import words
from paperclip.admin import ConsoleForm
from paperclip.exceptions import Refused

TYPE_NAMES = {
    "command": _("a program ends well"),
    "http": _("a page answers"),
    "git": _("the branch is handed over"),
    "file": _("a file or document is there"),
    "mail": _("a message went out"),
    "children": _("every part is done"),
    "human": _("a person says so"),
}
LINE = re.compile(
    r"(?P<name>[a-z][a-z0-9_]*)\s*:\s*(?P<type>[a-z]+)"
    r"(\((?P<options>[^)]*)\))?(\s*=\s*(?P<default>.+))?"
)
SECURITY = [
    ("", _("TLS")),
    ("starttls", _("STARTTLS")),
    ("none", _("without encryption, on this machine only")),
]
# Settings that several types have have one field.
NUMBERS = {"seconds", "status", "at_least"}
FLAGS = {"merged", "verified"}
LISTS = {"command", "own_files", "changes", "untouched"}


class ParametersField(LinesField):
    """`name: type = default`, one a line; a choice names its options in brackets."""

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in str(value or "").splitlines()]
        return [parameter(line) for line in lines if line]

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):
            return value
        return "\n".join(map(in_a_line, value))


def parameter(line: str) -> dict[str, Any]:
    found = LINE.fullmatch(line)
    if found is None:
        raise forms.ValidationError(
            _("Write name: type = default, not %(line)s."), params={"line": line}
        )
    made: dict[str, Any] = {"name": found["name"], "type": found["type"]}
    if found["options"]:
        made["options"] = [one.strip() for one in found["options"].split("|")]
    if default := found["default"]:
        is_number = found["type"] == "number" and default.isascii()
        made["default"] = int(default) if is_number and default.isdigit() else default
    return made


def in_a_line(one: dict[str, Any]) -> str:
    options = f"({' | '.join(one['options'])})" if one.get("options") else ""
    default = f" = {one['default']}" if one.get("default") is not None else ""
    return f"{one['name']}: {one['type']}{options}{default}"


class CheckForm(ConsoleForm):
    key = forms.SlugField(
        label=_("Key"),
        max_length=64,
        help_text=_("A short name by which agents choose it, such as tests."),
    )
    type = forms.ChoiceField(
        label=_("How it is seen"), choices=[(n, TYPE_NAMES[n]) for n in CHECKERS]
    )
    command = LinesField(
        label=_("Program and arguments"),
        help_text=_("One per line; no shell reads them. {name} is a parameter."),
    )
    own_files = LinesField(
        label=_("Its own files"),
        help_text=_(
            "Tests and their settings, one path or pattern per line: they are taken"
            " from before the change, so that its author cannot weaken them."
        ),
    )
    expects = forms.CharField(label=_("It has to print"), required=False)
    seconds = forms.IntegerField(
        label=_("Time limit in seconds"), required=False, min_value=1, max_value=3600
    )
    url = forms.CharField(
        label=_("Address"),
        required=False,
        help_text=_("The host is fixed; {name} may stand behind it."),
    )
    status = forms.IntegerField(label=_("Answers"), required=False)
    contains = forms.CharField(label=_("Contains"), required=False)
    changes = LinesField(label=_("Changes these"), rows=2)
    untouched = LinesField(label=_("Leaves these as they are"), rows=2)
    merged = forms.BooleanField(label=_("Is merged already"), required=False)
    path = forms.CharField(label=_("File in the repository"), required=False)
    document = forms.CharField(label=_("Or the key of a document"), required=False)
    at_least = forms.IntegerField(label=_("Characters, at least"), required=False)
    host = forms.CharField(
        label=_("Mail server"), required=False, help_text=_("It is asked by IMAP.")
    )
    port = forms.IntegerField(label=_("Port"), required=False)
    security = forms.ChoiceField(
        label=_("How it is reached"), required=False, choices=SECURITY
    )
    user = forms.CharField(label=_("User"), required=False)
    password = forms.ChoiceField(
        label=_("Password"),
        required=False,
        help_text=_("One of the company's secrets. Only this check reads it there."),
    )
    folder = forms.CharField(label=_("Folder"), required=False)
    to = forms.CharField(label=_("To"), required=False)
    subject = forms.CharField(label=_("Its subject contains"), required=False)
    verified = forms.BooleanField(label=_("And is verified"), required=False)
    question = forms.CharField(label=_("What they look at"), required=False)
    parameters = ParametersField(
        label=_("Parameters"),
        help_text=_(
            "What is asked for each time, one per line: page: path, or"
            " lang: choice(de | en) = de. Types: text, word, path, number, choice."
        ),
    )
    roles = forms.MultipleChoiceField(
        label=_("For all work of"),
        required=False,
        choices=[(role, words.role(role)) for role in ROLES],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Where an issue has no criteria of its own."),
    )
    archived = forms.BooleanField(label=_("Offer it no longer"), required=False)

    class Meta:
        model = Check
        fields = ["title"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        check = self.instance
        self.initial = {
            **self.initial,
            "key": check.key,
            "type": check.type or next(iter(CHECKERS)),
            "roles": check.roles,
            "parameters": check.parameters,
            "archived": check.archived_at is not None,
            **{name: [] for name in sorted(LISTS)},
            **check.settings,
        }
        self._offer_secrets()
        if check._state.adding:
            del self.fields["archived"]
        else:
            self.fields["key"].disabled = True
        self.order_fields(["title", "key", "type"])

    def _offer_secrets(self) -> None:
        secrets = Secret.objects.filter(company=self.company)
        names = [(str(pk), name) for pk, name in secrets.values_list("pk", "name")]
        field: Any = self.fields["password"]
        field.choices = [("", "-"), *names]
        there = bindings.reference_in(self.instance.settings.get("password"))
        self.initial["password"] = there.secret_id if there else ""

    def clean_password(self) -> dict[str, Any] | None:
        """The reference. One that is as it was keeps its version."""
        there = bindings.reference_in(self.instance.settings.get("password"))
        if not (chosen := self.cleaned_data["password"]):
            return None
        same = there is not None and there.secret_id == chosen
        return (there if there and same else bindings.Reference(chosen, None)).wire

    def refuse(self, no: Refused) -> None:
        if no.code == "bad_parameter":
            self.add_error("parameters", str(no))
        else:
            super().refuse(no)

    def values(self) -> dict[str, Any]:
        found = self.cleaned_data
        settings = {
            name: found[name]
            for name in map(str, checker_class(found["type"]).Settings().fields)
            if found.get(name) not in (None, "", [], False)
        }
        kept = {name: found[name] for name in ("title", "type", "parameters", "roles")}
        if self.instance._state.adding:
            kept["key"] = found["key"]
        else:
            kept["archived"] = found["archived"]
        return {**kept, "settings": settings}
