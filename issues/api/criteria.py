"""Criteria, receipts and decisions of an issue, and the catalogue of checks."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from issues import verdicts
from issues.api.criteria_forms import (
    CheckChange,
    CheckForm,
    CriterionFields,
    CriterionForm,
    NoteForm,
)
from issues.api.criteria_shapes import (
    CheckShape,
    ClaimShape,
    CriterionShape,
    DecisionShape,
    EvidenceShape,
)
from issues.api.issues import IssueEndpoint
from issues.models import Check, Criterion, Issue
from issues.outside import note_reading
from paperclip.api.schema import doc
from paperclip.api.views import Endpoint
from paperclip.pages import Pages

CHECKS = Pages(("key", "id"))
NEWEST = Pages(("-created_at", "-id"))
DECISIONS = Pages(("created_at", "id"))


class Checks(Endpoint):
    @doc(
        "list_checks",
        "The catalogue: what an issue may have to prove",
        gives=CheckShape,
        pages=CHECKS,
    )
    def get(self, request: Request, **path: str) -> Response:
        rows = Check.objects.filter(company=self.company())
        return self.page(rows, CHECKS, CheckShape)

    @doc(
        "create_check",
        "A new check of the catalogue; operators only",
        takes=CheckForm,
        gives=CheckShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        company = self.company()
        self.actor.must_be_operator(company.pk, "change the catalogue of checks")
        check = Check.objects.define(company, by=self.actor, **self.read(CheckForm))
        return Response(CheckShape(check).data, status=201)


class OneCheck(Endpoint):
    def check(self) -> Check:
        found: Check = Check.objects.get_for(self.actor, self.kwargs["check_id"])
        return found

    @doc("get_check", "A check of the catalogue", gives=CheckShape)
    def get(self, request: Request, **path: str) -> Response:
        return Response(CheckShape(self.check()).data)

    @doc(
        "change_check",
        "Change a check; what it has proven counts no more. Operators only",
        takes=CheckChange,
        gives=CheckShape,
    )
    def patch(self, request: Request, **path: str) -> Response:
        check = self.check()
        check.change(by=self.actor, **self.read(CheckChange, partial=True))
        return Response(CheckShape(check).data)


class Criteria(IssueEndpoint):
    @doc(
        "list_criteria",
        "What an issue has to prove, and what is proven",
        gives=CriterionShape,
    )
    def get(self, request: Request, **path: str) -> Response:
        issue = self.issue()
        rows = list(issue.criteria.select_related("check_of"))
        if not any(one.state == Criterion.State.ACCEPTED for one in rows):
            rows += Criterion.objects.default_for(issue, issue.assignee_agent)
        return Response(shown(issue, rows, many=True))

    @doc(
        "create_criterion",
        "Add a criterion; a free one of an agent's is only proposed",
        takes=CriterionForm,
        gives=CriterionShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        issue, fields = self.issue(), self.read(CriterionForm)
        criterion = Criterion.objects.add(issue, by=self.actor, **fields)
        return Response(shown(issue, criterion), status=201)


def shown(issue: Issue, rows: Any, *, many: bool = False) -> Any:
    saved = [one for one in (rows if many else [rows]) if not one._state.adding]
    context = {"proof": issue.proof(saved)}
    return CriterionShape(rows, many=many, context=context).data


class CriterionEndpoint(Endpoint):
    def criterion(self) -> Criterion:
        rows = Criterion.objects.select_related("issue__project", "check_of")
        found: Criterion = rows.get_for(self.actor, self.kwargs["criterion_id"])
        note_reading(self.actor, found.issue)
        return found


class OneCriterion(CriterionEndpoint):
    @doc(
        "change_criterion",
        "Change a criterion; people, or the agent that proposed it",
        takes=CriterionFields,
        gives=CriterionShape,
    )
    def patch(self, request: Request, **path: str) -> Response:
        criterion = self.criterion()
        criterion.change(by=self.actor, **self.read(CriterionFields, partial=True))
        return Response(shown(criterion.issue, criterion))

    @doc("delete_criterion", "Take a criterion off", status=204)
    def delete(self, request: Request, **path: str) -> Response:
        self.criterion().remove(by=self.actor)
        return Response(status=204)


class AcceptCriterion(CriterionEndpoint):
    @doc(
        "accept_criterion",
        "Let a proposed criterion count; people only",
        gives=CriterionShape,
    )
    def post(self, request: Request, **path: str) -> Response:
        criterion = self.criterion()
        criterion.accept(by=self.actor)
        return Response(shown(criterion.issue, criterion))


class AcceptByHand(CriterionEndpoint):
    @doc(
        "accept_criterion_by_hand",
        "Put one's name to a criterion as the issue is now; people only",
        takes=NoteForm,
        gives=EvidenceShape,
        status=201,
    )
    def post(self, request: Request, **path: str) -> Response:
        criterion, form = self.criterion(), self.read(NoteForm)
        note = form.get("note", "")
        receipt = verdicts.accept_by_hand(criterion, by=self.actor, note=note)
        context = {"proof": {criterion.pk: receipt}}
        return Response(EvidenceShape(receipt, context=context).data, status=201)


class Receipts(IssueEndpoint):
    @doc(
        "list_evidence",
        "The receipts of an issue, the newest first",
        gives=EvidenceShape,
        pages=NEWEST,
    )
    def get(self, request: Request, **path: str) -> Response:
        issue = self.issue()
        proof = issue.proof(issue.that_count())
        return self.page(issue.evidence.all(), NEWEST, EvidenceShape, proof=proof)


class Verification(IssueEndpoint):
    @doc(
        "list_claims",
        "What was claimed of an issue and which answer it got, the newest first",
        gives=ClaimShape,
        pages=NEWEST,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.page(self.issue().claims.all(), NEWEST, ClaimShape)

    @doc(
        "check_issue_again",
        "Look at every criterion once more; people only",
        gives=ClaimShape,
        status=202,
    )
    def post(self, request: Request, **path: str) -> Response:
        claim = verdicts.check_again(self.issue(), by=self.actor)
        return Response(ClaimShape(claim).data, status=202)


class Decisions(IssueEndpoint):
    @doc(
        "list_decisions",
        "What the stages of the review decided, the oldest first",
        gives=DecisionShape,
        pages=DECISIONS,
    )
    def get(self, request: Request, **path: str) -> Response:
        return self.page(self.issue().decisions.all(), DECISIONS, DecisionShape)
