"""What each issue of a routine has to prove: checks of the catalogue, by their keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from issues import parameters
from issues.models.check import Check
from issues.models.criterion import MOST
from paperclip.exceptions import Invalid, NotAllowed

if TYPE_CHECKING:
    from uuid import UUID

    from paperclip.actors import Actor

Told = list[dict[str, Any]]


def checked(company_id: UUID, told: Told) -> Told:
    """As it is kept: [{check, parameters}]. Invalid for a check that the catalogue has
    not, and for parameters that it does not take."""
    offered = Check.objects.offered().filter(company_id=company_id)
    return fitting(told, {one.key: one.parameters for one in offered})


def fitting(told: Told, offered: dict[str, Iterable[Any]]) -> Told:
    """The same, held against these checks: the parameters of each, by its key."""
    if len(told) > MOST:
        raise Invalid(f"An issue has at most {MOST} criteria.")
    for one in told:
        if one["check"] not in offered:
            known = ", ".join(sorted(offered)) or "none"
            raise Invalid(
                f"There is no check {one['check']} in the catalogue. There are:"
                f" {known}.",
                code="unknown_check",
            )
        parameters.filled_in(offered[one["check"]], one.get("parameters", {}))
    return [
        {"check": one["check"], "parameters": one.get("parameters", {})} for one in told
    ]


def must_be_set_by(by: Actor) -> None:
    """NotAllowed for agents: a routine is its worker's own, and nobody sets the
    examination for itself."""
    if not (by.is_person or by.kind == "system"):
        raise NotAllowed(
            "What the issues of a routine have to prove is said by people.",
            code="not_yours",
        )
