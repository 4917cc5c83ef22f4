"""Approvals over HTTP: agents ask, people decide."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agents.api.agents import AgentEndpoint
from agents.api.approval_shapes import (
    OWN_ROUTE,
    ApprovalCommentForm,
    ApprovalCommentShape,
    ApprovalFilter,
    ApprovalForm,
    ApprovalShape,
    DecisionForm,
    ResubmitForm,
    VerdictForm,
)
from agents.api.shapes import AgentShape
from agents.models import Agent, Approval
from agents.outside import note_rows, note_runs
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from paperclip.pages import Pages

APPROVALS = Pages(("-created_at", "-id"), limit=100, maximum=500)
COMMENTS = Pages(("created_at", "id"), limit=100, maximum=500)
BOARD_ONLY = "Board access required"


class ApprovalEndpoint(Endpoint):
    def approval(self) -> Approval:
        rows = Approval.objects.select_related("company")
        found: Approval = rows.get_for(self.actor, self.kwargs["approval_id"])
        note_runs(self.actor, [found.run_id])
        note_rows(self.actor, found)
        return found

    def must_be_person(self) -> None:
        """Before the body is looked at: an agent learns nothing from trying."""
        if self.actor.kind != "user":
            raise NotAllowed(BOARD_ONLY, code="board_only")

    def decide(self, status: str) -> Response:
        approval = self.approval()
        self.must_be_person()
        said = self.read(VerdictForm)
        said["note"] = said.get("note") or ""
        approval.decide(status, by=self.actor, **said)
        return Response(ApprovalShape(approval).data)


class Approvals(Endpoint):
    @doc(
        "list_approvals",
        "What was asked for, the newest first",
        gives=ApprovalShape,
        query=ApprovalFilter,
        pages=APPROVALS,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Approval.objects.filter(company=self.company())
        found, headers = APPROVALS.cut(
            rows.filter(**self.query(ApprovalFilter)), request
        )
        note_runs(self.actor, [one.run_id for one in found])
        note_rows(self.actor, *found)
        return Response(ApprovalShape(found, many=True).data, headers=headers)

    @doc(
        "create_approval",
        "Ask a person; 200 when the same is asked already",
        takes=ApprovalForm,
        gives=ApprovalShape,
        status=(201, 200),
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        fields = self.read(ApprovalForm)
        if route := OWN_ROUTE.get(fields["type"]):
            raise Invalid(f"That is asked for by {route}.", code="own_route")
        fields["agent"] = self.asker(fields.pop("agent", None))
        type_, payload = fields.pop("type"), fields.pop("payload")
        approval = Approval.objects.request(
            company, type_, payload, by=self.actor, **fields
        )
        status = 201 if approval.is_new else 200
        return Response(ApprovalShape(approval).data, status=status)

    def asker(self, named: Agent | None) -> Agent | None:
        mine = self.actor.agent
        if named is not None and mine is not None and named.pk != mine.pk:
            raise NotAllowed("An agent asks for itself only.")
        if named is not None and str(named.company_id) != self.kwargs["company_id"]:
            raise Invalid("The agent works for another company.")
        return named


class OneApproval(ApprovalEndpoint):
    @doc("get_approval", "An approval", gives=ApprovalShape)
    def get(self, request: Request, **path: str) -> Response:
        return Response(ApprovalShape(self.approval()).data)


class Approve(ApprovalEndpoint):
    @doc("approve_approval", "Allow it", takes=VerdictForm, gives=ApprovalShape)
    def post(self, request: Request, **path: str) -> Response:
        return self.decide(Approval.Status.APPROVED)


class Reject(ApprovalEndpoint):
    @doc("reject_approval", "Refuse it", takes=VerdictForm, gives=ApprovalShape)
    def post(self, request: Request, **path: str) -> Response:
        return self.decide(Approval.Status.REJECTED)


class RequestRevision(ApprovalEndpoint):
    @doc("revise_approval", "Send it back", takes=DecisionForm, gives=ApprovalShape)
    def post(self, request: Request, **path: str) -> Response:
        approval = self.approval()
        self.must_be_person()
        note = self.read(DecisionForm).get("note") or ""
        approval.request_revision(by=self.actor, note=note)
        return Response(ApprovalShape(approval).data)


class Resubmit(ApprovalEndpoint):
    @doc("resubmit_approval", "Ask anew", takes=ResubmitForm, gives=ApprovalShape)
    def post(self, request: Request, **path: str) -> Response:
        approval = self.approval()
        approval.resubmit(self.read(ResubmitForm).get("payload"), by=self.actor)
        return Response(ApprovalShape(approval).data)


class Cancel(ApprovalEndpoint):
    @doc("cancel_approval", "Withdraw it", gives=ApprovalShape)
    def post(self, request: Request, **path: str) -> Response:
        approval = self.approval()
        if not approval.cancel(by=self.actor) and approval.status != "cancelled":
            raise Invalid("Only open approvals can be withdrawn", code="closed")
        return Response(ApprovalShape(approval).data)


class Comments(ApprovalEndpoint):
    @doc(
        "list_approval_comments",
        "What was said about it, the oldest first",
        gives=ApprovalCommentShape,
        pages=COMMENTS,
    )
    def get(self, request: Request, **path: str) -> Response:
        said = self.approval().events.filter(kind="comment")
        return self.page(said, COMMENTS, ApprovalCommentShape)

    @doc(
        "create_approval_comment",
        "Say something about it; who asked is woken",
        takes=ApprovalCommentForm,
        gives=ApprovalCommentShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        approval = self.approval()
        said = approval.comment(by=self.actor, **self.read(ApprovalCommentForm))
        return Response(ApprovalCommentShape(said).data, status=201)


class ApproveAgent(AgentEndpoint):
    @doc("approve_agent", "Allow its hire", gives=AgentShape)
    def post(self, request: Request, **path: Any) -> Response:
        agent = self.agent()
        self.actor.must_be_operator(agent.company_id, "approve a hire")
        hires = Approval.objects.filter(company=agent.company_id, type="hire_agent")
        card = hires.filter(payload__agentId=str(agent.pk)).first()
        if card is None:
            raise Conflict(f"{agent.name} waits for no approval.", code="not_pending")
        card.decide(Approval.Status.APPROVED, by=self.actor)
        agent.refresh_from_db()
        return self.answer(agent)
