"""What a page shows of how it is made: a table of rules, each with where it looks, and
the proof beside what it found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from marketing.web.document import Document
from marketing.words import words

LONGEST = 120


class Rule(NamedTuple):
    name: str
    # header:NAME, cookie, generator, script (its address) or style (likewise).
    where: str
    pattern: str


RULES = [
    Rule("Cloudflare", "header:server", r"^cloudflare"),
    Rule("nginx", "header:server", r"^nginx"),
    Rule("Apache", "header:server", r"^apache"),
    Rule("LiteSpeed", "header:server", r"^litespeed"),
    Rule("Microsoft IIS", "header:server", r"^microsoft-iis"),
    Rule("Vercel", "header:server", r"^vercel"),
    Rule("Netlify", "header:server", r"^netlify"),
    Rule("GitHub Pages", "header:server", r"^github\.com"),
    Rule("Vercel", "header:x-vercel-id", r"."),
    Rule("Next.js", "header:x-powered-by", r"next\.js"),
    Rule("Express", "header:x-powered-by", r"express"),
    Rule("PHP", "header:x-powered-by", r"php"),
    Rule("ASP.NET", "header:x-powered-by", r"asp\.net"),
    Rule("WP Engine", "header:x-powered-by", r"wp engine"),
    Rule("Drupal", "header:x-generator", r"drupal"),
    Rule("Varnish", "header:via", r"varnish"),
    Rule("PHP", "cookie", r"^phpsessid$"),
    Rule("Laravel", "cookie", r"^laravel_session$"),
    Rule("Django", "cookie", r"^csrftoken$"),
    Rule("ASP.NET", "cookie", r"^asp\.net_sessionid$"),
    Rule("Ruby on Rails", "cookie", r"^_[a-z0-9]+_session$"),
    Rule("Cloudflare", "cookie", r"^__cf_bm$"),
    Rule("HubSpot", "cookie", r"^hubspotutk$"),
    Rule("WordPress", "generator", r"^wordpress"),
    Rule("Ghost", "generator", r"^ghost"),
    Rule("Drupal", "generator", r"^drupal"),
    Rule("Joomla", "generator", r"^joomla"),
    Rule("Hugo", "generator", r"^hugo"),
    Rule("Gatsby", "generator", r"^gatsby"),
    Rule("Astro", "generator", r"^astro"),
    Rule("Webflow", "generator", r"^webflow"),
    Rule("Wix", "generator", r"^wix"),
    Rule("Squarespace", "generator", r"^squarespace"),
    Rule("Next.js", "script", r"/_next/static/"),
    Rule("Nuxt", "script", r"/_nuxt/"),
    Rule("Gatsby", "script", r"/(?:webpack-runtime|app)-[0-9a-f]{20}\.js"),
    Rule("WordPress", "script", r"/wp-(?:content|includes)/"),
    Rule("WordPress", "style", r"/wp-(?:content|includes)/"),
    Rule("jQuery", "script", r"jquery[.-]"),
    Rule("Google Tag Manager", "script", r"//www\.googletagmanager\.com/gtm"),
    Rule("Google Analytics", "script", r"//www\.googletagmanager\.com/gtag"),
    Rule("Plausible", "script", r"//plausible\.io/"),
    Rule("HubSpot", "script", r"//js\.hs-scripts\.com/"),
    Rule("Hotjar", "script", r"//static\.hotjar\.com/"),
    Rule("Intercom", "script", r"//widget\.intercom\.io/"),
    Rule("Shopify", "script", r"//cdn\.shopify\.com/"),
    Rule("Webflow", "script", r"//(?:assets|cdn)\.(?:prod\.)?website-files\.com/"),
]
# What a company may say that it works with: looked for in the text, word by word.
DICTIONARY = (
    *("Python", "Django", "FastAPI", "Flask", "Node.js", "TypeScript", "React"),
    *("React Native", "Vue.js", "Angular", "Svelte", "Next.js", "Flutter", "Swift"),
    *("Kotlin", "Java", "Spring Boot", "Go", "Rust", "Ruby on Rails", "Laravel"),
    *("PostgreSQL", "MongoDB", "Redis", "Kafka", "Kubernetes", "Docker", "Terraform"),
    *("AWS", "Azure", "Google Cloud", "TensorFlow", "PyTorch", "LangChain"),
    *("LangGraph", "OpenAI", "Claude", "Gemini", "Llama", "Hugging Face", "RAG"),
)
# Words of every day, which count only as they are written.
AS_WRITTEN = {"Go", "Rust", "Swift", "Flask", "Spring Boot", "Claude", "RAG", "React"}


def found_in(page: Document, headers: Mapping[str, str]) -> list[dict[str, str]]:
    """What it is made with ("uses") and what it speaks of ("mentions"), each once and
    with the proof."""
    told: dict[str, dict[str, str]] = {}
    for rule in RULES:
        for proof in places(page, headers, rule.where):
            if re.search(rule.pattern, proof, re.IGNORECASE):
                said = f"{rule.where}: {proof}"[:LONGEST]
                found = {"name": rule.name, "kind": "uses", "proof": said}
                told.setdefault(rule.name, found)
    for name, proof in mentions(page):
        told.setdefault(name, {"name": name, "kind": "mentions", "proof": proof})
    return sorted(told.values(), key=lambda one: (one["kind"] != "uses", one["name"]))


def places(page: Document, headers: Mapping[str, str], where: str) -> list[str]:
    kind, _colon, name = where.partition(":")
    if kind == "header":
        return [headers[name]] if headers.get(name) else []
    if kind == "cookie":
        return headers.get("cookies", "").split()
    if kind == "generator":
        return [page.meta("generator")]
    css, attribute = {
        "script": ("script[src]", "src"),
        "style": ('link[rel="stylesheet" i]', "href"),
    }[kind]
    nodes = page.tree.css(css)
    return [address(page.url, node.attributes.get(attribute) or "") for node in nodes]


def address(base: str, told: str) -> str:
    """Without what is another with every build or visitor."""
    try:
        parts = urlsplit(urljoin(base, told))
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def mentions(page: Document) -> Iterator[tuple[str, Any]]:
    text = f"{page.title} {page.main_text}"
    lower = f" {' '.join(words(text))} "
    for name in DICTIONARY:
        if name in AS_WRITTEN:
            if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
                yield name, f"text: {name}"
        elif f" {' '.join(words(name))} " in lower:
            yield name, f"text: {name}"
