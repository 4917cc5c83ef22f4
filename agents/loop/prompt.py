"""What the model is told: who it is, how to work, and why it was woken."""

from __future__ import annotations

from typing import Any

from agents.loop.fence import fenced, one_line

# Stands for the id of a project in the address of the world of a rehearsal.
PROJECT = "{project}"


def system(document: dict[str, Any]) -> str:
    """The lasting part: it is the same in every run of an agent."""
    agent = document["agent"]
    name, company = one_line(agent["name"]), one_line(document["company"])
    # Other agents may have a right to write it.
    title = one_line(agent.get("title") or agent["role"])
    who = f"You are {name}, {title} (role: {agent['role']}) at {company}."
    parts = [who, document.get("skill", ""), document.get("instructions", "")]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def first(
    document: dict[str, Any],
    issue: dict[str, Any] | None,
    workspace: str,
    found: str,
    comments: list[dict[str, Any]],
) -> str:
    """Why it was woken and about what; `found` is what a run left that died."""
    lines = [f"Wake: {w['source']}: {one_line(w['reason'])}" for w in document["wakes"]]
    if issue:
        lines.append(f"Issue: {issue['identifier']} {one_line(issue['title'])}")
    if workspace:
        lines.append(f"Workspace: {workspace}")
    if (world := document.get("rehearsalWorld")) and issue and issue["projectId"]:
        world = world.replace(PROJECT, issue["projectId"])
        lines.append(f"Rehearsal world: {world}")
    lines += found.splitlines()
    lines += [fenced(f"comment by {c['by']}", c["body"]) for c in comments]
    return "\n".join(lines) or "Wake: on_demand: manual"
