"""What a run uses beside its model calls through the gateway: itself, its time, and
what a program that brings its own model says of that, or does not."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid5

from django.utils.timezone import now

from agents.adapters import adapter_class
from agents.models.counter import BudgetCounter, BudgetReservation
from agents.models.grant import Grant, Scopes
from paperclip import sql

if TYPE_CHECKING:
    from agents.models.end import Endable

# What a run that says nothing of its usage is taken for: an agent at work reads about
# as much a second, and what it prints is written by its model at three bytes a token.
TOKENS_A_SECOND, BYTES_A_TOKEN = 1000, 3
# And for which price: $3 for a million tokens, that of a good model's input.
MICROS_A_TOKEN = 3
# So much a run has reserved beyond what it used, until it asks again a second later.
AHEAD = {"minutes": 15, "tokens": 1000, "billed_cents": 1000 * MICROS_A_TOKEN}
# Seconds until work begins anew for which others hold what is left.
PAUSE = 5.0
BUSY = "What is left of its budget is reserved by runs under way."
# Who holds a run's reservation renews it each second; the end of the run gives it back.
LASTS = timedelta(days=1)
IN_LEDGER = """
SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
    coalesce(sum(cost_micros), 0)
FROM agents_costevent WHERE run_id = %(run)s
"""


def speaks_for_itself(run: Any) -> bool:
    """Whether it calls a model past the gateway, so that its own word counts."""
    return adapter_class(run.agent.adapter_type).REPORTS_USAGE


def first_asks(run: Any, limited: list[str]) -> dict[str, tuple[int, int]]:
    """What it needs to begin with of what is limited; empty when it is not counted."""
    if not limited:
        return {}
    asks = {"runs": (1, 1), "minutes": (1, AHEAD["minutes"])}
    if speaks_for_itself(run):
        for metric in ("tokens", "billed_cents"):
            asks[metric] = (1, AHEAD[metric])
    return {metric: ask for metric, ask in asks.items() if metric in limited}


def admit(run: Any, limited: list[str]) -> bool:
    """Whether what it needs to begin with could be reserved. It is put off while others
    hold what is left, and ended when nothing is."""
    asks = first_asks(run, limited)
    run.is_budgeted = bool(asks)
    if not asks:
        return True
    grant = reserve(run, asks)
    if grant.is_full:
        run.stop_for_budget()
    elif grant.short:
        mine = type(run).objects.filter(pk=run.pk)
        mine.put_off(now() + timedelta(seconds=PAUSE), BUSY)
    return not grant.short


def reserve(
    run: Any, asks: dict[str, tuple[int, int]], *, renews: bool = False
) -> Grant:
    """For the run, in the place of what it had reserved before. One that is under way
    `renews` it: its end may have given that back already."""
    return BudgetCounter.objects.reserve(
        run.pk, Scopes.of(run), asks, lasts=LASTS, run_id=run.pk, renews=renews
    )


def give_back(run: Any) -> None:
    """What was reserved for a run that did not start."""
    if run.is_budgeted:
        BudgetCounter.objects.enter(Scopes.of(run), {}, at=now(), reservation=run.pk)


def close(run: Endable) -> None:
    """Count what a run that has just ended has used and was not counted before, and
    give back what was reserved for it."""
    usage = run.usage if run.started_at else None
    speaks = bool(run.started_at) and speaks_for_itself(run)
    if not run.is_budgeted and not (usage and speaks):
        return
    if speaks:
        count_rest(run, usage)
    if run.is_budgeted:
        mine = BudgetReservation.objects.filter(pk=run.pk)
        counted = mine.values_list("counted_seconds", flat=True).first() or 0
        used = {"runs": 1, "minutes": max(0, seconds_of(run) - counted)}
        BudgetCounter.objects.enter(Scopes.of(run), used, at=now(), reservation=run.pk)


def seconds_of(run: Any) -> int:
    """How long it ran, in whole seconds, rounded up."""
    span = (run.finished_at or now()) - run.started_at
    return max(1, -(-int(span / timedelta(milliseconds=1)) // 1000))


def count_rest(run: Any, usage: dict[str, Any] | None) -> None:
    """What its program says it used, without what the ledger has already; an estimate
    when neither knows of anything."""
    many, sent, got, cost = sql.planned(IN_LEDGER, run=run.pk)[0]
    if usage is None and not many and run.is_budgeted:
        columns: dict[str, Any] = estimate(seconds_of(run), run.log_bytes or 0)
        enter(run, "estimate", **columns, estimated=True)
    elif usage is not None:
        stated = usage.get("costUsd")
        rest = None if stated is None else max(0, round(stated * 1_000_000) - int(cost))
        read = usage["inputTokens"] + usage["cachedInputTokens"]
        enter(
            run,
            "rest",
            input_tokens=max(0, read - int(sent)),
            cached_input_tokens=0 if many else usage["cachedInputTokens"],
            output_tokens=max(0, usage["outputTokens"] - int(got)),
            cost_micros=rest,
            billing_type="subscription_included" if stated == 0 else "unknown",
        )


def estimate(seconds: int, printed: int) -> dict[str, int]:
    """What a program that tells nothing is taken to have used by now."""
    read, written = seconds * TOKENS_A_SECOND, -(-printed // BYTES_A_TOKEN)
    return {
        "input_tokens": read,
        "output_tokens": written,
        "cost_micros": (read + written) * MICROS_A_TOKEN,
    }


def enter(run: Any, key: str, *, part: bool = False, **columns: Any) -> bool:
    """One event of the run into the ledger, once for each `key`. With `part`, what it
    used is taken from the run's reservation."""
    config = run.agent.adapter_config
    name = str(config.get("command", run.agent.adapter_type)).rpartition("/")[2]
    event: dict[str, Any] = {
        "id": uuid5(run.pk, key),
        "run_id": run.pk,
        "provider": run.agent.adapter_type[:60],
        "biller": run.agent.adapter_type[:60],
        "billing_type": "unknown",
        "model": name[:200],
        **columns,
    }
    used = {
        "tokens": event["input_tokens"] + event["output_tokens"],
        "billed_cents": event.get("cost_micros") or 0,
    }
    return BudgetCounter.objects.enter(
        Scopes.of(run),
        used,
        at=now(),
        event=event,
        reservation=run.pk if part else None,
        whole=False,
    )
