"""What an issue has to prove, as its page shows it: criteria with their receipts."""

from __future__ import annotations

from typing import Any, NamedTuple

from issues.models import Check, Claim, Criterion, Decision, Evidence, Issue
from issues.views import receipt

SHOWN = 3


class Row(NamedTuple):
    """A criterion, its look that counts, and older ones."""

    criterion: Criterion
    proof: Evidence | None
    receipts: list[Evidence]

    @property
    def state(self) -> str:
        if self.criterion._state.adding:
            return "default"
        if self.criterion.state == Criterion.State.PROPOSED:
            return "proposed"
        if self.proof is not None:
            return str(self.proof.outcome)
        return "outdated" if self.receipts else "unchecked"


def criteria_of(issue: Issue) -> dict[str, Any]:
    """What the page of an issue shows of it."""
    criteria = list(issue.criteria.select_related("check_of", "proposed_by_agent"))
    if not any(one.state == Criterion.State.ACCEPTED for one in criteria):
        criteria += Criterion.objects.default_for(issue, issue.assignee_agent)
    saved = [one for one in criteria if not one._state.adding]
    proof = issue.proof(saved)
    receipts: dict[Any, list[Evidence]] = {}
    for row in Evidence.objects.filter(issue=issue, criterion__in=saved):
        row.shown = receipt.facts_of(row)
        receipts.setdefault(row.criterion_id, []).append(row)
    claims = Claim.objects.filter(issue=issue).select_related("agent")
    return {
        "criteria": [
            Row(one, proof.get(one.pk), receipts.get(one.pk, [])[:SHOWN])
            for one in criteria
        ],
        "claim": claims.exclude(agent=None).first(),
        "checking": claims.open().first(),
        "catalogue": Check.objects.offered().filter(company=issue.company),
    }


def decisions_of(issue: Issue) -> list[Decision]:
    """What the stages of its review decided, the oldest first, with how long each took
    as `took`; whom it waits for now stands elsewhere."""
    rows = issue.decisions.decided().select_related("by_agent", "by_user")
    found = list(rows)
    for row in found:
        row.took = row.decided_at - row.created_at
    return found
