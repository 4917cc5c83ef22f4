"""How every role begins, and what it says to work that is not in the script."""

from __future__ import annotations

from collections.abc import Generator

from agents.rehearsal.acts import Answer, Call, Step, Story, Stuck, attempt, use
from agents.rehearsal.scene import Scene
from agents.rehearsal.view import View

NOT_MINE = (
    "Rehearsal: I only know the issues of my script, and this is none of them. With a"
    " model key, an agent that reads and thinks works on it."
)
NOT_HEARD = (
    "Rehearsal: I cannot follow what people write; I only play my script. With a model"
    " key, an agent that reads and thinks answers you."
)
PERSON = "a person"
Look = Generator[Call, Answer, View]


def open_issue(scene: Scene) -> Look:
    """The issue the agent was woken for, after a look at its inbox."""
    yield from use("inbox", "First my inbox.")
    view = yield from read(scene.issue, "Now the issue I was woken for.")
    if view.comments and view.comments[-1][0] == PERSON:
        yield from attempt("comment", issue=view.identifier, body=NOT_HEARD)
    return view


def read(issue: str, say: str = "") -> Look:
    answer = yield from use("read_issue", say, issue=issue)
    return View(answer.json())


def check_out(view: View) -> Generator[Call, Answer, None]:
    yield from use("checkout", "I take it.", issue=view.identifier)


def ask_dev(view: View, title: str, description: str) -> Look:
    """File what Dev is to do for it. The CTO decides when that begins."""
    answer = yield from use(
        "create_subtask",
        parent=view.identifier,
        title=title,
        description=description,
        assignee="Dev",
        priority="critical",
        status="backlog",
    )
    return View(answer.json())


def wait_for(view: View, other: str, comment: str) -> Generator[Call, Answer, None]:
    yield from use(
        "update_issue",
        issue=view.identifier,
        status="blocked",
        blocked_by=[other],
        comment=comment,
    )


def look_around(scene: Scene) -> Story:
    """A wake for nothing in particular."""
    answer = yield from use("inbox", "The timer rang: I look at my inbox.")
    waiting = answer.json()
    count = len(waiting) if isinstance(waiting, list) else 0
    return f"{count} issues in my inbox; each wakes me when it is time."


def inside(scene: Scene, path: str) -> str:
    """The path in the clone of the issue; Stuck when there is no clone."""
    if not scene.place:
        raise Stuck(Call("read_file", {"path": path}), Answer("I have no clone"))
    return f"{scene.place}/{path}"


def shell(scene: Scene, command: str, say: str) -> Step:
    """Run it in the clone; Stuck when it did not run at all."""
    whole = f"cd {inside(scene, '.')} && {command}"
    answer = yield from use("shell", say, command=whole)
    if answer.exit_code is None:
        raise Stuck(Call("shell", {"command": command}), answer)
    return answer


def not_in_script(scene: Scene, view: View) -> Story:
    """Honest about work that the script does not know. Once is enough."""
    if view.is_closed or view.has_said(scene.name, NOT_MINE):
        return "I have said that this is not in my script."
    yield from attempt("comment", issue=view.identifier, body=NOT_MINE)
    return NOT_MINE
