"""What becomes of an issue once its criteria were looked at, by a checker or by a
person who puts their name to it. Nobody else writes evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils.timezone import now

from issues.checkers.base import Result
from issues.checkers.outcomes import FAILED, PASSED, UNABLE
from issues.models import Claim, Criterion, Evidence, Issue
from issues.models.base import Status
from issues.models.evidence import ACCEPTED
from issues.models.review import TO_PERSON
from issues.models.wakes import Wake, send_wakes
from paperclip import audit, sql
from paperclip.actors import Actor
from paperclip.exceptions import Conflict, NotAllowed

if TYPE_CHECKING:
    from issues.checking import Look

Stand = dict[UUID, str]
CHECKER = Actor("system", "checker", "Paperclip")
CHECK_FAILED = "issue_check_failed"


def held(issue_id: object) -> Issue:
    rows = Issue.objects.select_for_update(no_key=True, of=["self"])
    found: Issue = rows.select_related("company", "project").get(pk=issue_id)
    return found


@transaction.atomic
def conclude(
    claim: Claim, stand: Stand | None, looks: Sequence[Look], *, why: str = ""
) -> None:
    """Write down what was found and let the issue go its way, once: what another worker
    has taken over does not count, and what was changed meanwhile is looked at again."""
    issue = held(claim.issue_id)
    if not claim.hold():
        return
    if stand is not None and stand != issue.stand():
        claim.put_back()
        return
    looks = [used_up(issue, look) for look in looks]
    for look in looks:
        write(issue, claim, look)
    failed, unable = having(FAILED, looks), having(UNABLE, looks)
    audit.record(
        CHECKER,
        "issue.checked",
        issue,
        identifier=issue.identifier,
        claimId=str(claim.pk),
        passed=len(having(PASSED, looks)),
        failed=len(failed),
        unable=len(unable),
    )
    if failed:
        refuse(issue, claim, told(failed))
    elif unable or why:
        leave_to_person(issue, claim, why or told(unable))
    elif left := what_is_open(issue, claim):
        refuse(issue, claim, left)
    else:
        approve(issue, claim, by=CHECKER)


def used_up(issue: Issue, look: Look) -> Look:
    """The look; not so good when its proof became another issue's since. Of two that
    are concluded at once, the second sees the first."""
    message = str(look.result.facts.get("messageId", ""))
    if look.result.outcome != PASSED or not message:
        return look
    sql.lock(f"proof {issue.company_id} {message}")
    if not Evidence.objects.of_others(issue, message):
        return look
    said = f"{message} is the proof of another issue already."
    return replace(look, result=Result(FAILED, said, look.result.facts))


def having(outcome: str, looks: Sequence[Look]) -> list[Look]:
    return [look for look in looks if look.result.outcome == outcome]


def what_is_open(issue: Issue, claim: Claim) -> str:
    """What keeps it from being closed although everything is proven: a part that was
    filed meanwhile."""
    if claim.agent is None:
        return ""
    try:
        issue._must_be_closable(Actor.of_agent(claim.agent))
    except Conflict as no:
        return f"- {no}"
    return ""


def write(issue: Issue, claim: Claim, look: Look) -> None:
    """The receipt."""
    criterion, result = look.criterion, look.result
    Evidence.objects.create(
        company_id=issue.company_id,
        issue=issue,
        criterion=criterion,
        claim=claim,
        title=criterion.title,
        type=criterion.type,
        outcome=result.outcome,
        said=result.said,
        facts=result.facts,
        proof=str(result.facts.get("messageId", ""))[:300],
        state=issue.state_for(criterion, issue.state()),
        began_at=look.began_at,
    )


def told(looks: Sequence[Look]) -> str:
    lines = [f"- **{look.criterion.title}**: {look.result.said}" for look in looks]
    return "\n".join(lines)


def moves(issue: Issue, claim: Claim) -> bool:
    """Whether the issue still waits for this answer. A person may also have asked how
    it stands, which moves nothing."""
    waits = issue.status == Status.IN_REVIEW and not issue.is_under_review
    return claim.agent is not None and waits


def approve(issue: Issue, claim: Claim, *, by: Actor) -> None:
    """Everything is proven: on to the review, and without one done."""
    moving = moves(issue, claim)
    if by.user is not None:
        claim.decide(Claim.Status.ACCEPTED, by=by.name)
    elif issue.is_proven():
        claim.decide(Claim.Status.VERIFIED)
    else:  # its criteria were taken off meanwhile
        claim.decide(Claim.Status.UNVERIFIED)
    if moving:
        issue._answered = claim
        issue.change(by=by, status=Status.DONE)
        issue._answered = None


def refuse(issue: Issue, claim: Claim, said: str) -> None:
    """Back to its worker, with what is missing; after so many times to a person."""
    moving = moves(issue, claim)
    claim.decide(Claim.Status.REFUSED, said)
    if not moving:
        return
    times = refused_in_a_row(issue)
    if times >= TO_PERSON:
        words = f"The check failed for the {times}th time:\n\n{said}"
        hand_to_person(issue, claim, f"{times} checks failed", words)
        return
    issue._answered = claim
    comment = issue.change(
        by=CHECKER,
        status=issue._back_at_work(),
        comment=f"This is not done yet. The check found:\n\n{said}",
    )
    issue._answered = None
    wake = Wake(issue.assignee_agent, "automation", CHECK_FAILED, issue)
    send_wakes([wake], by=CHECKER, said=comment)


def refused_in_a_row(issue: Issue) -> int:
    rows = Claim.objects.filter(issue=issue).exclude(agent=None)
    states = list(rows.values_list("status", flat=True)[:TO_PERSON])
    refused = [state == Claim.Status.REFUSED for state in states]
    return refused.index(False) if False in refused else len(refused)


def leave_to_person(issue: Issue, claim: Claim, why: str) -> None:
    """Nobody here can tell: it stays in review, for a person, with the reason."""
    moving = moves(issue, claim)
    claim.decide(Claim.Status.UNABLE, why)
    if moving:
        hand_to_person(issue, claim, "A person has to decide", why)


def hand_to_person(issue: Issue, claim: Claim, why: str, comment: str) -> None:
    issue.executor_agent = claim.agent
    issue._ask_person(why)
    remark, issue._remark = issue._remark, ""
    issue.save()
    issue._post(f"{comment}\n\n{remark}", by=CHECKER)
    audit.record(
        CHECKER,
        "issue.updated",
        issue,
        identifier=issue.identifier,
        changed=["assignee_user"],
    )


# --- people -----------------------------------------------------------------------


def must_be_person(by: Actor, issue: Issue, act: str) -> None:
    by.must_be_operator(issue.company_id, act)
    if not by.is_person:
        raise NotAllowed(f"Only a person can {act}, and no run with a person's key.")


@transaction.atomic
def accept_by_hand(criterion: Criterion, *, by: Actor, note: str = "") -> Evidence:
    """Put one's name to a criterion as the issue is now. When nothing else is missing,
    what waits for it goes on. People only; Conflict for what is only proposed."""
    issue = held(criterion.issue_id)
    must_be_person(by, issue, "accept by hand")
    if criterion.state != Criterion.State.ACCEPTED:
        raise Conflict(f"{criterion} is only proposed: accept the criterion first.")
    last = Claim.objects.filter(issue=issue).exclude(agent=None).first()
    receipt = Evidence.objects.create(
        company_id=issue.company_id,
        issue=issue,
        criterion=criterion,
        claim=last,
        title=criterion.title,
        type=criterion.type,
        outcome=ACCEPTED,
        said=note.strip() or f"{by.name} accepted it.",
        state=issue.state_for(criterion, issue.state()),
        by_user=by.user,
        by_name=by.name,
        began_at=now(),
    )
    audit.record(
        by,
        "issue.criterion_accepted_by_hand",
        issue,
        identifier=issue.identifier,
        criterionId=str(criterion.pk),
        title=criterion.title,
    )
    if last is not None and waits_for_person(issue, last) and issue.is_proven():
        take_back(issue)
        approve(issue, last, by=by)
    return receipt


def waits_for_person(issue: Issue, last: Claim) -> bool:
    """Whether the issue is with a person because its check could not tell, or failed
    too often."""
    asked = last.status in (Claim.Status.UNABLE, Claim.Status.REFUSED)
    with_person = issue.is_under_review and issue.assignee_agent_id is None
    return asked and with_person and issue.status == Status.IN_REVIEW


def take_back(issue: Issue) -> None:
    """Let it be its worker's again, as while its check is waited for."""
    issue.decisions.withdraw(issue)
    issue._return_to(issue.executor_agent)
    issue.save()


@transaction.atomic
def check_again(issue: Issue, *, by: Actor) -> Claim:
    """Look at every criterion once more. What waits for a person because nobody could
    tell goes on when it is proven now; everything else stays as it is, with new
    receipts. Conflict when there is nothing to check; one check at a time."""
    issue = held(issue.pk)
    must_be_person(by, issue, "ask for a check")
    if not issue.criteria.accepted().exists():
        raise Conflict(
            f"{issue.identifier} has no criteria: there is nothing to check."
        )
    if (waiting := Claim.open_of(issue.pk)) is not None:
        return waiting
    last = Claim.objects.filter(issue=issue).exclude(agent=None).first()
    worker = None
    if last is not None and waits_for_person(issue, last):
        take_back(issue)
        worker = last.agent
    issue._ask_checker(worker, last.evidence if last else [], by=by)
    found = Claim.open_of(issue.pk)
    assert found is not None  # noqa: S101 (it was made just now)
    return found
