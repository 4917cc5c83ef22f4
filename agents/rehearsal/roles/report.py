"""The weekly report: counted from the issues as they were shown, in their order."""

from __future__ import annotations

from collections.abc import Iterable

from agents.rehearsal.view import View

FIX = "Fix: "
UNSEEN = "Nobody has looked at it"


def written(goal: View, issues: list[View]) -> str:
    """The report in Markdown."""
    work = [one for one in issues if not one.title.startswith(FIX)]
    sent_back = [one for one in work if refusals(one)]
    open_ones = [one for one in issues if not one.is_closed]
    rows = "\n".join(
        f"| {one.title} | {one.assignee or 'nobody'} | {one.status} | {refusals(one)} |"
        for one in work
    )
    return (
        "*Rehearsal: the work below was done by a script in a made-up world.*\n\n"
        f"Goal: {goal.title}.\n\n"
        f"{len(work)} issues, {sum(one.status == 'done' for one in work)} of them done;"
        f" {sum(map(refusals, work))} reviews asked for changes.\n\n"
        "| Issue | Who | Status | Sent back |\n|---|---|---|---|\n"
        f"{rows}\n\n"
        f"## What was sent back\n\n{listed(map(why, sent_back))}\n\n"
        "## What is open besides this report\n\n"
        f"{listed(one.title for one in open_ones)}\n\n"
        f"## What was not checked\n\n{listed(unchecked(issues))}\n"
    )


def counted(issues: list[View]) -> str:
    """The report of a week in which no story is played: where everything stands."""
    rows = "\n".join(
        f"| {one.title} | {one.assignee or 'nobody'} | {one.status} |" for one in issues
    )
    open_ones = [one.title for one in issues if not one.is_closed]
    return (
        "*Rehearsal: the work below was done by a script in a made-up world.*\n\n"
        f"{len(issues)} issues, {len(issues) - len(open_ones)} of them closed.\n\n"
        f"| Issue | Who | Status |\n|---|---|---|\n{rows}\n\n"
        f"## What is open\n\n{listed(open_ones)}\n"
    )


def listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines) or "Nothing."


def refusals(one: View) -> int:
    return sum(body.startswith("Changes requested") for _, body in one.comments)


def why(one: View) -> str:
    causes = [body for who, body in one.comments if who == "CTO" and "Cause:" in body]
    said = f" {causes[-1].splitlines()[0]}" if causes else ""
    return f"{one.title}: {refusals(one)} times.{said}"


def unchecked(issues: list[View]) -> list[str]:
    unseen = [
        f"{one.title}: it could not be rendered."
        for one in issues
        if any(UNSEEN in body for _, body in one.comments)
    ]
    return [*unseen, "Visits and rankings: they need weeks and were not measured."]
