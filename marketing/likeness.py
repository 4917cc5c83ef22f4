"""Whether a post says what another page says already: ours, or somebody else's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Sum

from marketing.clusters import nearest
from marketing.draft import Draft, plain
from marketing.models import (
    Competitor,
    OwnPage,
    PageSnapshot,
    Post,
    PostVersion,
    RankReading,
)
from marketing.render import body_of
from marketing.web.addresses import netloc_of, normal
from marketing.words import containment, jaccard, shingles, words

if TYPE_CHECKING:
    from datetime import datetime

    from marketing.models import Site

# A page competes with another one when its title is so close (of 100), its text so
# close (cosine), or when it had this share of the impressions of the search lately.
TITLE, TEXT, SHARE, SPAN = 85.0, 0.75, 0.2, timedelta(days=28)
# So much two texts of ours may have in common, and so much of ours may be in a page of
# others; nor so many words in a row.
ALIKE, TAKEN, RUN = 0.30, 0.15, 25
# What is compared: the newest. A few thousand fit into memory.
MOST = 3000


class Text(NamedTuple):
    """`name` for people; `url` where it is."""

    name: str
    url: str
    text: str


class Corpus:
    """All that a post of this site is held against, read once."""

    def __init__(self, site: Site, post: Post, at: datetime) -> None:
        self.site, self.post, self.at = site, post, at

    @cached_property
    def names(self) -> set[str]:
        """Of us and of rivals: a text with another name in it is the same text."""
        told = {*self.site.brands, self.site.name, *self.rivals}
        told |= {netloc_of(one.base_url) for one in self.competitors}
        return {str(one) for one in told if one}

    @cached_property
    def competitors(self) -> list[Competitor]:
        return list(Competitor.objects.filter(company=self.site.company_id))

    @property
    def rivals(self) -> set[str]:
        """Their names."""
        return {one.name for one in self.competitors}

    @cached_property
    def posts(self) -> list[Text]:
        """Other posts of ours: those on their way too."""
        rows = PostVersion.objects.filter(post__company=self.site.company_id)
        rows = rows.exclude(post=self.post.pk).exclude(post__state__in=Post.OVER)
        newest = rows.order_by("post_id", "-number").distinct("post_id")
        return [
            Text(one.post.title, one.post.url, plain(body_of(one.source)))
            for one in newest.select_related("post")[:MOST]
        ]

    @cached_property
    def pages(self) -> list[Text]:
        """Pages of ours that are no posts."""
        rows = OwnPage.objects.filter(company=self.site.company_id, status=200)
        known = {self.post.url, *(one.url for one in self.posts)}
        found = rows.exclude(url__in=known).order_by("-read_at")[:MOST]
        return [Text(one.title, one.url, one.text) for one in found]

    @cached_property
    def ours(self) -> list[Text]:
        return [*self.posts, *self.pages]

    def theirs(self) -> Iterator[Text]:
        """Pages of rivals as they were read."""
        rows = PageSnapshot.objects.filter(
            company=self.site.company_id, status=PageSnapshot.Status.OK
        )
        rows = rows.exclude(text="").order_by("-last_seen_at")
        for url, text in rows.values_list("url", "text")[:MOST]:
            yield Text(url, url, text)

    # --- the same subject ---------------------------------------------------------

    def competing(self, draft: Draft) -> Text | None:
        """The page of ours that this one would take readers from."""
        return (
            self._close_in_title(draft.title)
            or self._close_in_text(draft.prose)
            or self._found_for_keyword()
        )

    def _close_in_title(self, title: str) -> Text | None:
        from rapidfuzz import fuzz

        for one in self.ours:
            # One word is in many titles; two are a subject.
            many = len(words(one.name)) > 1
            close = fuzz.token_set_ratio(title.lower(), one.name.lower())
            if many and close >= TITLE:
                return one
        return None

    def _close_in_text(self, text: str) -> Text | None:
        told = [one.text[:20_000] for one in self.posts]
        n, near = nearest(text, told, self.post.language)
        return self.posts[n] if near >= TEXT else None

    def _found_for_keyword(self) -> Text | None:
        """A page that a search engine shows for the keyword already."""
        rows = RankReading.objects.filter(
            company=self.site.company_id,
            metric=RankReading.Metric.GSC,
            keyword__text__iexact=self.post.keyword,
            impressions__gt=0,
            day__gt=(self.at - SPAN).date(),
        )
        shown = rows.aggregate(all=Sum("impressions"))["all"] or 0
        for row in rows.values("url").annotate(times=Sum("impressions")):
            other = row["url"] and normal(row["url"]) != normal(self.post.url)
            if other and row["times"] / shown >= SHARE:
                return Text(row["url"], row["url"], "")
        return None

    # --- the same words -----------------------------------------------------------

    def taken(self, text: str) -> tuple[Text, str] | None:
        """A page of others that it is copied from, and how much."""
        mine = shingles(text, masked=self.names)
        runs = shingles(text, RUN, masked=self.names)
        for one in self.theirs():
            part = containment(mine, shingles(one.text, masked=self.names))
            if part >= TAKEN:
                return one, f"{part:.0%} of it stands there"
            if runs & shingles(one.text, RUN, masked=self.names):
                return one, f"{RUN} words in a row stand there"
        return None

    def most_alike(self, text: str) -> tuple[Text | None, float]:
        """The text of ours that has most in common with it, and how much."""
        mine = shingles(text, masked=self.names)
        best: Text | None = None
        most = 0.0
        for one in self.ours:
            alike = jaccard(mine, shingles(one.text, masked=self.names))
            if alike > most:
                best, most = one, alike
        return best, most
