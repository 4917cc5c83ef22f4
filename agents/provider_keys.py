"""Keys of model providers among a company's secrets: bound by an operator, and read by
the gateway alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from django.db import transaction

from agents import bindings
from agents.models.account import ProviderAccount
from agents.models.secret import Secret, must_keep_secrets
from agents.models.secret_binding import PROVIDER, SecretBinding
from paperclip.actors import SYSTEM
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from agents.models.run import Run
    from paperclip.actors import Actor
    from paperclip.models import Company

SLUG = re.compile(r"[a-z][a-z0-9_]{0,39}")
PATH = "API key"


@transaction.atomic
def keep(
    company: Company, *, by: Actor, providers: Sequence[str] = (), **told: str
) -> Secret:
    """A new secret that these providers are paid with; see Secret.objects.keep."""
    secret: Secret = Secret.objects.keep(company, by=by, **told)
    pay(secret, providers, by=by)
    return secret


@transaction.atomic
def change(
    secret: Secret,
    *,
    by: Actor,
    model_providers: Sequence[str] | None = None,
    **fields: str,
) -> None:
    """Its name, its description, and the providers that it pays."""
    if fields:
        secret.change(by=by, **fields)
    if model_providers is not None:
        pay(secret, model_providers, by=by)


@transaction.atomic
def pay(secret: Secret, providers: Sequence[str], *, by: Actor) -> None:
    """Let the gateway pay just these with it, for this company: also those that another
    secret has paid so far. Invalid for what is no provider's name."""
    must_keep_secrets(by, secret.company_id)
    wanted = {name.strip() for name in providers}
    for name in wanted:
        if not SLUG.fullmatch(name):
            said = f"{name!r} is no provider. Write it as LiteLLM does: gemini, openai."
            raise Invalid(said, providers=said)
    bound = secret.bindings.filter(target_type=PROVIDER)
    there = {one.target_id: one for one in bound.select_related("secret")}
    for name in there.keys() - wanted:
        bindings.release(there[name], by=by)
        ProviderAccount.objects.forget_company(secret.company_id, name)
    for name in sorted(wanted - there.keys()):
        secret.bind(PROVIDER, name, PATH, label=f"{name} (models)", by=by)


class CompanyKeys:
    """The keys of its own that a run's company pays providers with."""

    def __init__(self, run: Run) -> None:
        self._run = run
        # What was read: to be kept out of what a provider says.
        self.read: set[str] = set()

    def of(self, provider: str) -> str:
        """Its key for the provider; empty when it has none of its own. That it is read
        is recorded once for a run."""
        bound = SecretBinding.objects.filter(
            company=self._run.company_id, target_type=PROVIDER, target_id=provider
        )
        binding = bound.select_related("secret").first()
        if binding is None:
            return ""
        secret = binding.secret
        key = value_of(self._run, secret, secret.latest_version, provider)
        self.read.add(key)
        return key


@lru_cache(maxsize=256)
def value_of(run: Run, secret: Secret, _number: int, provider: str) -> str:
    # The run does it, and its agent does not see it.
    by = replace(SYSTEM, run=run)
    return secret.read(by=by, use=f"model calls of {provider}").value
