"""What would not be harmless in a page: markup, links and code in a text that a model
wrote, as the freest of Markdown renderers would read it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

from marketing.draft import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from markdown_it.token import Token

    from marketing.draft import Draft
    from marketing.models import Post

# Raw HTML and bare addresses count, whatever the site's own renderer makes of them.
FREE = MarkdownIt("commonmark", {"html": True}).enable("table")
FREE.validateLink = lambda url: True  # type: ignore[method-assign]
RAW = {"html_inline", "html_block"}
TAGS = {"p", "h2", "h3", "ul", "ol", "li", "a", "strong", "em", "code", "pre", "br"}
TAGS |= {"blockquote", "hr"}
# Templates (Jinja, Liquid, Hugo, MDX) run what stands in braces.
BRACES = re.compile(r"[{}]|<%|%>")
DEFINITION = re.compile(r"^\s{0,3}\[[^\]]*\]:", re.MULTILINE)
SCRIPT = re.compile(r"^\s*(?:import|export)\s", re.MULTILINE)
ADDRESS = re.compile(r"(?:https?:)?//[^\s)]+|\bwww\.[^\s)]+|\bmailto:\S+", re.I)


def tokens(text: str) -> Iterator[Token]:
    for token in FREE.parse(text):
        yield token
        yield from token.children or []


def links_of(draft: Draft) -> list[str]:
    """Where a reader could get to from it, however that is written."""
    found: list[str] = []
    for text in draft.texts():
        for token in tokens(text):
            if token.type == "link_open":
                found.append(str(token.attrGet("href") or ""))
            elif token.type == "image":
                found.append(str(token.attrGet("src") or ""))
            elif token.type == "text":
                found += ADDRESS.findall(token.content)
    for line in draft.lines():
        found += ADDRESS.findall(line)
    return found


def faults(draft: Draft, body: str) -> list[str]:
    """What is not harmless in it; nothing when cleaning would change nothing."""
    import nh3

    found = []
    if any("<" in line or "](" in line or "`" in line for line in draft.lines()):
        found.append("Title, meta, headings and questions are plain text.")
    everything = "\n".join([*draft.lines(), *draft.texts()])
    if BRACES.search(everything):
        found.append("There are braces in it, which templates run as code.")
    if any(DEFINITION.search(text) for text in draft.texts()):
        found.append("There is a definition of a link in it, which no reader sees.")
    if any(SCRIPT.search(text) for text in draft.texts()):
        found.append("A line begins with import or export, which some sites run.")
    if raw := [one.content for one in tokens(body) if one.type in RAW]:
        found.append(f"There is HTML in it: {raw[0].strip()[:120]}")
    html = FREE.render(body)
    safe = nh3.clean(
        html,
        tags=TAGS,
        attributes={"a": {"href"}, "code": {"class"}},
        url_schemes={"http", "https"},
        link_rel=None,
    )
    if not raw and tree(html) != tree(safe):
        found.append(f"It would not stay as it is: {first_difference(html, safe)}")
    return found


def tree(html: str) -> str:
    """One spelling of it."""
    parsed = LexborHTMLParser(html)
    return str(parsed.html)


def first_difference(html: str, safe: str) -> str:
    kept = set(safe.splitlines())
    lines = (line for line in html.splitlines() if line not in kept and "<" in line)
    return next(lines, "")[:120]


def faults_of_graph(
    by_type: Mapping[str, dict[str, Any]], post: Post, draft: Draft
) -> list[str]:
    """What the structured data lacks, or says and the page does not."""
    found = []
    if missing := {"BlogPosting", "BreadcrumbList", "FAQPage"} - by_type.keys():
        return [f"The structured data has no {', '.join(sorted(missing))}."]
    about = by_type["BlogPosting"]
    said = {
        "headline": draft.title,
        "description": draft.meta,
        "identifier": str(post.key),
        "mainEntityOfPage": post.url,
        "inLanguage": post.language,
    }
    wrong = [name for name in said if about.get(name) != said[name]]
    found += [f"{name} is not the post's." for name in wrong]
    if not about["author"].get("name") or "+00:00" not in about["datePublished"]:
        found.append("The structured data lacks the author or a date with a zone.")
    steps = by_type["BreadcrumbList"]["itemListElement"]
    if [one["position"] for one in steps] != [*range(1, len(steps) + 1)] or not steps:
        found.append("The breadcrumbs are not numbered.")
    asked = [
        (one["name"], one["acceptedAnswer"]["text"])
        for one in by_type["FAQPage"]["mainEntity"]
    ]
    if asked != [(one.question, plain(one.answer)) for one in draft.faq]:
        found.append("The questions in the structured data are not those on the page.")
    return found
