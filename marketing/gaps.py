"""Terms that rivals use and we do not, each with a score whose parts are kept."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db.models import Min

from marketing.clusters import EMPTY, plain
from marketing.models import (
    Competitor,
    Keyword,
    KeywordGap,
    ObservedTerm,
    PageSnapshot,
    RankReading,
)
from marketing.words import stem_key, words

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
WEIGHTS = {"coverage": 0.35, "prominence": 0.25, "freshness": 0.10, "fit": 0.30}
# Of what a vendor says that is searched; the others make room for it.
DEMAND = 0.20
FRESH, STALE = timedelta(days=14), timedelta(days=90)
SAME, MISSING, HIGH, MEDIUM, FEWEST, FIRST_PAGE = 0.8, 0.5, 60.0, 40.0, 2, 10
# A text is no keyword for having a word in it once.
OFTEN = 3
MOST_TERMS, MOST_GAPS, LONGEST = 400, 200, 4
SENTENCE = re.compile(r"[.!?;:|•·\n\r(){}\[\]\"“”«»/]|\s[-–—]\s")  # noqa: RUF001

Pages = Mapping[Competitor, Sequence[PageSnapshot]]


@dataclass
class Term:
    """A term of one rival: how it is written, the best place it was in, how often."""

    spellings: Counter[str] = field(default_factory=Counter)
    place: str = "body"
    count: int = 0

    @property
    def text(self) -> str:
        return min(self.spellings, key=lambda one: (-self.spellings[one], one))


def find(site: Site, read: Pages, at: datetime, *, keep: bool) -> list[KeywordGap]:
    """The gaps by what these rivals have, best first; with `keep` they, and the terms
    behind them, are stored."""
    language = str((site.languages or ["en"])[0])
    brands = names(site, Competitor.objects.filter(company=site.company_id))
    seen = {rival: terms(pages, language, brands) for rival, pages in read.items()}
    if keep:
        observe(site, seen, at)
    merged = without_parts(merge(seen))
    found = Scale(site, read, at, language).rows(merged)
    found.sort(key=lambda one: (-one.score, one.term))
    found = found[:MOST_GAPS]
    return store(site, found) if keep else found


# --- terms -----------------------------------------------------------------------------


def terms(
    pages: Sequence[PageSnapshot], language: str, brands: frozenset[str]
) -> dict[str, Term]:
    """By their stems, what stands on the pages of one rival."""
    found: dict[str, Term] = {}
    bodies: dict[str, Term] = {}
    for page in pages:
        for place, text in places(page):
            into = bodies if place == "body" else found
            for gram in grams(text, brands):
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


def grams(text: str, brands: frozenset[str]) -> Iterator[str]:
    """One to four words in a row of a sentence that could be searched for."""
    for sentence in SENTENCE.split(text):
        if sentence.strip():
            yield from (g for g in analyser()(sentence) if is_term(g, brands))


def is_term(gram: str, brands: frozenset[str]) -> bool:
    parts, none = gram.split(), empty()
    if len(gram) > 80 or parts[0] in none or parts[-1] in none:
        return False
    if brands.intersection(parts) or any(one[0].isdigit() for one in parts):
        return False
    return len(parts) > 1 or len(gram) >= 4


def names(site: Site, rivals: Iterable[Competitor]) -> frozenset[str]:
    """The words of names, which are nobody's keywords."""
    told = [site.name, *map(str, site.brands), *(one.name for one in rivals)]
    hosts = [site.host, *(urlsplit(one.base_url).hostname or "" for one in rivals)]
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


# --- gaps ------------------------------------------------------------------------------


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


class Scale:
    """How much each term is worth to this site."""

    def __init__(self, site: Site, read: Pages, at: datetime, language: str) -> None:
        self.site, self.at, self.language = site, at, language
        self.rivals = len(read)
        self.own = list(Keyword.objects.filter(company=site.company_id).order_by("pk"))
        self.topics = [str(one) for one in site.topics] or [k.text for k in self.own]
        self._texts = [page.text for pages in read.values() for page in pages]
        first = ObservedTerm.objects.filter(company=site.company_id)
        told = first.values_list("stem_key").annotate(Min("first_seen_at"))
        self._first: dict[str, datetime] = dict(told)

    def rows(self, found: Mapping[str, Shared]) -> list[KeywordGap]:
        keys = list(found)
        texts = [found[key].term.text for key in keys]
        fit, _place = self._near(texts, self.topics)
        close, place = self._near(texts, [one.text for one in self.own])
        mine = {one.stem_key: one for one in self.own}
        made = []
        for n, key in enumerate(keys):
            ours = mine.get(key) or (self.own[place[n]] if close[n] >= SAME else None)
            parts = self._parts(key, found[key], fit[n])
            weak = self._weak(ours) if ours else None
            if ours and not weak:
                continue
            made.append(self._row(key, found[key], {**parts, **(weak or {})}, ours))
        return made

    def _parts(self, key: str, shared: Shared, fit: float) -> dict[str, Any]:
        first = self._first.get(key, self.at)
        return {
            "coverage": round(len(shared.rivals) / self.rivals, 4),
            "prominence": PLACES[shared.term.place],
            "freshness": round(freshness(self.at - first), 4),
            "fit": round(fit, 4),
        }

    def _row(
        self, key: str, shared: Shared, parts: dict[str, Any], ours: Keyword | None
    ) -> KeywordGap:
        if ours and ours.volume is not None:
            parts["demand"] = round(min(1.0, math.log10(1 + ours.volume) / 5), 4)
        value = score(parts)
        kind = KeywordGap.Class.UNTAPPED
        if parts["coverage"] >= MISSING:
            kind = KeywordGap.Class.MISSING
        return KeywordGap(
            company_id=self.site.company_id,
            term=shared.term.text[:200],
            stem_key=key,
            score=value,
            components=parts,
            kind=KeywordGap.Class.WEAK if ours else kind,
            priority=priority(value, self.rivals),
            rivals=sorted({one.name for one in shared.rivals}),
            first_seen_at=self._first.get(key, self.at),
            last_seen_at=self.at,
        )

    def _weak(self, ours: Keyword) -> dict[str, Any] | None:
        """What we have for it and where that is found, when it is not among the first
        ten; None when it is, or nobody knows."""
        rows = RankReading.objects.filter(keyword=ours, metric=RankReading.Metric.GSC)
        last = rows.filter(status="ranked").order_by("-day").first()
        if last is None or last.position <= FIRST_PAGE:
            return None
        return {"update": last.url or ours.target_url, "position": last.position}

    def _near(
        self, texts: Sequence[str], others: Sequence[str]
    ) -> tuple[list[float], list[int]]:
        """For each text the largest cosine (TF-IDF of stems) to one of the others, and
        which one that is."""
        if not texts or not others:
            return [0.0] * len(texts), [0] * len(texts)
        from sklearn.feature_extraction.text import TfidfVectorizer

        known = [plain(one, self.language) for one in [*self._texts, *self.topics]]
        mine = [plain(one, self.language) for one in others]
        told = [plain(one, self.language) for one in texts]
        model = TfidfVectorizer(tokenizer=str.split, token_pattern=None)
        model.fit([*known, *mine, *told])
        near = (model.transform(told) @ model.transform(mine).T).toarray()
        best = near.argmax(axis=1)
        return [float(near[n, k]) for n, k in enumerate(best)], [int(k) for k in best]


def score(parts: Mapping[str, Any]) -> float:
    """Out of 100. What is searched counts when it is known."""
    weights = dict(WEIGHTS)
    if "demand" in parts:
        weights["demand"] = DEMAND
    total = sum(weights.values())
    got = sum(weight * parts[name] for name, weight in weights.items())
    return round(100 * got / total, 2)


def freshness(age: timedelta) -> float:
    """1 for two weeks, then less, until nothing is left after 90 days."""
    return max(0.0, min(1.0, (STALE - age) / (STALE - FRESH)))


def priority(value: float, rivals: int) -> str:
    """Of fewer than two rivals nobody can tell what all of them have."""
    if value >= HIGH and rivals >= FEWEST:
        return KeywordGap.Priority.HIGH
    low = KeywordGap.Priority.LOW
    return KeywordGap.Priority.MEDIUM if value >= MEDIUM else low


def store(site: Site, found: list[KeywordGap]) -> list[KeywordGap]:
    """Each once, by its stems. What has become a keyword of ours is none any more."""
    KeywordGap.objects.bulk_create(
        found,
        update_conflicts=True,
        unique_fields=["company", "stem_key"],
        update_fields=[
            *("term", "score", "components", "kind", "priority", "rivals"),
            *("last_seen_at", "updated_at"),
        ],
    )
    keys = [one.stem_key for one in found]
    rows = KeywordGap.objects.filter(company=site.company_id)
    own = Keyword.objects.filter(company=site.company_id).values("stem_key")
    ours = rows.filter(stem_key__in=own, issue=None).exclude(kind="weak")
    ours.delete()
    order = {key: n for n, key in enumerate(keys)}
    kept = rows.filter(stem_key__in=keys, is_dismissed=False)
    return sorted(kept, key=lambda one: order[one.stem_key])
