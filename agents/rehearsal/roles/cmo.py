"""The CMO: finds a gap in what it reads, asks for a post, sees that it is online."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator
from html import unescape
from urllib.parse import urljoin

from agents.rehearsal import plot
from agents.rehearsal.acts import Answer, Call, Story, Stuck, use
from agents.rehearsal.roles.common import (
    ask_dev,
    check_out,
    look_around,
    not_in_script,
    open_issue,
    wait_for,
)
from agents.rehearsal.scene import Scene
from agents.rehearsal.view import View

SMALL_WORDS = (
    "a an and are at be between by does for from get gets how in is it long of on one"
    " or our right set should that the three to use we what which why with without"
)
TOLD = "@CTO"
STOP = set(SMALL_WORDS.split())
Page = tuple[str, list[str]]


def act(scene: Scene) -> Story:
    if not scene.issue:
        return (yield from look_around(scene))
    view = yield from open_issue(scene)
    if view.title != plot.CMO_TITLE:
        return (yield from not_in_script(scene, view))
    if view.is_closed:
        return "This is done."
    post = view.part(plot.POST_TITLE)
    if post is not None and post.status == "done":
        return (yield from confirm(scene, view, post))
    if view.has_said(scene.name, TOLD):
        return "The post is under way."
    return (yield from research(scene, view))


# --- The gap ---------------------------------------------------------------------


def research(scene: Scene, view: View) -> Story:
    yield from check_out(view)
    pages = yield from read_sites(scene)
    ours, rivals = pages[0], pages[1:]
    counts = gaps(ours[1], [titles for _, titles in rivals])
    if not counts:
        raise Stuck(Call("http_request", {}), Answer("no topic that we do not have"))
    keyword, count = counts[0]
    yield from use(
        "write_document",
        issue=view.identifier,
        key="keyword-gap",
        title="Keyword gap",
        body=analysis(pages, counts),
    )
    post = yield from ask_dev(
        view, f"{plot.POST_TITLE}{keyword}", brief(keyword, count, len(rivals))
    )
    yield from wait_for(
        view,
        post.identifier,
        f'The gap is "{keyword}": {count} of {len(rivals)} rivals write about'
        f" it and we do not. {TOLD} I have filed the post for Dev, critical and in the"
        " backlog: please start it when Dev has room.",
    )
    return f"The gap is {keyword}; the post is asked for."


def read_sites(scene: Scene) -> Generator[Call, Answer, list[Page]]:
    """Our site first, then each of the rivals': the address and the headings."""
    if not scene.world:
        raise Stuck(Call("http_request", {}), Answer("there is no web I could read"))
    index = yield from fetch(scene.world)
    links = re.findall(r'<a href="([^"]+)"', index)
    pages = []
    for link in links:
        page = yield from fetch(urljoin(scene.world, link))
        pages.append((link, headings(page)))
    return pages


def fetch(url: str) -> Generator[Call, Answer, str]:
    """The body of a page; Stuck when it is not there."""
    answer = yield from use("http_request", url=url)
    if answer.http_status != 200:
        raise Stuck(Call("http_request", {"url": url}), answer)
    return answer.body


def headings(page: str) -> list[str]:
    found = re.findall(r"<(?:h2|li)>(.*?)</", page, flags=re.S)
    return [unescape(re.sub(r"<[^>]+>", "", one)).strip() for one in found]


def phrases(titles: list[str]) -> set[str]:
    """Runs of two and three words that neither begin nor end with a small word."""
    found = set()
    for title in titles:
        words = re.findall(r"[a-z0-9]+", title.lower())
        runs = (words[i : i + n] for n in (2, 3) for i in range(len(words) - n + 1))
        found |= {" ".join(run) for run in runs if not STOP & {run[0], run[-1]}}
    return found


def gaps(ours: list[str], rivals: list[list[str]]) -> list[tuple[str, int]]:
    """What at least two rivals write about and we do not, the most common first; of
    equally common ones the longest."""
    counted = Counter(phrase for titles in rivals for phrase in phrases(titles))
    for phrase in phrases(ours):
        del counted[phrase]
    ranked = sorted(
        counted.items(), key=lambda one: (-one[1], -len(one[0].split()), one)
    )
    return [(phrase, count) for phrase, count in ranked if count > 1]


def analysis(pages: list[Page], counts: list[tuple[str, int]]) -> str:
    rows = "\n".join(f"| {phrase} | {count} |" for phrase, count in counts[:8])
    read_pages = "\n".join(
        f"- `{address}`: {'; '.join(titles) or 'no headings'}"
        for address, titles in pages
    )
    return (
        "# Keyword gap\n\nCounted in the headings of the pages below: phrases that we"
        " do"
        f" not have.\n\n| Phrase | Rivals |\n|---|---|\n{rows}\n\n"
        f"## Pages that were read\n\n{read_pages}\n\n*Rehearsal: these sites are made"
        " up. Nothing here says anything about real searches.*\n"
    )


def brief(keyword: str, count: int, rivals: int) -> str:
    return (
        f"Keyword: {keyword}\n\n{count} of {rivals} rivals write about it, we do not"
        " (see the document `keyword-gap` of the issue above).\n\nOne page in"
        " `site/blog/`: title of at most 60 characters with the keyword, description of"
        " at most 155, one H1, JSON-LD of type BlogPosting. Check it with the tool that"
        " Dev builds this week, when that is there."
    )


# --- Is it online? ---------------------------------------------------------------


def confirm(scene: Scene, view: View, post: View) -> Story:
    keyword = post.title.removeprefix(plot.POST_TITLE)
    yield from check_out(view)
    site = urljoin(scene.world, "site/")
    home = yield from fetch(site)
    listed = re.findall(r'<a href="([^"]+)">(.*?)</a>', home)
    ours = [(link, text) for link, text in listed if keyword in text.lower()]
    if not ours:
        raise Stuck(
            Call("http_request", {"url": site}), Answer("the post is not there")
        )
    page = yield from fetch(urljoin(site, ours[0][0]))
    head = re.search(r"<h1>(.*?)</h1>", page, flags=re.S)
    there = bool(head and keyword in head[1].lower())
    yield from use(
        "update_issue",
        issue=view.identifier,
        status="done",
        comment=f"The post is online at `site/{ours[0][0]}`: HTTP 200, the keyword is"
        f" {'in' if there else 'NOT in'} the H1. Rankings and visits are not measured"
        " yet: they need weeks.",
    )
    return "The post is online."
