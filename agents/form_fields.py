"""What an agent's form asks for, and in which order."""

from __future__ import annotations

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from agents.fields import DollarsField, EveryField, LinesField, PairsField
from agents.models import Agent
from agents.models.roles import ROLES
from agents.tool_words import ACTS
from paperclip import words
from paperclip.admin import ConsoleForm

# The keys of the adapters' configurations that have a field here.
SETTINGS = {
    *("command", "args", "cwd", "env", "timeoutSec", "network"),
    *("resumeArgs", "sessionTokens"),
    *("model", "apiBase", "fallbackModels", "maxTurns", "maxTokens", "temperature"),
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
    (
        "canConfigureAgents",
        _("may change titles, limits and timers of those who report to it"),
    ),
]


def in_words(tool: str) -> str:
    said = '<span><code>{}</code> <span class="quiet">{}</span></span>'
    return format_html(said, tool, ACTS[tool].allows)


class AgentFields(ConsoleForm):
    role = forms.ChoiceField(
        label=_("Role"), choices=[(r, words.role(r)) for r in ROLES], initial="general"
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
    fallbackModels = LinesField(
        label=_("Models to fall back on"),
        rows=2,
        help_text=_(
            "One per line, asked in this order when the provider of the one before is"
            " resting."
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
            "One NAME=value per line, or a JSON object. Every operator can read it."
        ),
    )
    secret_env = PairsField(
        label=_("Secrets in its environment"),
        help_text=_(
            "One NAME=name of a secret per line. Whatever this agent runs can read"
            " them, show them to its model and send them wherever it gets; only what it"
            " prints and writes here is masked. Bind what it cannot work without, and"
            " nothing else."
        ),
    )
    keep_as_secrets = forms.BooleanField(
        label=_("Keep as secret what looks like one"),
        required=False,
        initial=True,
        help_text=_(
            "Values above with a name such as GITHUB_TOKEN or API_KEY: the agent gets"
            " them as before, and nobody is shown them again."
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
            [
                *("adapter_type", "model", "command", "args", "cwd", "env"),
                *("secret_env", "keep_as_secrets", "tools"),
            ],
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
                *(
                    "network",
                    "apiBase",
                    "fallbackModels",
                    "temperature",
                    "maxTurns",
                    "maxTokens",
                ),
                *("timeoutSec", "max_concurrent_runs"),
                *("sessionTokens", "resumeArgs"),
                *("active_days", "active_from", "active_to", "time_zone"),
            ],
        ),
    ]
    suggestions = {"models": MODELS}
