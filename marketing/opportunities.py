"""What is worth writing about: terms of rivals that are none of ours, and searches in
which we are almost found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db import transaction

from marketing.clusters import DISTANCE, nearest
from marketing.likeness import SHARE, SPAN, TEXT, TITLE
from marketing.models import (
    Brief,
    Keyword,
    KeywordCluster,
    KeywordGap,
    OwnPage,
    Post,
    RankReading,
)
from marketing.models.keyword import WEEK
from marketing.words import stem_key, words
from paperclip import audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from marketing.models import Site
    from paperclip.actors import Actor

# Almost found: seen so often in so many days, and on these places.
IMPRESSIONS, FIRST, LAST = 50, 5.0, 20.0
# So long a cluster is left alone after a brief: search engines need the time.
REST = timedelta(days=28)
MOST_LINKS, MOST_SECONDARY, MOST_FACTS = 10, 12, 40
_COMMERCIAL = (
    "agency agencies company companies cost costs price prices pricing hire services"
    " service provider buy agência empresa empresas preço preços custo serviços"
)
_COMPARING = "vs versus best top alternative alternatives melhor"
COMMERCIAL = frozenset(_COMMERCIAL.split())
COMPARING = frozenset(_COMPARING.split())


@dataclass(frozen=True)
class Opportunity:
    """`score` from 0 to 100; `why` for people; `url` the page of ours that a search
    engine shows already; `gap` what it came of."""

    text: str
    language: str
    score: float
    why: str
    url: str = ""
    gap: KeywordGap | None = None
    keyword: Keyword | None = None


@dataclass
class Prospects:
    """The opportunities of a site at a moment, and what speaks against each."""

    site: Site
    at: datetime
    taken: set[Any] = field(default_factory=set)

    def best(self, most: int) -> Iterator[tuple[Opportunity, KeywordCluster | None]]:
        """At most so many, the best first, each of another cluster that may be written
        about now; without a cluster when none is near."""
        found = [*self.of_gaps(), *self.of_searches()]
        found.sort(key=lambda one: (-one.score, one.text))
        number = 0
        for one in found:
            cluster = self.cluster_of(one)
            mark = cluster.pk if cluster else stem_key(one.text, one.language)
            if mark in self.taken or mark in self.resting:
                continue
            self.taken.add(mark)
            yield one, cluster
            number += 1
            if number == most:
                return

    def of_gaps(self) -> Iterator[Opportunity]:
        rows = KeywordGap.objects.filter(company=self.site.company, is_dismissed=False)
        for gap in rows.order_by("-score", "term")[:200]:
            named = ", ".join(str(one) for one in gap.rivals[:3])
            why = f"Rivals write about it ({named or 'seen on their pages'}); score"
            told = f"{why} {gap.score:.0f}, {gap.get_kind_display()}."
            yield Opportunity(gap.term, self.site.language, gap.score, told, gap=gap)

    def of_searches(self) -> Iterator[Opportunity]:
        """Keywords that are shown often enough on a place that can be bettered."""
        for keyword, rows in self.seen.items():
            told = [(row.impressions or 0, row.position or 0.0) for row in rows]
            shown = sum(times for times, _place in told)
            place = sum(times * place for times, place in told) / shown
            if shown < IMPRESSIONS or not FIRST <= place <= LAST:
                continue
            score = 50 * min(1.0, math.log10(shown) / 4)
            score += 50 * (LAST - place) / (LAST - FIRST)
            why = (
                f"Shown {shown} times in {SPAN.days} days on place {place:.1f} on"
                " average: a better page would be found."
            )
            yield Opportunity(
                keyword.text,
                keyword.language,
                score,
                why,
                url=page_of(rows, shown),
                keyword=keyword,
            )

    @cached_property
    def seen(self) -> dict[Keyword, list[RankReading]]:
        """What Search Console measured lately, by keyword."""
        rows = RankReading.objects.filter(
            company=self.site.company,
            metric=RankReading.Metric.GSC,
            status=RankReading.Status.RANKED,
            impressions__gt=0,
            day__gt=(self.at - SPAN).date(),
        )
        found: dict[Keyword, list[RankReading]] = {}
        for row in rows.select_related("keyword").order_by("keyword__text", "day"):
            found.setdefault(row.keyword, []).append(row)
        return found

    @cached_property
    def resting(self) -> set[Any]:
        """Clusters that have a brief or a post under way, or had one lately."""
        briefs = Brief.objects.filter(company=self.site.company)
        known = set(briefs.waiting().values_list("cluster_id", flat=True))
        lately = briefs.filter(created_at__gt=self.at - REST)
        known |= set(lately.values_list("cluster_id", flat=True))
        posts = Post.objects.filter(company=self.site.company).under_way()
        return known | set(posts.values_list("cluster_id", flat=True))

    @cached_property
    def keywords(self) -> list[Keyword]:
        rows = Keyword.objects.filter(company=self.site.company)
        return list(rows.select_related("cluster").order_by("text"))

    def cluster_of(self, one: Opportunity) -> KeywordCluster | None:
        if one.keyword is not None and one.keyword.cluster is not None:
            return one.keyword.cluster
        known = [row for row in self.keywords if row.language == one.language]
        n, near = nearest(one.text, [row.text for row in known], one.language)
        return known[n].cluster if near >= 1 - DISTANCE else None

    # --- what speaks against a new page -------------------------------------------

    @cached_property
    def pages(self) -> list[OwnPage]:
        rows = OwnPage.objects.filter(company=self.site.company, status=200)
        return list(rows.exclude(title="").order_by("url"))

    def rival_of_ours(self, one: Opportunity) -> tuple[str, bool]:
        """The address of the page of ours that a new one would compete with, and
        whether a person wrote it; ("", False) when there is none."""
        known = {page.url: page.by_hand for page in self.pages}
        if one.url:
            return one.url, known.get(one.url, True)
        page = self.close_in_title(one) or self.close_in_text(one)
        return (page.url, page.by_hand) if page else ("", False)

    def close_in_title(self, one: Opportunity) -> OwnPage | None:
        from rapidfuzz import fuzz

        key = stem_key(one.text, one.language)
        # One word is in many titles; two are a subject.
        many = len(words(one.text)) > 1
        for page in self.pages:
            if key == stem_key(page.title, one.language):
                return page
            close = fuzz.token_set_ratio(one.text.lower(), page.title.lower())
            if many and close >= TITLE:
                return page
        return None

    def close_in_text(self, one: Opportunity) -> OwnPage | None:
        told = [f"{page.title} {page.text[:5000]}" for page in self.pages]
        n, near = nearest(one.text, told, one.language)
        return self.pages[n] if near >= TEXT else None


def page_of(rows: Sequence[RankReading], shown: int) -> str:
    """The page of ours that has a fifth of the impressions at least, and the most."""
    by_url: dict[str, int] = {}
    for row in rows:
        by_url[row.url] = by_url.get(row.url, 0) + int(row.impressions or 0)
    url, most = max(by_url.items(), key=lambda one: (one[1], one[0]))
    return url if url and most / shown >= SHARE else ""


@transaction.atomic
def write_brief(
    prospects: Prospects,
    one: Opportunity,
    cluster: KeywordCluster | None,
    *,
    by: Actor,
) -> Brief | None:
    """The brief of an opportunity; None when the cluster has one of this week. One that
    would change a page written by hand is only proposed: a person decides."""
    site = prospects.site
    if one.gap is not None and one.keyword is None:
        cluster = adopt(site, one, cluster, by=by)
    assert cluster is not None  # noqa: S101 (what is searched for is a keyword)
    url, by_hand = prospects.rival_of_ours(one)
    members = [row.text for row in cluster.keywords.order_by("text")]
    brief, made = Brief.objects.get_or_create(
        cluster=cluster,
        week=f"{prospects.at:{WEEK}}",
        defaults={
            "company": site.company,
            "kind": Brief.Kind.UPDATE if url else Brief.Kind.NEW,
            "state": Brief.State.PROPOSED if by_hand else Brief.State.APPROVED,
            "primary": one.text,
            "secondary": [text for text in members if text != one.text][
                :MOST_SECONDARY
            ],
            "intent": intent_of(one.text),
            "language": one.language,
            "target_url": url,
            "facts": list(site.facts)[:MOST_FACTS],
            "links": links_for(site, one),
            "score": round(one.score, 1),
            "why": one.why,
        },
    )
    if not made:
        return None
    audit.record(by, "brief.made", brief, keyword=brief.primary, kind=brief.kind)
    return brief


def adopt(
    site: Site, one: Opportunity, cluster: KeywordCluster | None, *, by: Actor
) -> KeywordCluster:
    """Make a rivals' term a keyword of ours, in the cluster next to it or its own."""
    # Whether its rank is watched, which may cost money, is for people to say.
    keyword, made = Keyword.objects.enter(
        site.company,
        one.text,
        by=by,
        language=one.language,
        country=str((site.countries or ["PT"])[0]),
        source="gap",
        is_tracked=False,
    )
    found: KeywordCluster | None = keyword.cluster or cluster
    if found is None:
        found = KeywordCluster.objects.create(company=site.company, name=keyword.text)
    if made or keyword.cluster is None:
        Keyword.objects.filter(pk=keyword.pk).update(cluster=found)
    return found


def intent_of(text: str) -> str:
    told = set(words(text))
    if told & COMPARING:
        return "comparison"
    return "commercial" if told & COMMERCIAL else "informational"


def links_for(site: Site, one: Opportunity) -> list[str]:
    """The ids of live posts that are closest to it, the closest first."""
    posts = Post.objects.filter(company=site.company, language=one.language).live()
    rows = list(posts.order_by("title"))
    asked = set(stem_key(one.text, one.language).split())

    def shared(post: Post) -> int:
        told = stem_key(f"{post.title} {post.keyword}", one.language)
        return len(asked & set(told.split()))

    rows.sort(key=lambda post: (-shared(post), post.title))
    return [str(post.pk) for post in rows[:MOST_LINKS]]
