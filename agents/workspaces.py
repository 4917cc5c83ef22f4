"""Where agents work: one directory each, closed to the other users of the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paperclip import home
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from agents.models import Agent


def inside(relative: str) -> str:
    """The path if it cannot lead out of a workspace; Invalid otherwise."""
    path = Path(relative)
    if path.is_absolute() or ".." in path.parts:
        raise Invalid(
            "The working directory is a path inside the agent's workspace, such as"
            f" site/content. {relative!r} leads outside."
        )
    return relative


def of(agent: Agent, relative: str = "") -> Path:
    """The agent's workspace, or a directory in it. Made when missing.

    Invalid when a link in it leads outside.
    """
    root = home.directory("workspaces", str(agent.pk)).resolve()
    place = (root / inside(relative)).resolve()
    if not place.is_relative_to(root):
        raise Invalid(f"{relative!r} is a link that leads out of the workspace.")
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    return place
