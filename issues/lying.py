"""What was left lying: issues somebody could go on with and nobody was woken for. It
makes up for every event that got lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, Coalesce
from django.utils.timezone import now

from agents.models import Agent, Attempt, Run
from agents.models.base import NO_PROGRESS
from issues.models import Issue, Relation
from issues.models.base import Status
from issues.models.issue import IssueQuerySet
from issues.models.waiting import BLOCKER_CANCELLED
from paperclip.actors import SYSTEM
from paperclip.models import Activity

if TYPE_CHECKING:
    from uuid import UUID

ASSIGNEE = OuterRef("assignee_agent")
BEGAN = OuterRef("began")
EDGES = Relation.objects.filter(blocked=OuterRef("pk"))


def untouched() -> IssueQuerySet:
    """Open issues of agents that may be woken, about which no run waits or works.
    With `began`: when the last one about them did, or was cancelled before; and
    `ended`, how that one ended."""
    runs = Run.objects.filter(agent=ASSIGNEE, issue_id=OuterRef("pk"))
    last = runs.order_by("-created_at").values(at=Coalesce("started_at", "created_at"))
    return (
        Issue.objects.shown()
        .filter(
            Q(status__in=[Status.TODO, Status.IN_PROGRESS, Status.BLOCKED])
            | Q(status=Status.IN_REVIEW, executor_agent__isnull=False),
            assignee_agent__in=Agent.objects.invokable().filter(wake_on_demand=True),
        )
        .exclude(Exists(runs.open()))
        .exclude(Exists(Run.objects.live().filter(pk=OuterRef("checkout_run"))))
        .exclude(Exists(parked()))
        .annotate(
            began=Subquery(last[:1]),
            ended=Subquery(runs.order_by("-created_at").values("status")[:1]),
        )
        .select_related("assignee_agent__company")
    )


def parked() -> QuerySet[Attempt]:
    """What keeps the assignee from the issue."""
    its_own = Q(agent=ASSIGNEE) & (Q(whole_agent=True) | Q(issue_id=OuterRef("pk")))
    round_in_circles = Q(issue_id=OuterRef("pk"), cause=NO_PROGRESS)
    return Attempt.objects.parked().filter(its_own | round_in_circles)


def waiting() -> IssueQuerySet:
    """Of those that wait for no other issue: nobody was ever woken, somebody else has
    changed a fact since, the last blocker has ended, or the next try is due."""
    news = Activity.objects.filter(
        entity_id=Cast(OuterRef("pk"), CharField()), created_at__gt=BEGAN
    ).exclude(agent_id=ASSIGNEE)
    freed = EDGES.filter(blocker__completed_at__gt=BEGAN)
    # Its next try was queued, and whatever became of that, it is time; or it failed,
    # and what kept its agent from it is mended. What a person cancelled is theirs to
    # start again.
    tries = Attempt.objects.filter(agent=ASSIGNEE, issue_id=OuterRef("pk"))
    late = tries.filter(parked_at=None, next_at__lte=now(), updated_at__gt=BEGAN)
    failed = Q(ended__in=[Run.Status.FAILED, Run.Status.TIMED_OUT])
    fresh = Q(began=None) | Exists(late) | failed & ~Exists(tries)
    return untouched().filter(
        ~Exists(EDGES.unresolved()),
        fresh & ~Q(status=Status.BLOCKED) | Exists(news) | Exists(freed),
    )


def undecided() -> IssueQuerySet:
    """Those whose blocker was cancelled since anybody looked: it will not end any more,
    and somebody has to decide what that means."""
    cancelled = EDGES.filter(blocker__status=Status.CANCELLED)
    return untouched().filter(Exists(cancelled.filter(blocker__cancelled_at__gt=BEGAN)))


def unheard(issue: Issue, agent: Agent) -> list[UUID]:
    """The comments that people wrote when nobody could be woken for them, as while
    everything is stopped: they are newer than the agent's last run about the issue."""
    if issue.is_closed:
        return []
    runs = Run.objects.filter(agent=agent, issue_id=issue.pk, started_at__isnull=False)
    last = runs.order_by("-started_at").values_list("started_at", flat=True).first()
    said = issue.comments.filter(author_user__isnull=False)
    if last is not None:
        said = said.filter(created_at__gt=last)
    return list(said.values_list("pk", flat=True))


def wake(issue: Issue, reason: str, comment_id: UUID | None = None) -> None:
    if issue.assignee_agent is not None:
        issue.assignee_agent.wake(
            "automation",
            reason,
            by=SYSTEM,
            issue_id=issue.pk,
            comment_id=comment_id,
            rank=issue.priority,
        )


def wake_waiting(issue: Issue) -> None:
    """Wake its assignee, and tell it what was said that nobody has been told yet."""
    agent = issue.assignee_agent
    if agent is not None:
        # Those of a run that was cancelled, the next one is told anyway.
        owed = {fact["commentId"] for fact in Run.objects.owed(agent.pk, issue.pk)}
        for comment_id in unheard(issue, agent):
            if str(comment_id) not in owed:
                wake(issue, "issue_commented", comment_id)
    wake(issue, "issue_waiting")


def wake_undecided(issue: Issue) -> None:
    wake(issue, BLOCKER_CANCELLED)
