"""What a post has to pass before a person is asked: rules that anybody can check, in
their order. No model is asked; each says what is wrong in words for the writer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from marketing import facts, readability, render, sanitiser
from marketing.draft import LINKS, META, POST, QUESTIONS, SECTIONS, TITLE, WORDS, Draft
from marketing.likeness import ALIKE, Corpus
from marketing.models import Post
from marketing.models.site import by_id
from marketing.words import stem_key, stems, words

if TYPE_CHECKING:
    from marketing.models import Site

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# A heading of a post within a text of it would be a section that nobody counted.
HEADING = re.compile(r"^\s{0,3}#|^\s*(?:=+|-+)\s*$", re.MULTILINE)
THIN, LONGEST, AVERAGE, EASE = 30, 60, 26.0, 20.0
QUOTA, COMPETES = "quota", "cannibalisation"


class Verdict(NamedTuple):
    passed: bool
    said: str = ""


@dataclass
class Subject:
    """A version of a post, and what it is judged by."""

    site: Site
    post: Post
    draft: Draft
    source: str
    at: datetime

    @cached_property
    def corpus(self) -> Corpus:
        return Corpus(self.site, self.post, self.at)

    @cached_property
    def facts(self) -> dict[str, str]:
        brief = self.post.brief
        return by_id(brief.facts) if brief else self.site.facts_by_id()

    @cached_property
    def targets(self) -> dict[str, str]:
        return self.post.targets()


def run(subject: Subject) -> list[dict[str, Any]]:
    """What each gate says, in order. Where the quota is used up no other is asked."""
    found: list[dict[str, Any]] = []
    for rule, gate in GATES.items():
        verdict = gate(subject)
        found.append({"rule": rule, "passed": verdict.passed, "said": verdict.said})
        if rule == QUOTA and not verdict.passed:
            break
    return found


def of(faults: list[str], said: str = "") -> Verdict:
    return Verdict(not faults, " ".join(faults) or said)


# --- what may be published at all -------------------------------------------------


def quota(it: Subject) -> Verdict:
    most = it.site.posts_a_day
    rows = Post.objects.filter(company=it.site.company_id).exclude(pk=it.post.pk)
    number = rows.pushed_lately(it.at).count()
    return Verdict(number < most, f"{number} of {most} were published in 24 hours.")


def unique_keyword(it: Subject) -> Verdict:
    key = stem_key(it.post.keyword, it.post.language)
    rows = Post.objects.filter(company=it.site.company_id, language=it.post.language)
    for other in rows.exclude(pk=it.post.pk).exclude(state__in=Post.OVER):
        if stem_key(other.keyword, other.language) == key:
            return Verdict(False, f"“{other}” is about the same keyword.")
    return Verdict(True)


def cannibalisation(it: Subject) -> Verdict:
    other = it.corpus.competing(it.draft)
    if other is None:
        return Verdict(True)
    where = other.url or other.name
    return Verdict(
        False,
        f"It would take readers from “{other.name}” ({where}): update that page, or"
        " write about something else.",
    )


# --- form -------------------------------------------------------------------------


def structure(it: Subject) -> Verdict:
    return of([*in_head(it), *in_body(it.draft)])


def in_head(it: Subject) -> list[str]:
    draft, found = it.draft, []
    if not 10 <= len(draft.title) <= TITLE:
        found.append(f"The title has {len(draft.title)} characters, not 10 to {TITLE}.")
    least, most = META
    if not least <= len(draft.meta) <= most:
        found.append(f"meta has {len(draft.meta)} characters, not {least} to {most}.")
    if not SLUG.fullmatch(draft.slug) or len(draft.slug) > 80:
        found.append("The slug is a-z, 0-9 and single hyphens, at most 80 characters.")
    if any(line != " ".join(line.split()) or not line for line in draft.lines()):
        found.append("Title, meta, headings and questions are one line each.")
    asked = set(stems(it.post.keyword, it.post.language))
    for name, text in (("title", draft.title), ("intro", draft.intro)):
        told = set(stems(text, it.post.language))
        if len(asked & told) < len(asked) / 2:
            found.append(f"The {name} does not name “{it.post.keyword}”.")
    return found


def in_body(draft: Draft) -> list[str]:
    found = []
    if len(draft.sections) < SECTIONS:
        found.append(f"It has {len(draft.sections)} sections, not {SECTIONS} or more.")
    least, most = QUESTIONS
    if not least <= len(draft.faq) <= most:
        found.append(f"faq has {len(draft.faq)} questions, not {least} to {most}.")
    headings = [one.heading.casefold() for one in draft.sections]
    questions = [one.question.casefold() for one in draft.faq]
    if len({*headings, *questions}) < len(headings) + len(questions):
        found.append("Two headings or questions are the same.")
    if any(HEADING.search(text) for text in draft.texts()):
        found.append("There is a heading within a text: make it a section.")
    for one in draft.sections:
        if len(words(one.text)) < THIN:
            found.append(f"“{one.heading}” says less than {THIN} words.")
    number = len(words(draft.prose))
    if number < WORDS:
        found.append(f"It has {number} words, not {WORDS} or more.")
    return found


# --- truth ------------------------------------------------------------------------


def sources(it: Subject) -> Verdict:
    ours = {*map(str, it.site.brands), it.site.name}
    return of(facts.faults(it.draft, it.facts, {*ours, *it.corpus.rivals}))


def originality(it: Subject) -> Verdict:
    found = it.corpus.taken(it.draft.prose)
    if found is None:
        return Verdict(True)
    return Verdict(False, f"It is taken from {found[0].name}: {found[1]}.")


def near_duplicate(it: Subject) -> Verdict:
    other, alike = it.corpus.most_alike(it.draft.prose)
    if other is None:
        return Verdict(True, "There is nothing of ours that is like it.")
    said = f"{alike:.2f} of “{other.name or other.url}” ({ALIKE:.2f} is too much)."
    return Verdict(alike < ALIKE, said)


def language(it: Subject) -> Verdict:
    prose, wanted = it.draft.prose, it.post.language[:2]
    read, found = readability.reading(prose, wanted), []
    spoken = readability.language_of(prose)
    if spoken != wanted:
        found.append(f"It is written in “{spoken}”, not in “{wanted}”.")
    if read.average > AVERAGE:
        found.append(
            f"Its sentences have {read.average:.0f} words on average, more than"
            f" {AVERAGE:.0f}."
        )
    if read.longest > LONGEST:
        found.append(f"A sentence has {read.longest} words, more than {LONGEST}.")
    if read.ease < EASE:
        found.append(f"It is hard to read: {read.ease:.0f}, and {EASE:.0f} is hard.")
    return of(found, f"Reading ease {read.ease:.0f}.")


# --- what a browser and a search engine get ----------------------------------------


def links(it: Subject) -> Verdict:
    found, used = [], []
    for to in sanitiser.links_of(it.draft):
        pk = to.removeprefix(POST)
        if not to.startswith(POST) or pk not in it.targets:
            found.append(f"A link leads to {to[:80]}, which is no live post of ours.")
        elif pk in used:
            found.append(f"Two links lead to {to}.")
        used.append(pk)
    least = min(LINKS, len(it.targets))
    if len(set(used) & set(it.targets)) < least:
        found.append(f"It has fewer than {least} links to other posts of ours.")
    return of(found)


def structured_data(it: Subject) -> Verdict:
    """The file says, in its own bytes, what was meant."""
    try:
        raw = str(render.head_of(it.source)["jsonLd"])
        graph = json.loads(raw)["@graph"]
    except (KeyError, ValueError, TypeError):
        return Verdict(False, "The structured data cannot be read.")
    faults = [f"There is a {c} in the structured data." for c in "<>&" if c in raw]
    by_type = {one["@type"]: one for one in graph}
    return of([*faults, *sanitiser.faults_of_graph(by_type, it.post, it.draft)])


def clean(it: Subject) -> Verdict:
    return of(sanitiser.faults(it.draft, render.body_of(it.source)))


# In their order: what is cheap and final before what is dear and can be mended.
GATES: dict[str, Callable[[Subject], Verdict]] = {
    QUOTA: quota,
    "unique_keyword": unique_keyword,
    COMPETES: cannibalisation,
    "structure": structure,
    "facts": sources,
    "originality": originality,
    "near_duplicate": near_duplicate,
    "language": language,
    "links": links,
    "json_ld": structured_data,
    "sanitiser": clean,
}
# What no writer can mend.
FINAL = {"unique_keyword"}
