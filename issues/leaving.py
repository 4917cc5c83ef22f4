"""Whether a branch may leave the building."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from agents import effects
from agents.effects import Verdict
from agents.models import Agent, Approval, Run
from agents.models.approval_base import digest
from agents.models.policy import Effect
from issues.models.work_product import WorkProduct
from paperclip.actors import SYSTEM


def may_leave(product: WorkProduct, *, into_default: bool) -> bool:
    """Whether the rules, or a person, let it go outside as it is now. What was allowed
    is allowed until it is there, however often it is tried."""
    project, facts = product.project, product.metadata or {}
    assert project is not None  # noqa: S101 (for the type checker)
    ran = product.created_by_run_id
    run = Run.objects.filter(pk=ran).first() if ran else None
    if run is None:
        return True  # a person's
    payload = {
        "issue": product.issue.identifier,
        "branch": product.external_id,
        "commit": facts.get("commit"),
        "repository": project.repo_url,
    }
    effect = Effect.PUSH
    if into_default:
        effect = Effect.PUSH_PROTECTED
        payload |= {"into": project.default_branch, "merged": facts.get("merged")}
    bound = digest(payload)
    if facts.get("allowed") == bound:
        return True
    if waits(facts):
        return False
    agent = Agent.objects.select_related("company").get(pk=run.agent_id)
    verdict = effects.authorize(
        agent,
        effect,
        payload,
        by=SYSTEM,
        run=run,
        asker=None,
        issue_ids=[product.issue_id],
        summary=f"Push {product.external_id} to {project.repo_url}",
    )
    note_verdict(product, verdict, bound)
    return verdict.word == "allowed"


def waits(facts: dict[str, Any]) -> bool:
    """Whether somebody has still to say if it may go."""
    asked = facts.get("approvalId")
    if not asked:
        return False
    return bool(Approval.objects.filter(pk=str(asked)).open().exists())


@transaction.atomic
def note_verdict(product: WorkProduct, verdict: Verdict, bound: str) -> None:
    rows = WorkProduct.objects.select_for_update(no_key=True)
    fresh = rows.filter(pk=product.pk, status="pushing").first()
    if fresh is None:
        return
    facts = {**(fresh.metadata or {}), "pushError": None, "approvalId": None}
    if verdict.word == "allowed":
        facts["allowed"] = bound
    else:
        facts["pushError"] = verdict.why
        facts["approvalId"] = str(verdict.approval.pk) if verdict.approval else None
    fresh.metadata = facts
    if verdict.word == "refused":
        fresh.status = "push_failed"
    fresh.save()
    product.metadata, product.status = fresh.metadata, fresh.status
