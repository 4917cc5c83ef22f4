"""The payload of an approval as people read it: no JSON, no cents, no codes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents.form_fields import LOOP, PROCESS
from agents.hiring import MASK
from agents.models import Approval, BudgetPolicy
from paperclip.templatetags.console import cents
from paperclip.words import role as role_in_words

# What the console does not show beside the rest of a payload.
INNER = {"agentId", "effect"}
# What binds a decision to one thing: for the letter of it, not for its card.
BINDING = {"sha256", "packetId", "postId", "postKey", "messageId"}
MARK = re.compile(r"[0-9a-f-]{32,64}")
# Of a budget the title says the rest.
OF_BUDGET = {
    "amount": gettext_lazy("limit"),
    "observedAmount": gettext_lazy("used"),
    "raiseTo": gettext_lazy("raise to"),
}
NAMES = {
    "url": gettext_lazy("address"),
    "adapterType": gettext_lazy("what works in it"),
    "adapterConfig": gettext_lazy("how it is set up"),
    "budgetMonthlyCents": gettext_lazy("monthly budget"),
    "permissions": gettext_lazy("rights"),
    "timeoutSec": gettext_lazy("time limit in seconds"),
    "args": gettext_lazy("arguments"),
    "env": gettext_lazy("environment"),
    "cwd": gettext_lazy("working directory"),
    "canAssignTasks": gettext_lazy("may give work to others"),
    "canCreateAgents": gettext_lazy("may hire"),
    "canConfigureAgents": gettext_lazy("may change those who report to it"),
}
WORKS = {
    LOOP: gettext_lazy("a language model, with Paperclip's own tools"),
    PROCESS: gettext_lazy("a program on this machine"),
}
# What people are told in Markdown. All else is shown to the letter, an effect's payload
# in any case: whoever allows a command has to see each of its signs.
PROSE = {"plan", "strategy", "summary", "description", "details", "context", "reason"}
PROSE |= {"recommendation", "recommendedAction", "rationale", "nextActionOnApproval"}
DEEPEST, LONG = 6, 120


@dataclass
class Fact:
    """One part of a payload: its name, and its text or the parts that it has."""

    name: str
    text: str = ""
    parts: list[Fact] = field(default_factory=list)
    key: str = ""
    is_prose: bool = False

    @property
    def is_long(self) -> bool:
        return bool(self.parts) or "\n" in self.text or len(self.text) > LONG

    def lines(self, indent: str = "") -> list[str]:
        """As text, for a comparison."""
        head, *rest = self.text.split("\n")
        first = f"{indent}{self.name}: {head}".rstrip()
        inner = [line for part in self.parts for line in part.lines(indent + "  ")]
        return [first, *(indent + line for line in rest), *inner]


def of(row: Approval) -> list[Fact]:
    """What the card of an approval says beside its title and its buttons."""
    if row.type == row.Type.BUDGET:
        return facts_of(budget_of(row.payload))
    said = {row.title}
    if row.type == row.Type.QUESTION:
        said |= {row.asked_default, "\n".join(row.options)}
    facts = [one for one in facts_of(row.payload) if one.parts or one.text not in said]
    facts = [one for one in facts if not is_binding(one)]
    for fact in facts if "effect" not in row.payload else []:
        fact.is_prose = fact.key in PROSE
    return facts


def is_binding(fact: Fact) -> bool:
    """Whether it is a number of a row or a digest, and says nothing to people."""
    return fact.key in BINDING and MARK.fullmatch(fact.text) is not None


def lines_of(payload: dict[str, Any]) -> list[str]:
    """All of a payload to the letter, line by line."""
    return [line for fact in facts_of(payload) for line in fact.lines()]


def budget_of(payload: dict[str, Any]) -> dict[str, Any]:
    """What a budget's approval asks for, with its unit instead of ids and codes."""
    policy = BudgetPolicy(metric=payload.get("metric", ""))
    return {
        str(name): policy.in_words(payload[key])
        for key, name in OF_BUDGET.items()
        if isinstance(payload.get(key), int)
    }


def facts_of(payload: dict[str, Any], depth: int = 0) -> list[Fact]:
    """Each part of a payload, the long ones last."""
    told = [
        fact_of(key, value, depth)
        for key, value in payload.items()
        if key not in INNER and value not in (None, "", [], {})
    ]
    return sorted(told, key=lambda fact: fact.is_long)


def fact_of(key: str, value: Any, depth: int) -> Fact:
    name = words(key)
    if depth >= DEEPEST:
        return Fact(name, str(value))
    if isinstance(value, dict):
        return Fact(name, parts=facts_of(value, depth + 1))
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        numbered = {f"{n}.": one for n, one in enumerate(value, 1)}
        return Fact(name, parts=[fact_of(n, v, depth + 1) for n, v in numbered.items()])
    if isinstance(value, list):
        between = ", " if key == "tools" else "\n"
        return Fact(name, between.join(text_of("", one) for one in value), key=key)
    return Fact(name, text_of(key, value), key=key)


def words(key: str) -> str:
    """`recommendedAction` as `recommended action`, `priceCents` as `price`."""
    if key in NAMES:
        return str(NAMES[key])
    key = key.removesuffix("_cents").removesuffix("Cents") or key
    spread = "".join(f" {c.lower()}" if c.isupper() else c for c in key)
    return spread.replace("_", " ").strip()


def text_of(key: str, value: Any) -> str:
    """One value in words."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if key == "budgetMonthlyCents" and not value:
        return _("none of its own")
    if key.endswith(("Cents", "_cents")) and isinstance(value, int | float):
        return cents(value)  # type: ignore[arg-type]
    if key == "role":
        return role_in_words(str(value))
    if key == "adapterType":
        return str(WORKS.get(value, value))
    return _("(not shown)") if value == MASK else str(value)
