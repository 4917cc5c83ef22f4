"""The thread of an issue over HTTP, and what an agent needs to begin with it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import Run
from issues.api import rows
from issues.api.forms import CommentFilter, CommentForm, ContextFilter
from issues.api.heartbeat_shapes import ContextShape, HeartbeatShape, IssueRunShape
from issues.api.issues import IssueEndpoint
from issues.api.shapes import (
    CommentShape,
    Products,
)
from issues.models import Comment, Issue
from issues.outside import note_surroundings
from paperclip.api.schema import doc
from paperclip.api.shapes import ActivityShape
from paperclip.api.views import is_uuid
from paperclip.exceptions import BadRequest, Missing
from paperclip.models import Activity
from paperclip.pages import Pages

COMMENTS = {
    "asc": Pages(("created_at", "id"), limit=500, maximum=500),
    "desc": Pages(("-created_at", "-id"), limit=500, maximum=500),
}
ACTIVITY = Pages(("-seq",), limit=100, maximum=500)
RUNS = Pages(("-created_at", "-id"), limit=100, maximum=500)


class Comments(IssueEndpoint):
    @doc(
        "list_comments",
        "The thread, the newest first; with order=asc&after= what is new",
        gives=CommentShape,
        query=CommentFilter,
        pages=COMMENTS["desc"],
    )
    def get(self, request: Request, **path: str) -> Response:
        asked = self.query(CommentFilter)
        pages = COMMENTS[asked["order"]]
        comments: QuerySet[Comment] = self.issue().comments.all()
        if "after" in asked:
            last = comments.filter(pk=asked["after"]).first()
            if last is None:
                raise BadRequest(
                    "after is the id of a comment on this issue.",
                    code="validation",
                    path=["after"],
                )
            comments = comments.filter(pages.after(last))
        return self.page(comments, pages, CommentShape)

    @doc(
        "create_comment",
        "Say something; the assignee and who is @mentioned are woken",
        takes=CommentForm,
        gives=CommentShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        issue = self.issue(Issue.objects.select_related("assignee_agent__company"))
        said = issue.comment(by=self.actor, **self.read(CommentForm))
        return Response(CommentShape(said).data, status=201)


class OneComment(IssueEndpoint):
    @doc("get_comment", "A comment", gives=CommentShape)
    def get(self, request: Request, **path: str) -> Response:
        comment = comment_of(self.issue(), self.kwargs["comment_id"])
        return Response(CommentShape(comment).data)


class HeartbeatContext(IssueEndpoint):
    @doc(
        "get_heartbeat_context",
        "All that a heartbeat needs to begin with an issue",
        gives=HeartbeatShape,
        query=ContextFilter,
    )
    def get(self, request: Request, **path: str) -> Response:
        among = rows.with_products(rows.with_edges(Issue.objects.all())).select_related(
            "project__goal", "goal", "parent"
        )
        issue = self.issue(among)
        note_surroundings(self.actor, issue)
        wanted = self.query(ContextFilter).get("wakeCommentId")
        context = {
            "issue": issue,
            "ancestors": issue.ancestors(),
            "project": issue.project,
            "goal": issue.goal,
            "commentCursor": cursor_of(issue),
            "wakeComment": comment_of(issue, wanted) if wanted else None,
        }
        return Response({**ContextShape(context).data, **Products(issue).data})


class IssueActivity(IssueEndpoint):
    @doc(
        "list_issue_activity",
        "What was done to an issue, the newest first",
        gives=ActivityShape,
        pages=ACTIVITY,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.page(activity_of(self.issue()), ACTIVITY, ActivityShape)


class IssueRuns(IssueEndpoint):
    @doc(
        "list_issue_runs",
        "The runs that were about an issue or did something to it",
        gives=IssueRunShape,
        pages=RUNS,
    )
    def get(self, request: Request, **path: str) -> Response:
        issue = self.issue()
        about = Run.objects.filter(company=issue.company_id)
        acted = activity_of(issue).exclude(run_id=None).values("run_id")
        runs = about.filter(issue_id=issue.pk) | about.filter(pk__in=acted)
        return self.page(runs.select_related("agent"), RUNS, IssueRunShape)


def activity_of(issue: Issue) -> QuerySet[Activity]:
    return Activity.objects.filter(entity_type="issue", entity_id=str(issue.pk))


def comment_of(issue: Issue, pk: Any) -> Comment:
    comment = issue.comments.filter(pk=pk).first() if is_uuid(str(pk)) else None
    if comment is None:
        raise Missing("Comment not found")
    return comment


def cursor_of(issue: Issue) -> dict[str, Any]:
    last = issue.comments.order_by("-created_at", "-id").first()
    return {
        "totalComments": issue.comments.count() if last else 0,
        "latestCommentId": str(last.pk) if last else None,
        "latestCommentAt": CommentShape(last).data["createdAt"] if last else None,
    }
