"""Says of links that do not fit their chain what was done to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

# The place of a moved act is looked for among so many broken links on either side.
NEAR = 100


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `number` is the seal's, `seq` the act's, where known."""

    what: str
    said: str
    number: int | None = None
    seq: int | None = None

    def __str__(self) -> str:
        return self.said

    def place(self) -> float:
        """In the order of the chain; what has no place in it comes last."""
        return float("inf") if self.number is None else self.number

    @property
    def still_there(self) -> int | None:
        """The act, where there is one to look at."""
        return None if self.what == "act_removed" else self.seq


class Link(NamedTuple):
    """A seal, and what its act says now (None: there is no such act)."""

    number: int
    seq: int
    digest: bytes
    entry: bytes | None

    def after(self, before: bytes, entry: bytes | None = None) -> bytes:
        """The seal it should have, after that one."""
        return hashlib.sha256(before + (entry or self.entry or b"")).digest()


@dataclass(slots=True)
class Broken:
    """A link that does not fit the seal before it. Its seal alone is wrong when the
    link behind it fits the one that it should have."""

    link: Link
    before: bytes
    seal_alone: bool = False

    @property
    def real(self) -> bytes:
        return self.link.after(self.before)


def diagnose(broken: list[Broken]) -> Iterator[Finding]:
    for place, one in enumerate(broken):
        near = broken[max(0, place - NEAR) : place + NEAR + 1]
        yield reordered(one, near) or edited(one)


def reordered(one: Broken, near: list[Broken]) -> Finding | None:
    """What it says when it only changed places with another of these."""
    number, seq = one.link.number, one.link.seq
    for other in (each for each in near if each is not one):
        there = other.link
        if one.real == there.digest:
            said = f"The seals of entries {number} and {there.number} changed places."
        elif one.link.digest in (
            one.link.after(one.before, there.entry),
            one.link.after(one.before, as_act(seq, there)),
        ):
            said = f"Entry {number} says what entry {there.number} said before."
        elif there.after(one.before) == there.digest:
            said = f"Entry {there.number} (act {there.seq}) belongs where {number} is."
        elif one.link.after(there.digest) == one.link.digest:
            said = f"Entry {number} (act {seq}) followed the present {there.number}."
        else:
            continue
        return Finding("reordered", said, number, seq)
    return None


def as_act(seq: int, link: Link) -> bytes:
    """What another act says, under this `seq`: its canonical JSON begins with it."""
    return b"[%d%b" % (seq, (link.entry or b"")[(link.entry or b",").index(b",") :])


def edited(one: Broken) -> Finding:
    number, seq = one.link.number, one.link.seq
    if one.seal_alone:
        said = f"The seal of entry {number} (act {seq}) was edited."
        return Finding("seal_edited", said, number, seq)
    said = f"Entry {number} (act {seq}) was edited."
    return Finding("act_edited", said, number, seq)
