"""Terms that rivals use and we do not, each with a score whose parts are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Min

from marketing.clusters import plain
from marketing.models import (
    Competitor,
    Keyword,
    KeywordGap,
    ObservedTerm,
    PageSnapshot,
    RankReading,
)
from marketing.terms import (
    PLACES,
    Shared,
    merge,
    names,
    observe,
    terms,
    without_parts,
)

if TYPE_CHECKING:
    from marketing.models import Site

WEIGHTS = {"coverage": 0.35, "prominence": 0.25, "freshness": 0.10, "fit": 0.30}
# Of what a vendor says that is searched; the others make room for it.
DEMAND = 0.20
FRESH, STALE = timedelta(days=14), timedelta(days=90)
SAME, MISSING, HIGH, MEDIUM, FEWEST, FIRST_PAGE = 0.8, 0.5, 60.0, 40.0, 2, 10
MOST_GAPS = 200

Pages = Mapping[Competitor, Sequence[PageSnapshot]]


def find(site: Site, read: Pages, at: datetime, *, keep: bool) -> list[KeywordGap]:
    """The gaps by what these rivals have, best first; with `keep` they, and the terms
    behind them, are stored."""
    language = site.language
    brands = names(site, Competitor.objects.filter(company=site.company_id))
    seen = {rival: terms(pages, language, brands) for rival, pages in read.items()}
    if keep:
        observe(site, seen, at)
    merged = without_parts(merge(seen))
    found = Scale(site, read, at, language).rows(merged)
    found.sort(key=lambda one: (-one.score, one.term))
    found = found[:MOST_GAPS]
    return store(site, found) if keep else found


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
            if fit[n] == 0 and " " not in texts[n]:
                # A word that has nothing to do with us is no keyword.
                continue
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
        last = self._ranks.get(ours.pk)
        if last is None or last.position is None or last.position <= FIRST_PAGE:
            return None
        return {"update": last.url or ours.target_url, "position": last.position}

    @cached_property
    def _ranks(self) -> dict[Any, RankReading]:
        """Where each keyword of ours was last found, by Search Console."""
        rows = RankReading.objects.filter(
            company=self.site.company_id,
            metric=RankReading.Metric.GSC,
            status=RankReading.Status.RANKED,
        )
        newest = rows.order_by("keyword_id", "-day").distinct("keyword")
        return {row.keyword_id: row for row in newest}

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
