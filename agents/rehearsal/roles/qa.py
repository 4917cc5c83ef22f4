"""QA: runs tests of its own on what was handed over. The exit code decides."""

from __future__ import annotations

import re

from agents.rehearsal import plot
from agents.rehearsal.acts import Answer, Call, Story, Stuck, use
from agents.rehearsal.roles.common import (
    check_out,
    inside,
    look_around,
    not_in_script,
    open_issue,
    shell,
)
from agents.rehearsal.roles.dev import UNCHANGED, verdict
from agents.rehearsal.scene import Scene
from agents.rehearsal.view import View

REVIEW = "review_by_qa"
APPROVED, REFUSED = "Approved", "Changes requested"
AGAIN = f"{APPROVED} as before, for nothing has changed since then"
# What a shell says of a program that it could not start.
NOT_STARTED = (126, 127)
POST_TEST = """import glob
import html
import json
import re
import unittest

KEYWORD = {keyword!r}


def part(pattern, page):
    found = re.search(pattern, page, flags=re.S)
    return html.unescape(found[1]) if found else ""


class Tests(unittest.TestCase):
    def setUp(self):
        pages = []
        for name in glob.glob("site/blog/*.html"):
            with open(name, encoding="utf-8") as file:
                pages.append(file.read())
        found = [page for page in pages if KEYWORD in page.lower()]
        self.assertEqual(len(found), 1, "one page about the keyword")
        self.page = found[0]
        self.title = part(r"<title>(.*?)</title>", self.page)

    def test_title(self):
        self.assertIn(KEYWORD, self.title.lower())
        self.assertLessEqual(len(self.title), 60)

    def test_description(self):
        said = part(r'<meta name="description" content="(.*?)">', self.page)
        self.assertTrue(50 <= len(said) <= 155, len(said))

    def test_one_heading(self):
        self.assertEqual(len(re.findall(r"<h1>", self.page)), 1)

    def test_data(self):
        data = part(r'<script type="application/ld\\+json">(.*?)</script>', self.page)
        data = json.loads(data)
        self.assertEqual(data["@type"], "BlogPosting")
        self.assertEqual(data["headline"], self.title)
"""


def act(scene: Scene) -> Story:
    if not scene.issue:
        return (yield from look_around(scene))
    view = yield from open_issue(scene)
    if view.assignee != scene.name or view.status not in ("in_review", "in_progress"):
        return "There is nothing for me to review."
    if view.title == scene.plot.kit.title:
        return (yield from review(scene, view, scene.plot.kit.review))
    if view.title.startswith(plot.POST_TITLE):
        keyword = view.title.removeprefix(plot.POST_TITLE)
        return (yield from review(scene, view, POST_TEST.format(keyword=keyword)))
    return (yield from not_in_script(scene, view))


def review(scene: Scene, view: View, test: str) -> Story:
    yield from check_out(view)
    yield from use(
        "write_file",
        "My own test, from what the issue asks.",
        path=inside(scene, f"{REVIEW}.py"),
        content=test,
    )
    command = f"python3 -B -m unittest {REVIEW}"
    answer = yield from shell(scene, command, "The exit code decides.")
    if answer.exit_code in NOT_STARTED:
        raise Stuck(Call("shell", {"command": command}), answer)
    if answer.exit_code != 0:
        yield from use(
            "request_changes",
            issue=view.identifier,
            comment=refusal(command, answer),
        )
        return "It goes back."
    yield from use(
        "approve",
        issue=view.identifier,
        comment=f"{approval(scene, view)}: `{command}` ended with exit code 0"
        f" ({verdict(answer.output)}).",
    )
    return "Approved."


def approval(scene: Scene, view: View) -> str:
    """What to call it. No news, when its worker says that nothing is new since ours."""
    unchanged = False
    for who, body in reversed(view.comments):
        if who == scene.name and body.startswith((APPROVED, REFUSED)):
            again = unchanged and body.startswith(APPROVED)
            return AGAIN if again else APPROVED
        unchanged = unchanged or body.startswith(UNCHANGED)
    return APPROVED


def refusal(command: str, answer: Answer) -> str:
    """What failed, in the words of the test, without times and addresses."""
    failed = re.findall(r"^(?:FAIL|ERROR): (test_\w+)", answer.output, flags=re.M)
    errors = re.findall(r"^\w*(?:Error|Exception): .*$", answer.output, flags=re.M)
    lines = [f"{name}: {said}" for name, said in zip(failed, errors, strict=False)]
    shown = "\n".join(lines) or answer.output[-600:]
    return (
        f"{REFUSED}: `{command}` ended with exit code {answer.exit_code}"
        f" ({verdict(answer.output)}).\n\n```\n{shown}\n```"
    )
