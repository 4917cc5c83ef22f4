"""The control plane: issues, comments, documents, colleagues."""

from __future__ import annotations

from typing import Any

from agents.loop.api import part
from agents.loop.desk import Desk
from agents.loop.errors import ToolError
from agents.loop.fence import BY_OTHERS
from agents.loop.tools.base import compact, cut

TAKEABLE = ["todo", "backlog", "blocked", "in_review"]
MOST_COMMENTS = 50
MOST_ISSUES = 200
ROOM = 8_000  # characters of a thread that are shown: the newest ones
NOBODY = "nobody"


def inbox(desk: Desk) -> str:
    rows = desk.api.get("/agents/me/inbox-lite")
    return compact(
        [
            {
                "identifier": row["identifier"],
                "title": row["title"],
                "status": row["status"],
                "priority": row["priority"],
                "ready": row["dependencyReady"],
            }
            for row in rows
        ]
    )


def list_issues(desk: Desk, status: str | None = None) -> str:
    """The most urgent first; with how many more there are when not all are shown."""
    query = f"limit={MOST_ISSUES + 1}" + (f"&status={part(status)}" if status else "")
    rows = desk.api.get(f"/companies/{desk.api.company_id}/issues?{query}")
    shown = [
        {**brief(desk, row), "changed": row["updatedAt"]} for row in rows[:MOST_ISSUES]
    ]
    more = len(rows) > MOST_ISSUES
    return compact({"issues": shown, "more": "there are more"} if more else shown)


def checkout(desk: Desk, issue: str) -> str:
    taken = desk.api.post(
        f"/issues/{part(issue)}/checkout",
        {"agentId": desk.agent["id"], "expectedStatuses": TAKEABLE},
    )
    workspace = desk.take_up(desk.api.issue(taken["id"]))
    return compact({**brief(desk, taken), "workspace": workspace})


def read_issue(desk: Desk, issue: str) -> str:
    api, found = desk.api, desk.api.issue(issue)
    path = f"/issues/{found['id']}"
    children = api.get(f"/companies/{api.company_id}/issues?parentId={found['id']}")
    said = api.get(f"{path}/comments?limit={MOST_COMMENTS}")
    documents = api.find(f"{path}/documents") or []
    products = api.find(f"{path}/work-products") or []
    criteria = api.find(f"{path}/criteria") or []
    author = api.name_of(found["createdByAgentId"], found["createdByUserId"])
    return compact(
        {
            "note": BY_OTHERS,
            **brief(desk, found),
            "createdBy": author,
            "originKind": found["originKind"],
            "project": (found.get("project") or {}).get("name"),
            "goal": (found.get("goal") or {}).get("title"),
            "description": cut(found["description"] or "", ROOM),
            "ancestors": [named(one) for one in found["ancestors"]],
            "blockedBy": [brief(desk, one) for one in found["blockedBy"]],
            "blocks": [brief(desk, one) for one in found["blocks"]],
            "children": [brief(desk, one) for one in children],
            "documents": [pick(one, "key", "title") for one in documents],
            "workProducts": [product(one) for one in products],
            "doneWhen": [criterion(one) for one in criteria] or None,
            **thread(desk, said),
        }
    )


def comment(desk: Desk, issue: str, body: str) -> str:
    said = desk.api.post(f"/issues/{part(issue)}/comments", {"body": body})
    return compact({"commentId": said["id"]})


def update_issue(
    desk: Desk,
    issue: str,
    assignee: str | None = None,
    blocked_by: list[str] | None = None,
    **plain: str,
) -> str:
    """`plain`: status, priority, title, description, comment, as they are."""
    change: dict[str, Any] = dict(plain)
    if assignee is not None:
        change["assigneeAgentId"] = assignee_id(desk, assignee)
    if blocked_by is not None:
        change["blockedByIssueIds"] = [desk.api.issue(one)["id"] for one in blocked_by]
    if not change:
        raise ToolError("Say what is to change.")
    changed = desk.api.patch(f"/issues/{part(issue)}", change)
    return compact({**brief(desk, changed), **verification(changed)})


def create_subtask(
    desk: Desk,
    title: str,
    description: str,
    parent: str | None = None,
    assignee: str | None = None,
    blocked_by: list[str] | None = None,
    project: str | None = None,
    **plain: str,
) -> str:
    """`plain`: priority, status."""
    api = desk.api
    filed: dict[str, Any] = {"title": title, "description": description}
    filed |= {"status": "todo", **plain}
    if parent is None and desk.issue:
        filed["parentId"] = desk.issue["id"]
    elif parent:
        filed["parentId"] = api.issue(parent)["id"]
    if assignee is not None:
        filed["assigneeAgentId"] = assignee_id(desk, assignee)
    if blocked_by:
        filed["blockedByIssueIds"] = [api.issue(one)["id"] for one in blocked_by]
    if project:
        filed["projectId"] = project_id(desk, project)
    made = api.post(f"/companies/{api.company_id}/issues", filed)
    again = {"alreadyThere": True} if made.get("deduplicated") else {}
    return compact({**brief(desk, made), **again})


def ask_person(desk: Desk, issue: str, question: str) -> str:
    """The issue waits, still the agent's own: an answer in the thread wakes it."""
    text = f"**Question for a person:** {question}"
    path = f"/issues/{part(issue)}"
    try:
        waiting = desk.api.patch(path, {"status": "blocked", "comment": text})
        return compact({**brief(desk, waiting), "asked": True})
    except ToolError:  # a status it cannot be moved from; asking is always open
        said = desk.api.post(f"{path}/comments", {"body": text})
        return compact({"commentId": said["id"], "asked": True})


def write_document(desk: Desk, issue: str, key: str, title: str, body: str) -> str:
    path = f"/issues/{part(issue)}/documents/{part(key)}"
    last = desk.api.find(path)
    written = desk.api.put(
        path,
        {
            "title": title,
            "format": "markdown",
            "body": body,
            "baseRevisionId": last["latestRevisionId"] if last else None,
        },
    )
    revision = written["latestRevisionNumber"]
    return compact({"key": written["key"], "revision": revision})


def read_document(desk: Desk, issue: str, key: str) -> str:
    found = desk.api.get(f"/issues/{part(issue)}/documents/{part(key)}")
    shown = pick(found, "key", "title", "body")
    revision = found["latestRevisionNumber"]
    return compact({"note": BY_OTHERS, **shown, "revision": revision})


def list_colleagues(desk: Desk) -> str:
    fields = ("name", "role", "title", "status", "capabilities")
    return compact(
        [
            {**pick(one, *fields), "reportsTo": desk.api.name_of(one["reportsTo"])}
            for one in desk.api.colleagues
        ]
    )


# --- how things are shown --------------------------------------------------------


def brief(desk: Desk, issue: dict[str, Any]) -> dict[str, Any]:
    """An issue in a line."""
    who = desk.api.name_of(issue["assigneeAgentId"], issue["assigneeUserId"])
    return {**named(issue), "priority": issue["priority"], "assignee": who or NOBODY}


def criterion(one: dict[str, Any]) -> dict[str, Any]:
    """What has to be proven, and how far that is."""
    found = pick(one, "title", "description", "state", "status")
    latest = one.get("latestEvidence") or {}
    return {**found, **pick(latest, "said")}


def verification(issue: dict[str, Any]) -> dict[str, Any]:
    """Where a claim that it is done stands, while that is not over."""
    found = issue.get("verification") or {}
    waits = issue["status"] == "in_review" and found.get("status") == "pending"
    return {"verification": "pending: the work is checked now"} if waits else {}


def named(issue: dict[str, Any]) -> dict[str, Any]:
    return pick(issue, "identifier", "title", "status")


def thread(desk: Desk, newest_first: list[dict[str, Any]]) -> dict[str, Any]:
    """The end of a thread, the oldest comment first; whether there is more."""
    shown: list[dict[str, Any]] = []
    room = ROOM
    for one in newest_first:
        shown.insert(0, spoken(desk, one))
        room -= len(shown[0]["body"])
        if room <= 0:
            break
    more = len(shown) < len(newest_first) or len(newest_first) == MOST_COMMENTS
    return {"olderCommentsNotShown": more or None, "comments": shown}


def spoken(desk: Desk, comment: dict[str, Any]) -> dict[str, Any]:
    author = desk.api.name_of(comment["authorAgentId"], comment["authorUserId"])
    body = cut(comment["body"], ROOM // 2)
    return {"author": author or "Paperclip", "id": comment["id"], "body": body}


def product(one: dict[str, Any]) -> dict[str, Any]:
    return pick(one, "type", "title", "externalId", "status", "url", "metadata")


def pick(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names if row.get(name) not in (None, "")}


def assignee_id(desk: Desk, name: str) -> str | None:
    return None if name.strip().casefold() in ("", NOBODY) else desk.api.id_of(name)


def project_id(desk: Desk, name: str) -> str:
    projects = desk.api.get(f"/companies/{desk.api.company_id}/projects")
    for one in projects:
        if name.casefold() in (one["name"].casefold(), one["id"]):
            return str(one["id"])
    known = ", ".join(one["name"] for one in projects)
    raise ToolError(f"There is no project {name!r}. There are: {known or 'none'}.")
