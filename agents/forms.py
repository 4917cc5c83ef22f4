"""The form an agent is hired and changed with."""

from __future__ import annotations

from typing import Any, cast
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.dates import WEEKDAYS
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from agents.adapters import ADAPTERS, adapter_class
from agents.fields import DollarsField, EveryField, LinesField, PairsField
from agents.loop.tools import DEFAULT_TOOLS, TOOL_NAMES
from agents.models import Agent
from agents.models.agent import ROLES
from agents.naming import model_problem, name_problem, rehearsal_model
from agents.tool_words import ACTS
from paperclip.admin import ConsoleForm

# The keys of the adapters' configurations that have a field here.
SETTINGS = {
    *("command", "args", "cwd", "env", "timeoutSec", "network"),
    *("resumeArgs", "sessionTokens"),
    *("model", "apiBase", "maxTurns", "maxTokens", "temperature"),
}
PROCESS, LOOP = "process", "litellm"
ADAPTER_NAMES = {
    LOOP: _("A language model, with Paperclip's own tools"),
    PROCESS: _("A program of yours"),
}
# What is offered for the model; any name that LiteLLM knows is taken.
MODELS = [
    "gemini/gemini-flash-lite-latest",
    "gemini/gemini-flash-latest",
    "anthropic/claude-haiku-4-5",
    "anthropic/claude-sonnet-4-5",
    "openai/gpt-5-mini",
    "mistral/mistral-small-latest",
    "openai/qwen3",
]
NETWORKS = [
    ("", _("as usual for this kind of agent")),
    ("none", _("none: only Paperclip itself can be reached")),
    ("open", _("open: the internet as well")),
]
PERMISSIONS = [
    ("canAssignTasks", _("may give work to others")),
    ("canCreateAgents", _("may hire")),
]


def in_words(tool: str) -> str:
    words = '<span><code>{}</code> <span class="quiet">{}</span></span>'
    return format_html(words, tool, ACTS[tool].allows)


class AgentForm(ConsoleForm):
    role = forms.ChoiceField(
        label=_("Role"), choices=[(r, r) for r in ROLES], initial="general"
    )
    instructions = forms.CharField(
        label=_("Instructions"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=_("Markdown. What it is for, how it works, when it asks a person."),
    )
    permissions = forms.MultipleChoiceField(
        label=_("Rights"),
        required=False,
        choices=PERMISSIONS,
        widget=forms.CheckboxSelectMultiple,
    )
    adapter_type = forms.ChoiceField(label=_("What works in it"))
    model = forms.CharField(
        label=_("Model"),
        required=False,
        widget=forms.TextInput(attrs={"list": "models", "autocomplete": "off"}),
    )
    apiBase = forms.CharField(
        label=_("Address of a model server of your own"),
        required=False,
        help_text=_(
            "For a local or OpenAI-compatible server, such as"
            " http://127.0.0.1:11434/v1; the model is then openai/NAME."
        ),
    )
    maxTurns = forms.IntegerField(
        label=_("Turns of one run, at most"), required=False, min_value=1
    )
    maxTokens = forms.IntegerField(
        label=_("Tokens of one run, at most"), required=False, min_value=1
    )
    temperature = forms.FloatField(
        label=_("Temperature"), required=False, min_value=0, max_value=2
    )
    command = forms.CharField(
        label=_("Command"),
        max_length=1000,
        required=False,
        help_text=_("A program on this machine, such as python3 or sh."),
    )
    args = LinesField(
        label=_("Arguments"), help_text=_("One per line, or a JSON list.")
    )
    resumeArgs = LinesField(
        rows=2,
        label=_("Arguments to go on with a session"),
        help_text=_(
            "One per line, added after the arguments when there is a session;"
            " {sessionId} stands for its id. Such as --resume and {sessionId}."
        ),
    )
    sessionTokens = forms.IntegerField(
        label=_("Tokens of a session, at most"),
        required=False,
        min_value=1000,
        help_text=_(
            "A conversation about an issue goes on from run to run and begins afresh,"
            " with a hand-over, before it reads more than this. Empty: 40,000 for a"
            " model, 100,000 for a program."
        ),
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
    network = forms.ChoiceField(label=_("Network"), choices=NETWORKS, required=False)
    tools = forms.MultipleChoiceField(
        label=_("Tools"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("It can use these and no other."),
    )
    interval_seconds = EveryField(label=_("Every"), required=False)
    active_days = forms.TypedMultipleChoiceField(
        label=_("Active on"),
        required=False,
        coerce=int,
        choices=list(WEEKDAYS.items()),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: every day. You can wake it at any time."),
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False)
    budget_monthly_cents = DollarsField(
        label=_("Monthly budget in US dollars"),
        required=False,
        help_text=_("Empty: no limit of its own."),
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
            "instructions",
            "adapter_type",
            "heartbeat_enabled",
            "interval_seconds",
            "skip_unchanged",
            "wake_on_demand",
            "active_days",
            "active_from",
            "active_to",
            "time_zone",
            "max_concurrent_runs",
            "budget_monthly_cents",
        ]
        labels = {
            "reports_to": _("Manager"),
            "reviewer": _("Reviewer"),
            "heartbeat_enabled": _("Wake it by a timer"),
            "skip_unchanged": _("Not when there is nothing new to do"),
            "wake_on_demand": _("Wake it for events and by hand"),
            "active_from": _("Active from"),
            "active_to": _("Active to"),
            "max_concurrent_runs": _("Runs at a time"),
        }
        help_texts = {
            "capabilities": _("What it is good at: colleagues read this."),
            "reviewer": _("Looks at its work before it counts as done."),
            "skip_unchanged": _(
                "Its timer starts it for open work of its own, or for what others have"
                " changed since its last run. An idle agent then costs nothing."
            ),
            "active_to": _("At or before the beginning, it is on the next day."),
        }
        widgets = {
            "capabilities": forms.Textarea(attrs={"rows": 2}),
            "active_from": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "active_to": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    folded = _("Fine tuning")
    sections = [
        (
            _("Who it is"),
            [
                *("name", "role", "title", "reports_to", "reviewer", "capabilities"),
                *("instructions", "permissions"),
            ],
        ),
        (
            _("What runs"),
            ["adapter_type", "model", "command", "args", "cwd", "env", "tools"],
        ),
        (
            _("When it wakes"),
            [
                *("heartbeat_enabled", "interval_seconds", "skip_unchanged"),
                "wake_on_demand",
            ],
        ),
        (_("What it may spend"), ["budget_monthly_cents"]),
        (
            folded,
            [
                *("network", "apiBase", "temperature", "maxTurns", "maxTokens"),
                *("timeoutSec", "max_concurrent_runs"),
                *("sessionTokens", "resumeArgs"),
                *("active_days", "active_from", "active_to", "time_zone"),
            ],
        ),
    ]
    suggestions = {"models": MODELS}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("reports_to", "reviewer"):
            field: Any = self.fields[name]
            field.queryset = field.queryset.employed().exclude(pk=self.instance.pk)
        config = self.instance.adapter_config or {}
        self.initial = {
            **self.initial,
            "args": [],
            "resumeArgs": [],
            "env": {},
            **{name: config[name] for name in SETTINGS & set(config)},
            "tools": self.instance.tools,
            "active_days": self.instance.active_days,
            "permissions": [n for n, on in self.instance.permissions.items() if on],
        }
        self._offer()

    def _offer(self) -> None:
        """The choices that are known only now."""
        kinds = [(name, ADAPTER_NAMES.get(name, name)) for name in ADAPTERS]
        kinds.sort(key=lambda kind: kind[0] != LOOP)
        cast(forms.ChoiceField, self.fields["adapter_type"]).choices = kinds
        if self.instance._state.adding:
            self.initial = {
                **self.initial,
                "adapter_type": kinds[0][0],
                "tools": DEFAULT_TOOLS,
            }
        zones = sorted(available_timezones())
        cast(forms.ChoiceField, self.fields["time_zone"]).choices = [
            ("", settings.TIME_ZONE),
            *((name, name) for name in zones if "/" in name),
        ]
        others = [(name, name) for name in self.instance.tools if name not in ACTS]
        known = [(name, in_words(name)) for name in TOOL_NAMES]
        cast(forms.ChoiceField, self.fields["tools"]).choices = [*known, *others]
        if self.company.rehearsal:
            self._offer_the_script()
            return
        self.fields["model"].help_text = _(
            "As LiteLLM names it: provider/model. Empty: %(model)s."
        ) % {"model": settings.DEFAULT_MODEL}

    def _offer_the_script(self) -> None:
        own = rehearsal_model(self.company)
        self.suggestions = {"models": [own]}
        if self.instance._state.adding:
            self.initial["model"] = own
        self.fields["model"].help_text = _(
            "This is a rehearsal and pays for no model: its script plays the model, as"
            " %(model)s, and knows nobody who is not of its story. Leave the rehearsal"
            " to hire for real."
        ) % {"model": own}

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if "name" in self.changed_data and (problem := name_problem(name)):
            raise forms.ValidationError(problem)
        return name

    def _clean_model(self, found: dict[str, Any]) -> None:
        """Wrong is only what was typed now: what is there may have come another way."""
        if self.company.rehearsal and not found.get("model"):
            found["model"] = rehearsal_model(self.company)
        model, server = found.get("model"), found.get("apiBase") or ""
        typed = self.instance._state.adding or {"model", "apiBase"} & {
            *self.changed_data
        }
        problem = model_problem(self.company, model, server) if model else ""
        if typed and problem:
            self.add_error("model", problem)

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        kind = found.get("adapter_type")
        if kind == LOOP and "model" not in self.errors:
            self._clean_model(found)
        if kind == PROCESS and not found.get("command"):
            self.add_error("command", _("Say which program to run."))
        if found.get("apiBase") and not found.get("model"):
            self.add_error("model", _("Name the model of that server: openai/NAME."))
        if found.get("heartbeat_enabled") and not found.get("interval_seconds"):
            self.add_error("interval_seconds", _("Say how often the timer rings."))
        if bool(found.get("active_from")) != bool(found.get("active_to")):
            self.add_error("active_to", _("Give a beginning and an end, or neither."))
        return found

    def values(self) -> dict[str, Any]:
        """The fields of the agent; settings that were changed go into its adapter's
        configuration, the others stay there as they are. Another adapter takes none of
        the settings it has no use for."""
        values = super().values()
        rights = values.pop("permissions", None)
        # Hired without a choice, it gets the rights of its role.
        if rights or (rights is not None and not self.instance._state.adding):
            values["permissions"] = {
                name: name in rights for name, _label in PERMISSIONS
            }
        if self.cleaned_data["adapter_type"] == PROCESS and self.instance._state.adding:
            values["tools"] = []  # those of the loop, which the form did not show
        typed = {name: values.pop(name) for name in sorted(SETTINGS & set(values))}
        kind = self.cleaned_data["adapter_type"]
        empty = {key for key, value in typed.items() if value in (None, "", [], {})}
        foreign = SETTINGS - set(adapter_class(kind)().Config().fields)
        config = {**self.instance.adapter_config, **typed}
        kept = {k: v for k, v in config.items() if k not in empty | foreign}
        if kept != self.instance.adapter_config or self.instance._state.adding:
            values["adapter_config"] = kept
        return values
