"""Why an issue is not moving: who has it and whether they live, what is missing, and
what will move it when. One answer for the console, the API and the command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.timezone import now

from agents.models import Attempt, BudgetIncident, Run
from agents.models.grant import Scopes
from issues import lying
from issues.models import Claim, Relation
from issues.models.base import Status
from issues.models.issue import Issue
from paperclip.models import Instance
from paperclip.models.spender import SPENT
from paperclip.words import reason

if TYPE_CHECKING:
    from agents.models import Agent

SOON = timedelta(seconds=5)  # the sweep looks for what was left lying so often


@dataclass(frozen=True)
class Why:
    """`code` names the case. `missing` is the fact it waits for (empty: nothing),
    `event` what will move it and `at` when, as far as that is known. `holder` is the
    live run at work on it."""

    code: str
    missing: str = ""
    event: str = ""
    at: datetime | None = None
    holder: Run | None = None

    @property
    def is_moving(self) -> bool:
        return self.code in ("working", "closed", "starting")

    def __str__(self) -> str:
        when = f" ({self.at:%Y-%m-%d %H:%M:%S} UTC)" if self.at else ""
        parts = [self.missing, self.event and f"Next: {self.event}{when}"]
        return " ".join(part for part in parts if part)


def why(issue: Issue) -> Why:
    """The first case that fits, of those in CASES."""
    for case in CASES:
        if (found := case(issue)) is not None:
            return found
    return Why(
        "left",
        how_it_was_left(issue),
        "a comment, a change by somebody else, or waking its assignee",
    )


def how_it_was_left(issue: Issue) -> str:
    last = last_run(issue)
    if last is not None and last.status == Run.Status.CANCELLED:
        said = f"The last run of {issue.assignee} was cancelled."
        return f"{said} {last.error or ''}".strip()
    left = f"{issue.assignee} left it {issue.get_status_display()}"
    return f"{left} and nothing has changed since."


def last_run(issue: Issue) -> Run | None:
    runs = Run.objects.filter(agent=issue.assignee_agent, issue_id=issue.pk)
    return runs.order_by("-created_at").first()


def closed(issue: Issue) -> Why | None:
    if not issue.is_closed:
        return None
    return Why("closed", f"It is {issue.get_status_display()}.")


def stopped(issue: Issue) -> Why | None:
    company, project = issue.company, issue.project
    if Instance.objects.is_stopped():
        said = "Everything is stopped, in all companies."
        return Why("stopped", said, "an owner or an admin resumes it")
    if company.status != "active" and company.pause_reason != SPENT:
        return Why(
            "stopped", f"{company} is {company.state}.", "an operator resumes it"
        )
    if project is not None and project.paused_at and project.pause_reason != SPENT:
        return Why("stopped", f"The project {project} is paused.", "it is resumed")
    return over_budget(issue)


def over_budget(issue: Issue) -> Why | None:
    agent = issue.assignee_agent
    if agent is None:
        return None
    scopes = Scopes(issue.company_id, agent.pk, issue.project_id, issue.pk)
    shut = BudgetIncident.objects.shutting(scopes)
    if shut is None:
        return None
    names = {"agent": agent, "project": issue.project, "issue": issue.identifier}
    name = names.get(shut.scope_type, issue.company)
    return Why("stopped", f"The budget of {name} is spent.", "somebody raises it")


def working(issue: Issue) -> Why | None:
    about = Q(issue_id=issue.pk) | Q(held_issues=issue.pk)
    live = Run.objects.live().filter(about).select_related("agent").distinct()
    run = issue.live_holder() or live.order_by("started_at").first()
    if run is None:
        return None
    behind = Run.objects.filter(issue_id=issue.pk, status=Run.Status.QUEUED)
    event = "its run ends"
    if behind.exists():
        event += "; then the next one reads what came meanwhile"
    return Why("working", f"{run.agent} is at work on it.", event, holder=run)


def parked(issue: Issue) -> Why | None:
    if issue.assignee_agent is None:
        return None
    rows = Attempt.objects.blocking(issue.assignee_agent, issue.pk)
    row = rows.order_by("-whole_agent").first()
    if row is None:
        return None
    return Why(
        "parked", row.reason, "an operator tries it again or comments", row.next_at
    )


def blocked(issue: Issue) -> Why | None:
    edges = (
        Relation.objects.unresolved().filter(blocked=issue).select_related("blocker")
    )
    left = [edge.blocker for edge in edges.order_by("created_at")]
    if not left:
        return None
    names = ", ".join(one.identifier for one in left)
    dead = [one.identifier for one in left if one.status == Status.CANCELLED]
    if dead:
        return Why(
            "blocked",
            f"It waits for {names}, and {', '.join(dead)} was cancelled.",
            "somebody takes that blocker off",
        )
    deepest = why(left[0])
    because = f" {left[0].identifier}: {deepest.missing}" if deepest.missing else ""
    return Why(
        "blocked", f"It waits for {names}.{because}", "they are done", deepest.at
    )


def parts(issue: Issue) -> Why | None:
    left = Issue.objects.open().exclude(status=Status.BACKLOG).filter(parent=issue)
    names = ", ".join(left.order_by("number").values_list("identifier", flat=True)[:5])
    if not names:
        return None
    return Why("parts", f"Its parts are not finished: {names}.", "the last of them is")


def waiting(issue: Issue) -> Why | None:
    queued = Run.objects.filter(issue_id=issue.pk, status=Run.Status.QUEUED)
    run = queued.select_related("agent__company").order_by("due_at").first()
    if run is None:
        return None
    if run.hold:
        at = run.ready_at if run.ready_at > now() else None
        return Why("held", run.hold, f"{run.agent} starts", at)
    if run.ready_at > now():
        because = reason(run.wakes[-1]["reason"]) if run.wakes else "later"
        said = f"{run.agent} goes on later: {because}."
        return Why("later", said, f"{run.agent} starts", run.ready_at)
    return Why("starting", no_room(run), f"{run.agent} starts")


def no_room(run: Run) -> str:
    """What a run that is ready waits for."""
    agent, live = run.agent, Run.objects.live()
    if live.filter(agent=agent).count() >= agent.max_concurrent_runs:
        return f"{agent} is busy with something else."
    cap = agent.company.max_concurrent_runs
    if cap is not None and live.filter(company=agent.company_id).count() >= cap:
        return f"{agent.company} has as many runs as it may, {cap}."
    return "A worker will take it."


def checking(issue: Issue) -> Why | None:
    """Its agent calls it done, and nobody has looked yet."""
    claim = Claim.objects.filter(issue=issue).open().first()
    if claim is None or issue.status != Status.IN_REVIEW:
        return None
    far = f" ({claim.progress})" if claim.progress else ""
    said = f"{claim.agent or 'Somebody'} calls it done, and that is checked{far}."
    return Why("checking", said, "the check ends")


def nobody(issue: Issue) -> Why | None:
    if issue.status == Status.BACKLOG:
        return Why("backlog", "It is parked in the backlog.", "it is set to to do")
    if issue.assignee_user is not None:
        return Why("person", f"It waits for {issue.assignee_user}.", "they act on it")
    if issue.assignee_agent is None:
        return Why("nobody", "Nobody has it.", "somebody assigns it")
    return None


def asleep(issue: Issue) -> Why | None:
    agent = issue.assignee_agent
    if agent is None:
        return None
    if not agent.is_invokable:
        said = f"{agent} is {agent.get_status_display()}."
        return Why("asleep", said, f"{agent} is resumed, or another one gets it")
    if not agent.wake_on_demand:
        said = f"{agent} is only woken by its timer."
        return Why("asleep", said, "its timer", agent.next_heartbeat_at)
    return None


def trying(issue: Issue) -> Why | None:
    agent = issue.assignee_agent
    row = Attempt.objects.filter(agent=agent, issue_id=issue.pk, parked_at=None).first()
    if row is None or row.next_at is None or not is_workable(issue):
        return None
    last = last_run(issue)
    tried = last is not None and last.created_at > row.updated_at
    if last and tried and last.status == Run.Status.CANCELLED:
        return None  # what a person cancelled is theirs to start again
    return Why("later", row.reason, f"{agent} tries it again", max(row.next_at, now()))


def unread(issue: Issue) -> Why | None:
    """Nobody was woken for it yet, which the sweep makes up for."""
    ran = Run.objects.filter(agent=issue.assignee_agent, issue_id=issue.pk)
    if ran.exists() or not is_workable(issue):
        return None
    said = f"{issue.assignee} has not been woken for it yet."
    return Why("starting", said, f"{issue.assignee} starts", now() + SOON)


def timer(issue: Issue) -> Why | None:
    agent = issue.assignee_agent
    if agent is None or agent.next_heartbeat_at is None or not is_workable(issue):
        return None
    said = f"{agent} left it {issue.get_status_display()}."
    return Why("timer", said, "its timer", agent.next_heartbeat_at)


def is_workable(issue: Issue) -> bool:
    return Issue.objects.workable().filter(pk=issue.pk).exists()


CASES = [
    closed,
    stopped,
    working,
    parked,
    blocked,
    waiting,
    checking,
    nobody,
    asleep,
    parts,
    trying,
    unread,
    timer,
]


def waiting_messages(issue: Issue) -> dict[str, str]:
    """The ids of the comments that no run has carried to an end yet, and in a sentence
    what each waits for: what is not here was delivered."""
    told: dict[str, str] = {}
    agent: Agent | None = issue.assignee_agent
    if agent is not None:
        again = f"{agent} reads it when it is woken again."
        told |= dict.fromkeys(map(str, lying.unheard(issue, agent)), again)
        for fact in Run.objects.owed(agent.pk, issue.pk):
            told[str(fact["commentId"])] = again
    open_runs = Run.objects.open().filter(issue_id=issue.pk).select_related("agent")
    for run in open_runs.order_by("created_at"):
        said = f"{run.agent} is reading it."
        if run.status == Run.Status.QUEUED:
            said = run.hold or f"It waits for the next run of {run.agent}."
        told |= dict.fromkeys(run.comment_ids, said)
    told.pop("None", None)
    return told
