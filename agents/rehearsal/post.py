"""The page that Dev writes about a topic, and what it looks like."""

from __future__ import annotations

import json
from html import escape
from string import Template

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
PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<meta name="description" content="$description">
<meta name="robots" content="noindex">
<meta name="generator" content="$note">
<script type="application/ld+json">$data</script>
<style>
body { color: $text; background: $background; margin: 0; font: 18px/1.6 sans-serif; }
main { max-width: 680px; margin: 0 auto; padding: 48px 24px; }
h1, h2, a { color: $accent; line-height: 1.2; }
</style>
</head>
<body>
<main>
<h1>$title</h1>
<p>$question</p>
$sections
<p><a href="../">More from Digiton</a></p>
</main>
</body>
</html>
"""
)


def file_of(topic: Topic) -> str:
    return f"site/blog/{topic.keyword.replace(' ', '-')}.html"


def html_of(topic: Topic, seed: int) -> str:
    """The post as a whole page, with its data for search engines."""
    text, background, accent = COLOURS[seed % len(COLOURS)]
    data = {
        "@context": "https://schema.org",
        "@type": "BlogPosting",
        "headline": topic.titles[0],
        "description": topic.description,
        "keywords": topic.keyword,
        "author": {"@type": "Organization", "name": "Digiton"},
    }
    sections = "\n".join(
        f"<h2>{escape(head)}</h2>\n<p>{escape(body)}</p>"
        for head, body in topic.sections
    )
    return PAGE.substitute(
        title=escape(topic.titles[0]),
        description=escape(topic.description),
        question=escape(topic.question),
        sections=sections,
        data=json.dumps(data),
        note=NOTE,
        text=text,
        background=background,
        accent=accent,
    )
