"""What the end of a failed run means for the next try: one table, read from the top.

A fault is *transient* (the same may go well in a while), *permanent* (it will not,
until somebody changes something), *lost* (its process died, which is nobody's fault) or
*doubtful*: what may or may not go well, and counts as permanent after its last try.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from agents.models.run import Run

# Seconds until the second try, the third ...; after the last one it is parked.
WAITS = {
    "transient": (30.0, 120.0),
    "doubtful": (30.0, 120.0),
    "permanent": (),
    # At once, then after 1, 3, 7, 15, 31, 59, 59, 59 s.
    "lost": tuple(min(60.0, 2.0**n) - 1 for n in range(9)),
}
# Up to so much longer, so that agents who failed together do not come back together.
JITTER = 0.2
LAST_WORDS = 2000  # characters of a program's output that its fault is looked for in


class Fault(NamedTuple):
    """`whole_agent`: whatever the agent works on would end like this. `todo` is a
    sentence for people."""

    cause: str
    kind: str
    whole_agent: bool = False
    todo: str = ""

    def wait(self, run: Run, tries: int) -> float | None:
        """The seconds until it is tried again after so many tries; None: not again."""
        waits = WAITS[self.kind]
        if tries > len(waits):
            return None
        spread = 0.0 if self.kind == "lost" else JITTER * (run.pk.int % 1000) / 1000
        return waits[tries - 1] * (1 + spread)


class Sign(NamedTuple):
    """By what a fault is told: all that is given must fit."""

    fault: Fault
    code: str = ""
    exit_code: int | None = None
    said: re.Pattern[str] | None = None

    def fits(self, run: Run) -> bool:
        printed = (run.stdout_excerpt or "")[-LAST_WORDS:]
        text = f"{run.error or ''}\n{run.stderr_excerpt or ''}\n{printed}"
        return (
            self.code in ("", run.error_code)
            and self.exit_code in (None, run.exit_code)
            and (self.said is None or bool(self.said.search(text)))
        )


def words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# OpenAI says 429 to an empty account, Anthropic 400. Google says the words of OpenAI to
# whoever is too fast, with another address behind them.
# https://platform.openai.com/docs/guides/error-codes
NO_MONEY = words(
    r"credit balance is too low|insufficient[_ ]quota|billing[_ ]hard[_ ]limit"
    r"|payment required|prepayment credits are depleted|free_tier\w*, limit: 0\b"
    r"|exceeded your current quota(?![^\n]{0,150}ai\.google\.dev)"
)

KEY = Fault(
    "provider_key",
    "permanent",
    True,
    "Put a working key in place (the .env file, or the program's own login), then try"
    " again.",
)
BILLING = Fault(
    "provider_billing",
    "permanent",
    True,
    "Pay the provider or raise its limit, then try again.",
)
MODEL = Fault(
    "provider_model", "permanent", True, "Give the agent another model, then try again."
)
CONFIG = Fault(
    "configuration_incomplete",
    "permanent",
    True,
    "Mend the agent's configuration, then try again.",
)
LOST = Fault("process_lost", "lost", False, "Look why its processes die.")
UNKNOWN = Fault("unknown", "doubtful", False, "Read the log of its last run.")

FAULTS = [
    Sign(LOST, "process_lost"),
    Sign(KEY, "provider_key"),
    Sign(BILLING, "provider_billing"),
    Sign(MODEL, "provider_model"),
    Sign(MODEL, "model_not_allowed"),
    Sign(CONFIG, "configuration_incomplete"),
    Sign(
        Fault(
            "model_unpriced",
            "permanent",
            True,
            "Set a limit of tokens, or give the agent a model with a known price.",
        ),
        "model_unpriced",
    ),
    Sign(
        Fault("provider_refused", "permanent", False, "Read what the provider said."),
        "provider_refused",
    ),
    Sign(
        Fault(
            "too_many_processes",
            "permanent",
            False,
            "Look what it starts, or raise PAPERCLIP_MOST_PROCESSES.",
        ),
        "too_many_processes",
    ),
    Sign(Fault("provider_error", "transient"), "provider_error"),
    Sign(Fault("provider_timeout", "transient"), "provider_timeout"),
    Sign(Fault("internal_error", "transient"), "internal_error"),
    Sign(Fault("stopped", "transient"), "stopped"),
    Sign(
        Fault("timeout", "doubtful", False, "Give it more time, or smaller work."),
        "timeout",
    ),
    Sign(
        Fault(
            "turn_limit_reached",
            "doubtful",
            False,
            "Give it more turns, or smaller work.",
        ),
        "turn_limit_reached",
    ),
    Sign(
        Fault(
            "token_limit_reached",
            "doubtful",
            False,
            "Give it more tokens, or smaller work.",
        ),
        "token_limit_reached",
    ),
    Sign(
        Fault("model_misbehaves", "permanent", False, "Give it another model."),
        "model_misbehaves",
    ),
    # Any program: https://man.openbsd.org/sysexits
    Sign(CONFIG, "adapter_failed", 78),
    Sign(KEY, "adapter_failed", 77),
    Sign(Fault("temporary_failure", "transient"), "adapter_failed", 75),
    # What the command-line agents print.
    Sign(BILLING, "adapter_failed", said=NO_MONEY),
    Sign(
        KEY,
        "adapter_failed",
        said=words(
            r"invalid (x-)?api[- ]key|invalid authentication|authentication_error"
            r"|api key not valid|incorrect api key"
            r"|please run /login|not logged in|oauth token has expired"
        ),
    ),
    Sign(
        MODEL,
        "adapter_failed",
        said=words(
            r"model[^\n]{0,60}(not[_ ]found|does not exist|not supported)"
            r"|not_found_error[^\n]{0,40}model|unknown model|invalid model"
        ),
    ),
    Sign(
        Fault("rate_limited", "transient"),
        "adapter_failed",
        said=words(
            r"resource_exhausted|exceeded your current quota|rate_limit_error"
            r"|rate limit (reached|exceeded)|too many requests"
        ),
    ),
    Sign(
        Fault("overloaded", "transient"),
        "adapter_failed",
        said=words(
            r"overloaded|\b50[0234]\b|internal server error|service unavailable"
            r"|connection (reset|refused|error)|timed? ?out|econnreset|etimedout"
        ),
    ),
]


def fault_of(run: Run) -> Fault:
    """What the failed run suffered from."""
    return next((sign.fault for sign in FAULTS if sign.fits(run)), UNKNOWN)
