"""What an agent has to do, for the pages of agents: they are a floor below issues."""

from __future__ import annotations

from typing import Any

from django import template

from agents.models import Agent
from issues.models import Issue

register = template.Library()


@register.simple_tag
def work_of(agent: Agent) -> list[Issue]:
    """The open issues of an agent, the most urgent first."""
    mine = Issue.objects.shown().open().filter(assignee_agent=agent)
    return list(mine.select_related("checkout_run").order_by("priority", "number")[:20])


@register.simple_tag
def attach_issues(runs: Any) -> str:
    """Gives each run the issue it is about, with one look-up for all."""
    runs = list(runs)
    issues = Issue.objects.in_bulk({run.issue_id for run in runs if run.issue_id})
    for run in runs:
        run.issue = issues.get(run.issue_id)
    return ""
