"""The CEO: breaks the goal into issues, settles what comes first, writes the report."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from agents.rehearsal import plot
from agents.rehearsal.acts import Answer, Call, Story, use
from agents.rehearsal.roles.common import (
    check_out,
    look_around,
    not_in_script,
    open_issue,
    read,
)
from agents.rehearsal.roles.report import counted, written
from agents.rehearsal.scene import Scene
from agents.rehearsal.view import View

SETTLED = "@CTO"


# What the goal is broken into, in the order in which it is filed.
PARTS: dict[str, dict[str, Any]] = {
    plot.CMO_TITLE: {
        "assignee": "CMO",
        "priority": "high",
        "description": "Read our site and those of our rivals, and name the topic"
        " that most of them cover and we do not. Then get one post about it written"
        " by Dev.\n\nDone: the post is online, and a document here says which pages"
        " were read and what was counted.",
    },
    plot.CTO_TITLE: {
        "assignee": "CTO",
        "priority": "high",
        "description": "{kit}, so that our posts are checked with"
        " it. Dev also gets a post from the CMO this week: see to it that the two"
        " do not get in each other's way.\n\nDone: the tool is merged, with tests"
        " that QA has run.",
    },
    plot.DESIGNER_TITLE: {
        "assignee": "Designer",
        "priority": "medium",
        "after": [plot.CMO_TITLE],
        "description": "Render the new post and report what can be measured: size,"
        " contrast, whether it is blank.\n\nDone: the facts are in a comment.",
    },
    plot.DEVOPS_TITLE: {
        "assignee": "DevOps",
        "priority": "medium",
        "after": [plot.CMO_TITLE, plot.CTO_TITLE],
        "description": "Fetch our start page and the new post as a visitor gets"
        " them, and follow every link of ours.\n\nDone: a comment says the status"
        " and title of each.",
    },
    plot.REPORT_TITLE: {
        "assignee": "CEO",
        "priority": "medium",
        "after": [
            plot.CMO_TITLE,
            plot.CTO_TITLE,
            plot.DESIGNER_TITLE,
            plot.DEVOPS_TITLE,
        ],
        "description": "What was done, what was sent back, what is open: from the"
        " issues themselves.\n\nDone: the document `weekly-report` is here.",
    },
}


def act(scene: Scene) -> Story:
    if not scene.issue:
        return (yield from look_around(scene))
    view = yield from open_issue(scene)
    if view.title == plot.GOAL:
        return (yield from lead(scene, view))
    if view.title == plot.CTO_TITLE:
        return (yield from settle(scene, view))
    if view.title == plot.REPORT_TITLE:
        return (yield from report(scene, view))
    if view.title == plot.WEEKLY_TITLE:
        return (yield from weekly(view))
    return (yield from not_in_script(scene, view))


# --- The goal --------------------------------------------------------------------


def lead(scene: Scene, goal: View) -> Story:
    if goal.is_closed:
        return "This goal is closed."
    last = goal.part(plot.REPORT_TITLE)
    if last is None:
        return (yield from break_down(scene, goal))
    if not last.is_closed:
        return "Its parts are under way."
    yield from check_out(goal)
    done = sum(part.status == "done" for part in goal.parts)
    yield from use(
        "update_issue",
        issue=goal.identifier,
        status="done",
        comment=f"{done} of {len(goal.parts)} parts are done; the weekly report says"
        " what was sent back on the way.",
    )
    return "The goal is closed."


def break_down(scene: Scene, goal: View) -> Story:
    yield from check_out(goal)
    yield from use("list_colleagues", "Who is there to do it?")
    plan = parts(scene)
    filed: dict[str, str] = {}
    for title, part in plan.items():
        there = goal.part(title)
        if there is None:
            waits_for = [filed[other] for other in part.pop("after", [])]
            answer = yield from use(
                "create_subtask",
                parent=goal.identifier,
                title=title,
                blocked_by=waits_for,
                status="blocked" if waits_for else "todo",
                **part,
            )
            there = View(answer.json())
        filed[title] = there.identifier
    yield from use(
        "update_issue",
        issue=goal.identifier,
        status="blocked",
        blocked_by=[filed[plot.REPORT_TITLE]],
        comment=f"I have broken this into {len(plan)} issues. It waits for the weekly"
        " report, which waits for all the others.",
    )
    return "The goal is broken down; I am woken when the report can be written."


def parts(scene: Scene) -> dict[str, dict[str, Any]]:
    """PARTS, about what this plot builds."""
    kit = scene.plot.kit.title
    return {
        title: {**part, "description": part["description"].format(kit=kit)}
        for title, part in PARTS.items()
    }


# --- A conflict of priorities ----------------------------------------------------


def settle(scene: Scene, asked: View) -> Story:
    """The tool or the post? Called by the CTO, on the CTO's issue."""
    tool = asked.part(scene.plot.kit.title)
    post = yield from the_post(asked)
    if tool is None or post is None or tool.status != "backlog":
        return "There is nothing to settle."
    if asked.has_said(scene.name, SETTLED):
        return "I have settled this."
    wanted = yield from read(post.identifier, "What is the other one?")
    yield from use(
        "update_issue",
        issue=post.identifier,
        priority="high",
    )
    yield from use(
        "comment",
        issue=asked.identifier,
        body=f'{SETTLED} "{tool.title}" comes first: {scene.plot.reason}.'
        f' "{wanted.title}" is high instead of critical from now on, and follows'
        " right after.",
    )
    return "Settled."


def the_post(asked: View) -> Generator[Call, Answer, View | None]:
    """What the CMO wants of Dev, found by way of the goal; None when nothing yet."""
    if asked.above is None:
        return None
    goal = yield from read(asked.above.identifier, "I look at the whole goal.")
    found = goal.part(plot.CMO_TITLE)
    if found is None:
        return None
    marketing = yield from read(found.identifier)
    return marketing.part(plot.POST_TITLE)


# --- The weekly report -----------------------------------------------------------


def report(scene: Scene, view: View) -> Story:
    if view.is_closed or view.above is None:
        return "The report is written."
    yield from check_out(view)
    goal = yield from read(view.above.identifier, "I read every issue of the goal.")
    issues = []
    waiting = [part.identifier for part in goal.parts]
    while waiting:
        one = yield from read(waiting.pop(0))
        if one.identifier != view.identifier:
            issues.append(one)
            waiting += [part.identifier for part in one.parts]
    yield from use(
        "write_document",
        issue=view.identifier,
        key="weekly-report",
        title="Weekly report",
        body=written(goal, issues),
    )
    yield from use(
        "update_issue",
        issue=view.identifier,
        status="done",
        comment="The weekly report is in the document `weekly-report`, written from the"
        f" {len(issues)} issues as they stand now.",
    )
    return "The report is written."


def weekly(view: View) -> Story:
    """What the routine asks for every week, also when the story is over."""
    if view.is_closed:
        return "The report is written."
    yield from check_out(view)
    answer = yield from use("list_issues", "I look at every issue of the company.")
    told = answer.json()
    rows = told["issues"] if isinstance(told, dict) else told
    issues = [View(one) for one in rows if one["identifier"] != view.identifier]
    yield from use(
        "write_document",
        issue=view.identifier,
        key="weekly-report",
        title="Weekly report",
        body=counted(issues),
    )
    yield from use(
        "update_issue",
        issue=view.identifier,
        status="done",
        comment=f"The document `weekly-report` counts {len(issues)} issues as they"
        " stand now.",
    )
    return "The report is written."
