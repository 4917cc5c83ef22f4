"""The one place where a model call meets money: `reserve` before it, `settle` after."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.utils.timezone import now

from agents.gateway.errors import NoAnswer
from agents.gateway.usage import Usage
from agents.models import BudgetCounter, CostEvent
from agents.models.grant import Scopes
from paperclip import sql
from paperclip.models.spender import cents

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models import Run
    from agents.models.grant import Grant, Short

Price = Callable[[Usage], int | None]
LIMITED = """
SELECT DISTINCT metric FROM agents_budgetpolicy
WHERE is_active AND hard_stop AND scope_id = ANY(%(scopes)s)
"""
# With less an answer is of no use: a call is refused rather than cut shorter.
LEAST_OUTPUT, MOST_OUTPUT = 256, 8192
# Seconds until it is worth asking again what others have reserved.
SOON = 5.0
# A call that has lasted so long is dead: its process was killed. It may wait for its
# answer, speak as long again, and wait as long for the last piece.
LASTS = timedelta(seconds=3 * settings.MODEL_TIMEOUT + 60)


def reserve(
    run: Run,
    call: UUID,
    request: dict[str, Any],
    price: Price,
    most: int,
    window: int | None = None,
) -> None:
    """Reserve what the call can cost at worst on every limit it falls under. When that
    is more than is left, the answer may have fewer tokens (`max_tokens` says so then).
    `most` it answers with, and its `window` is what it can read at most.

    NoAnswer when not even a short answer fits: `budget_exceeded`, or
    `budget_reserved` while others hold what is left. `model_unpriced` when money is
    limited, nobody knows the price, and no limit of tokens holds instead.
    """
    scopes = Scopes.of(run)
    limited = limits_of(scopes)
    if not limited:
        return
    want = at_worst(request, most, window)
    least = Usage.most(request, min(LEAST_OUTPUT, want.got), window)
    asks = {"tokens": (least.sent + least.got, want.sent + want.got)}
    dear, cheap = price(want), price(least)
    if dear is not None and cheap is not None:
        asks["billed_cents"] = (cheap, dear)
    elif "billed_cents" in limited and "tokens" not in limited:
        raise NoAnswer(
            "model_unpriced",
            f"Nobody knows what {request['model']} costs, so a limit of money does not"
            " hold for it. Set a limit of tokens too, or take a model with a price.",
        )
    grant = BudgetCounter.objects.reserve(
        call, scopes, asks, lasts=LASTS, run_id=run.pk
    )
    if grant.short:
        raise refusal(grant)
    if grant.amounts:
        request["max_tokens"] = output_within(grant, least, want, asks)
        request.pop("max_completion_tokens", None)


def at_worst(request: dict[str, Any], most: int, window: int | None = None) -> Usage:
    """What the call can use."""
    longest = output_of(request) or min(most, MOST_OUTPUT)
    return Usage.most(request, longest, window)


def limits_of(scopes: Scopes) -> set[str]:
    """Of what it may not have more than so much."""
    return {row[0] for row in sql.planned(LIMITED, scopes=scopes.ids)}


def output_of(request: dict[str, Any]) -> int:
    """How long the caller lets the answer be; 0 when it does not say."""
    said = request.get("max_completion_tokens") or request.get("max_tokens")
    return said if isinstance(said, int) and said > 0 else 0


def output_within(
    grant: Grant, least: Usage, want: Usage, asks: dict[str, tuple[int, int]]
) -> int:
    """How many tokens the answer may have with what was granted."""
    longest = want.got
    for metric, amount in grant.amounts.items():
        low, high = asks[metric]
        if high > low:
            more = (want.got - least.got) * (amount - low) // (high - low)
            longest = min(longest, least.got + more)
    return longest


def refusal(grant: Grant) -> NoAnswer:
    first = grant.short[0]
    if not grant.is_full:
        return NoAnswer(
            "budget_reserved",
            f"What is left of the budget of the {first.scope_type} is reserved by calls"
            " under way.",
            retry_after=SOON,
        )
    full = next(one for one in grant.short if one.is_full)
    return NoAnswer(
        "budget_exceeded",
        f"The {full.scope_type} has spent its budget: {in_words(full)}. An operator can"
        " raise it.",
    )


def in_words(short: Short) -> str:
    if short.metric == "billed_cents":
        left, limit, need = (
            f"${cents(max(0, part)) / 100:.2f}"
            for part in (short.left, short.ceiling, short.least)
        )
        return f"{left} of {limit} is left and the call may cost {need}"
    return (
        f"{max(0, short.left)} of {short.ceiling} tokens are left and the call may take"
        f" {short.least}"
    )


def release(run: Run, call: UUID) -> None:
    """Give back what was reserved for a call that was not made."""
    BudgetCounter.objects.enter(Scopes.of(run), {}, at=now(), reservation=call)


def settle(
    run: Run, call: UUID, *, provider: str, model: str, usage: Usage, cost: int | None
) -> bool:
    """Enter a call into the ledger, once however often it is said, and give back what
    of its reservation it did not use; `cost` in millionths of a dollar, None if
    unknown. False when the ledger had it."""
    return CostEvent.objects.enter(
        call,
        run.company_id,
        run.agent,
        run=run,
        issue_id=run.issue_id,
        project_id=run.project_id,
        reservation=call,
        provider=provider,
        biller=provider,
        billing_type=provider if provider == "rehearsal" else "metered_api",
        model=model,
        input_tokens=usage.sent,
        cached_input_tokens=usage.cached,
        output_tokens=usage.got,
        cost_micros=cost,
        estimated=usage.estimated,
    )
