"""What approvals have to do with issues, and the numbers beside the menu."""

from __future__ import annotations

from django.db.models import OuterRef, Subquery
from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.approval_shapes import (
    ApprovalShape,
    BadgesShape,
    LinkedIssueShape,
    LinkForm,
)
from agents.api.approvals import APPROVALS, ApprovalEndpoint
from agents.api.shapes import DoneShape
from agents.models import Agent, Approval, Run
from agents.outside import note_rows, note_runs
from issues.api.issues import IssueEndpoint
from issues.models import ApprovalLink, Issue
from issues.outside import note_reading
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.exceptions import NotAllowed
from paperclip.pages import Pages

ISSUES = Pages(("-number",), limit=100, maximum=500)


class ApprovalIssues(ApprovalEndpoint):
    @doc(
        "list_approval_issues", "What it is about", gives=LinkedIssueShape, pages=ISSUES
    )
    def get(self, request: Request, **path: str) -> Response:
        issues = Issue.objects.filter(approval_links__approval=self.approval())
        found, headers = ISSUES.cut(issues, request)
        note_reading(self.actor, *found)
        return Response(LinkedIssueShape(found, many=True).data, headers=headers)


class LinkEndpoint(IssueEndpoint):
    def linkable(self, pk: object) -> Approval:
        """The approval, for a person or the agent that asked for it."""
        found: Approval = Approval.objects.get_for(self.actor, pk)
        self.actor.must_write(found.company_id, "link approvals")
        agent = self.actor.agent
        if agent is not None and agent.pk != found.requested_by_agent_id:
            raise NotAllowed("An agent links what it asked for itself.")
        return found


class IssueApprovals(LinkEndpoint):
    @doc("list_issue_approvals", "Its approvals", gives=ApprovalShape, pages=APPROVALS)
    def get(self, request: Request, **path: str) -> Response:
        rows = Approval.objects.filter(issue_links__issue=self.issue())
        found, headers = APPROVALS.cut(rows, request)
        note_runs(self.actor, [one.run_id for one in found])
        note_rows(self.actor, *found)
        return Response(ApprovalShape(found, many=True).data, headers=headers)

    @doc(
        "link_approval",
        "Say that an approval is about it",
        takes=LinkForm,
        gives=ApprovalShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        issue = self.issue()
        approval = self.linkable(self.read(LinkForm)["approvalId"])
        ApprovalLink.objects.link(approval, [issue.pk], by=self.actor)
        return Response(ApprovalShape(approval).data, status=201)


class OneIssueApproval(LinkEndpoint):
    @doc("delete_approval_link", "It is not about this issue", gives=DoneShape)
    def delete(self, request: Request, **path: str) -> Response:
        issue, approval = self.issue(), self.linkable(self.kwargs["approval_id"])
        ApprovalLink.objects.unlink(approval, issue, by=self.actor)
        return Response({"ok": True})


class Badges(Endpoint):
    @doc("get_badges", "What waits for people, in numbers", gives=BadgesShape)
    def get(self, request: Request, **path: str) -> Response:
        company = self.company()
        approvals = Approval.objects.filter(company=company).open().count()
        runs = Run.objects.filter(agent=OuterRef("pk")).order_by("-created_at")
        ended = runs.exclude(status__in=["queued", "running"]).values("status")
        agents = Agent.objects.filter(company=company).employed()
        failed = agents.annotate(last=Subquery(ended[:1])).filter(
            last__in=["failed", "timed_out"]
        )
        failed_runs = failed.count()
        return Response(
            {
                "inbox": approvals + failed_runs,
                "approvals": approvals,
                "failedRuns": failed_runs,
                "joinRequests": 0,
            }
        )
