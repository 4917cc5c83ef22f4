"""The providers on the costs page: one line an account, and what people set."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agents.models import ProviderAccount
from tests import make
from tests.console.conftest import LOG

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> ProviderAccount:
    found = ProviderAccount.objects.paying("openai key 1a2b", "openai/gpt-5", None)
    found.note_window(1000, 820, 3600)
    return found


def test_one_line_says_how_it_stands(console: Client, account: ProviderAccount) -> None:
    page = console.get("/costs/").content.decode()
    assert "openai key 1a2b" in page and "82 % of its window left" in page
    assert 'id="accounts" data-live' in page
    account.close(600, "slow down")
    page = console.get("/costs/").content.decode()
    assert "slow down" in page and f"/costs/account/{account.pk}/open" in page


def test_it_is_opened_again(console: Client, account: ProviderAccount) -> None:
    account.close(600, "slow down")
    url = f"/costs/account/{account.pk}/open"
    page = console.post(url, {"next": "/costs/"}, follow=True).content.decode()
    assert "Agents may call openai key 1a2b again." in page
    account.refresh_from_db()
    assert account.closed_for == 0
    feed = console.get("/activity/").content.decode().partition(LOG)[2]
    assert "opened a provider&#x27;s account again" in feed


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"max_concurrent_runs": "3", "reserve_percent": "20"}, "is changed."),
        ({"max_concurrent_runs": "", "reserve_percent": "91"}, "Keep 0 to 90 per cent"),
        ({"max_concurrent_runs": "x", "reserve_percent": "1"}, "Write a whole number."),
    ],
)
def test_its_limits_are_set(
    console: Client, account: ProviderAccount, sent: dict[str, str], said: str
) -> None:
    url = f"/costs/account/{account.pk}/change"
    assert said in console.post(url, sent, follow=True).content.decode()
    account.refresh_from_db()
    kept = (account.max_concurrent_runs, account.reserve_percent)
    assert kept == ((3, 20) if said == "is changed." else (None, 0))


def test_a_viewer_only_looks(viewer: Client, account: ProviderAccount) -> None:
    account.close(600, "slow down")
    assert "Open again now" not in viewer.get("/costs/").content.decode()
    viewer.post(f"/costs/account/{account.pk}/open")
    account.refresh_from_db()
    assert account.closed_for > 0


def test_people_are_told_over_http_and_agents_are_not(
    company: Any, account: ProviderAccount
) -> None:
    person = make.client_of(make.operator(company))
    [row] = person.get("/api/provider-accounts").json()
    assert (row["name"], row["windowLeftPercent"]) == ("openai key 1a2b", 82)
    agent = make.client_of(make.agent(company))
    assert agent.get("/api/provider-accounts").status_code == 403
