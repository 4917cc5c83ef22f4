"""What runs when an agent wakes: a table, one class each, one way to call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.module_loading import import_string

from paperclip.api.forms import must_fit
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from agents.adapters.base import Adapter
    from agents.models import Run

ADAPTERS: dict[str, str] = {
    "litellm": "agents.adapters.litellm.LiteLLM",
    "process": "agents.adapters.process.Process",
    **settings.ADAPTERS,
}

# Runs that were woken for this are a program of ours, whatever their agent works with.
PROGRAMS: dict[str, str] = {"job_due": "marketing.supervisor.JobProgram"}


def program_of(run: Run) -> type[Adapter]:
    """What runs when this run starts."""
    for fact in run.wakes:
        if fact["reason"] in PROGRAMS:
            program: type[Adapter] = import_string(PROGRAMS[fact["reason"]])
            return program
    return adapter_class(run.agent.adapter_type)


def adapter_class(adapter_type: str) -> type[Adapter]:
    found: type[Adapter] = import_string(ADAPTERS[adapter_type])
    return found


def checked_config(adapter_type: str, config: Any) -> dict[str, Any]:
    """The configuration if this adapter takes it; Invalid names each wrong field."""
    form = adapter_class(adapter_type).Config(data=config)
    must_fit(form, f"The {adapter_type} adapter")
    env = {k: v for k, v in form.validated_data.items() if k == "env"}
    return {**config, **env}


def checked_tools(adapter_type: str, tools: Sequence[str]) -> list[str]:
    """The tools if this adapter has them; Invalid names those that it has not."""
    known = adapter_class(adapter_type).TOOLS
    if known is not None and (unknown := [t for t in tools if t not in known]):
        raise Invalid(
            f"Unknown tools: {', '.join(unknown)}. The {adapter_type} adapter has"
            f" {', '.join(known)}."
        )
    return list(tools)
