"""A company, its people, and what they see."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from paperclip.models import Company, User
from tests import make

# Before it the page of the log names all acts there are, in its filter.
LOG = 'id="activity"'


@pytest.fixture
def company(db: Any) -> Company:
    return make.company()


def seen_by(user: User) -> Client:
    """The browser of a person who is signed in."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def console(company: Company) -> Client:
    return seen_by(make.operator(company))


@pytest.fixture
def viewer(company: Company) -> Client:
    return seen_by(make.operator(company, "viewer"))


@pytest.fixture
def stranger(db: Any) -> Client:
    """Somebody of another company."""
    return seen_by(make.operator(make.company("Strangers")))
