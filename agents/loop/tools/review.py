"""Handing work over, and judging what others handed over."""

from __future__ import annotations

from agents.loop.api import part
from agents.loop.desk import Desk
from agents.loop.errors import ToolError
from agents.loop.tools.base import compact
from agents.loop.tools.company import brief, product


def hand_over(desk: Desk, issue: str, message: str) -> str:
    clone = desk.clone_of(issue)
    if clone is None:
        raise ToolError(f"{issue} has no project, so there is no repository for it.")
    made = clone.hand_over(desk.api, message)
    if made is None:
        return f"There is nothing new on {clone.branch} to hand over."
    return compact(product(made))


def request_review(desk: Desk, issue: str, comment: str) -> str:
    clone = desk.clone_of(issue)
    if clone is not None and clone.has_changes():
        clone.hand_over(desk.api, comment)
    return decide(desk, issue, "done", comment)


def approve(desk: Desk, issue: str, comment: str) -> str:
    return decide(desk, issue, "done", comment)


def request_changes(desk: Desk, issue: str, comment: str) -> str:
    return decide(desk, issue, "in_progress", comment)


def decide(desk: Desk, issue: str, status: str, comment: str) -> str:
    change = {"status": status, "comment": comment}
    return compact(brief(desk, desk.api.patch(f"/issues/{part(issue)}", change)))
