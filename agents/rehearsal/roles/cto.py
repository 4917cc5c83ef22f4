"""The CTO: plans the tool, schedules Dev, finds the cause when two reviews failed."""

from __future__ import annotations

from collections.abc import Generator

from agents.rehearsal import plot
from agents.rehearsal.acts import Answer, Call, Story, Stuck, use
from agents.rehearsal.roles.common import (
    ask_dev,
    check_out,
    inside,
    look_around,
    not_in_script,
    open_issue,
    read,
    wait_for,
)
from agents.rehearsal.scene import Scene
from agents.rehearsal.view import View

ASKED = "@CEO"


def act(scene: Scene) -> Story:
    if not scene.issue:
        return (yield from look_around(scene))
    view = yield from open_issue(scene)
    if view.is_closed:
        return "This is done."
    if view.title == plot.CTO_TITLE:
        return (yield from plan(scene, view))
    if view.title == plot.CMO_TITLE and view.above:
        goal = yield from read(view.above.identifier, "Is there a conflict with mine?")
        mine = goal.part(plot.CTO_TITLE)
        if mine is None or mine.is_closed:
            return "I have not planned anything yet."
        mine = yield from read(mine.identifier)
        return (yield from schedule(scene, mine, goal))
    if view.title == scene.plot.kit.title:
        return (yield from find_cause(scene, view))
    return (yield from not_in_script(scene, view))


# --- Planning --------------------------------------------------------------------


def plan(scene: Scene, view: View) -> Story:
    tool = view.part(scene.plot.kit.title)
    if tool is not None and tool.status == "done":
        return (yield from start_the_next(scene, view))
    if tool is None:
        yield from check_out(view)
        wanted = scene.plot.kit.wanted + "\n\nWith a test for what is asked."
        tool = yield from ask_dev(view, scene.plot.kit.title, wanted)
        yield from wait_for(
            view,
            tool.identifier,
            f'Filed "{tool.title}" for Dev. It stays in the backlog until I know what'
            " else Dev is asked for.",
        )
        view = yield from read(view.identifier)
    if view.above is None:
        return "There is no goal above it."
    goal = yield from read(view.above.identifier, "Who else wants Dev?")
    return (yield from schedule(scene, view, goal))


def schedule(scene: Scene, mine: View, goal: View) -> Story:
    """One critical issue at a time for Dev: of two, the CEO chooses."""
    tool = mine.part(scene.plot.kit.title)
    post = yield from wanted_by_marketing(goal)
    if tool is None or post is None:
        return "I wait to hear what else Dev is asked for."
    if tool.status != "backlog" or post.status != "backlog":
        return "Dev has its work."
    if tool.priority == post.priority == "critical":
        if mine.has_said(scene.name, ASKED):
            return "I wait for the CEO's word."
        question = (
            f'{ASKED} two critical issues want Dev at once: "{tool.title}" holds up'
            f' "{mine.title}", and "{post.title}" holds up "{plot.CMO_TITLE}". Which'
            " comes first?"
        )
        yield from use("comment", issue=mine.identifier, body=question)
        return "I have asked the CEO."
    first = tool if tool.priority == "critical" else post
    yield from use("update_issue", issue=first.identifier, status="todo")
    return f"Dev begins with {first.title}."


def wanted_by_marketing(goal: View) -> Generator[Call, Answer, View | None]:
    """The post that the CMO has filed for Dev; None when there is none yet."""
    theirs = goal.part(plot.CMO_TITLE)
    if theirs is None:
        return None
    theirs = yield from read(theirs.identifier, "What does marketing want of Dev?")
    return theirs.part(plot.POST_TITLE)


def start_the_next(scene: Scene, view: View) -> Story:
    """The tool is merged: close the plan, and let Dev begin what waited."""
    yield from check_out(view)
    post = None
    if view.above is not None:
        goal = yield from read(view.above.identifier, "What waits for Dev now?")
        post = yield from wanted_by_marketing(goal)
    following = ""
    if post is not None and post.status == "backlog":
        yield from use("update_issue", issue=post.identifier, status="todo")
        following = f' Dev goes on with "{post.title}".'
    yield from use(
        "update_issue",
        issue=view.identifier,
        status="done",
        comment=f"The tool is merged after QA's review.{following}",
    )
    return "The tool is there."


# --- What failed review twice ----------------------------------------------------


def find_cause(scene: Scene, view: View) -> Story:
    """Read the code, name the line, give it back."""
    if view.assignee != scene.name:
        return "It is not mine any more."
    kit = scene.plot.kit
    answer = yield from use(
        "read_file",
        "Two reviews failed: I read the code.",
        path=inside(scene, kit.file),
    )
    lines = [line.strip() for line in answer.splitlines() if kit.suspect in line]
    if not lines:
        raise Stuck(
            Call("read_file", {}), Answer("I do not find the cause in the code")
        )
    yield from use(
        "update_issue",
        issue=view.identifier,
        assignee="Dev",
        status="todo",
        comment=f"Cause: in `{kit.file}`, `{lines[0]}`: {kit.cause}.",
    )
    return "I have named the cause; Dev goes on."
