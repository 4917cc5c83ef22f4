"""The dashboard, a control room: who does what, what waits for a person, what it costs.
A fixed number of queries, however many agents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery
from django.utils.timezone import localtime

from agents import spending, transcript
from agents.models import Agent, Approval, Attempt, Run
from agents.spending import Spend
from issues.models import Document, Issue, WorkProduct
from paperclip import feed, machine
from paperclip.models import Activity, Chain, Company

NEWEST, WAITING, RESULTS = 12, 20, 6
# What a list of runs does not show.
LONG = ("stdout_excerpt", "stderr_excerpt", "result")


def of(company: Company) -> dict[str, Any]:
    """What the dashboard of a company shows."""
    spent = spending.of_agents(company)
    agents = staff(company, spent)
    return {
        "agents": agents,
        "counts": counts(company),
        "spend": sum(spent.values(), Spend()),
        "waiting": waiting(company),
        "approvals": Approval.objects.filter(company=company, status="pending")[
            :WAITING
        ],
        "parked": (stuck := parked(company)),
        "troubled": troubled(agents, stuck),
        "tampered": Chain.objects.filter(pk=company.pk).exclude(findings=[]).first(),
        "results": results(company),
        "machine": machine.states(),
        "activity": feed.lines(Activity.objects.filter(company=company)[:NEWEST]),
    }


def staff(company: Company, spent: dict[UUID, Spend]) -> list[Agent]:
    """The employed agents: what each holds and does, its last run, its next one, and
    what it has spent this month."""
    ended = Run.objects.filter(agent=OuterRef("pk"), status__in=Run.ENDED)
    rows = Agent.objects.employed().filter(company=company).with_state()
    rows = rows.select_related("company").annotate(
        last_run_id=Subquery(ended.order_by("-created_at").values("pk")[:1])
    )
    agents = list(rows)
    lean = Run.objects.filter(company=company).defer(*LONG)
    last = lean.in_bulk([agent.last_run_id for agent in agents])
    held = held_by(company)
    running: dict[UUID, Run] = {}
    queued: dict[UUID, Run] = {}
    for run in lean.open().order_by("-created_at"):
        (queued if run.status == Run.Status.QUEUED else running)[run.agent_id] = run
    for agent in agents:
        agent.last_run = last.get(agent.last_run_id)
        agent.running = running.get(agent.pk)
        agent.queued = queued.get(agent.pk)
        agent.held = held.get(agent.pk)
        agent.spend = spent.get(agent.pk, Spend())
        agent.acts = transcript.acts(agent.running) if agent.running else []
    return agents


def held_by(company: Company) -> dict[UUID, Issue]:
    """The issue each agent holds right now."""
    live = Run.objects.live().filter(company=company)
    held = Issue.objects.filter(checkout_run__in=live).select_related("checkout_run")
    return {issue.checkout_run.agent_id: issue for issue in held}


def waiting(company: Company) -> list[Issue]:
    """Open issues that are a person's to move."""
    people = Issue.objects.shown().open().filter(company=company, assignee_agent=None)
    mine = people.filter(Q(status=Issue.Status.IN_REVIEW) | ~Q(assignee_user=None))
    mine = mine.exclude(status=Issue.Status.BACKLOG)
    return list(mine.select_related("assignee_user")[:WAITING])


def parked(company: Company) -> list[Attempt]:
    """What was tried in vain, each with its issue: one alert a row."""
    rows = Attempt.objects.parked().filter(company=company).select_related("agent")
    found = list(rows.exclude(agent__status=Agent.Status.TERMINATED)[:WAITING])
    issues = Issue.objects.in_bulk([row.issue_id for row in found])
    for row in found:
        row.issue = issues.get(row.issue_id)
    return found


def troubled(agents: list[Agent], stuck: list[Attempt]) -> list[Agent]:
    """Those in error for which there is no alert yet."""
    known = {row.agent_id for row in stuck}
    bad = [agent for agent in agents if agent.status == Agent.Status.ERROR]
    return [agent for agent in bad if agent.pk not in known]


def results(company: Company) -> list[Document | WorkProduct]:
    """What came out last: documents and branches, the newest first."""
    texts = Document.objects.filter(company=company).defer("body")
    products = WorkProduct.objects.filter(company=company)
    found = [
        each
        for rows in (texts, products)
        for each in rows.select_related("issue").order_by("-updated_at")[:RESULTS]
    ]
    return sorted(found, key=lambda each: each.updated_at, reverse=True)[:RESULTS]


def counts(company: Company) -> dict[str, int]:
    issues = Issue.objects.shown().filter(company=company)
    today = localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    open_ones = issues.open().aggregate(
        open=Count("pk"),
        in_progress=Count("pk", filter=Q(status=Issue.Status.IN_PROGRESS)),
        in_review=Count("pk", filter=Q(status=Issue.Status.IN_REVIEW)),
        blocked=Count("pk", filter=Q(status=Issue.Status.BLOCKED)),
    )
    return open_ones | {"done": issues.filter(completed_at__gte=today).count()}
