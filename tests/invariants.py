"""What is always true between two acts. Checked after tests that use the database."""

from __future__ import annotations

from django.db import connection
from django.utils.timezone import now

from agents.models import Agent, Run
from issues.models import Issue, RoutineRun
from paperclip import processes
from paperclip.models import Activity, Seal, Unsealed
from tests.instance import wait_for


def check() -> None:
    """An agent is shown running exactly while a run of it is live, within its limit;
    a held issue is in progress; no process lives whose run does not (T-04f); a firing
    of a routine is open no longer than its issue; an act is sealed or waits for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT agent_id, count(*) FROM agents_run"
            " WHERE status = 'running' AND lease_expires_at > %s GROUP BY agent_id",
            [now()],
        )
        live = dict(cursor.fetchall())
    for agent in Agent.objects.with_state().select_related("company"):
        stopped = agent.status in ("paused", "terminated", "pending_approval")
        assert (agent.state == "running") == (agent.pk in live and not stopped), agent
        assert live.get(agent.pk, 0) <= agent.max_concurrent_runs, agent
    held = Issue.objects.exclude(checkout_run=None)
    assert not held.exclude(status="in_progress").exists()
    closed = RoutineRun.objects.filter(linked_issue__status__in=["done", "cancelled"])
    assert not closed.filter(status="issue_created").exists()
    lost = Activity.objects.exclude(seq__in=Unsealed.objects.values("seq"))
    assert not lost.exclude(seq__in=Seal.objects.values("seq")).exists()
    wait_for(lambda: not orphans(), 10, lambda: f"orphans: {orphans()}")


def orphans() -> set[str]:
    """Runs that have processes here and are not live any more."""
    here = processes.live_runs()
    if not here:
        return set()
    live = Run.objects.live().filter(pk__in=here).values_list("pk", flat=True)
    return here - {str(pk) for pk in live}
