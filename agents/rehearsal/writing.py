"""What the script writes when it is asked for a text in a form: posts, parts of mails,
titles. As everywhere, it knows nothing but what it was told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any
from zlib import crc32

from agents.rehearsal.drafts import RETURNS, SHOPS, STOCK
from agents.rehearsal.scene import text_of

FORM = "Answer with one JSON object that fits this schema"
# Each with how a title of it ends, and the words that it is best for.
POSTS: list[tuple[dict[str, Any], str, str]] = [
    (SHOPS, "where to begin", "agent shop ai start retail"),
    (STOCK, "a calm start", "stock inventory forecast demand plan"),
    (RETURNS, "what helps", "return parcel order delivery"),
]
LONGEST_TITLE, LONGEST_META = 60, 160
IDEAS = (
    "{term}: what a first week is like",
    "How a small shop starts with {term}",
    "{term}, without the jargon",
)
PITCHES = {
    "en": (
        "We see the same from the other side of the counter. {fact} What the owner"
        " learnt in the first month, and what was switched off again, is written down"
        " and can be read.",
        "There is a small case behind this that can be looked at. {fact} Every step is"
        " kept in a log, so that a reader can follow what was done by whom.",
        "If a plain example helps, here is ours. {fact} The bills and the mistakes are"
        " part of the story, and nobody has polished them.",
        "Few people have seen such work up close. {fact} We would open the books for an"
        " afternoon and answer whatever is asked.",
        "We keep a diary of what goes wrong. {fact} It would suit a reader who wonders"
        " whether any of this holds on a rainy Tuesday.",
        "Our part in it is modest and easy to check. {fact} Somebody who wants to watch"
        " may sit beside the people who do it.",
    ),
    "pt": (
        "Vemos o mesmo do outro lado do balcão. {fact} O que a dona da loja aprendeu no"
        " primeiro mês, e o que voltou a desligar, está escrito e pode ser lido.",
        "Há por trás disto um caso pequeno que se pode ver de perto. {fact} Cada passo"
        " fica num registo, e quem lê pode seguir o que foi feito e por quem.",
        "Se um exemplo simples ajudar, fica o nosso. {fact} As contas e os erros fazem"
        " parte da história, e ninguém os poliu.",
        "Pouca gente viu este trabalho de perto. {fact} Abrimos os livros durante uma"
        " tarde e respondemos ao que for perguntado.",
        "Guardamos um diário do que corre mal. {fact} Serve a quem pergunta se isto"
        " aguenta uma terça-feira de chuva.",
    ),
}
OPENINGS = {"en": "Your piece says it well: {said}", "pt": "O artigo di-lo bem: {said}"}


def answer(messages: list[dict[str, Any]]) -> str | None:
    """The text in the form that was asked for; None when none was."""
    if not messages or not text_of(messages[0]).startswith(FORM):
        return None
    schema = json.loads(text_of(messages[0]).partition("Schema:\n")[2])
    write = FORMS.get(str(schema.get("title")))
    asked = next(text_of(one) for one in messages if one["role"] == "user")
    return json.dumps(write(asked), ensure_ascii=False) if write else "I cannot."


# --- posts ----------------------------------------------------------------------------


def post(asked: str) -> dict[str, Any]:
    """A post from what was prepared, the best that no title of ours is of yet."""
    keyword = found(r"about\s+“(.+?)”", asked)
    known = listed("We have these titles already; write another:", asked)
    text, tail = prepared(keyword, known)
    written = deepcopy(text)
    name = keyword[:1].upper() + keyword[1:]
    title = f"{name}: {tail}"
    written["title"] = title if len(title) <= LONGEST_TITLE else name[:LONGEST_TITLE]
    written["slug"] = re.sub(r"[^a-z0-9]+", "-", written["title"].lower()).strip("-")
    written["meta"] = shortened(f"{name}. {text['meta']}", LONGEST_META)
    written["intro"] = f"This is what we know about {keyword}. {text['intro']}"
    told = {one.partition(":")[0] for one in listed("source_id:", asked)}
    written["facts"] = [one for one in text["facts"] if one["source_id"] in told]
    link(written, listed("No other links:", asked))
    return written


def prepared(keyword: str, known: list[str]) -> tuple[dict[str, Any], str]:
    def rank(one: tuple[dict[str, Any], str, str]) -> tuple[bool, int]:
        _text, tail, words = one
        used = any(title.endswith(tail) for title in known)
        return used, -sum(word in keyword.lower() for word in words.split())

    text, tail, _words = min(POSTS, key=rank)
    return text, tail


def link(written: dict[str, Any], posts: list[str]) -> None:
    """Lead to posts of ours, from one section each."""
    for section, other in zip(written["sections"], posts, strict=False):
        pk, _, title = other.partition(": ")
        if title:
            section["text"] += (
                f" There is more in [an earlier post of ours](post:{pk})."
            )


def shortened(text: str, longest: int) -> str:
    """Whole words only."""
    if len(text) <= longest:
        return text
    return text[: longest - 1].rpartition(" ")[0].rstrip(".,;:") + "."


# --- mails and titles -----------------------------------------------------------------


def words_of_mail(asked: str) -> dict[str, Any]:
    """About the first sentence of their piece, and one of the facts."""
    language = found(r"in the language “(\w\w)", asked)
    language = language if language in PITCHES else "en"
    facts = [one.partition(": ")[::2] for one in asked_facts(asked)]
    title, _, text = outside(asked).partition("\n")
    said = re.split(r"(?<=[.!?])\s+", text.strip() or title)[0]
    dice = crc32(found(r"to (.+?), from", asked).encode())
    pk, fact = facts[dice % len(facts)] if facts else ("", "")
    pitches = PITCHES[language]
    return {
        "opening": OPENINGS[language].format(said=" ".join(said.split()[:40])),
        "pitch": pitches[dice % len(pitches)].format(fact=fact),
        "facts": [pk],
    }


def asked_facts(asked: str) -> list[str]:
    told = asked.partition("\nFacts:\n")[2].partition("\n\n")[0]
    return [line for line in told.splitlines() if ": " in line]


def titles(asked: str) -> dict[str, Any]:
    terms = [line.strip() for line in outside(asked).splitlines() if line.strip()]
    return {"suggestions": [{"keyword": t, "titles": ideas(t)} for t in terms[:5]]}


def ideas(term: str) -> list[str]:
    told = [idea.format(term=term) for idea in IDEAS]
    return [one[:1].upper() + one[1:] for one in told]


# --- reading what was asked -----------------------------------------------------------


def outside(asked: str) -> str:
    """What others wrote, between its marks."""
    return found(r"<<< .*?\n(.*?)\n>>> end of", asked, re.S)


def listed(after: str, asked: str) -> list[str]:
    """The lines of a list below a line that ends so."""
    told = asked.partition(f"{after}\n")[2].partition("\n\n")[0]
    return [line[2:] for line in told.splitlines() if line.startswith("- ")]


def found(pattern: str, asked: str, flags: int = 0) -> str:
    match = re.search(pattern, asked, flags)
    return match[1] if match else ""


FORMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "Draft": post,
    "Words": words_of_mail,
    "Suggested": titles,
}
