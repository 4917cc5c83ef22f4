"""How a figure is printed: its value, the limit it is held against, and their ratio."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles


def figure(name: str, value: float, unit: str, limit: float | None = None) -> None:
    """One line; below 1 the ratio keeps the limit."""
    line = f"{name:<52} {value:>10,.1f} {unit:<5}"
    if limit is not None:
        verdict = "ok" if value <= limit else "OVER"
        line += f" limit {limit:>8,.1f}  ratio {value / limit:5.2f} {verdict}"
    print(line, flush=True)


def least(name: str, value: float, unit: str, wanted: float) -> None:
    """One line of what should be large; above 1 the ratio keeps what is wanted."""
    verdict = "ok" if value >= wanted else "UNDER"
    line = f"{name:<52} {value:>10,.1f} {unit:<5}"
    print(f"{line} least {wanted:>8,.1f}  ratio {value / wanted:5.2f} {verdict}")


def heading(text: str) -> None:
    print(f"\n{text}", flush=True)


def p50_p95(values: Sequence[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94]
