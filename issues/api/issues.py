"""Issues over HTTP: list, file, read, change, check out, give back."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.agents import must_be_agent
from agents.models import Agent
from issues.api import rows
from issues.api.forms import (
    CheckoutForm,
    ChildForm,
    IssueChange,
    IssueFilter,
    IssueForm,
)
from issues.api.heartbeat_shapes import InboxRow
from issues.api.shapes import (
    ChangedIssue,
    CommentShape,
    FiledIssue,
    IssueDetail,
    IssueRow,
    IssueShape,
    LinkedIssue,
)
from issues.models import Issue
from issues.models.issue import IssueQuerySet
from issues.outside import note_reading, note_surroundings
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint, is_uuid
from paperclip.exceptions import BadRequest, NotAllowed, NotSignedIn
from paperclip.pages import Pages

ISSUES = Pages(("priority", "number"), limit=500, maximum=1000)
INBOX = Pages(("priority", "number"), limit=100, maximum=500)


class IssueEndpoint(Endpoint):
    """A view of one issue, by its id or its identifier (DIG-1)."""

    def issue(self, among: IssueQuerySet | None = None) -> Any:
        among = Issue.objects.select_related("project") if among is None else among
        found = among.get_for(self.actor, self.kwargs["issue_id"])
        # Whatever is asked of it, the answer shows it.
        note_reading(self.actor, found)
        return found


class Issues(Endpoint):
    @doc(
        "list_issues",
        "The issues of a company, the most urgent first",
        gives=IssueRow,
        query=IssueFilter,
        pages=ISSUES,
    )
    def get(self, request: Request, **path: str) -> Response:
        found, headers = ISSUES.cut(self.wanted(), request)
        note_reading(self.actor, *found)
        context = {"runs": rows.active_runs(found)}
        shape = IssueRow(found, many=True, context=context)
        return Response(shape.data, headers=headers)

    def wanted(self) -> IssueQuerySet:
        asked = self.query(IssueFilter)
        text, person = asked.pop("q", ""), asked.get("assignee_user")
        if person == "me" and self.actor.user is not None:
            asked["assignee_user"] = self.actor.user.pk
        elif person and not is_uuid(person):
            raise BadRequest(
                "assigneeUserId is a person's id; an operator can say me.",
                code="validation",
                path=["assigneeUserId"],
            )
        found = rows.listed().shown().filter(company=self.company(), **asked)
        return found.matching(text) if text else found

    @doc(
        "create_issue",
        "File an issue; its assignee is woken unless it is in the backlog",
        takes=IssueForm,
        gives=FiledIssue,
        status=(201, 200),
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_write(company.pk, "file issues")
        fields = self.read(IssueForm)
        twin = None
        if not fields.pop("allowDuplicate"):
            twin = Issue.objects.twin_of(company, fields["title"])
        if twin:
            return Response({**linked(twin), "deduplicated": True}, status=200)
        issue = Issue.objects.file(company, by=self.actor, **fields)
        return Response(linked(issue), status=201)


class OneIssue(IssueEndpoint):
    @doc("get_issue", "An issue", gives=IssueDetail)
    def get(self, request: Request, **path: str) -> Response:
        among = rows.with_products(rows.with_edges(rows.shown())).select_related(
            "project__goal", "goal", "parent"
        )
        issue = self.issue(among)
        note_surroundings(self.actor, issue)
        return Response(IssueDetail(issue).data)

    @doc(
        "change_issue",
        "Change any field, with a comment if there is something to say",
        takes=IssueChange,
        gives=ChangedIssue,
    )
    def patch(self, request: Request, **path: str) -> Response:
        issue = self.issue(rows.shown().select_related("project"))
        before = IssueShape(issue).data
        fields = self.read(IssueChange, partial=True)
        said = issue.change(
            by=self.actor, comment=fields.pop("comment", None) or "", **fields
        )
        after = answer(issue)
        comment = CommentShape(said).data if said else None
        changed = rows.changes(before, after)
        return Response({**after, "changes": changed, "comment": comment})


class Checkout(IssueEndpoint):
    @doc(
        "checkout_issue",
        "Take an issue: of many callers one gets it, the others 409",
        takes=CheckoutForm,
        gives=IssueShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        issue = self.issue()
        form = self.read(CheckoutForm)
        agent = self.worker(form["agentId"])
        run = self.actor.run
        issue.check_out(agent, run, form["expectedStatuses"], by=self.actor)
        return Response(answer(issue))

    def worker(self, agent_id: Any) -> Agent:
        me = self.actor.agent
        if me is None:
            agents = Agent.objects.select_related("company")
            return agents.get_for(self.actor, agent_id)
        if me.pk != agent_id:
            raise NotAllowed("Agent can only checkout as itself")
        if self.actor.run is None:
            raise NotSignedIn("Agent run id required", code="run_id_required")
        return me


class Release(IssueEndpoint):
    @doc("release_issue", "Give an issue back, to do again", gives=IssueShape)
    def post(self, request: Request, **path: str) -> Response:
        issue = self.issue()
        issue.release(by=self.actor)
        return Response(answer(issue))


class Children(IssueEndpoint):
    @doc(
        "create_child_issue",
        "File a part of an issue",
        takes=ChildForm,
        gives=LinkedIssue,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        parent = self.issue(Issue.objects.select_related("company", "project", "goal"))
        fields = self.read(ChildForm)
        blocks = fields.pop("blockParentUntilDone")
        criteria = fields.pop("acceptanceCriteria", [])
        fields["description"] = with_criteria(fields.get("description"), criteria)
        child = parent.file_child(by=self.actor, holds_up=blocks, **fields)
        return Response(linked(child), status=201)


class Inbox(Endpoint):
    @doc(
        "list_my_inbox",
        "What the agent that asks may work on, the most urgent first",
        gives=InboxRow,
        pages=INBOX,
    )
    def get(self, request: Request) -> Response:
        mine = Issue.objects.inbox_of(must_be_agent(self)).defer("description")
        found, headers = INBOX.cut(mine, request)
        note_reading(self.actor, *found)
        context = {
            "runs": rows.active_runs(found),
            "blockers": rows.open_blockers(found),
        }
        shape = InboxRow(found, many=True, context=context)
        return Response(shape.data, headers=headers)


def answer(issue: Issue) -> dict[str, Any]:
    """The issue as it is now."""
    return IssueShape(rows.shown().get(pk=issue.pk)).data  # type: ignore[return-value]


def linked(issue: Issue) -> dict[str, Any]:
    fresh = rows.with_edges(rows.shown()).get(pk=issue.pk)
    return LinkedIssue(fresh).data  # type: ignore[return-value]


def with_criteria(description: str | None, criteria: list[str]) -> str | None:
    if not criteria:
        return description
    listed = "\n".join(f"- [ ] {one}" for one in criteria)
    return f"{description or ''}\n\n## Acceptance criteria\n\n{listed}".lstrip()
