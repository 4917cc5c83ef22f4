"""One policy per role. What goes wrong on the way is told to a person, never hidden."""

from __future__ import annotations

from collections.abc import Callable

from agents.rehearsal.acts import Story, Stuck, attempt
from agents.rehearsal.roles import ceo, cmo, cto, designer, dev, devops, qa
from agents.rehearsal.scene import Scene

POLICIES: dict[str, Callable[[Scene], Story]] = {
    "ceo": ceo.act,
    "cto": cto.act,
    "cmo": cmo.act,
    "designer": designer.act,
    "engineer": dev.act,
    "qa": qa.act,
    "devops": devops.act,
}


def perform(scene: Scene) -> Story:
    """What the agent of this scene does. It ends by itself, whatever its tools say."""
    policy = POLICIES.get(scene.role)
    if policy is None:
        return f"The rehearsal has no part for the role {scene.role or '(none)'}."
    try:
        return (yield from policy(scene))
    except Stuck as stuck:
        return (yield from admit(scene, stuck))


def admit(scene: Scene, stuck: Stuck) -> Story:
    """Say what failed. A lost race for an issue needs no words: somebody has it."""
    if stuck.call.name == "checkout" or not scene.issue:
        return f"I leave it: {stuck}"
    question = f"I could not go on. {stuck.call.name} answered: {stuck.answer[:600]}"
    yield from attempt("ask_person", issue=scene.issue, question=question)
    return question
