from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from issues import parameters, repositories
from issues.checkers.outcomes import FAILED, PASSED, UNABLE
from paperclip.actors import NOTHING
from paperclip.api.forms import Form

if TYPE_CHECKING:
    from issues.models import Claim, Issue
    from paperclip.git import Bare
    from paperclip.scrub import Scrubber


class Gone(Exception):
    """The check is somebody else's now, or may not go on: nothing of it counts."""


@dataclass(frozen=True)
class Result:
    """What came of it: "passed", "failed" or "unable" (nobody can tell), in a sentence
    why, and the facts for the receipt."""

    outcome: str
    said: str
    facts: dict[str, Any] = field(default_factory=dict)


def passed(said: str, **facts: Any) -> Result:
    return Result(PASSED, said, facts)


def failed(said: str, **facts: Any) -> Result:
    return Result(FAILED, said, facts)


def unable(said: str, **facts: Any) -> Result:
    return Result(UNABLE, said, facts)


def no_secret(name: str) -> str:
    return ""


@dataclass(frozen=True)
class Job:
    """One criterion to look at: its settings with every parameter put in, the issue,
    what its agent says of it, and an empty directory.

    `beat` renews the lease, at most as often as needed; Gone when there is nothing to
    go on with. `secret` reads what a setting refers to; `scrubber` takes out of what is
    cut to pieces what agents were given.
    """

    settings: dict[str, Any]
    issue: Issue
    claim: Claim
    scratch: Path
    beat: Callable[[], None]
    secret: Callable[[str], str] = no_secret
    scrubber: Scrubber = NOTHING

    @property
    def branch(self) -> Branch | None:
        """The branch that was handed over; None without one."""
        product = repositories.uploads(self.issue).select_related("project").first()
        if product is None or product.project is None:
            return None
        bare, facts = repositories.of(product.project), repositories.facts_of(product)
        tip = bare.commit_of(product.project.default_branch)
        commit = bare.commit_of(facts["commit"])
        if tip is None or commit is None:
            return None
        merged = facts.get("merged", {}).get("branchCommit") == commit
        # Where it is merged already, what it was made from is what it is held against.
        base = facts["base"] if merged else bare.base_of(tip, commit)
        return Branch(bare, commit, base or facts["base"], tip)


@dataclass(frozen=True)
class Branch:
    bare: Bare
    commit: str
    base: str
    default_tip: str


class Checker(ABC):
    Settings: type[Form]
    # Whether nobody but a person can say so.
    by_hand = False
    # Whether only an operator says what is looked at.
    of_catalogue = False

    @classmethod
    def put_in(
        cls, settings: Mapping[str, Any], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The settings with the parameters in their places."""
        found: dict[str, Any] = parameters.put_in(dict(settings), values)
        return found

    @abstractmethod
    def in_words(self, settings: Mapping[str, Any]) -> str:
        """What is looked at, in a line."""

    @abstractmethod
    def check(self, job: Job) -> Result:
        """Look. What the work lacks is a `failed`; what keeps one from looking is
        `unable`. An exception means that Paperclip itself is at fault."""
