"""DevOps: fetches what was merged as a visitor gets it, and follows the links."""

from __future__ import annotations

import re
from collections.abc import Generator
from urllib.parse import urljoin

from agents.rehearsal import plot
from agents.rehearsal.acts import Answer, Call, Story, Stuck, attempt, use
from agents.rehearsal.roles.common import (
    check_out,
    look_around,
    not_in_script,
    open_issue,
)
from agents.rehearsal.scene import Scene
from agents.rehearsal.view import View


def act(scene: Scene) -> Story:
    if not scene.issue:
        return (yield from look_around(scene))
    view = yield from open_issue(scene)
    if view.title != plot.DEVOPS_TITLE:
        return (yield from not_in_script(scene, view))
    if view.status not in ("todo", "in_progress", "blocked"):
        return "This is done."
    return (yield from inspect(scene, view))


def inspect(scene: Scene, view: View) -> Story:
    if not scene.world:
        raise Stuck(Call("http_request", {}), Answer("there is no web I could read"))
    yield from check_out(view)
    facts = yield from walk(urljoin(scene.world, "site/"))
    rows = "\n".join(
        f"- `site/{path}`: {status or 'no answer'}, {title}, {size} characters"
        for path, (status, title, size) in facts.items()
    )
    broken = [path for path, (status, _, _) in facts.items() if status != 200]
    verdict = (
        f"{len(broken)} of them do not answer 200." if broken else "All answer 200."
    )
    if len(facts) < 2:
        verdict += " There is no post on the start page."
    yield from use(
        "update_issue",
        issue=view.identifier,
        status="done",
        comment=f"I fetched {len(facts)} pages of our site. {verdict}\n\n{rows}",
    )
    return "Checked."


Facts = dict[str, tuple[int | None, str, int]]


def walk(site: str) -> Generator[Call, Answer, Facts]:
    """Status, title and size of the start page and every page of ours it leads to."""
    facts: Facts = {}
    waiting = [site]
    while waiting and len(facts) < 20:
        url = waiting.pop(0)
        path = url.removeprefix(site)
        if path in facts or not url.startswith(site):
            continue
        answer = yield from attempt("http_request", url=url)
        title = re.search(r"<title>(.*?)</title>", answer.body, flags=re.S)
        said = f'"{title[1]}"' if title else "no title"
        facts[path] = (answer.http_status, said, len(answer.body))
        links = re.findall(r'<a href="([^"#]+)"', answer.body)
        waiting += [urljoin(url, link) for link in links]
    return facts
