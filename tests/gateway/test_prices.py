"""What a call costs: by the table of the provider itself, or unknown."""

from __future__ import annotations

import pytest

from agents.gateway.providers import Model
from agents.gateway.usage import Usage

USED = Usage(sent=1000, got=100, cached=400)


@pytest.mark.parametrize(
    "name", ["gemini/gemini-flash-lite-latest", "openai/gpt-5-mini", "gpt-5-mini"]
)
def test_a_price_that_the_provider_tells(name: str) -> None:
    price = Model(name, None).price(USED)
    assert price is not None and 0 < price < 10_000
    dearer = Model(name, None).price(Usage(sent=1000, got=100))
    assert dearer is not None and dearer > price  # what was cached costs less


@pytest.mark.parametrize(
    "name",
    [
        "together_ai/gpt-4o",  # another seller's model of that name
        "gemini/gemini-exp-1206",  # 0 in the table: nobody knows
        "openai/not-yet-known",
        "ollama/llama3",
    ],
)
def test_an_unknown_price_is_not_nothing(name: str) -> None:
    assert Model(name, None).price(USED) is None


def test_somebodys_own_server_has_a_price_of_its_own() -> None:
    assert Model("openai/gpt-5-mini", "http://127.0.0.1:1/v1").price(USED) is None
