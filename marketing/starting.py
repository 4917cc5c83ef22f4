"""Who begins a run of a job by hand, and who has to be asked before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.db import transaction

from agents import effects
from agents.effects import Verdict
from agents.models.policy import Effect
from marketing.jobs import ONLY_READS
from marketing.models import JobName, JobRun
from paperclip.doorbell import ring

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import Company

ALLOWED = Verdict("allowed", "It may be run.")


class Started(NamedTuple):
    """Without a row a person was asked, or said no."""

    verdict: Verdict
    row: JobRun | None = None


@transaction.atomic
def start(company: Company, job: str, *, by: Actor, dry: bool = False) -> Started:
    """Begin a run as `JobRun.objects.start` does, with its refusals; a dry one is
    looked after by a worker. An agent whose run has read text from outside does not
    begin what has effects outside: a person is asked, and once they say yes the same
    again begins it."""
    JobRun.objects.site_for(company, job, by=by)
    verdict = ALLOWED if dry else asked(job, by=by)
    if verdict.word != ALLOWED.word:
        return Started(verdict)
    row = JobRun.objects.start(company, job, by=by, dry=dry)
    if dry:
        ring("marketing.tasks.look", str(row.pk))
    return Started(verdict, row)


def asked(job: str, *, by: Actor) -> Verdict:
    agent = by.agent
    if agent is None or job in ONLY_READS or not effects.outside_text(agent, by.run):
        return ALLOWED
    issue = by.run.issue_id if by.run else None
    return effects.authorize(
        agent,
        Effect.POST,
        {"job": job},
        by=by,
        run=by.run,
        summary=f"Run the {JobName(job).label} now",
        issue_ids=[issue] if issue else [],
    )
