"""Words as jobs compare them: stems, shingles, names and addresses without disguise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import cache

import snowballstemmer

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")  # noqa: RUF001
LANGUAGES = {
    "en": "english",
    "pt": "portuguese",
    "es": "spanish",
    "fr": "french",
    "de": "german",
    "it": "italian",
}
# Domains that ignore the dots in a name.
DOTLESS = {"gmail.com", "googlemail.com"}


def squeezed(text: str) -> str:
    """In one line, with one space where there were more."""
    return " ".join(text.split())


def words(text: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFKC", text).lower())


@cache
def stemmer(language: str) -> snowballstemmer.basestemmer.BaseStemmer:
    return snowballstemmer.stemmer(LANGUAGES.get(language[:2], "english"))


def stems(text: str, language: str = "en") -> list[str]:
    return [str(one) for one in stemmer(language).stemWords(words(text))]


def stem_key(text: str, language: str = "en") -> str:
    """What two spellings of a keyword share: their stems, sorted."""
    return " ".join(sorted(set(stems(text, language))))[:200]


def shingles(
    text: str, size: int = 5, masked: Collection[str] = ()
) -> set[tuple[str, ...]]:
    """Runs of `size` words. Names in `masked`, and numbers, are all the same: a text
    with another name in it is the same text."""
    hidden = {word for name in masked for word in words(name)}
    told = ["#" if w in hidden or w[0].isdigit() else w for w in words(text)]
    if len(told) < size:
        return {tuple(told)} if told else set()
    return {tuple(told[i : i + size]) for i in range(len(told) - size + 1)}


def jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    """How much of both is in both, from 0 to 1."""
    return len(one & other) / len(one | other) if one | other else 0.0


def containment(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    """How much of the first is in the other, from 0 to 1."""
    return len(one & other) / len(one) if one else 0.0


def identity(address: str) -> str:
    """A mail address without its disguises: NFKC, lower case, the domain as IDNA, no
    plus tag, no dots where the server ignores them. Empty for what is no address."""
    local, at, domain = unicodedata.normalize("NFKC", address).strip().rpartition("@")
    if not at or not local:
        return ""
    try:
        domain = domain.strip(". ").lower().encode("idna").decode()
    except UnicodeError:
        return ""
    local = local.lower().partition("+")[0]
    if domain in DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if local and domain else ""


def masked_address(address: str) -> str:
    """For logs and issues: e***@press.example."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}***@{domain}"
