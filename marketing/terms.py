"""The terms that stand on the pages of rivals, by their stems."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db import connection

from marketing.clusters import EMPTY
from marketing.models import Competitor, ObservedTerm, PageSnapshot
from marketing.web.addresses import host_of
from marketing.words import LANGUAGES, stem_key, words

if TYPE_CHECKING:
    from marketing.models import Site

PLACES = {
    "title": 1.0,
    "h1": 0.9,
    "post": 0.8,
    "h2": 0.7,
    "description": 0.5,
    "keywords": 0.3,
    "body": 0.2,
}
# What its dictionary of a language has no stem for.
EMPTY_WORDS = (
    "SELECT one FROM unnest(%s::text[]) one"
    " WHERE ts_lexize(%s::regdictionary, one) = '{}'"
)
# A text is no keyword for having a word in it once.
OFTEN = 3
MOST_TERMS, LONGEST = 400, 4
SENTENCE = re.compile(r"[.!?;:|•·\n\r(){}\[\]\"“”«»/]|\s[-–—]\s")  # noqa: RUF001


@dataclass
class Term:
    """A term of one rival: how it is written, the best place it was in, how often."""

    spellings: Counter[str] = field(default_factory=Counter)
    place: str = "body"
    count: int = 0

    @property
    def text(self) -> str:
        return min(self.spellings, key=lambda one: (-self.spellings[one], one))


def terms(
    pages: Sequence[PageSnapshot], language: str, brands: frozenset[str]
) -> dict[str, Term]:
    """By their stems, what stands on the pages of one rival."""
    found: dict[str, Term] = {}
    bodies: dict[str, Term] = {}
    none = empty_in(language, pages)
    for page in pages:
        for place, text in places(page):
            into = bodies if place == "body" else found
            for gram in grams(text, brands, none):
                term = into.setdefault(stem_key(gram, language), Term(place=place))
                term.spellings[gram] += 1
                term.count += 1
                if PLACES[place] > PLACES[term.place]:
                    term.place = place
    for key, term in bodies.items():
        if key in found:
            found[key].count += term.count
        elif term.count >= OFTEN:
            found[key] = term
    best = sorted(
        found, key=lambda key: (-PLACES[found[key].place], -found[key].count, key)
    )
    return {key: found[key] for key in best[:MOST_TERMS]}


def places(page: PageSnapshot) -> Iterator[tuple[str, str]]:
    for name in ("title", "h1", "h2", "description", "keywords"):
        value = (page.fields.get(name) or {}).get("value") or []
        for text in [value] if isinstance(value, str) else value:
            yield name, str(text)
    for post in (page.fields.get("posts") or {}).get("value") or []:
        yield "post", str(post.get("title", ""))
    yield "body", page.text


@cache
def analyser() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(
        tokenizer=words, token_pattern=None, lowercase=False, ngram_range=(1, LONGEST)
    )
    return counter.build_analyzer()


@cache
def empty() -> frozenset[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS) | EMPTY


def empty_in(language: str, pages: Sequence[PageSnapshot]) -> frozenset[str]:
    """The words on these pages that mean nothing by themselves: English ones, which
    stand everywhere, and those that the database knows of the language."""
    name = LANGUAGES.get(language[:2])
    if name is None:
        return empty()
    told = {
        word for page in pages for _place, text in places(page) for word in words(text)
    }
    with connection.cursor() as cursor:
        cursor.execute(EMPTY_WORDS, [sorted(told), f"{name}_stem"])
        return empty() | {word for (word,) in cursor.fetchall()}


def grams(
    text: str, brands: frozenset[str], none: frozenset[str] | None = None
) -> Iterator[str]:
    """One to four words in a row of a sentence that could be searched for; those in
    `none` neither begin nor end it."""
    none = empty() if none is None else none
    for sentence in SENTENCE.split(text):
        if sentence.strip():
            yield from (g for g in analyser()(sentence) if is_term(g, brands, none))


def is_term(gram: str, brands: frozenset[str], none: frozenset[str]) -> bool:
    parts = gram.split()
    if len(gram) > 80 or parts[0] in none or parts[-1] in none:
        return False
    if brands.intersection(parts) or any(one[0].isdigit() for one in parts):
        return False
    return len(parts) > 1 or len(gram) >= 4


def names(site: Site, rivals: Iterable[Competitor]) -> frozenset[str]:
    """The words of names, which are nobody's keywords."""
    told = [site.name, *map(str, site.brands), *(one.name for one in rivals)]
    hosts = [site.host, *(host_of(one.base_url) for one in rivals)]
    labels = [label for host in hosts for label in host.split(".")[:-1]]
    found = {"".join(words(name)) for name in told} | set(labels)
    found |= {word for name in told if len(words(name)) == 1 for word in words(name)}
    return frozenset(one for one in found if len(one) > 2 and one != "www")


def observe(
    site: Site, seen: Mapping[Competitor, dict[str, Term]], at: datetime
) -> None:
    rows = [
        ObservedTerm(
            company_id=site.company_id,
            competitor=rival,
            term=term.text[:200],
            stem_key=key,
            weight=PLACES[term.place],
            place=term.place,
            first_seen_at=at,
            last_seen_at=at,
        )
        for rival, found in seen.items()
        for key, term in found.items()
    ]
    ObservedTerm.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["competitor", "stem_key"],
        update_fields=["term", "weight", "place", "last_seen_at", "updated_at"],
    )


@dataclass
class Shared:
    """A term with the rivals that use it."""

    term: Term
    rivals: list[Competitor]

    def is_within(self, longer: Shared) -> bool:
        """Whether it is used nowhere but in the longer one."""
        often = self.term.count <= longer.term.count
        return often and len(self.rivals) <= len(longer.rivals)


def merge(seen: Mapping[Competitor, dict[str, Term]]) -> dict[str, Shared]:
    found: dict[str, Shared] = {}
    for rival, own in seen.items():
        for key, term in own.items():
            shared = found.setdefault(key, Shared(Term(place=term.place), []))
            shared.rivals.append(rival)
            shared.term.spellings += term.spellings
            shared.term.count += term.count
            if PLACES[term.place] > PLACES[shared.term.place]:
                shared.term.place = term.place
    return found


def without_parts(found: dict[str, Shared]) -> dict[str, Shared]:
    """Without the terms that are only seen as a part of one longer term."""
    whole = dict(found)
    for key, longer in found.items():
        for part in parts_of(key):
            shorter = found.get(part)
            if shorter and shorter.is_within(longer):
                whole.pop(part, None)
    return whole


def parts_of(key: str) -> Iterator[str]:
    """The keys that have some of its stems."""
    stems = key.split()
    for mask in range(1, 2 ** len(stems) - 1):
        yield " ".join(one for n, one in enumerate(stems) if mask >> n & 1)
