"""A draft as the file that is committed: front matter with the structured data, and
Markdown. The same draft at the same place is the same bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin
from uuid import UUID

import yaml

from marketing.draft import LINK, POST, plain
from marketing.words import words

if TYPE_CHECKING:
    from marketing.draft import Draft
    from marketing.models import Site

FAQ = {
    "en": "Frequently asked questions",
    "pt": "Perguntas frequentes",
    "es": "Preguntas frecuentes",
    "fr": "Questions fréquentes",
    "de": "Häufige Fragen",
    "it": "Domande frequenti",
}
RELATED = {
    "en": "Related",
    "pt": "Relacionado",
    "es": "Relacionado",
    "fr": "À lire aussi",
    "de": "Passend dazu",
    "it": "Correlati",
}
# What would end a script element, or a line of JavaScript, inside of JSON.
ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
# What we add below a post later stands under this line, which no reader sees: what is
# above it stays what was approved, byte for byte.
MARK = "[//]: # (paperclip: added later)"


@dataclass(frozen=True)
class Place:
    """Where a post stands: its key, its address, and those of the posts it links to."""

    site: Site
    key: UUID
    slug: str
    url: str
    language: str
    at: datetime
    keywords: tuple[str, ...] = ()
    targets: Mapping[str, str] = field(default_factory=dict)


def render(draft: Draft, place: Place) -> str:
    """The whole file."""
    head = {
        "title": draft.title,
        "description": draft.meta,
        "slug": place.slug,
        "date": iso(place.at),
        "language": place.language,
        "author": place.site.author or place.site.name,
        "canonical": place.url,
        "keywords": list(place.keywords),
        "postKey": str(place.key),
        "jsonLd": json_ld(graph(draft, place)),
    }
    told = yaml.safe_dump(
        head, sort_keys=False, allow_unicode=True, width=10**9, default_flow_style=False
    )
    return f"---\n{told}---\n\n{body(draft, place)}"


def body(draft: Draft, place: Place) -> str:
    """The Markdown. The title is the page's heading, which the site puts there."""
    parts = [resolved(draft.intro, place)]
    for section in draft.sections:
        parts += [f"## {section.heading}", resolved(section.text, place)]
    parts.append(f"## {in_language(FAQ, place.language)}")
    for one in draft.faq:
        parts += [f"### {one.question}", resolved(one.answer, place)]
    lines = "\n\n".join(part.strip() for part in parts).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def resolved(text: str, place: Place) -> str:
    """With the addresses of posts in place of their ids. What leads nowhere stays a
    few words."""

    def address(found: Any) -> str:
        said, to = found.groups()
        url = place.targets.get(to.removeprefix(POST), "")
        return f"[{said}]({url})" if url else str(said)

    return LINK.sub(address, text)


def graph(draft: Draft, place: Place) -> list[dict[str, Any]]:
    """The structured data: the post, where it stands, and its visible questions. No
    result page promises anything for the last."""
    site, url = place.site, place.url
    home = {"@type": "Organization", "name": site.name, "url": site.base_url}
    author = {"@type": "Person", "name": site.author, "url": site.base_url}
    at = iso(place.at)
    post = {
        "@type": "BlogPosting",
        "@id": f"{url}#post",
        "headline": draft.title,
        "description": draft.meta,
        "author": author if site.author else home,
        "publisher": home,
        "datePublished": at,
        "dateModified": at,
        "mainEntityOfPage": url,
        "inLanguage": place.language,
        "wordCount": len(words(draft.prose)),
        "identifier": str(place.key),
    }
    return [post, breadcrumbs(draft, place), questions(draft, place)]


def breadcrumbs(draft: Draft, place: Place) -> dict[str, Any]:
    blog = urljoin(place.url, ".")
    steps = [(place.site.name, place.site.base_url), ("Blog", blog), (draft.title, "")]
    crumbs = [
        {"@type": "ListItem", "position": n, "name": name}
        | ({"item": item} if item else {})
        for n, (name, item) in enumerate(steps, 1)
    ]
    return {
        "@type": "BreadcrumbList",
        "@id": f"{place.url}#breadcrumbs",
        "itemListElement": crumbs,
    }


def questions(draft: Draft, place: Place) -> dict[str, Any]:
    asked = [
        {
            "@type": "Question",
            "name": one.question,
            "acceptedAnswer": {"@type": "Answer", "text": plain(one.answer)},
        }
        for one in draft.faq
    ]
    return {"@type": "FAQPage", "@id": f"{place.url}#faq", "mainEntity": asked}


def json_ld(things: list[dict[str, Any]]) -> str:
    """As it stands in the page's script element, out of which it cannot break."""
    told = {"@context": "https://schema.org", "@graph": things}
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return text.translate(ESCAPES)


def graph_hash(things: list[dict[str, Any]]) -> str:
    """What two equal graphs share, whatever the order of their things."""
    rows = sorted(things, key=lambda one: str(one.get("@id")))
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def in_language(table: Mapping[str, str], language: str) -> str:
    return table.get(language[:2], table["en"])


# --- the file, read again ---------------------------------------------------------


def head_of(source: str) -> dict[str, Any]:
    """The front matter of a file; empty when it has none, or one that is none."""
    if not source.startswith("---\n"):
        return {}
    try:
        found = yaml.safe_load(source[4:].partition("\n---\n")[0])
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def body_of(source: str) -> str:
    """The Markdown of a file."""
    if not source.startswith("---\n"):
        return source
    return source.partition("\n---\n")[2].lstrip("\n")


def graph_of(source: str) -> list[dict[str, Any]]:
    """The structured data in the front matter."""
    found: list[dict[str, Any]] = json.loads(str(head_of(source)["jsonLd"]))["@graph"]
    return found


def sha256(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


# --- links that later posts get ---------------------------------------------------


def bare(source: str) -> str:
    """The file as it was approved, without what was added later."""
    return source.partition(f"\n{MARK}\n")[0]


def with_link(source: str, title: str, url: str, language: str) -> str:
    """The file with a link below it; unchanged when it has a link there already."""
    line = f"- [{title.replace('[', '(').replace(']', ')')}]({url})"
    above, there, below = source.partition(f"\n{MARK}\n")
    if f"]({url})" in source:
        return source
    below = below if there else f"\n## {in_language(RELATED, language)}\n\n"
    return f"{above}\n{MARK}\n{below}{line}\n"


def without_link(source: str, url: str) -> str:
    """The file without the link that was added to it."""
    above, there, below = source.partition(f"\n{MARK}\n")
    if not there:
        return source
    lines = below.splitlines(keepends=True)
    kept = [line for line in lines if not line.rstrip().endswith(f"]({url})")]
    is_left = any(line.startswith("- [") for line in kept)
    return f"{above}\n{MARK}\n{''.join(kept)}" if is_left else above
