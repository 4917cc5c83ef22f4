"""What a job claims is looked at from outside, by checkers that know nothing but the
claim: only they say "verified"."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from issues import checking, verdicts
from issues.checking import Look
from issues.models import Claim, Issue
from issues.models.claim import lease_end
from marketing import report
from marketing.models import JobRun

if TYPE_CHECKING:
    from marketing.jobs.base import Work

# So long what could not be proven yet is looked at again, by each later run of its job.
PATIENCE = timedelta(days=7)


def verify_run(work: Work) -> None:
    """Look at everything that this run claims."""
    if work.job_run.issue is not None:
        work.job_run.tell("Its claims are checked.")
        look_at(work.job_run.issue)


def verify_open(company_id: Any, job: str, at: datetime) -> list[JobRun]:
    """Look again at what earlier runs of the job have left unproven; those that were
    looked at. What was refuted stays so, and what is too old waits for a person."""
    ended = JobRun.objects.exclude(status=JobRun.Status.RUNNING)
    rows = ended.filter(company=company_id, job=job, issue__status="in_review")
    found = list(rows.filter(tick_at__gt=at - PATIENCE).select_related("issue"))
    for row in found:
        look_at(row.issue)
        report.settle(row)
    return found


def look_at(issue: Issue) -> None:
    """One look at each of its criteria that is neither proven nor refuted. Nothing when
    there is none, or somebody is looking."""
    criteria = issue.that_count()
    proof = issue.proof(criteria)
    known = {pk for pk, receipt in proof.items() if receipt.outcome != "unable"}
    left = [one for one in criteria if one.pk not in known]
    claim = begun(issue) if left else None
    if claim is None:
        return
    stand, looks = issue.stand(), []
    for criterion in left:
        claim.renew(criterion.title)
        began = now()
        looks.append(Look(criterion, checking.look(issue, claim, criterion), began))
    verdicts.conclude(claim, stand, looks)


@transaction.atomic
def begun(issue: Issue) -> Claim | None:
    """A claim that is ours to check; None when one is open already."""
    if Claim.open_of(issue.pk) is not None:
        return None
    try:
        with transaction.atomic():
            return Claim.objects.create(
                issue_id=issue.pk,
                company_id=issue.company_id,
                status=Claim.Status.CHECKING,
                lease_expires_at=lease_end(),
                began_at=now(),
                tries=1,
            )
    except IntegrityError:
        return None
