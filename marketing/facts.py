"""What a post may claim: only what stands in its facts, and where it says so."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from marketing.draft import plain
from marketing.readability import sentences
from marketing.words import squeezed, stems

if TYPE_CHECKING:
    from marketing.draft import Draft

NUMBER = re.compile(r"(?<![\w-])[\d](?:[\d.,  ]*\d)?")
QUOTE = re.compile(r"[“\"«„]([^”\"»“]{12,})[”\"»“]")
# "1." at the beginning of a line counts, and says nothing.
LISTED = re.compile(r"^\s*\d+[.)]\s+", re.MULTILINE)
# So much of what a sentence says of somebody has to stand in the fact it rests on.
SAME = 0.5
SHORT = 4
# Claims that a person always looks at, whoever may publish without asking.
DELICATE = re.compile(
    r"\b(?:legal(?:ly)?|lawyers?|lawsuits?|liab\w+|gdpr|complian\w+|contracts?|tax(?:es)?"
    r"|medical\w*|health\w*|diagnos\w+|patients?|doctors?|therap\w+|drugs?"
    r"|invest\w+|financ\w+|loans?|profits?|returns? on|guarantee\w*|revenue"
    r"|jurídic\w+|lega(?:l|is)|advogad\w+|contrat\w+|impostos?|rgpd"
    r"|médic\w+|saúde|pacientes?|doentes?"
    r"|financeir\w+|lucros?|garant\w+)\b",
    re.IGNORECASE,
)


def faults(draft: Draft, facts: Mapping[str, str], names: Collection[str]) -> list[str]:
    """What the draft claims and no fact of it says."""
    found = []
    cited = {one.source_id for one in draft.facts}
    if unknown := sorted(cited - facts.keys()):
        found.append(f"There are no facts {', '.join(unknown)}.")
    told = [facts[one] for one in sorted(cited & facts.keys())]
    everything = " ".join(flat(text) for text in told)
    known = {digits(one) for one in NUMBER.findall(" ".join(told))}
    for sentence in claims(draft):
        for number in NUMBER.findall(sentence):
            if digits(number) not in known:
                found.append(f"The number {number.strip()} stands in no cited fact.")
        for quote in QUOTE.findall(sentence):
            if flat(quote).rstrip(".,!?") not in everything:
                found.append(f"The quote “{quote[:60]}” stands in no cited fact.")
        if is_about(sentence, names) and not rests(sentence, told, names):
            found.append(f"No cited fact says: “{sentence[:160]}”")
    return list(dict.fromkeys(found))


def claims(draft: Draft) -> Iterator[str]:
    """Every sentence, of headings and questions too."""
    yield from draft.lines()
    for text in draft.texts():
        yield from sentences(plain(LISTED.sub("", text)))


def is_about(sentence: str, names: Collection[str]) -> bool:
    """Whether it says something of us or of somebody by name."""
    if sentence.rstrip().endswith("?"):
        return False
    told = flat(sentence)
    named = (flat(name) for name in names if name)
    return any(re.search(rf"\b{re.escape(name)}\b", told) for name in named)


def rests(sentence: str, told: list[str], names: Collection[str]) -> bool:
    hidden = {stem for name in names for stem in stems(name)}
    said = {one for one in stems(sentence) if len(one) >= SHORT} - hidden
    return any(
        not said or len(said & set(stems(text))) / len(said) >= SAME for text in told
    )


def digits(number: str) -> str:
    return re.sub(r"\D", "", number)


def flat(text: str) -> str:
    """As it is compared: in one line, whatever its case."""
    return squeezed(text).casefold()


def wants_a_person(draft: Draft, rivals: Collection[str]) -> str:
    """Why a person has to see it, whatever its cluster may; empty: nothing."""
    text = " ".join([*draft.lines(), draft.prose])
    if found := DELICATE.search(text):
        return f"It says something about “{found[0]}”."
    named = [name for name in rivals if flat(name) in flat(text)]
    return f"It names {named[0]}." if named else ""
