"""How hard a text is to read, and in which language it is. Nothing is downloaded."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

from marketing.words import words

# Flesch's formula as it was fitted to each language: a - b * (words per sentence)
# - c * (syllables per word). From 0 (hard) to 100.
FLESCH = {
    "en": (206.835, 1.015, 84.6),
    "pt": (248.835, 1.015, 84.6),
    "es": (206.84, 1.02, 60.0),
    "fr": (207.0, 1.015, 73.6),
    "de": (180.0, 1.0, 58.5),
    "it": (217.0, 1.3, 60.0),
}
DICTIONARIES = {"en": "en_US", "pt": "pt_PT", "es": "es", "fr": "fr", "de": "de_DE"}
SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n\s*\n|\n(?=\s*[-*\d])")


class Reading(NamedTuple):
    """`ease` is Flesch's number; `longest` the words of the longest sentence."""

    ease: float
    average: float
    longest: int


def sentences(text: str) -> list[str]:
    found = (" ".join(one.split()) for one in SENTENCE.split(text))
    return [one for one in found if words(one)]


@cache
def hyphens(language: str) -> Any:
    import pyphen

    return pyphen.Pyphen(lang=DICTIONARIES.get(language[:2], language[:2]))


def syllables(word: str, language: str) -> int:
    try:
        return len(hyphens(language).positions(word)) + 1
    except KeyError:  # there is no dictionary of this language
        return max(1, len(re.findall(r"[aeiouyà-öø-ÿ]+", word)))


def reading(text: str, language: str) -> Reading:
    told = sentences(text)
    lengths = [len(words(one)) for one in told] or [0]
    all_words = words(text)
    number = max(1, len(all_words))
    average = number / max(1, len(told))
    spoken = sum(syllables(word, language) for word in all_words) / number
    a, b, c = FLESCH.get(language[:2], FLESCH["en"])
    return Reading(a - b * average - c * spoken, average, max(lengths))


def language_of(text: str) -> str:
    """Its two letters; a guess, good from a paragraph on."""
    import py3langid

    found: tuple[str, float] = py3langid.classify(text)
    return found[0]
