"""What a run of a job tells its company: one issue, made of what is in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.template.loader import render_to_string

from issues.models import Criterion, Evidence, Issue
from marketing.models import JobRun
from paperclip.actors import SYSTEM

if TYPE_CHECKING:
    from marketing.jobs.base import Work

Status = JobRun.Status
WORDS = {"passed": "verified", "accepted": "verified", "failed": "refuted"}


class Told(NamedTuple):
    """A claim and what is known of it: verified, refuted or unverified."""

    criterion: Criterion
    state: str
    receipt: Evidence | None


def claims_of(issue: Issue) -> list[Told]:
    criteria = issue.that_count()
    proof = issue.proof(criteria)
    found = []
    for one in criteria:
        receipt = proof.get(one.pk)
        word = WORDS.get(receipt.outcome, "unverified") if receipt else "unverified"
        found.append(Told(one, word, receipt))
    return found


def body_of(row: JobRun) -> str:
    """The whole story in Markdown."""
    claims = claims_of(row.issue) if row.issue else []
    told = {"row": row, "claims": claims, "marker": f"cmo-run:{row.pk}"}
    return render_to_string("marketing/report.md", told)


def close_issue(work: Work) -> None:
    """The end of a run, in its issue. What could not be proven keeps it open."""
    settle(work.job_run)


def settle(row: JobRun) -> None:
    """Bring the issue of an ended run up to what is known of it now."""
    issue = row.issue
    if issue is None:
        return
    issue.refresh_from_db()
    asked = status_for(row, claims_of(issue))
    fields: dict[str, Any] = {"description": body_of(row)}
    if issue.status != asked:
        fields["status"] = asked
    issue.change(by=SYSTEM, **fields)


def status_for(row: JobRun, claims: list[Told]) -> str:
    if any(one.state != "verified" for one in claims):
        return "in_review"
    if row.status in (Status.FAILED, Status.BLOCKED) and not claims:
        return "cancelled"
    return "done"
