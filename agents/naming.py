"""Names that people give: of agents, and of the models these work with. What is wrong
with one is said where it was typed, not by the first run that fails."""

from __future__ import annotations

import re

from django.conf import settings
from django.utils.translation import gettext as _

from agents.models import Agent
from paperclip.models import Company

REHEARSAL = "rehearsal/"
EXAMPLE = "gemini/gemini-flash-lite-latest"


def name_problem(name: str) -> str:
    """Why an agent cannot be called that; empty when it can."""
    if odd := re.search(r"[@<>\[\]`\\\x00-\x1f]", name):
        return _(
            "A name is also its @mention, so it cannot hold %(odd)s. Write Dev, and"
            " colleagues say @Dev."
        ) % {"odd": repr(odd[0]) if odd[0] < " " else odd[0]}
    return ""


def rehearsal_model(company: Company) -> str:
    """The model that plays the story of this rehearsal."""
    staff = Agent.objects.filter(company=company).order_by("created_at")
    told = staff.filter(adapter_config__model__startswith=REHEARSAL)
    found: str | None = told.values_list("adapter_config__model", flat=True).first()
    return found or f"{REHEARSAL}{settings.REHEARSAL_SEED}"


def model_problem(company: Company, model: str, api_base: str = "") -> str:
    """Why the company's agents cannot work with a model of that name; empty when they
    can, as far as one knows without asking a provider."""
    # Only the shape: the list of providers is LiteLLM's, which is 200 MB of memory.
    if not re.fullmatch(r"[\w.-]+/\S+", model):
        wanted = "openai/NAME" if api_base else EXAMPLE
        return _("Write provider/model, such as %(wanted)s.") % {"wanted": wanted}
    if not model.startswith(REHEARSAL):
        if not company.rehearsal or api_base:
            return ""
        return _(
            "This is a rehearsal and pays for no model. What works here: %(model)s, or"
            " a model server of your own."
        ) % {"model": rehearsal_model(company)}
    if not company.rehearsal:
        return _("%(model)s makes things up: it works in a rehearsal only.") % {
            "model": model
        }
    if not re.fullmatch(r"\d{1,9}", model.removeprefix(REHEARSAL)):
        return _("A story of the rehearsal has a number, such as rehearsal/1.")
    return ""
