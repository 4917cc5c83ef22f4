"""What a seed decides: the tool, the gap, the rivals, the words."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from agents.rehearsal.kits import KITS, Kit
from agents.rehearsal.topics import TOPICS, Topic

# The title of the first issue in templates/digiton/company.toml.
GOAL = "Win Digiton its first readers"
CMO_TITLE = "Find a keyword our rivals cover and we do not"
CTO_TITLE = "Get one small tool built and plan Dev's week"
DESIGNER_TITLE = "Look at the new post as readers see it"
DEVOPS_TITLE = "Check that the new post is really online"
# The routine of templates/digiton/company.toml.
WEEKLY_TITLE = "Weekly report"
REPORT_TITLE = "Write the weekly report"
POST_TITLE = "Write the post: "

RIVALS = [
    "Brightfold",
    "Kestrel & Pine",
    "Loudhouse",
    "Marlow Digital",
    "North Pier",
    "Oakline",
    "Pebble Street",
    "Quillworks",
    "Riverside Reach",
    "Saltbox",
    "Tall Order",
    "Umbra Studio",
]
REASONS = [
    "every post we publish is to be checked with it, this one too, and a post that is"
    " wrong costs more than a post that is a day late",
    "the post can only be held to our own rules once the tool exists, and nobody waits"
    " for the post yet",
    "it is the smaller of the two and all later posts need it; the gap will still be"
    " there tomorrow",
]


@dataclass(frozen=True)
class Plot:
    seed: int
    kit: Kit
    gap: Topic
    ours: tuple[Topic, ...]
    others: tuple[Topic, ...]
    rivals: tuple[str, ...]
    reason: str

    @classmethod
    def of(cls, seed: int) -> Plot:
        dice = random.Random(seed)  # noqa: S311 (a story, not a secret)
        topics = dice.sample(TOPICS, len(TOPICS))
        return cls(
            seed=seed,
            kit=KITS[seed % len(KITS)],
            gap=topics[0],
            ours=tuple(topics[1:3]),
            others=tuple(topics[3:]),
            rivals=tuple(dice.sample(RIVALS, 6)),
            reason=dice.choice(REASONS),
        )


def seed_of(model: str) -> int:
    """The number a model's name ends with: 7 for `rehearsal/7`; 1 without any."""
    found = re.search(r"(\d+)$", model)
    return int(found[1]) if found else 1
