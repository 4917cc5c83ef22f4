"""What a mail has to be before a person is asked whether it may be sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from marketing.outreach.letters import LINE, MOST_WORDS, NO_MORE
from marketing.words import jaccard, shingles, stems

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from marketing.models import Contact, Mailbox, Site
    from marketing.outreach.articles import Article

# So alike two pitches may be, and so many words of the opening come from their piece.
ALIKE, ABOUT_IT = 0.6, 2
NUMBER = re.compile(r"\d[\d.,]*")
QUOTE = re.compile(r"[“\"«„]([^”\"»“]{12,})[”\"»“]")
LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
MARKUP = re.compile(r"<\s*(?:img|a|script|iframe|html|div|p)\b|!\[", re.IGNORECASE)
# What search engines call link spam: paid, exchanged, or asked for by its kind.
TRADE = re.compile(
    r"\bdo-?follow\b|\blink (?:exchange|swap|trade|juice)|\bexchange (?:of )?links?\b"
    r"|\b(?:pay|paid|fee|compensat\w+|reward\w*|gift|voucher|sponsor\w*)\b"
    r"|\breciprocal link|\bin return\b|\blink(?:ing)? back to (?:you|your)\b"
    r"|[€$£]\s?\d|\b\d+\s?(?:€|eur|usd|euros?|dollars?)\b"
    r"|\btroca de links?\b|\bpag(?:amos|amento|ar)\b",
    re.IGNORECASE,
)


def faults_of_words(
    opening: str,
    pitch: str,
    facts: Collection[str],
    article: Article,
    site: Site,
) -> list[str]:
    """What is wrong with what the model wrote, in sentences for it and for people."""
    known = site.facts_by_id()
    found = []
    if not facts:
        found.append("It uses none of the facts.")
    if unknown := [one for one in facts if one not in known]:
        found.append(f"There are no facts {', '.join(unknown)}.")
    said = " ".join(known.get(one, "") for one in facts)
    source = f"{article.title} {article.text}"
    found += unfounded(pitch, said, "a fact")
    found += unfounded(opening, f"{source} {said}", "their piece or a fact")
    language = site.languages[0] if site.languages else "en"
    theirs = set(long_stems(source, language))
    if len(theirs & set(long_stems(opening, language))) < ABOUT_IT:
        found.append("The opening is not about their piece.")
    for link in LINK.findall(f"{opening} {pitch}"):
        if link.rstrip(".,)") != article.url and not site.is_ours(link):
            found.append(f"It has a link that is neither ours nor theirs: {link}")
    return found


def unfounded(text: str, source: str, what: str) -> list[str]:
    """The numbers and quotes that stand in no source."""
    numbers = {one.rstrip(".,") for one in NUMBER.findall(source)}
    loose = [n for n in map(clean, NUMBER.findall(text)) if n not in numbers]
    found = [f"The number {one} is in no {what}." for one in loose]
    flat = " ".join(source.split()).casefold()
    for quote in QUOTE.findall(text):
        if " ".join(quote.split()).casefold().rstrip(".,") not in flat:
            found.append(f"The quote “{quote[:60]}” is in no {what}.")
    return found


def clean(number: str) -> str:
    return number.rstrip(".,")


def long_stems(text: str, language: str) -> Iterable[str]:
    return (one for one in stems(text, language) if len(one) > 3)


def faults_of_mail(
    body: str, box: Mailbox, contact: Contact, *, asks_for_link: bool = False
) -> list[str]:
    """What is wrong with the mail as a whole."""
    text, _line, foot = body.partition(f"\n{LINE}\n")
    found = []
    if (count := len(text.split())) > MOST_WORDS:
        found.append(f"It has {count} words; {MOST_WORDS} is the most people read.")
    if MARKUP.search(body):
        found.append("It has markup or a picture in it; it is plain text.")
    if asks_for_link and (trade := TRADE.search(text)):
        found.append(f"“{trade[0]}”: nothing is offered or asked for a link.")
    postal = " ".join(box.postal_address.split())
    if not postal or postal not in foot or box.name not in foot:
        found.append("It does not say who we are, with our postal address.")
    if not contact.source_url or contact.source_url not in foot:
        found.append("It does not say where we have their address from.")
    if not any(word in foot for word in NO_MORE):
        found.append("It does not say how to get no more mail.")
    return found


def nearest(text: str, others: Iterable[str], masked: Collection[str]) -> float:
    """How much this is like the one of the others that it is most like."""
    mine = shingles(text, masked=masked)
    return max(
        (jaccard(mine, shingles(one, masked=masked)) for one in others), default=0.0
    )
