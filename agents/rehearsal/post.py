"""The page that Dev writes about a topic, and what it looks like."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from agents.rehearsal.sites import NOTE
from agents.rehearsal.topics import Topic

# Text, background, accent.
COLOURS = [
    ("#1f2933", "#ffffff", "#0b6e4f"),
    ("#2b2118", "#fff8ef", "#9a3412"),
    ("#10243e", "#f4f8fb", "#1d4ed8"),
    ("#e8eef2", "#16222c", "#7dd3fc"),
    ("#301934", "#fdf9ff", "#7e22ce"),
]


def file_of(topic: Topic) -> str:
    return f"site/blog/{topic.keyword.replace(' ', '-')}.html"


def html_of(topic: Topic, seed: int) -> str:
    """The post as a whole page, with its data for search engines."""
    sections = "\n".join(
        f"<h2>{escape(head)}</h2>\n<p>{escape(body)}</p>"
        for head, body in topic.sections
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(topic.titles[0])}</title>
<meta name="description" content="{escape(topic.description)}">
<meta name="robots" content="noindex">
<meta name="generator" content="{NOTE}">
<script type="application/ld+json">{json.dumps(data_of(topic))}</script>
<style>
{style_of(seed)}
</style>
</head>
<body>
<main>
<h1>{escape(topic.titles[0])}</h1>
<p>{escape(topic.question)}</p>
{sections}
<p><a href="../">More from Digiton</a></p>
</main>
</body>
</html>
"""


def data_of(topic: Topic) -> dict[str, Any]:
    """What search engines are told."""
    return {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "headline": topic.titles[0],
        "description": topic.description,
        "keywords": topic.keyword,
        "author": {"@type": "Organization", "name": "Digiton"},
    }


def style_of(seed: int) -> str:
    text, background, accent = COLOURS[seed % len(COLOURS)]
    return (
        f"body {{ color: {text}; background: {background}; margin: 0;"
        " font: 18px/1.6 sans-serif; }\n"
        "main { max-width: 680px; margin: 0 auto; padding: 48px 24px; }\n"
        f"h1, h2, a {{ color: {accent}; line-height: 1.2; }}"
    )
