"""Done is what was looked at: an agent's word is a claim, and its criteria are checked
by the control plane before anybody reviews it.

The order is: the check, then the stages of the review, then the merge. While a claim
waits for its check the issue is `in_review` and still its worker's.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.utils.timezone import now

from issues import repositories
from issues.models.base import CLOSED, Status
from issues.models.claim import Claim
from issues.models.criterion import Criterion
from issues.models.evidence import Evidence
from issues.models.fix import FIX
from issues.models.proof import must_be_true
from issues.models.review import NAMING, Review
from issues.models.work_product import WorkProduct
from paperclip import audit, doorbell
from paperclip.exceptions import Conflict, Invalid

if TYPE_CHECKING:
    from uuid import UUID

    from agents.models import Agent
    from paperclip.actors import Actor

# What a pull request is called that waits for nobody.
SETTLED = ("merged", "closed")


class Verified(Review):
    # The claim that got its answer, while that is carried out.
    _answered: Claim | None = None
    criteria: Any
    documents: Any
    children: Any

    class Meta:
        abstract = True

    # --- questions -----------------------------------------------------------------

    def state(self) -> str:
        """A digest of what there is to look at: the branch, the documents. Evidence of
        another state is older than the last change."""
        issue: Any = self
        product = repositories.uploads(issue).first()
        texts = self.documents.order_by("key").values_list("key", "body")
        told = [
            repositories.facts_of(product).get("commit") if product else None,
            [(key, hashlib.sha256(body.encode()).hexdigest()) for key, body in texts],
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def state_for(self, criterion: Criterion, state: str) -> str:
        """A digest of all that a look at this criterion depends on."""
        parts = [state, criterion.digest]
        if criterion.type == "children":
            rows = self.children.order_by("number").values_list("number", "status")
            parts += [f"{number} {status}" for number, status in rows]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def stand(self) -> dict[UUID, str]:
        """A digest of what a look at each criterion that counts depends on."""
        state = self.state()
        return {one.pk: self.state_for(one, state) for one in self.that_count()}

    def that_count(self) -> list[Criterion]:
        return list(self.criteria.accepted().select_related("check_of"))

    def proof(self, criteria: list[Criterion]) -> dict[UUID, Evidence]:
        """The newest look at each criterion that is not older than the last change."""
        state = self.state()
        # Two that ask for the same have the same digest, and a look each.
        wanted = {one.pk: self.state_for(one, state) for one in criteria}
        rows = Evidence.objects.filter(issue_id=self.pk, state__in=set(wanted.values()))
        found: dict[UUID, Evidence] = {}
        for row in rows.order_by("created_at", "id"):
            if row.criterion_id and wanted.get(row.criterion_id) == row.state:
                found[row.criterion_id] = row
        return found

    def is_proven(self) -> bool:
        """Whether everything that counts was looked at as it is now, and was good."""
        criteria = self.that_count()
        proof = self.proof(criteria)
        good = [one for one in criteria if one.pk in proof and proof[one.pk].is_good]
        return bool(criteria) and len(good) == len(criteria)

    def was_tried(self) -> bool:
        """Whether the control plane has run the branch itself, as it is now."""
        criteria = [one for one in self.that_count() if one.type == "command"]
        return any(row.outcome == "passed" for row in self.proof(criteria).values())

    # --- what was asked --------------------------------------------------------------

    def _route(self, fields: dict[str, Any], *, by: Actor, comment: str) -> bool:
        named = fields.pop("evidence", [])
        if self._answered is not None:
            return self._go_on(self._answered, fields, by=by)
        if self._keep_policy(fields, by=by):
            return True
        self._drop_what_is_already_so(fields)
        asked = fields.get("status")
        if asked == Status.DONE != self.status:
            must_hand_on_alone(fields, by)
            self._must_be_closable(by)
        if self._is_claim(fields, by):
            return self._claim(fields, named, by=by, comment=comment)
        worker = self.executor_agent
        self._end_claim(fields, by=by)
        routed = super()._route(fields, by=by, comment=comment)
        if asked == Status.DONE == fields.get("status"):
            if by.doer and worker is not None and not self._holds():
                # What was approved is not what was checked.
                self._ask_checker(worker, [], by=by)
                fields["status"] = Status.IN_REVIEW
            elif by.doer != self.assignee_agent or worker is not None:
                self._note_accepted(by)
        return routed

    def _holds(self) -> bool:
        return not self.criteria.accepted().exists() or self.is_proven()

    def _must_be_closable(self, by: Actor) -> None:
        """Conflict while parts of it are open, or a pull request is (T-11c)."""
        issues = type(self)._default_manager
        parts = issues.filter(parent=self.pk).exclude(status__in=CLOSED)
        # Whoever approves says that a fix is not needed any more.
        parts = parts.exclude(origin_kind=FIX)
        left = list(parts.order_by("number").values_list("identifier", flat=True))
        if left:
            raise Conflict(
                f"{self.identifier} has open parts: {', '.join(left)}. Finish or cancel"
                " them first, or give them another parent.",
                code="open_children",
                openChildren=left,
            )
        asked = WorkProduct.objects.filter(issue_id=self.pk, type="pull_request")
        for product in asked.select_related("project"):
            if not is_settled(product, by):
                raise Conflict(
                    f"{product.title} is not merged. Merge or close it first; an agent"
                    " names its commit (metadata.commit), which has to be part of the"
                    " default branch.",
                    code="unmerged_pull_request",
                    workProductId=str(product.pk),
                )

    def _is_claim(self, fields: dict[str, Any], by: Actor) -> bool:
        """Whether an agent says that its work is done. Somebody else's is claimed by
        its manager only where there is something to check."""
        asked = fields.get("status") in (Status.DONE, Status.IN_REVIEW)
        doer = by.doer
        if doer is None or not asked or NAMING & set(fields) or self.is_closed:
            return False
        if self.is_under_review or self.origin_kind == FIX:
            return False
        worker = self.assignee_agent
        return worker in (None, doer) or bool(self._to_prove(worker or doer))

    def _claim(
        self, fields: dict[str, Any], named: Any, *, by: Actor, comment: str
    ) -> bool:
        must_be_true(self, named, by=by)
        worker = self.assignee_agent or by.doer
        assert worker is not None  # noqa: S101 (for the type checker)
        claim = Claim.open_of(self.pk)
        if claim is not None:  # said twice, or a person has just asked how it stands
            claim.take_over(worker, by.run_id, named)
            self.assignee_agent = worker
            fields["status"] = Status.IN_REVIEW
            return True
        if wanted := self._to_prove(worker):
            for one in wanted:
                if one._state.adding:
                    one.save(force_insert=True)
            self.assignee_agent = worker
            self._ask_checker(worker, named, by=by)
            fields["status"] = Status.IN_REVIEW
            return True
        if fields["status"] == Status.DONE or self.next_stage(worker):
            self._new_claim(worker, named, Claim.Status.UNVERIFIED, by=by)
        return super()._route(fields, by=by, comment=comment)

    def _to_prove(self, worker: Agent) -> list[Criterion]:
        """What is checked: the issue's own criteria, else those of the role, which
        are not saved then; a person of the role's only where there is no reviewer
        either. What the worker has chosen itself, while the issue was nobody's, takes
        the place of none of the role's."""
        own = self.that_count()
        if any(one.is_of_others(worker) for one in own):
            return own
        offered = Criterion.objects.default_for(self, worker)
        mine = [one for one in offered if not one.is_by_hand]
        if not (mine or own) and self.policy_for(worker) is None:
            mine = offered
        known = {one.check_of_id for one in own}
        return [*own, *(one for one in mine if one.check_of_id not in known)]

    def _ask_checker(self, worker: Agent | None, named: Any, *, by: Actor) -> None:
        claim = self._new_claim(worker, named, Claim.Status.PENDING, by=by)
        audit.record(
            by,
            "issue.check_requested",
            self,
            identifier=self.identifier,
            claimId=str(claim.pk),
        )
        doorbell.ring("issues.tasks.check_claims")

    def _new_claim(
        self, worker: Agent | None, named: Any, status: str, *, by: Actor
    ) -> Claim:
        return Claim.objects.create(
            issue_id=self.pk,
            company_id=self.company_id,
            agent=worker,
            run_id=by.run_id,
            status=status,
            evidence=named,
            rung_at=now(),
        )

    def _end_claim(self, fields: dict[str, Any], *, by: Actor) -> None:
        """What was claimed is not waited for when somebody moves the issue on."""
        goes_on = fields.get("status", Status.IN_REVIEW) == Status.IN_REVIEW
        if goes_on and not NAMING & set(fields):
            return
        claim = Claim.open_of(self.pk)
        if claim is None:
            return
        if by.doer is None and fields.get("status") == Status.DONE:
            claim.decide(Claim.Status.ACCEPTED, by=by.name)
        else:
            claim.decide(Claim.Status.WITHDRAWN)

    def _note_accepted(self, by: Actor) -> None:
        """Somebody else than its worker says that it is done."""
        last = Claim.objects.filter(issue_id=self.pk).first()
        if last is not None and last.status in (
            Claim.Status.UNVERIFIED,
            Claim.Status.UNABLE,
        ):
            last.decide(Claim.Status.ACCEPTED, last.said, by=by.name)

    # --- what the check came to ------------------------------------------------------

    def _go_on(self, claim: Claim, fields: dict[str, Any], *, by: Actor) -> bool:
        """What is proven goes on to its review, and without one is done."""
        if fields["status"] != Status.DONE or claim.agent is None:
            return True
        return self._hand_in(claim.agent, fields, by=by, seen=self.was_tried())

    def _hand_in_again(self, worker: Agent, *, by: Actor) -> None:
        """A fix is there: its check comes before its review."""
        if self.criteria.accepted().exists():
            self._ask_checker(worker, [], by=by)
        else:
            super()._hand_in_again(worker, by=by)


def must_hand_on_alone(fields: dict[str, Any], by: Actor) -> None:
    """Invalid for an agent that ends its part and hands the issue on in one: what is
    done is checked and reviewed first."""
    if by.doer is not None and NAMING & set(fields):
        raise Invalid(
            "Say that it is done, or say who has it next: not both at once.",
            code="done_and_assigned",
        )


def is_settled(product: WorkProduct, by: Actor) -> bool:
    """Whether a pull request waits for nobody. An agent's word that it is merged is
    held against the repository."""
    if by.agent is None or product.status == "closed":
        return product.status in SETTLED
    commit = str((product.metadata or {}).get("commit") or "")
    if product.project is None:
        return False
    bare = repositories.of(product.project)
    tip, merged = bare.commit_of(product.project.default_branch), bare.commit_of(commit)
    return bool(tip and merged and len(commit) == 40 and bare.holds(merged, tip))
