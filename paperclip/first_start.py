"""What exists after the first start: an operator, a company, the clock's rows; and the
step from a rehearsal to the real company."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction

from agents.models import Run
from agents.naming import REHEARSAL
from issues.template import Template
from paperclip import home, schedule
from paperclip.actors import Actor
from paperclip.commands import operator
from paperclip.desk import LEFT
from paperclip.exceptions import Conflict, Invalid
from paperclip.models import Company, User

DIGITON = home.BASE_DIR / "templates" / "digiton"
# The providers whose keys are looked for, in this order, and a small model of each.
MODELS = {
    "GEMINI_API_KEY": "gemini/gemini-flash-lite-latest",
    "ANTHROPIC_API_KEY": "anthropic/claude-haiku-4-5",
    "OPENAI_API_KEY": "openai/gpt-5-mini",
    "MISTRAL_API_KEY": "mistral/mistral-small-latest",
    "OPENROUTER_API_KEY": "openrouter/openrouter/auto",
    "GROQ_API_KEY": "groq/openai/gpt-oss-120b",
    "DEEPSEEK_API_KEY": "deepseek/deepseek-chat",
    "XAI_API_KEY": "xai/grok-4.6",
}
IN_REHEARSAL = (
    "No model key is set, so this is a rehearsal: in {company} a script plays the"
    " model. Nothing it does is real and nothing is spent."
)
MAY_LEAVE = (
    "There is a model now, and {company} still plays a script. To work for real, with"
    " the agents you name: python3 manage.py rehearse --leave CEO CMO"
)


@transaction.atomic
def first_start() -> tuple[User, str]:
    """The operator, and what a person has to know about the companies (often nothing).
    The first time it founds one. Safe to call again."""
    schedule.seed()
    user = operator()
    if not Company.objects.exists():
        found_first(user)
    rehearsing = Company.objects.filter(rehearsal=True, status=Company.Status.ACTIVE)
    note = IN_REHEARSAL if model_at_hand() is None else MAY_LEAVE
    return user, note.format(company=rehearsing[0]) if rehearsing else ""


def found_first(owner: User) -> Company:
    """Digiton: live when there is a model for it, else in rehearsal."""
    by = Actor.of_user(owner)
    template = Template.read(DIGITON)
    if settings.FIRST_COMPANY == "empty":
        return Company.objects.found(owner=owner, by=by, name=template.name)
    if at_hand := model_at_hand():
        return template.found(owner=owner, by=by, model=at_hand.model)
    return rehearse(owner=owner, by=by, seed=settings.REHEARSAL_SEED)


@transaction.atomic
def rehearse(*, owner: User, by: Actor, seed: int) -> Company:
    """A company of its own in which the rehearsal of that seed is played, with its
    marketing and the made-up world that this works in."""
    # Here, so that every other process does without what it needs.
    from marketing.rehearsal import founding

    template = Template.read(DIGITON)
    company = template.found(
        owner=owner,
        by=by,
        name=f"{template.name} rehearsal",
        prefix="REH",
        model=f"{REHEARSAL}{seed}",
        rehearsal=True,
    )
    founding.found(company, by=by)
    return company


class AtHand(NamedTuple):
    """A model there is here: its name, empty for the one of the settings, and the
    address of a server of one's own, when it is there."""

    model: str
    api_base: str


def model_at_hand() -> AtHand | None:
    """What agents without a model of their own can use here; None without a key or a
    server for any."""
    if settings.DEFAULT_MODEL.startswith(REHEARSAL):
        return None
    held = [model for key, model in MODELS.items() if os.environ.get(key)]
    if not (held or settings.MODEL_API_BASE):
        return None
    # The default is left to the settings: one line there changes it for everybody.
    named = os.environ.get("PAPERCLIP_MODEL") or settings.DEFAULT_MODEL in held
    left = named or settings.MODEL_API_BASE
    return AtHand("" if left else held[0], settings.MODEL_API_BASE)


def staff_to_pick() -> list[dict[str, Any]]:
    """Who works in the company that a rehearsal is left for, as its template says."""
    found: list[dict[str, Any]] = Template.read(DIGITON).content["agents"]
    return found


def leave_rehearsal(
    company: Company,
    *,
    agents: Collection[str],
    by: Actor,
    model: str = "",
) -> Company:
    """The real company: the same template, only these agents active, the others hired
    and paused. The rehearsal is paused, and stays to be looked at.

    Conflict without a model or key; Invalid when nobody is picked or nobody has the
    name.
    """
    by.must_be_operator(company.pk, "leave the rehearsal")
    if not company.rehearsal:
        raise Conflict(f"{company} is no rehearsal.")
    if not agents:
        raise Invalid("Pick at least one agent to be active.")
    at_hand = model_at_hand()
    if not (model or at_hand) or model.startswith(REHEARSAL):
        raise Conflict(
            "There is no model to work with. Put a key into .env (such as"
            " GEMINI_API_KEY), start again, and leave the rehearsal then.",
            code="no_model",
        )
    with transaction.atomic():
        real = Template.read(DIGITON).found(
            owner=by.user or operator(),
            by=by,
            active=agents,
            model=model or (at_hand.model if at_hand else ""),
        )
        if company.status == Company.Status.ACTIVE:
            company.pause(by=by, reason=LEFT)
    Run.objects.open().filter(company=company).cancel(
        by=by, why="The rehearsal was left."
    )
    return real
