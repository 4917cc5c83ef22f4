"""The form an agent is hired and changed with."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.adapters import ADAPTERS
from agents.models import Agent
from agents.models.agent import ROLES
from paperclip.admin import ConsoleForm
from paperclip.api.views import refuse_unstorable

# The keys of an adapter's configuration that have a field here.
SETTINGS = {"command", "args", "cwd", "env", "timeoutSec"}


class LinesField(forms.CharField):
    """A list of texts, one per line; as JSON when lines would not give it back."""

    bracket = "["

    def __init__(self, *, rows: int = 3, **kwargs: Any) -> None:
        area = forms.Textarea(attrs={"rows": rows, "class": "mono"})
        super().__init__(required=False, strip=False, widget=area, **kwargs)

    def read(self, text: str) -> Any:
        return text.splitlines()

    def write(self, value: Any) -> str:
        return "\n".join(value)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text.lstrip().startswith(self.bracket):
            return self.read(text)
        try:
            found = json.loads(text)
            refuse_unstorable(found)
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(
                _("It begins like JSON and cannot be read: %(error)s"),
                params={"error": error},
            ) from error
        texts = found.values() if isinstance(found, dict) else found
        if not all(isinstance(text, str) for text in texts):
            raise forms.ValidationError(_("It may hold texts only, in quotes."))
        return found

    def prepare_value(self, value: Any) -> Any:
        if value is None or isinstance(value, str):  # as it was typed
            return value
        lines = self.write(value)
        if self.reads(lines, value):
            return lines
        return json.dumps(value, indent=1, ensure_ascii=False)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return not self.reads(data, initial)

    def reads(self, text: Any, value: Any) -> bool:
        """Whether the text says just this value."""
        try:
            return bool(self.clean(text) == value)
        except forms.ValidationError:
            return False


class PairsField(LinesField):
    """Texts by name, one NAME=value per line; or as JSON."""

    bracket = "{"

    def read(self, text: str) -> dict[str, str]:
        pairs = [line for line in text.splitlines() if line.strip()]
        if wrong := [line for line in pairs if "=" not in line]:
            raise forms.ValidationError(
                _("Write NAME=value, not %(line)s."), params={"line": wrong[0]}
            )
        return dict(line.lstrip().split("=", 1) for line in pairs)

    def write(self, value: dict[str, str]) -> str:
        return super().write(f"{name}={text}" for name, text in value.items())


class AgentForm(ConsoleForm):
    role = forms.ChoiceField(
        label=_("Role"), choices=[(r, r) for r in ROLES], initial="general"
    )
    adapter_type = forms.ChoiceField(
        label=_("Adapter"), choices=[(name, name) for name in ADAPTERS]
    )
    command = forms.CharField(
        label=_("Command"),
        max_length=1000,
        help_text=_("A program on this machine, such as python3 or sh."),
    )
    args = LinesField(
        label=_("Arguments"), help_text=_("One per line, or a JSON list.")
    )
    cwd = forms.CharField(
        label=_("Working directory"),
        required=False,
        help_text=_("Inside the agent's workspace. Empty: the workspace itself."),
    )
    env = PairsField(
        label=_("Environment"),
        help_text=_(
            "One NAME=value per line, or a JSON object. No secrets: every operator"
            " can read it."
        ),
    )
    timeoutSec = forms.IntegerField(
        label=_("Time limit in seconds"), required=False, min_value=0
    )
    tools = LinesField(
        label=_("Tools"), rows=2, help_text=_("What it may use, one per line.")
    )

    class Meta:
        model = Agent
        fields = [
            "name",
            "role",
            "title",
            "reports_to",
            "reviewer",
            "capabilities",
            "adapter_type",
            "heartbeat_enabled",
            "interval_seconds",
            "wake_on_demand",
            "max_concurrent_runs",
        ]
        labels = {
            "reports_to": _("Manager"),
            "reviewer": _("Reviewer"),
            "heartbeat_enabled": _("Wake it by a timer"),
            "interval_seconds": _("Every … seconds"),
            "wake_on_demand": _("Wake it for events and by hand"),
            "max_concurrent_runs": _("Runs at a time"),
        }
        help_texts = {
            "capabilities": _("What it is good at: colleagues read this."),
            "interval_seconds": _("At least 30."),
        }
        widgets = {"capabilities": forms.Textarea(attrs={"rows": 2})}

    sections = [
        (
            _("Who it is"),
            ["name", "role", "title", "reports_to", "reviewer", "capabilities"],
        ),
        (
            _("What runs"),
            ["adapter_type", "command", "args", "cwd", "env", "timeoutSec", "tools"],
        ),
        (
            _("When it wakes"),
            [
                "heartbeat_enabled",
                "interval_seconds",
                "wake_on_demand",
                "max_concurrent_runs",
            ],
        ),
    ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("reports_to", "reviewer"):
            field: Any = self.fields[name]
            field.queryset = field.queryset.employed().exclude(pk=self.instance.pk)
        config = self.instance.adapter_config or {}
        self.initial = {
            **self.initial,
            "args": [],
            "env": {},
            **{name: config[name] for name in SETTINGS & set(config)},
            "tools": self.instance.tools,
        }

    def clean_tools(self) -> list[str]:
        return [tool.strip() for tool in self.cleaned_data["tools"] if tool.strip()]

    def values(self) -> dict[str, Any]:
        """The fields of the agent; settings that were changed go into its adapter's
        configuration, the others stay there as they are."""
        values = super().values()
        typed = {name: values.pop(name) for name in sorted(SETTINGS & set(values))}
        if not typed:
            return values
        config = {**self.instance.adapter_config, **typed}
        empty = [k for k, value in typed.items() if value in (None, "", [], {})]
        kept = {k: value for k, value in config.items() if k not in empty}
        return {**values, "adapter_config": kept}
