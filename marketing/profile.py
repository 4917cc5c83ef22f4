"""What pages say of whose they are: name, languages, tone, facts, terms, rivals."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from marketing import starters
from marketing.clusters import EMPTY, grouped
from marketing.readability import language_of
from marketing.web.addresses import bare_host, host_of, joined
from marketing.web.document import Document
from marketing.words import squeezed, stem_key, words

MOST_KEYWORDS, MOST_TOPICS, MOST_FACTS, MOST_RIVALS = 30, 8, 15, 12
LONGEST = 6
_DULL = "about us we our you welcome home contact news blog vs versus more sobre nós"
DULL = EMPTY | set(_DULL.split())
# How much a place says of what a page is about.
TITLE, H1, POST, H2, DESCRIPTION, META = 1.0, 0.9, 0.8, 0.7, 0.5, 0.3
ORGANIZATIONS = {"Organization", "Corporation", "LocalBusiness", "ProfessionalService"}
SEPARATOR = re.compile(r"\s+[|\-–—·:]\s+")  # noqa: RUF001 (as titles have them)
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_])")
SPEAKING = re.compile(r"\b(we|our|us|nós|nosso|nossa|somos|temos)\b", re.I)
VERSUS = re.compile(
    r"\b(?:vs\.?|versus|alternatives? (?:to|for)|compared (?:to|with))\s+"
    r"([A-Z][\w.&-]*(?: [A-Z][\w.&-]*){0,2})"
)


def organizations(home: Document) -> Iterator[dict[str, Any]]:
    for thing in home.structured:
        kinds = thing.get("@type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if ORGANIZATIONS & {str(kind) for kind in kinds}:
            yield thing


def name_of(home: Document) -> str:
    """What the site calls itself."""
    named = [str(one.get("name") or "") for one in organizations(home)]
    label = bare_host(home.url).partition(".")[0]
    parts = [part for part in SEPARATOR.split(home.title) if part]
    # Of a title, the part that is like the host.
    like = [part for part in parts if label in "".join(words(part))]
    found = [home.meta("og:site_name"), *named, *like, *parts[-1:], label]
    return next(squeezed(one) for one in found if one.strip())[:120]


def phone_of(home: Document) -> str:
    """As it says it for machines; empty when it does not."""
    told = [one.get("telephone") for one in organizations(home)]
    links = home.tree.css('a[href^="tel:"]')
    told += [(node.attributes.get("href") or "")[4:] for node in links]
    return next((squeezed(str(one))[:40] for one in told if one), "")


def brands_of(name: str, host: str) -> list[str]:
    label = host.removeprefix("www.").partition(".")[0]
    return list(dict.fromkeys([name, label]))


def languages_of(documents: Sequence[Document]) -> list[str]:
    """Two-letter codes, the most used first; at least one."""
    counted: dict[str, int] = {}
    for one in documents:
        told = one.language[:2].lower()
        if not told.isalpha() and one.main_text:
            told = language_of(one.main_text[:5000])
        if told:
            counted[told] = counted.get(told, 0) + 1
    for node in documents[0].tree.css("link[hreflang]"):
        told = (node.attributes.get("hreflang") or "")[:2].lower()
        if told.isalpha() and told != "x-":
            counted.setdefault(told, 0)
    return sorted(counted, key=lambda one: (-counted[one], one)) or ["en"]


def sentences(page: Document) -> list[str]:
    """What stands in its paragraphs and lists; headings and menus are no sentences."""
    told = [
        squeezed(node.text())
        for node in page.tree.css("p, li:not(:has(p, li)), dd:not(:has(p))")
    ]
    split = [one.strip() for text in told for one in SENTENCE.split(text)]
    return [one for one in split if one.endswith((".", "!", "?")) and words(one)]


def tone_of(documents: Sequence[Document]) -> str:
    """How it speaks, in a sentence or two for who writes like it."""
    told = [one for page in documents for one in sentences(page)]
    if not told:
        return ""
    lengths = [len(words(one)) for one in told]
    average = sum(lengths) / len(lengths)
    kind = "Short" if average < 14 else "Medium" if average < 22 else "Long"
    every = words(" ".join(told))
    said = [f"{kind} sentences ({average:.0f} words on average)."]
    if every.count("you") + every.count("your") > len(told) / 10:
        said.append("Speaks to the reader as “you”.")
    if SPEAKING.search(" ".join(told)):
        said.append("Speaks of itself as “we”.")
    marks = sum(one.endswith("!") for one in told)
    said.append("Exclaims." if marks > len(told) / 20 else "Does not exclaim.")
    return " ".join(said)


def facts_of(
    documents: Sequence[Document], brands: Collection[str]
) -> list[dict[str, str]]:
    """What it says of itself that can be counted or dated, with the page it stands on:
    for a person to confirm, since anybody can write anything on a page."""
    found: dict[str, str] = {}
    for thing in organizations(documents[0]):
        for text in facts_in(thing):
            found.setdefault(text, documents[0].url)
    for page in documents:
        for text in sentences(page):
            if is_fact(text, brands):
                found.setdefault(text, page.url)
    rows = list(found.items())[:MOST_FACTS]
    return [
        {"id": f"f{n}", "text": text, "source_url": url}
        for n, (text, url) in enumerate(rows, 1)
    ]


def facts_in(thing: dict[str, Any]) -> Iterator[str]:
    if since := str(thing.get("foundingDate") or "")[:4]:
        yield f"Founded in {since}."
    address = thing.get("address")
    if isinstance(address, dict) and (place := address.get("addressLocality")):
        yield f"Based in {squeezed(str(place))}."


def is_fact(text: str, brands: Collection[str]) -> bool:
    told = words(text)
    ours = SPEAKING.search(text) or any(one.lower() in text.lower() for one in brands)
    return bool(ours and re.search(r"\d", text) and 5 <= len(told) <= 35)


def places_of(page: Document) -> Iterator[tuple[str, float]]:
    for part in SEPARATOR.split(page.title):
        yield part, TITLE
    for text in page.headings:
        yield text, H1
    for node in page.tree.css("h2"):
        yield squeezed(node.text()), H2
    yield page.meta("description"), DESCRIPTION
    for text in page.meta("keywords").split(","):
        yield text, META


def terms_of(
    documents: Sequence[Document],
    posts: Sequence[str],
    brands: Collection[str],
    language: str,
) -> list[str]:
    """What its pages are about, in two to four words each, the best first."""
    ours = {word for name in brands for word in words(name)}
    scores: dict[str, float] = {}
    texts: dict[str, str] = {}
    everything = [list(places_of(page)) for page in documents]
    everything += [[(title, POST)] for title in posts]
    for places in everything:
        best: dict[str, float] = {}
        for text, weight in places:
            for term in phrases(text, ours):
                key = stem_key(term, language)
                texts.setdefault(key, term)
                best[key] = max(best.get(key, 0.0), weight)
        for key, weight in best.items():
            scores[key] = scores.get(key, 0.0) + weight
    order = sorted(scores, key=lambda key: (-scores[key], -len(key), key))
    kept: list[str] = []
    for key in order:
        told = set(key.split())
        # A part that is never without the whole says nothing new.
        whole = [one for one in kept if scores[one] == scores[key]]
        if not any(told <= set(one.split()) for one in whole):
            kept.append(key)
    return [texts[key] for key in kept][: 2 * MOST_KEYWORDS]


def phrases(text: str, ours: Collection[str]) -> Iterator[str]:
    """What stands between marks, if it is short, and runs of two to four words of it;
    they begin and end with a word that matters."""
    for part in re.split(r"[,.;:!?()|/]+", text):
        told = words(part)
        for size in sorted({2, 3, 4, max(2, min(len(told), LONGEST))}):
            for at in range(len(told) - size + 1):
                run = told[at : at + size]
                dull = {run[0], run[-1]} & DULL or set(run) & set(ours)
                if not dull:
                    yield " ".join(run)


def topics_of(terms: Sequence[str], language: str) -> list[str]:
    """The best term of each group of them."""
    top = list(terms[:MOST_KEYWORDS])
    firsts = sorted(group[0] for group in grouped(top, language))
    return [top[n] for n in firsts][:MOST_TOPICS]


def rivals_of(
    documents: Sequence[Document], brands: Collection[str]
) -> list[dict[str, str]]:
    """Whom its pages compare it with, where they link to them; and those of our list.
    One without an address is for a person to find."""
    ours = {brand.lower() for brand in brands}
    found: dict[str, dict[str, str]] = {}
    for page in documents:
        heads = [page.title, *page.headings]
        heads += [squeezed(node.text()) for node in page.tree.css("h2, h3")]
        for name in VERSUS.findall(" . ".join(heads)):
            if name.lower() not in ours:
                told = {"name": name, "base_url": link_to(page, name)}
                found.setdefault(name, {**told, "why": f"Compared on {page.url}"})
    for one in starters.rivals():
        if host_of(one["base_url"]) not in {host_of(page.url) for page in documents}:
            found.setdefault(one["name"], {**one, "why": "On the list to begin with"})
    return list(found.values())[:MOST_RIVALS]


def link_to(page: Document, name: str) -> str:
    """The address of the site that has this name, if the page links to it."""
    label = "".join(words(name))
    for node in page.tree.css("a[href]"):
        host = host_of(joined(page.url, node.attributes.get("href") or ""))
        if label in host.replace("-", "").replace(".", "") and host != host_of(
            page.url
        ):
            return f"https://{host}/"
    return ""
