"""The form an agent is hired and changed with."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.adapters import ADAPTERS
from agents.models import Agent
from agents.models.agent import ROLES
from paperclip.admin import ConsoleForm

# Keys of the configuration that are typed as they are, and those written line by line.
SETTINGS = {"command", "cwd", "timeoutSec"}
LINES = {"args", "env"}


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
    args = forms.CharField(
        label=_("Arguments"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}),
        help_text=_("One per line."),
    )
    cwd = forms.CharField(
        label=_("Working directory"),
        required=False,
        help_text=_("Inside the agent's workspace. Empty: the workspace itself."),
    )
    env = forms.CharField(
        label=_("Environment"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono"}),
        help_text=_("One NAME=value per line. No secrets: everybody here can read it."),
    )
    timeoutSec = forms.IntegerField(
        label=_("Time limit in seconds"), required=False, min_value=0
    )
    tools = forms.CharField(
        label=_("Tools"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("What it may use, one per line."),
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
            **{name: config[name] for name in SETTINGS & set(config)},
            "args": "\n".join(config.get("args", [])),
            "env": "\n".join(f"{k}={v}" for k, v in config.get("env", {}).items()),
            "tools": "\n".join(self.instance.tools),
        }

    def clean_tools(self) -> list[str]:
        return self.cleaned_data["tools"].split()

    def clean_args(self) -> list[str]:
        return self.cleaned_data["args"].splitlines()

    def clean_env(self) -> dict[str, str]:
        pairs = [line for line in self.cleaned_data["env"].splitlines() if line.strip()]
        if wrong := [line for line in pairs if "=" not in line]:
            raise forms.ValidationError(
                _("Write NAME=value, not %(line)s."), params={"line": wrong[0]}
            )
        return dict(line.strip().split("=", 1) for line in pairs)

    def values(self) -> dict[str, Any]:
        """The fields of the agent; the adapter's settings go into its configuration,
        beside those that have no field here."""
        values = super().values()
        ours = SETTINGS | LINES
        for name in ours:
            values.pop(name, None)
        kept = {k: v for k, v in self.instance.adapter_config.items() if k not in ours}
        typed = {name: self.cleaned_data.get(name) for name in sorted(ours)}
        filled = {k: v for k, v in typed.items() if v not in (None, "", [], {})}
        return {**values, "adapter_config": {**kept, **filled}}
