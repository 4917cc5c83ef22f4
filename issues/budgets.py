"""What follows when a budget is nearly spent, spent, or raised: a warning, a stop of
all that is at work in its scope, and the resumption of exactly what was stopped.

The counters say what is to be done, and the sweep does it twice a second: a stop that
was broken off is a stop all the same.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.timezone import now

from agents.models import (
    Agent,
    Approval,
    BudgetCounter,
    BudgetIncident,
    BudgetPolicy,
    Run,
)
from agents.models.budget import subject_of
from agents.models.counter import FULL, WARNED
from agents.models.grant import Scopes
from agents.models.queue import BUDGET
from issues.recovery import has_work
from paperclip import audit, live
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid, Missing
from paperclip.models.spender import SPENT

if TYPE_CHECKING:
    from paperclip.actors import Actor
    from paperclip.models import Company

log = logging.getLogger(__name__)

Status, Threshold = BudgetIncident.Status, BudgetIncident.Threshold
# Nobody's word by then is a no: it stays as it is.
ASKED_FOR = timedelta(days=60)
# The reason of the wakes with which stopped work goes on.
RAISED = "budget_raised"


def carry_through(most: int = 100) -> None:
    """One round: what calls and runs of dead processes had reserved is given back, and
    every counter and incident is seen to."""
    BudgetCounter.objects.give_back_expired()
    for counter in BudgetCounter.objects.unsettled().order_by("reached", "pk")[:most]:
        safely(follow, counter)
    for incident in BudgetIncident.objects.unresolved().select_related("counter"):
        if is_over(incident):
            safely(resolve, incident)


def safely(act: Any, row: Any) -> None:
    """One that cannot be handled does not stop the others, nor what a person decides
    meanwhile: of it alone nothing is written then."""
    mine = transaction.get_connection().in_atomic_block
    try:
        with transaction.atomic() if mine else nullcontext():
            act(row)
    except Exception:
        log.exception("the sweep could not handle %s", row)


def put(company: Company, *, by: Actor, **fields: Any) -> BudgetPolicy:
    """As BudgetPolicy.objects.put, with all that follows from it at once."""
    by.must_be_operator(company.pk, "set a budget")
    # What is spent and stopped nobody yet goes on with the others.
    carry_through()
    policy = BudgetPolicy.objects.put(company, by=by, **fields)
    # What it lets go on, goes on in the name of the person who raised it.
    for incident in BudgetIncident.objects.unresolved().filter(
        scope_id=policy.scope_id
    ):
        if incident.counter.policy == policy and is_over(incident):
            resolve(incident, by if by.is_person else SYSTEM)
    carry_through()
    return policy


# --- a mark is passed --------------------------------------------------------------


def follow(counter: BudgetCounter) -> None:
    """See to what follows from the mark it has reached."""
    policy = counter.policy
    if counter.handled < WARNED <= counter.reached and policy and policy.notify:
        BudgetIncident.objects.note(counter, Threshold.SOFT)
    if counter.handled < FULL <= counter.reached:
        stop(counter)
    same = BudgetCounter.objects.filter(pk=counter.pk, reached=counter.reached)
    same.update(handled=counter.reached)
    live.bump(counter.company_id)


def stop(counter: BudgetCounter) -> None:
    """End what is at work in its scope, and pause it. Safe to do again."""
    incident = BudgetIncident.objects.note(counter, Threshold.HARD)
    if incident.status == Status.OPEN and incident.approval_id is None:
        ask(incident)
    soft = BudgetIncident.objects.open().filter(counter=counter)
    soft.filter(threshold=Threshold.SOFT).update(
        status=Status.RESOLVED, resolved_at=now()
    )
    # Nothing starts meanwhile: the counter itself keeps the door shut.
    runs = Run.objects.filter(**{f"{counter.scope_type}_id": counter.scope_id})
    scope = counter.scope_type
    runs.open().cancel(
        by=SYSTEM, why=f"The budget of the {scope} is spent.", incident=incident
    )
    pause(incident)
    # Those that the gateway refused first have ended by themselves.
    runs.filter(error_code=BUDGET, incident=None).update(incident=incident)


def ask(incident: BudgetIncident) -> None:
    """Ask a person for more: half as much again, or another number by the incident."""
    policy = incident.counter.policy
    if policy is None:
        return
    subject = subject_of(incident.company, incident.scope_type, incident.scope_id)
    more = max(policy.amount, -(-incident.observed // policy.unit)) * 3 // 2 + 1
    incident.approval = Approval.objects.request(
        incident.company,
        "budget_override_required",
        {
            "incidentId": str(incident.pk),
            "policyId": str(policy.pk),
            "scopeType": incident.scope_type,
            "scopeId": str(incident.scope_id),
            "scopeName": str(subject),
            "metric": policy.metric,
            "windowKind": policy.window_kind,
            "amount": policy.amount,
            "observedAmount": -(-incident.observed // policy.unit),
            "raiseTo": more,
        },
        by=SYSTEM,
        summary=f"{subject} has spent its budget. Raise it to"
        f" {policy.in_words(more)} and go on?",
        expires_at=now() + ASKED_FOR,
    )
    incident.save(update_fields=["approval", "updated_at"])


def pause(incident: BudgetIncident) -> None:
    subject = subject_of(incident.company, incident.scope_type, incident.scope_id)
    if incident.scope_type != "issue" and not is_paused(subject):
        try:
            subject.pause(by=SYSTEM, reason=SPENT)
        except Conflict:  # it cannot work anyway
            log.info("%s is not paused for its budget", subject)


def is_paused(subject: Any) -> bool:
    """Whether the scope itself says so. Of an issue its incident does."""
    return bool(getattr(subject, "paused_at", True))


# --- and is behind it again --------------------------------------------------------


def is_over(incident: BudgetIncident) -> bool:
    """Whether what was stopped may go on: the budget is not spent any more, and
    somebody raised it or resumed its scope. A new month alone is no reason."""
    policy = incident.counter.policy
    if policy is None or not policy.is_active:
        return True
    if policy.counter(now()).reached >= FULL:
        return False
    if policy.updated_at > incident.updated_at:
        return True
    try:
        subject = subject_of(incident.company, incident.scope_type, incident.scope_id)
    except Missing:
        return True
    return not is_paused(subject)


@transaction.atomic
def resolve(incident: BudgetIncident, by: Actor = SYSTEM) -> None:
    """Let the scope go on, and what was stopped with it."""
    mine = BudgetIncident.objects.unresolved().filter(pk=incident.pk)
    if not mine.update(status=Status.RESOLVED, resolved_at=now(), updated_at=now()):
        return
    audit.record(by, "budget.incident_resolved", incident, name=incident.name)
    decide(incident, "approved", by)
    resume_scope(incident, by)
    resume_runs(incident)


def decide(incident: BudgetIncident, decision: str, by: Actor) -> None:
    """What was asked for it is answered with that."""
    approval = incident.approval
    if approval is not None and approval.is_open:
        approval.decide(decision, by=by)


def resume_scope(incident: BudgetIncident, by: Actor) -> None:
    """Unless something else of it is spent too."""
    others = BudgetIncident.objects.unresolved().filter(scope_id=incident.scope_id)
    try:
        subject = subject_of(incident.company, incident.scope_type, incident.scope_id)
    except Missing:
        return
    reason = getattr(subject, "pause_reason", None)
    if reason == SPENT and is_paused(subject) and not others.exists():
        subject.resume(by=SYSTEM)


def resume_runs(incident: BudgetIncident) -> None:
    """Wake once for each work that was stopped. What another spent budget holds goes on
    with that one."""
    stopped = incident.runs.select_related("agent__company").order_by("created_at")
    latest = {(run.agent_id, run.issue_id): run for run in stopped}
    for run in sorted(latest.values(), key=lambda run: run.agent_id):
        shut = BudgetIncident.objects.shutting(Scopes.of(run))
        if shut is not None:
            others = BudgetIncident.objects.unresolved().filter(scope_id=shut.scope_id)
            Run.objects.filter(pk=run.pk).update(incident=others.first())
        elif run.agent.status != Agent.Status.TERMINATED and has_work(run):
            again(run)


def again(run: Run) -> None:
    timed = run.invocation_source == "timer"
    run.agent.wake(
        "timer" if timed else "automation",
        RAISED,
        by=SYSTEM,
        issue_id=run.issue_id,
        rank=run.rank,
    )


# --- what a person decides ---------------------------------------------------------


def raise_and_resume(incident: BudgetIncident, amount: int, *, by: Actor) -> None:
    """The limit is this from now on, and what was stopped goes on. Invalid when it is
    not above what is used already; Conflict when it goes on already."""
    by.must_be_operator(incident.company_id, "raise a budget")
    incident.refresh_from_db(fields=["status"])
    if incident.status == Status.RESOLVED:
        raise Conflict(f"{incident.name} goes on already. Nothing was changed.")
    policy = incident.counter.policy
    if policy is None:
        raise Missing("Budget not found")
    spent = policy.counter(now()).spent
    if amount * policy.unit <= spent:
        raise Invalid(
            f"Of this budget {policy.in_words(-(-spent // policy.unit))} is used"
            " already: the new limit has to be above that.",
            code="not_above_used",
        )
    put(
        incident.company,
        by=by,
        scope_type=policy.scope_type,
        scope_id=policy.scope_id,
        metric=policy.metric,
        window_kind=policy.window_kind,
        amount=amount,
    )
    incident.refresh_from_db()
    resolve(incident, by)


@transaction.atomic
def keep_paused(incident: BudgetIncident, *, by: Actor) -> None:
    """It stays as it is, and nobody is asked again."""
    by.must_be_operator(incident.company_id, "keep it paused")
    mine = BudgetIncident.objects.open().filter(pk=incident.pk)
    if not mine.update(status=Status.DISMISSED, updated_at=now()):
        raise Conflict(f"This incident is {incident.get_status_display()}.")
    incident.refresh_from_db()
    audit.record(by, "budget.kept_paused", incident, name=incident.name)
    decide(incident, "rejected", by)


def approved(approval: Approval, *, by: Actor) -> None:
    """The effect of the decision, by its own card: the limit that it names."""
    for incident in approval.incidents.unresolved():
        raise_and_resume(incident, approval.payload["raiseTo"], by=by)


def rejected(approval: Approval, *, by: Actor) -> None:
    for incident in approval.incidents.open():
        keep_paused(incident, by=by)
