"""The form an agent is hired and changed with."""

from __future__ import annotations

from typing import Any, cast
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from agents import bindings
from agents.adapters import ADAPTERS, adapter_class
from agents.form_fields import (
    ADAPTER_NAMES,
    LOOP,
    PERMISSIONS,
    PROCESS,
    SETTINGS,
    AgentFields,
    in_words,
)
from agents.loop.tools import DEFAULT_TOOLS, TOOL_NAMES
from agents.models import Secret
from agents.naming import model_problem, name_problem, rehearsal_model
from agents.tool_words import ACTS


class AgentForm(AgentFields):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("reports_to", "reviewer"):
            field: Any = self.fields[name]
            field.queryset = field.queryset.employed().exclude(pk=self.instance.pk)
        config = self.instance.adapter_config or {}
        self.initial = {
            **self.initial,
            "args": [],
            "fallbackModels": [],
            "resumeArgs": [],
            **{name: config[name] for name in SETTINGS & set(config)},
            "env": bindings.plain(config),
            "secret_env": self._bound(config),
            "keep_as_secrets": True,
            "tools": self.instance.tools,
            "active_days": self.instance.active_days,
            "permissions": [n for n, on in self.instance.permissions.items() if on],
        }
        self._offer()

    def _bound(self, config: dict[str, Any]) -> dict[str, str]:
        """The names of the secrets it refers to, by variable."""
        secrets = Secret.objects.filter(company=self.company)
        names = {str(pk): name for pk, name in secrets.values_list("pk", "name")}
        told = bindings.references(config).items()
        return {name: names.get(ref.secret_id, "?") for name, ref in told}

    def clean_secret_env(self) -> dict[str, dict[str, Any]]:
        """The references, by variable. One that is as it was keeps its version."""
        there = bindings.references(self.instance.adapter_config or {})
        ours, found = Secret.objects.filter(company=self.company), {}
        for name, called in self.cleaned_data["secret_env"].items():
            secret = ours.filter(name=called.strip()).first()
            if secret is None:
                raise forms.ValidationError(
                    _("There is no secret %(name)s. Keep it under Secrets first."),
                    params={"name": called},
                )
            known = there.get(name)
            same = known is not None and known.secret_id == str(secret.pk)
            new = bindings.Reference(str(secret.pk), None)
            found[name] = (known if known and same else new).wire
        return found

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
        values.pop("secret_env", None)
        values["keep_as_secrets"] = self.cleaned_data["keep_as_secrets"]
        typed = {name: values.pop(name) for name in sorted(SETTINGS & set(values))}
        if {"env", "secret_env"} & {*self.changed_data}:
            told = self.cleaned_data
            typed["env"] = {**told["env"], **told["secret_env"]}
        kind = self.cleaned_data["adapter_type"]
        empty = {key for key, value in typed.items() if value in (None, "", [], {})}
        foreign = SETTINGS - set(adapter_class(kind)().Config().fields)
        config = {**self.instance.adapter_config, **typed}
        kept = {k: v for k, v in config.items() if k not in empty | foreign}
        if kept != self.instance.adapter_config or self.instance._state.adding:
            values["adapter_config"] = kept
        return values
