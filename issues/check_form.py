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
# Settings that have one item a line.
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
            _(
                "“%(line)s” is not understood. Write a name, a colon and text, word,"
                " path, number or choice, such as page: path."
            ),
            params={"line": line},
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
        help_text=_(
            "Short, without spaces, such as tests: agents and routines choose it by"
            " this name."
        ),
    )
    type = forms.ChoiceField(
        label=_("What proves it"),
        choices=[(n, TYPE_NAMES[n]) for n in CHECKERS],
        help_text=_("Paperclip looks itself. The fields below are what it needs."),
    )
    command = LinesField(
        label=_("Program and arguments"),
        help_text=_(
            "The program on the first line, then one argument a line, as in"
            " python3 / -m / unittest; no shell reads them, so no quotes are needed."
            " {name} is a parameter of below. It ends well with exit code 0."
        ),
    )
    own_files = LinesField(
        label=_("Files that the author may not weaken"),
        help_text=_(
            "Tests and their settings, one path or pattern per line, such as tests,"
            " **/conftest.py or pyproject.toml: they are taken from before the change."
            " Whatever else the program obeys is the author's to write."
        ),
    )
    expects = forms.CharField(
        label=_("It has to print"),
        required=False,
        help_text=_("A text among what it prints. Empty: whatever it prints."),
    )
    seconds = forms.IntegerField(
        label=_("Time limit in seconds"), required=False, min_value=1, max_value=3600
    )
    url = forms.CharField(
        label=_("Address"),
        required=False,
        help_text=_(
            "Such as https://example.com/{page}: parameters may stand behind the host."
        ),
    )
    status = forms.IntegerField(
        label=_("Status it answers with"),
        required=False,
        help_text=_("Empty: 200, the page is there."),
    )
    contains = forms.CharField(label=_("And contains this text"), required=False)
    changes = LinesField(
        label=_("Changes these"),
        rows=2,
        help_text=_("One path or pattern per line, such as site/**. Each is changed."),
    )
    untouched = LinesField(
        label=_("Leaves these as they are"),
        rows=2,
        help_text=_("One path or pattern per line. None of them is changed."),
    )
    merged = forms.BooleanField(label=_("Is merged already"), required=False)
    path = forms.CharField(label=_("File in the repository"), required=False)
    document = forms.CharField(
        label=_("Or the key of a document of the issue"), required=False
    )
    at_least = forms.IntegerField(label=_("Characters, at least"), required=False)
    host = forms.CharField(
        label=_("Mail server"), required=False, help_text=_("It is asked by IMAP.")
    )
    port = forms.IntegerField(
        label=_("Port"), required=False, help_text=_("Empty: as usual for that.")
    )
    security = forms.ChoiceField(
        label=_("How it is reached"), required=False, choices=SECURITY
    )
    user = forms.CharField(label=_("User"), required=False)
    password = forms.ChoiceField(
        label=_("Password"),
        required=False,
        help_text=_("One of the company's secrets. Only this check reads it there."),
    )
    folder = forms.CharField(
        label=_("Folder of the mailbox"),
        required=False,
        help_text=_("Empty: Sent, where what was sent is kept."),
    )
    to = forms.CharField(label=_("Sent to this address"), required=False)
    subject = forms.CharField(label=_("Its subject contains"), required=False)
    verified = forms.BooleanField(
        label=_("And each part is proven, not only called done"), required=False
    )
    question = forms.CharField(label=_("What the person is asked"), required=False)
    parameters = ParametersField(
        label=_("Parameters"),
        help_text=_(
            "What is different each time, one a line: a name, a colon and what it is"
            " (text, word, path, number or choice), such as page: path. With a default:"
            " lang: choice(de | en) = de. Above they stand in braces: {page}."
        ),
    )
    roles = forms.MultipleChoiceField(
        label=_("For all work of"),
        required=False,
        choices=[(role, words.role(role)) for role in ROLES],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("For each of their issues that has no criteria of its own."),
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
