"""Dev: writes the tool, with a bug that is part of the story, repairs it in two steps,
and writes the post."""

from __future__ import annotations

import re
from collections.abc import Generator

from agents.rehearsal import plot
from agents.rehearsal.acts import Answer, Call, Story, Stuck, attempt, use
from agents.rehearsal.kits import Edit, Kit
from agents.rehearsal.post import file_of, html_of
from agents.rehearsal.roles.common import (
    check_out,
    inside,
    look_around,
    not_in_script,
    open_issue,
    shell,
)
from agents.rehearsal.scene import Scene
from agents.rehearsal.topics import BY_KEYWORD, Topic
from agents.rehearsal.view import View

FIX = "Fix: "


def act(scene: Scene) -> Story:
    if not scene.issue:
        return (yield from look_around(scene))
    view = yield from open_issue(scene)
    kit = scene.plot.kit
    if view.title in (kit.title, FIX + kit.title):
        return (yield from work_on_tool(scene, view, kit))
    if view.title.startswith(plot.POST_TITLE):
        return (yield from work_on_post(scene, view))
    return (yield from not_in_script(scene, view))


def can_begin(view: View) -> bool:
    """Whether it is there to be worked on now."""
    return view.status in ("todo", "in_progress")


def verdict(output: str) -> str:
    """The lines of a test's output that say how it went, without times."""
    counted = re.findall(r"^Ran \d+ tests?", output, flags=re.M)
    ended = re.findall(r"^(?:OK|FAILED.*)$", output, flags=re.M)
    return ", ".join(counted + ended) or output[-300:]


# --- The tool --------------------------------------------------------------------


def work_on_tool(scene: Scene, view: View, kit: Kit) -> Story:
    if not can_begin(view):
        return "There is nothing to do about it now."
    yield from check_out(view)
    if view.title.startswith(FIX):
        return (yield from fix(scene, view, kit, kit.half, FIRST_TRY))
    if any("Cause: " in body for _, body in view.comments):
        return (yield from fix(scene, view, kit, kit.whole, SECOND_TRY))
    return (yield from write(scene, view, kit))


FIRST_TRY = "I have repaired one of the failures that QA reported."
SECOND_TRY = "I have repaired the cause that the CTO named."
UNCHANGED = "I have changed nothing since I gave this to review the last time."
NOTHING_NEW = "There is nothing new"  # what hand_over says then


def write(scene: Scene, view: View, kit: Kit) -> Story:
    for path, content in ((kit.file, kit.first), (kit.test_file, kit.own_test)):
        yield from use("write_file", path=inside(scene, path), content=content)
    said = yield from tested(scene, kit)
    what = f"`{kit.file}` is written, with a test for the ordinary case."
    return (yield from hand_over(scene, view, f"Add {kit.file}", what, said))


def fix(scene: Scene, view: View, kit: Kit, edits: list[Edit], what: str) -> Story:
    path = inside(scene, kit.file)
    code = yield from use("read_file", "What does it do now?", path=path)
    for old, new in edits:
        # A run that was lost may have left it edited.
        if old in code and new not in code:
            yield from use("edit_file", path=path, old=old, new=new)
    said = yield from tested(scene, kit)
    return (yield from hand_over(scene, view, f"Repair {kit.file}", what, said))


def tested(scene: Scene, kit: Kit) -> Generator[Call, Answer, str]:
    """Run our own test; a sentence that says how it really went."""
    command = f"python3 -B -m unittest tests.test_{kit.module}"
    answer = yield from shell(scene, command, "Does my test pass?")
    return (
        f"`{command}` ended with exit code {answer.exit_code}"
        f" ({verdict(answer.output)}). I have not tested other cases."
    )


def hand_over(scene: Scene, view: View, message: str, what: str, said: str) -> Story:
    """Give it to review, with what was done and how it was tested. Where that was told
    before and nothing came of it since, as when done work is opened again, say so."""
    answer = yield from use("hand_over", issue=view.identifier, message=message)
    # Nothing new alone could be the end of a run that was lost after handing over.
    if answer.startswith(NOTHING_NEW) and view.has_said(scene.name, what):
        what = f"{UNCHANGED} My script has no more to do here."
    comment = f"{what} {said}"
    yield from use("request_review", issue=view.identifier, comment=comment)
    return "Given to review."


# --- The post --------------------------------------------------------------------


def work_on_post(scene: Scene, view: View) -> Story:
    if not can_begin(view):
        return "It is not my turn to begin this."
    keyword = re.search(r"^Keyword: (.+)$", view.description, flags=re.M)
    topic = BY_KEYWORD.get(keyword[1].strip()) if keyword else None
    if topic is None:
        raise Stuck(Call("read_issue", {}), Answer("I know nothing about this keyword"))
    yield from check_out(view)
    file = file_of(topic)
    page = html_of(topic, scene.plot.seed)
    yield from use("write_file", path=inside(scene, file), content=page)
    said = yield from checked(scene, topic, file)
    what = f"The post is `{file}`, {len(topic.sections)} sections."
    return (yield from hand_over(scene, view, f"Add {file}", what, said))


def checked(scene: Scene, topic: Topic, file: str) -> Generator[Call, Answer, str]:
    """Hold the post against our own tool, when that is there; what it said."""
    kit = scene.plot.kit
    tool = yield from attempt("read_file", path=inside(scene, kit.file))
    if tool.is_error:
        return "Our tool is not merged yet: I have not checked it with that."
    command = kit.use.format(title=topic.titles[0], file=file, keyword=topic.keyword)
    answer = yield from shell(scene, command, "What does our own tool say?")
    return f"`{command}` says: {answer.output} (exit code {answer.exit_code})."
