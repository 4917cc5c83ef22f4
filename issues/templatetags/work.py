"""What an agent has to do, for the pages of agents: they are a floor below issues; and
which runs can be linked to."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import template

from agents.models import Agent, Run
from issues import standing
from issues.models import Issue

register = template.Library()


@register.simple_tag
def work_of(agent: Agent) -> list[Issue]:
    """The open issues of an agent, the most urgent first."""
    mine = Issue.objects.shown().open().filter(assignee_agent=agent)
    return list(mine.select_related("checkout_run").order_by("priority", "number")[:20])


@register.simple_tag
def standing_of(agent: Agent) -> standing.Standing:
    """How far the agent's word goes."""
    return standing.standing_of(agent.pk)


@register.simple_tag
def turnaround_of(agent: Agent) -> standing.Turnaround | None:
    """How long its reviews take."""
    return standing.turnaround_of(agent)


@register.simple_tag
def attach_issues(runs: Any) -> str:
    """Gives each run the issue it is about, with one look-up for all."""
    runs = list(runs)
    issues = Issue.objects.in_bulk({run.issue_id for run in runs if run.issue_id})
    for run in runs:
        run.issue = issues.get(run.issue_id)
    return ""


@register.simple_tag
def kept_runs(rows: Any) -> set[UUID]:
    """The runs through which rows were made and that are still there: old ones are
    removed, and what they did stays. One look-up for all."""
    ids = {row.run_id for row in rows if row.run_id}
    return set(Run.objects.filter(pk__in=ids).values_list("pk", flat=True))
