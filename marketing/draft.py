"""A post as its writer hands it in: data in a fixed form, and what they are told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from slugify import slugify

from marketing.writer import problems
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from marketing.models import Post, Site

# In a text a link leads to another post of ours, by its id: [words](post:ID).
LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]*)\)")
MARKS = re.compile(r"[*_`#>]+|^\s*(?:[-+]|\d+[.)])\s+", re.MULTILINE)
POST = "post:"
TITLE, META, SECTIONS, QUESTIONS = 60, (70, 160), 3, (3, 6)
LINKS, WORDS = 3, 400

TASK = """\
Write a post for the blog of {site}, in the language “{language}”, about
“{keyword}”. Who reads it looks for: {intent}. Related words: {secondary}.
Tone: {tone}.

title: at most {title} characters, with the keyword in it. meta: what a search engine
shows, {meta} characters. slug: a few words of the title, a-z, 0-9 and hyphens. intro:
one or two paragraphs, with the keyword in them. sections: at least {sections}, each
with a heading of its own and 80 to 250 words of Markdown (paragraphs, lists, bold; no
headings, HTML, images, tables or braces). faq: {questions} questions that people ask,
each answered in 30 to 80 words. At least {words} words in all, in short sentences.

Facts: nothing may be said about us, about others by name, or with a number or a quote,
that is not in these. Name in `facts` each sentence that rests on one, word for word,
with its source_id:
{facts}

Links: only to these posts, written [words](post:ID), each at most once, {links} of them
at least. No other links:
{posts}

We have these titles already; write another:
{titles}{more}"""
REPAIR = """

Your last draft was:
{document}

It was not taken. Correct exactly this, and keep the rest:
{said}"""


class Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")
    claim: str = Field(max_length=600)
    source_id: str = Field(max_length=64)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")
    heading: str = Field(max_length=150)
    text: str = Field(max_length=6000)


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")
    question: str = Field(max_length=250)
    answer: str = Field(max_length=2000)


class Draft(BaseModel):
    """What is in it is judged by the gates, which say what is wrong in words; here are
    only the form and what no post is longer than."""

    model_config = ConfigDict(extra="forbid")
    title: str = Field(max_length=200)
    meta: str = Field(max_length=400)
    slug: str = Field(max_length=120)
    intro: str = Field(max_length=3000)
    sections: list[Section] = Field(max_length=20)
    faq: list[Question] = Field(max_length=12)
    facts: list[Claim] = Field(max_length=60)

    @classmethod
    def of(cls, document: Any) -> Draft:
        """The draft in a document. Invalid for one that has another form."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise Invalid(f"This is no post: {problems(error)}") from None

    @property
    def clean_slug(self) -> str:
        """What stands for it in an address: a-z, 0-9 and hyphens, whatever it says."""
        told = self.slug.strip() or self.title
        return str(slugify(told, max_length=80, word_boundary=True))

    def lines(self) -> Iterator[str]:
        """What stands in one line."""
        yield from (self.title, self.meta)
        yield from (one.heading for one in self.sections)
        yield from (one.question for one in self.faq)

    def texts(self) -> Iterator[str]:
        """What is Markdown."""
        yield self.intro
        yield from (one.text for one in self.sections)
        yield from (one.answer for one in self.faq)

    @property
    def links(self) -> list[str]:
        """Where its links lead, as they are written."""
        return [to for text in self.texts() for _words, to in LINK.findall(text)]

    @property
    def prose(self) -> str:
        """Everything that a reader reads, without markup."""
        parts = [self.intro]
        for section in self.sections:
            parts += [section.heading, section.text]
        for one in self.faq:
            parts += [one.question, one.answer]
        return "\n\n".join(plain(part) for part in parts)


def plain(text: str) -> str:
    """Markdown without its marks."""
    return MARKS.sub("", LINK.sub(r"\1", text)).strip()


def task(
    post: Post, site: Site, others: Sequence[Post], titles: Sequence[str], more: str
) -> str:
    """What the model is asked for. `others` are the posts that it may link to."""
    brief = post.brief
    assert brief is not None  # noqa: S101 (a post is written from its brief)
    facts = [f"- {one['id']}: {one['text']}" for one in brief.facts]
    return TASK.format(
        site=site.name,
        language=post.language,
        keyword=post.keyword,
        intent=brief.intent,
        secondary=", ".join(brief.secondary) or "none",
        tone=site.tone or "plain and exact",
        title=TITLE,
        meta=f"{META[0]} to {META[1]}",
        sections=SECTIONS,
        questions=f"{QUESTIONS[0]} to {QUESTIONS[1]}",
        words=WORDS,
        facts="\n".join(facts) or "- none: say nothing that needs one",
        links=min(LINKS, len(others)),
        posts="\n".join(f"- {one.pk}: {one.title}" for one in others) or "- none",
        titles="\n".join(f"- {one}" for one in titles) or "- none",
        more=more,
    )
