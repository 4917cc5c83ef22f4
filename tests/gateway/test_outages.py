"""The gateway while something it stands on is away."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection

from agents.models import ProviderAccount
from tests.gateway.test_gateway import HELLO, caller, code_of, gate, worker
from tests.gateways import Gateway
from tests.providers import provider, refuses, says

__all__ = ["gate"]
pytestmark = pytest.mark.django_db(transaction=True)


def cut_connections() -> int:
    """End the gateway's connections to the database, as a restart of it would."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'gateway'"
        )
        return int(cursor.fetchone()[0])


def test_a_call_is_counted_through_a_restart_of_the_database(gate: Gateway) -> None:
    with provider(says("First."), says("Late.", hangs=1.5)) as model:
        asking = caller(gate, worker(model))
        asking.ask()
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(asking.ask()))
        thread.start()
        time.sleep(0.7)
        assert cut_connections() > 0
        thread.join(40)
        assert [answer.status_code for answer in answers] == [200]
        assert asking.ask().status_code == 200
    assert [cost.input_tokens for cost in asking.costs] == [1000] * 3


def test_an_answer_that_comes_late_opens_no_account_closed_since(gate: Gateway) -> None:
    with provider(refuses(429), says("Late.", hangs=2), refuses(429)) as model:
        agent = worker(model)
        first = caller(gate, agent)
        assert code_of(first.ask()) == (429, "provider_closed")
        ProviderAccount.objects.update(closed_until=None)
        late = threading.Thread(target=first.ask)
        late.start()
        time.sleep(0.7)
        assert code_of(caller(gate, worker(model)).ask()) == (429, "provider_closed")
        late.join(20)
    assert ProviderAccount.objects.get().closed_for > 20


def test_a_picture_is_not_fetched_for_an_agent(gate: Gateway) -> None:
    def showing(url: str) -> list[dict[str, Any]]:
        picture = {"type": "image_url", "image_url": {"url": url}}
        return [{"role": "user", "content": [*HELLO_PARTS, picture]}]

    with provider() as model:
        asking = caller(gate, worker(model))
        answer = asking.ask(messages=showing("http://127.0.0.1:3100/secret.png"))
        assert code_of(answer) == (400, "invalid_request")
        assert model.requests == []
        assert asking.ask(messages=showing(PIXEL)).status_code == 200


HELLO_PARTS = [{"type": "text", "text": HELLO[0]["content"]}]
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42"
    "mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)
