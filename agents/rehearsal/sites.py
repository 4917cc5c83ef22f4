"""The pages of the rehearsal's web: our site as built so far, and six rivals."""

from __future__ import annotations

import random
from collections.abc import Iterable
from html import escape

from agents.rehearsal.plot import Plot
from agents.rehearsal.topics import Topic

NOTE = "rehearsal: this site is made up"


def page(title: str, description: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>"
        f'<meta name="description" content="{escape(description)}">'
        '<meta name="robots" content="noindex">'
        f'<meta name="generator" content="{NOTE}"></head>\n'
        f"<body>\n{body}\n<footer>{NOTE}</footer></body></html>\n"
    )


def listed(links: Iterable[tuple[str, str]]) -> str:
    rows = [f'<li><a href="{escape(a)}">{escape(text)}</a></li>' for a, text in links]
    return "<ul>\n" + "\n".join(rows) + "\n</ul>"


def index(plot: Plot) -> str:
    """Where everything in this world is."""
    rivals = [(f"rivals/{slug_of(name)}/", name) for name in plot.rivals]
    body = (
        '<h1>The web of this rehearsal</h1>\n<h2>Ours</h2>\n<a href="site/">Digiton</a>'
    )
    return page("Rehearsal", NOTE, f"{body}\n<h2>Rivals</h2>\n{listed(rivals)}")


def slug_of(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower()).replace("---", "-")


def our_home(plot: Plot, posts: Iterable[tuple[str, str]]) -> str:
    """Our start page: what we write about by now, and the posts that were merged."""
    titles = [title for topic in plot.ours for title in topic.titles]
    covered = "\n".join(f"<h2>{escape(title)}</h2>" for title in titles)
    body = f"<h1>Digiton</h1>\n<p>Marketing that can be checked.</p>\n{covered}"
    links = listed(posts)
    return page("Digiton", "Marketing that can be checked.", f"{body}\n{links}")


def rival_home(plot: Plot, name: str) -> str | None:
    """The start page of a rival with what it writes about; None for an unknown one."""
    names = {slug_of(one): one for one in plot.rivals}
    if name not in names:
        return None
    number = list(names).index(name)
    dice = random.Random(f"{plot.seed} {name}")  # noqa: S311 (a story, not a secret)
    titles = [dice.choice(topic.titles) for topic in covered_by(plot, number)]
    heads = "\n".join(f"<h2>{escape(title)}</h2>" for title in titles)
    tagline = dice.choice(
        ["Growth for good shops", "Words that sell", "Found, then read"]
    )
    body = f"<h1>{escape(names[name])}</h1>\n<p>{tagline}.</p>\n{heads}"
    return page(f"{names[name]}: {tagline}", f"{tagline}, every week.", body)


def covered_by(plot: Plot, number: int) -> list[Topic]:
    """What the rival writes about: five of six the gap, all what we have too, and few
    of them any of the rest."""
    gap = [plot.gap] if number != plot.seed % 6 else []
    rest = [topic for k, topic in enumerate(plot.others) if (number + k) % 3 == 0]
    return [*plot.ours, *gap, *rest]
