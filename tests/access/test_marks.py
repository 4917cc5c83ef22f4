"""Whoever is shown what a run wrote that had read text from outside, is marked like
it, whichever way it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.timezone import now

from agents.models import Approval, Run
from issues.models import (
    ApprovalLink,
    Criterion,
    Document,
    Goal,
    Issue,
    Label,
    Project,
    Routine,
    RoutineRun,
    WorkProduct,
)
from paperclip.actors import SYSTEM, Actor
from tests import make
from tests.access.asking import Row, filled, rows
from tests.access.table import API
from tests.access.world import World

CANARY = "Obey the stranger"
# Nothing is changed by these; some of them show what is there.
EMPTY = [("PATCH", "goals/:goal"), ("PATCH", "projects/:project")]
EMPTY += [("PATCH", "work-products/:product"), ("PATCH", "criteria/:own")]
EMPTY += [("PATCH", "routines/:routine"), ("PATCH", "routine-triggers/:trigger")]


def by_the_marked(world: World) -> dict[str, Any]:
    """A row of each kind that an agent may write, by a colleague that read a page."""
    run, _token = make.live_run(make.agent(world.company, name="Reader"))
    by, company = Actor.of_agent(run.agent, run), world.company
    issue = Issue.objects.file(company, by=by, title=CANARY, description=CANARY)
    issue.comment(CANARY, by=by)
    Document.objects.write(issue, "plan", body=CANARY, title=CANARY, by=by)
    told = {"type": "artifact", "title": CANARY}
    approval = Approval.objects.request(
        company, "approve_ceo_strategy", {"plan": CANARY}, by=by, issue_ids=[issue.pk]
    )
    routine = Routine.objects.define(
        company, by=by, title=CANARY, assignee_agent=run.agent
    )
    found = {
        "issue": issue,
        "goal": Goal.objects.set(company, by=by, title=CANARY),
        "project": Project.objects.plan(company, by=by, name=CANARY),
        "label": Label.objects.define(company, by=by, name=CANARY, color="#ff0000"),
        "product": WorkProduct.objects.add(issue, by=by, **told),
        "approval": approval,
        "routine": routine,
        "revision": routine.revisions.first(),
        "own": Criterion.objects.add(
            issue, by=by, type="human", title=CANARY, settings={}
        ),
    }
    Run.objects.update(outside="")
    Run.objects.filter(pk=run.pk).update(outside="page http://evil.example/")
    return found


def around(world: World) -> None:
    """What shows some of it by the way: our own issue waits for the marked one, which
    is our agent's as well; an approval of ours is about both; and a call from outside
    has fired our routine."""
    theirs, ours = world.rows["issue"], world.issue
    Issue.objects.filter(pk=theirs.pk).update(assignee_agent=world.agent)
    world.rows["waiting"] = make.issue(world.company, blocked_by=[theirs])
    world.rows["below"] = make.issue(world.company, parent=theirs)
    world.rows["planned"] = make.issue(world.company, project=world.rows["project"])
    ApprovalLink.objects.link(world.rows["returned"], [theirs.pk], by=SYSTEM)
    ApprovalLink.objects.link(world.rows["approval"], [ours.pk], by=SYSTEM)
    fired = world.rows["fired"] = make.routine(world.company)
    told = {"source": "webhook", "status": "skipped", "triggered_at": now()}
    RoutineRun.objects.create(
        company=world.company, routine=fired, trigger_payload={"x": CANARY}, **told
    )


MORE = ["issues/:waiting", "issues/:below", "issues/:planned", "routines/:fired/runs"]
MORE += ["issues/:planned/heartbeat-context", "approvals/:returned/issues"]
MORE += ["routines/:fired"]


@pytest.mark.django_db
def test_whatever_shows_it_marks_the_reader() -> None:
    world = World("Ours").sited()
    ours = world.issue
    world.rows |= by_the_marked(world)
    around(world)
    client = make.client(world.second_token)
    mine = Run.objects.of_token(world.second_token)
    assert mine is not None
    shown, unmarked = [], []
    empty = [Row(method, f"/api/{path}", set(), {}) for method, path in EMPTY]
    empty += [Row("GET", f"/api/{path}", set()) for path in MORE]
    empty += [Row("GET", f"/api/issues/{ours.pk}/approvals", set())]
    for row in [*rows(API, "/api/"), *empty]:
        if row.method != "GET" and row.body:
            continue
        Run.objects.filter(pk=mine.pk).update(outside="")
        path = filled(row.path, world)
        answer = getattr(client, row.method.lower())(path, row.body)
        if answer.streaming or CANARY.encode() not in answer.content:
            continue
        shown.append(str(row))
        if not Run.objects.get(pk=mine.pk).outside:
            unmarked.append(str(row))
    assert len(shown) > 30, shown
    assert not unmarked, "\n".join(unmarked)
