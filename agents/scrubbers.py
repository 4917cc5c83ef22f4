"""What is taken out of the texts that an agent writes: the values of the secrets that
its runs were given."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from agents.models.secret_version import SecretVersion
from paperclip.actors import NOTHING
from paperclip.scrub import Scrubber
from paperclip.vault import Unreadable

if TYPE_CHECKING:
    from agents.models.agent import Agent


def of(agent: Agent) -> Scrubber:
    """For an agent that was never given any it costs nothing."""
    if not agent.holds_secrets:
        return NOTHING
    held = SecretVersion.objects.filter(held_by=agent)
    return of_versions(frozenset(held.values_list("pk", flat=True)))


def of_company(company_id: UUID) -> Scrubber:
    """For what may hold the work of any of its agents."""
    given = SecretVersion.objects.filter(
        secret__company=company_id, held_by__isnull=False
    )
    return of_versions(frozenset(given.values_list("pk", flat=True)))


@lru_cache(maxsize=64)
def of_versions(ids: frozenset[UUID]) -> Scrubber:
    """Their value never changes, so that it is read once."""
    values = []
    for version in SecretVersion.objects.filter(pk__in=ids):
        with suppress(Unreadable):
            values.append(version.open())
    return Scrubber(values)
