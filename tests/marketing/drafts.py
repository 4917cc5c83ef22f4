"""The rehearsal's posts, and what becomes of them when a model errs."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from agents.rehearsal.drafts import FACTS, SHOPS, STOCK

__all__ = ["FACTS", "SHOPS", "STOCK", "changed", "unsafe", "with_links"]


def with_links(document: dict[str, Any], *ids: Any) -> dict[str, Any]:
    """The same with a link to each of these posts."""
    found = deepcopy(document)
    for number, pk in enumerate(ids):
        place = found["sections"][number % len(found["sections"])]
        place["text"] += f" There is more in [an earlier post of ours](post:{pk})."
    return found


def changed(document: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return deepcopy(document) | fields


def unsafe(document: dict[str, Any]) -> dict[str, Any]:
    """The same with what no page may have in it."""
    found = deepcopy(document)
    found["sections"][0]["text"] += (
        " <script>fetch('//evil.example')</script> [Click](javascript:alert(1))"
        " and [this](https://evil.example/)."
    )
    return found
