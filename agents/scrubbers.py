"""What is taken out of the texts that an agent writes: the values of the secrets that
its runs were given."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING
from uuid import UUID

from agents.models.secret_version import SecretVersion
from paperclip import sql
from paperclip.actors import NOTHING
from paperclip.scrub import SHORTEST, Scrubber
from paperclip.vault import Unreadable

if TYPE_CHECKING:
    from agents.models.agent import Agent

KEPT = """
SELECT v.id FROM agents_secretversion v JOIN agents_secret s ON s.id = v.secret_id
WHERE s.company_id = %(company)s
"""


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


def of_versions(ids: frozenset[UUID]) -> Scrubber:
    return Scrubber(opened(ids))


def values_of(company_id: UUID) -> tuple[str, ...]:
    """Every value that the company keeps or has kept, of whatever use, that is long
    enough to be told from a word."""
    ids = frozenset(row[0] for row in sql.planned(KEPT, company=company_id))
    return tuple(one for one in opened(ids) if len(one) >= SHORTEST)


def opened(ids: frozenset[UUID]) -> tuple[str, ...]:
    """The values of these that can be read."""
    try:
        return all_opened(ids)
    except Unreadable:
        # A key that is missing now may be put back: nothing of it is remembered.
        values = []
        for version in SecretVersion.objects.filter(pk__in=ids):
            with suppress(Unreadable):
                values.append(version.open())
        return tuple(values)


@lru_cache(maxsize=64)
def all_opened(ids: frozenset[UUID]) -> tuple[str, ...]:
    """Their values never change, so that they are read once."""
    return tuple(one.open() for one in SecretVersion.objects.filter(pk__in=ids))
