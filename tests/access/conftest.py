"""Two companies that are made once for all tests of a file and rolled back after it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests import make
from tests.access.actors import PEOPLE
from tests.access.world import World, ended_run, revoked_key


@pytest.fixture(scope="module")
def worlds(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[World]]:
    """Ours, and the one of others."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield [World("Ours"), World("Foreign")]
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def clients(worlds: list[World]) -> dict[str, Any]:
    """A client of the API for each actor."""
    ours, foreign = worlds
    tokens = {
        "garbage": "pcp_garbage",
        "ended": ended_run(ours.peer, ours.company),
        "revoked": revoked_key(ours.agent),
        "stranger": make.key(foreign.people["owner"]),
        "foreigner": foreign.run_token,
        "agent": ours.run_token,
        "second": ours.second_token,
        "key": make.key(ours.agent),
        "peer": ours.peer_token,
        "manager": ours.manager_token,
        **{role: make.key(ours.people[role]) for role in PEOPLE},
    }
    return {
        "anonymous": make.client(),
        **{actor: make.client(token) for actor, token in tokens.items()},
    }


@pytest.fixture(scope="module")
def confused(worlds: list[World]) -> Any:
    """A client with a good session and a bad token."""
    client = make.client("pcp_garbage")
    client.force_login(worlds[0].people["owner"])
    return client


@pytest.fixture(autouse=True)
def _invariants_hold() -> None:
    """Not looked at here: every request is rolled back as soon as it is answered."""
