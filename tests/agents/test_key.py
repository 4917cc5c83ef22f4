"""Keys: shown once, kept as a hash, revoked for good."""

from __future__ import annotations

import pytest

from agents.models import ApiKey
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import NotAllowed
from tests import make

pytestmark = pytest.mark.django_db


def test_only_its_hash_is_kept() -> None:
    agent = make.agent()
    key, token = ApiKey.objects.issue_to(agent, name="laptop", by=SYSTEM)
    assert token.startswith("pcp_")
    assert token not in str(ApiKey.objects.values_list().get(pk=key.pk))
    assert ApiKey.objects.of_token(token) == key


def test_its_use_is_noted() -> None:
    token = make.key(make.agent())
    ApiKey.objects.of_token(token)
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    ApiKey.objects.of_token(token)
    assert ApiKey.objects.get().last_used_at == first  # at most once a minute


def test_a_revoked_key_opens_nothing() -> None:
    token = make.key(make.agent())
    ApiKey.objects.get().revoke(by=SYSTEM)
    assert ApiKey.objects.of_token(token) is None
    assert ApiKey.objects.of_token("pcp_wrong") is None


def test_an_agent_makes_no_keys() -> None:
    agent = make.agent()
    with pytest.raises(NotAllowed):
        ApiKey.objects.issue_to(agent, name="mine", by=Actor.of_agent(agent))
