"""Titles for what we do not write about yet: by the model or by template, and none that
is nearly somebody's already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field
from rapidfuzz import fuzz

from marketing.jobs.base import Blocked, Failed
from marketing.models import KeywordGap, OwnPage, Post
from marketing.words import stems

if TYPE_CHECKING:
    from marketing.jobs.base import Work

# From here on two titles are one (0 to 100).
ALIKE, LONGEST, EACH = 80, 60, 3
MOST, MOST_ASKED = 30, 5
TEMPLATES = {
    "en": (
        "{term}: what it costs and what it brings",
        "When {term} pays off, and when it does not",
        "{term}, explained for those who decide",
        "Five questions to ask about {term}",
        "What we learned about {term}",
    ),
    "pt": (
        "{term}: quanto custa e o que traz",
        "Quando {term} compensa, e quando não",
        "{term}, explicado a quem decide",
        "Cinco perguntas sobre {term}",
        "O que aprendemos sobre {term}",
    ),
}
TASK = (
    "Suggest three titles of blog posts for each keyword, in the language “{language}”,"
    " each of at most 60 characters and with the words of the keyword in it. No names"
    " of companies, no figures, no promises."
)


class Titles(BaseModel):
    keyword: str = Field(max_length=200)
    titles: list[str] = Field(max_length=5)


class Suggested(BaseModel):
    suggestions: list[Titles] = Field(max_length=MOST_ASKED)


def suggest(work: Work, found: Sequence[KeywordGap], read: Any) -> None:
    """Titles for the best gaps that have none. What was suggested once, stays."""
    bare = [one for one in found[:MOST] if not one.titles]
    if not bare:
        return
    known = [*of_rivals(read), *of_ours(work)]
    language = work.site.language
    high = [one for one in bare if one.priority == KeywordGap.Priority.HIGH]
    asked = by_model(work, high[:MOST_ASKED], language)
    for gap in bare:
        ideas = [*asked.get(gap.term, []), *by_template(gap.term, language)]
        gap.titles = good(gap, ideas, known, language)
        known += gap.titles
        gap.save(update_fields=["titles", "updated_at"])
    work.count("gaps with titles", len(bare))


def by_template(term: str, language: str) -> list[str]:
    shapes = TEMPLATES.get(language[:2], TEMPLATES["en"])
    told = [shape.format(term=term) for shape in shapes]
    return [one[:1].upper() + one[1:] for one in told]


def by_model(
    work: Work, found: Sequence[KeywordGap], language: str
) -> dict[str, list[str]]:
    """What the model suggests; nothing when it cannot: the templates remain."""
    if work.writer is None or not found:
        return {}
    work.at("Asks for titles.")
    terms = "\n".join(one.term for one in found)
    try:
        told = work.writer.write(
            TASK.format(language=language),
            Suggested,
            outside=[("keywords from others' pages", terms)],
        )
    except (Blocked, Failed) as no:
        work.did(f"Titles are by template: {str(no)[:200]}")
        return {}
    return {one.keyword: one.titles for one in told.suggestions}


def good(
    gap: KeywordGap, ideas: Sequence[str], known: Sequence[str], language: str
) -> list[str]:
    """The first that are short, about it, and nobody's."""
    wanted, kept = set(stems(gap.term, language)), list[str]()
    for one in ideas:
        title = " ".join(one.split())
        fits = len(title) <= LONGEST and wanted <= set(stems(title, language))
        if fits and not any(alike(title, other) for other in [*known, *kept]):
            kept.append(title)
    return kept[:EACH]


def alike(one: str, other: str) -> bool:
    return fuzz.token_sort_ratio(one.lower(), other.lower()) >= ALIKE


def of_rivals(read: Any) -> Iterator[str]:
    for pages in read.values():
        for page in pages:
            for name in ("title", "h1"):
                if value := (page.fields.get(name) or {}).get("value"):
                    yield str(value)
            for post in (page.fields.get("posts") or {}).get("value") or []:
                yield str(post.get("title", ""))


def of_ours(work: Work) -> Iterator[str]:
    company = work.company
    yield from OwnPage.objects.filter(company=company).values_list("title", flat=True)
    rows = KeywordGap.objects.filter(company=company)
    for titles in rows.order_by("stem_key").values_list("titles", flat=True):
        yield from titles
    yield from Post.objects.filter(company=company).values_list("title", flat=True)
