"""What a call may cost is reserved before it, and what it did cost is entered once."""

from __future__ import annotations

import base64
import os
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
import tiktoken
from django.conf import settings
from django.db import connection, transaction
from tokenizers import Tokenizer

from agents.gateway import budget
from agents.gateway.errors import NoAnswer
from agents.gateway.usage import Usage
from agents.models import Agent, BudgetCounter, BudgetReservation, CostEvent, Run
from paperclip.models import Company
from tests import make
from tests.workers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
WAITING = (
    "SELECT 1 FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}


def settled(run: Run, call: UUID, cost: int = 20_000) -> None:
    usage = Usage(sent=1, got=1)
    try:
        budget.settle(run, call, provider="x", model="y", usage=usage, cost=cost)
    finally:
        connection.close()


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return cursor.fetchone() is not None


def a_run(**fields: Any) -> Run:
    """Of an agent whose calls all come here."""
    config = {"adapter_type": "litellm", "adapter_config": {"model": "openai/m"}}
    return make.live_run(make.agent(**config, **fields))[0]


def dollar_a_token(usage: Usage) -> int:
    """A cent for each token of the answer."""
    return usage.got * 10_000


def reserve(run: Run, price: Any = dollar_a_token, **more: Any) -> dict[str, Any]:
    request = {**HELLO, **more}
    budget.reserve(run, uuid4(), request, price, 8000)
    return request


@pytest.mark.parametrize("order", [(Company, Agent), (Agent, Company)])
def test_counting_waits_for_nobody(order: Any) -> None:
    agent = make.agent()
    run, _ = make.live_run(agent)
    with ThreadPoolExecutor() as pool, transaction.atomic():
        # As a change of an issue does that takes it from one agent to another.
        for one in order:
            one.objects.select_for_update(no_key=True).get()
        pool.submit(settled, run, uuid4()).result(timeout=20)
    for spender in (agent, agent.company):
        assert spender.spent_monthly_cents == 2


def test_two_that_count_at_once_are_both_counted() -> None:
    run = a_run()
    settled(run, uuid4())
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            BudgetCounter.objects.select_for_update(no_key=True).get(
                scope_id=run.company_id
            )
            counting = [pool.submit(settled, run, uuid4()) for _ in range(3)]
            eventually(somebody_waits)
        for one in counting:
            one.result(timeout=20)
    assert run.company.spent_monthly_cents == run.agent.spent_monthly_cents == 8


def test_a_call_that_is_settled_twice_is_entered_once() -> None:
    run, call = a_run(), uuid4()
    settled(run, call)
    settled(run, call, cost=70_000)
    assert (CostEvent.objects.count(), run.agent.spent_monthly_cents) == (1, 2)


def test_without_a_limit_nothing_is_reserved() -> None:
    request = reserve(a_run())
    assert "max_tokens" not in request and not BudgetReservation.objects.exists()


def test_an_answer_is_as_long_as_what_is_left() -> None:
    run = a_run(budget_monthly_cents=1000)
    assert reserve(run, max_tokens=500)["max_tokens"] == 500
    # Half of it is reserved for that one.
    assert reserve(run)["max_tokens"] == 500
    with pytest.raises(NoAnswer) as no:
        reserve(run)
    assert (no.value.code, no.value.status) == ("budget_reserved", 429)


def test_what_cannot_fit_any_more_is_refused_for_good() -> None:
    run = a_run(budget_monthly_cents=1000)
    settled(run, uuid4(), cost=8_000_000)
    with pytest.raises(NoAnswer) as no:
        reserve(run)
    assert (no.value.code, no.value.status) == ("budget_exceeded", 402)
    assert "$2.00 of $10.00 is left and the call may cost $2.56" in no.value.message
    # A short one would have done, and the first word counts.
    assert reserve(run, max_tokens=100)["max_tokens"] == 100
    assert BudgetCounter.objects.get(scope_id=run.agent_id).reached == 2


def test_a_call_that_is_not_made_gives_back() -> None:
    run, call = a_run(budget_monthly_cents=1000), uuid4()
    budget.reserve(run, call, dict(HELLO), dollar_a_token, 8000)
    counter = BudgetCounter.objects.get(scope_id=run.agent_id)
    assert counter.reserved == counter.ceiling == 10_000_000
    budget.release(run, call)
    counter.refresh_from_db()
    assert counter.reserved == 0 and not BudgetReservation.objects.exists()


def test_a_call_that_costs_more_than_it_could_is_an_overrun() -> None:
    run, call = a_run(budget_monthly_cents=1000), uuid4()
    budget.reserve(run, call, dict(HELLO), dollar_a_token, 8000)
    settled(run, call, cost=10_030_000)
    counter = BudgetCounter.objects.get(scope_id=run.agent_id)
    assert (counter.spent, counter.reserved) == (10_030_000, 0)
    assert counter.overrun == 30_000


def test_a_model_without_a_price_needs_a_limit_of_tokens() -> None:
    run = a_run(budget_monthly_cents=1000)
    with pytest.raises(NoAnswer) as no:
        reserve(run, price=lambda usage: None)
    assert no.value.code == "model_unpriced"
    make.budget(run.agent, 5000, metric="tokens")
    request = reserve(run, price=lambda usage: None)
    assert 4900 < request["max_tokens"] < 5000


PIECE = "data:image/png;base64," + "A" * 300_000


@pytest.mark.parametrize(
    "more",
    [
        {"messages": [{"role": "user", "content": PIECE}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": PIECE}]}]},
        {"response_format": {"type": "json_schema", "json_schema": {"a": PIECE}}},
        {"messages": [{"role": "user", "content": "\U00013000" * 25_000}]},
    ],
    ids=["looks like a picture", "in a part", "in its schema", "letters of a grave"],
)
def test_all_that_a_model_is_told_is_reserved_for(more: dict[str, Any]) -> None:
    assert Usage.most({**HELLO, **more}, 1).sent >= 100_000


RANDOM = Random(1)
TEXTS = {
    "digits": "".join(RANDOM.choices(string.digits, k=9000)),
    "base64": base64.b64encode(RANDOM.randbytes(9000)).decode(),
    "hex": RANDOM.randbytes(9000).hex(),
    "marks": "".join(RANDOM.choices(string.punctuation, k=9000)),
    "letters": "".join(RANDOM.choices(string.ascii_letters + " ", k=9000)),
    "small letters": "".join(RANDOM.choices(string.ascii_lowercase + " ", k=9000)),
    "single letters": " ".join(RANDOM.choices(string.ascii_letters, k=9000)),
    "minified": ";".join(f"{c}.x{n}={c}[{n}]||0" for n in range(600) for c in "aQ"),
    "CJK": "".join(chr(RANDOM.randint(0x4E00, 0x9FFF)) for _ in range(3000)),
    "white": "".join(RANDOM.choices(" \n\t", k=9000)),
    "prose": Path(settings.BASE_DIR, "README.md").read_text(),
}


@cache
def tokenizers() -> list[Callable[[str], int]]:
    """Those of three kinds of models, as far as they are installed."""
    place = Path(str(find_spec("litellm").origin)).parent  # type: ignore[union-attr]
    place = place / "litellm_core_utils/tokenizers"
    os.environ["TIKTOKEN_CACHE_DIR"] = str(place)
    two = [tiktoken.get_encoding(name) for name in ("cl100k_base", "o200k_base")]
    third = Tokenizer.from_file(str(place / "anthropic_tokenizer.json"))
    return [
        *(lambda text, one=one: len(one.encode(text)) for one in two),
        lambda text: len(third.encode(text).ids),
    ]


@pytest.mark.parametrize("kind", TEXTS)
def test_no_tokenizer_makes_more_of_a_text_than_is_reserved(kind: str) -> None:
    text = TEXTS[kind]
    asked = {"messages": [{"role": "user", "content": text}]}
    reserved = Usage.most(asked, 1).sent
    assert reserved > max(count(text) for count in tokenizers())
    if kind == "digits":  # some read them one by one
        assert reserved >= len(text)
    if kind == "prose":  # and a small budget is still of use
        assert reserved < len(text)


def test_what_a_model_cannot_read_is_not_reserved_for() -> None:
    asked = {"messages": [{"role": "user", "content": "1" * 500_000}]}
    assert Usage.most(asked, 1, 200_000).sent == 200_000


def test_a_picture_is_not_reserved_for_as_a_text() -> None:
    parts = [{"type": "image_url", "image_url": {"url": PIECE}}]
    asked = {"messages": [{"role": "user", "content": parts}]}
    assert 2500 <= Usage.most(asked, 1).sent < 2600
