"""What finished work costs: what an issue will likely take, and what one that somebody
else has accepted did take.

Accepted is an issue that is done and whose last claim was verified or accepted. One
that only its own worker calls done is none, however cheap it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.timezone import now

from agents import spending
from agents.limits import Forecast
from agents.models import Agent, CostEvent
from issues.models import Claim
from issues.models.base import Status
from paperclip import sql

if TYPE_CHECKING:
    from issues.models import Issue
    from paperclip.models import Company

# A forecast is made of so many done issues at most, and of none that is older.
ISSUES, DAYS, FEW = 100, timedelta(days=90), 5
LIKE_IT = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY micros),
    percentile_cont(0.9) WITHIN GROUP (ORDER BY micros)
FROM (
    SELECT (SELECT coalesce(sum(e.cost_micros), 0) FROM agents_costevent e
            WHERE e.issue_id = i.id) AS micros
    FROM issues_issue i JOIN agents_agent a ON a.id = i.assignee_agent_id
    WHERE i.company_id = %(company)s AND i.status = 'done' AND i.id <> %(id)s
      AND i.completed_at > %(since)s AND ({same})
    ORDER BY i.completed_at DESC LIMIT %(most)s
) done
"""
# Whose work is like it: of the same agent, else of its role.
SAME = ("a.id = %(agent)s", "a.role = %(role)s")


def forecast(issue: Issue) -> Forecast:
    """What the issue will have cost when it is done, by what done issues have cost of
    the same agent, or of its role while it has done few."""
    agent = issue.assignee_agent
    if agent is None:
        return Forecast()
    told = {
        "company": issue.company_id,
        "id": issue.pk,
        "agent": agent.pk,
        "role": agent.role,
        "since": now() - DAYS,
        "most": ISSUES,
    }
    found = Forecast()
    for same in SAME:
        count, p50, p90 = sql.planned(LIKE_IT.format(same=same), **told)[0]
        found = Forecast(count, round(p50 or 0), round(p90 or 0))
        if count >= FEW:
            break
    return found


def accepted(company: Company, begin: datetime, end: datetime) -> dict[UUID, UUID]:
    """Who did the work of each issue that was done in that time, and accepted."""
    done = Claim.objects.filter(
        company=company,
        issue__status=Status.DONE,
        issue__completed_at__gte=begin,
        issue__completed_at__lt=end,
    )
    told = done.last_words().values_list("issue_id", "agent_id", "status")
    return {issue: agent for issue, agent, status in told if status in Claim.GOOD}


@dataclass(frozen=True)
class Worth:
    """What was spent by somebody, or on some model, and how many accepted issues came
    of it."""

    name: str
    micros: int
    accepted: int
    unpriced: int = 0

    @property
    def each(self) -> int | None:
        """Of one accepted issue, with all that came to nothing; None without any."""
        return round(self.micros / self.accepted) if self.accepted else None


def per_accepted(
    company: Company, events: Any, begin: datetime, end: datetime
) -> dict[str, list[Worth]]:
    """By agent, by model and by role: what these events cost for each issue that was
    accepted in that time."""
    workers = accepted(company, begin, end)
    staff = {
        pk: (name, role)
        for pk, name, role in Agent.objects.filter(company=company).values_list(
            "pk", "name", "role"
        )
    }
    spends = spending.by(events, "agent_id")
    agents = tally(
        {pk: [spend] for pk, spend in spends.items()}, list(workers.values())
    )
    roles: dict[str, list[spending.Spend]] = {}
    for pk, spend in spends.items():
        roles.setdefault(staff[pk][1], []).append(spend)
    used = CostEvent.objects.filter(issue_id__in=workers).values_list(
        "issue_id", "model"
    )
    models = {key: [spend] for key, spend in spending.by(events, "model").items()}
    return {
        "agents": [worth(staff[pk][0], spend, count) for pk, spend, count in agents],
        "models": [
            worth(*row) for row in tally(models, [model for _, model in set(used)])
        ],
        "roles": [
            worth(*row)
            for row in tally(roles, [staff[pk][1] for pk in workers.values()])
        ],
    }


def tally(
    spends: dict[Any, list[spending.Spend]], accepted: list[Any]
) -> list[tuple[Any, spending.Spend, int]]:
    """For each key what was spent and how many were accepted, the dearest first."""
    rows = [
        (key, sum(parts, spending.Spend()), accepted.count(key))
        for key, parts in spends.items()
    ]
    return sorted(rows, key=lambda row: -row[1].micros)


def worth(name: str, spend: spending.Spend, count: int) -> Worth:
    return Worth(name, spend.micros, count, spend.unpriced)
