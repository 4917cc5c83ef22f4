"""Stages of a review: who looks, in which order, and what becomes of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from agents.models import Agent, Run
from issues.models import Decision, Issue
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, NotAllowed
from paperclip.models import User
from tests import make

pytestmark = pytest.mark.django_db


class Team(NamedTuple):
    dev: Agent
    qa: Agent
    cto: Agent
    boss: User


@pytest.fixture
def team() -> Team:
    company = make.company()
    cto = make.agent(company, name="CTO")
    qa = make.agent(company, name="QA", reports_to=cto)
    dev = make.agent(company, name="Dev", reports_to=cto)
    return Team(dev, qa, cto, make.owner_of(company))


def stage(*who: Agent | User, needs: int = 1, kind: str = "review") -> dict[str, Any]:
    people = [
        {"type": "agent", "agentId": str(one.pk)}
        if isinstance(one, Agent)
        else {"type": "user", "userId": str(one.pk)}
        for one in who
    ]
    return {"type": kind, "approvalsNeeded": needs, "participants": people}


def filed(team: Team, *stages: dict[str, Any], **policy: Any) -> Issue:
    return make.issue(
        team.dev.company,
        assignee_agent=team.dev,
        review_policy={"stages": list(stages), **policy},
    )


def say(issue: Issue, agent: Agent, status: str, comment: str = "So.") -> None:
    """The agent sets a status in a run of its own."""
    by = make.working(agent, issue)
    try:
        issue.refresh_from_db()
        if issue.status in ("todo", "in_progress") and issue.assignee_agent == agent:
            issue.check_out(agent, by.run, [issue.status], by=by)
        issue.change(by=by, status=status, comment=comment)
    finally:
        assert by.run is not None
        by.run.finish(Run.Status.SUCCEEDED)
    issue.refresh_from_db()


def told(issue: Issue) -> dict[str, Any]:
    found = issue.review
    assert found is not None
    return found


def test_it_goes_through_its_stages(team: Team) -> None:
    two = stage(team.boss, kind="approval")
    issue = filed(team, stage(team.qa), two)
    assert told(issue)["status"] == "idle"
    say(issue, team.dev, "done")
    assert (issue.status, issue.assignee_agent) == ("in_review", team.qa)
    state = told(issue)
    first, second = [one["id"] for one in issue.review_policy["stages"]]
    assert (state["status"], state["currentStageId"]) == ("pending", first)
    assert (state["currentStageIndex"], state["completedStageIds"]) == (0, [])
    say(issue, team.qa, "done", "I ran it.")
    assert (issue.status, issue.assignee_user) == ("in_review", team.boss)
    state = told(issue)
    assert (state["currentStageId"], state["currentStageIndex"]) == (second, 1)
    assert state["completedStageIds"] == [first]
    assert state["lastDecisionOutcome"] == "approved"
    issue.change(by=make.by(team.boss), status="done", comment="Ship it.")
    assert (issue.status, issue.assignee_agent) == ("done", team.dev)
    assert told(issue)["status"] == "completed"
    rows = Decision.objects.filter(issue=issue)
    assert [row.decided_by for row in rows] == ["QA", team.boss.username]
    assert [row.body for row in rows] == ["I ran it.", "Ship it."]


def test_refused_it_comes_back_to_the_same_stage(team: Team) -> None:
    issue = filed(team, stage(team.qa), stage(team.cto))
    say(issue, team.dev, "done")
    say(issue, team.qa, "done")
    say(issue, team.cto, "in_progress", "The name is wrong.")
    assert (issue.status, issue.assignee_agent) == ("in_progress", team.dev)
    assert told(issue)["status"] == "changes_requested"
    woken = team.dev.wakeups.filter(issue_id=issue.pk, reason="issue_assigned")
    assert woken.count() == 2  # when it was filed, and now
    say(issue, team.dev, "done")
    assert (issue.status, issue.assignee_agent) == ("in_review", team.cto)
    say(issue, team.cto, "done")
    assert issue.status == "done"


def test_as_many_approve_as_are_needed(team: Team) -> None:
    third = make.agent(team.dev.company, name="Third")
    issue = filed(team, stage(team.qa, team.cto, third, needs=2))
    say(issue, team.dev, "done")
    say(issue, team.qa, "done")
    assert (issue.status, issue.assignee_agent) == ("in_review", team.cto)
    say(issue, team.cto, "todo", "No.")
    say(issue, team.dev, "done")
    # What the first one approved is another thing by now.
    assert issue.assignee_agent == team.qa
    say(issue, team.qa, "done")
    say(issue, team.cto, "done")
    assert issue.status == "done"


def test_the_executor_never_reviews_itself(team: Team) -> None:
    issue = filed(team, stage(team.dev, team.qa))
    say(issue, team.dev, "done")
    assert issue.assignee_agent == team.qa
    with pytest.raises(NotAllowed):
        say(issue, team.dev, "done")
    alone = filed(team, stage(team.dev))
    say(alone, team.dev, "done")
    assert (alone.status, alone.assignee_user) == ("in_review", team.boss)


@pytest.mark.parametrize("who", ["cto", "boss"])
def test_nobody_else_decides_a_stage(team: Team, who: str) -> None:
    issue = filed(team, stage(team.qa))
    say(issue, team.dev, "done")
    by: Actor = make.by(team.boss) if who == "boss" else make.working(team.cto, issue)
    with pytest.raises(Invalid) as refusal:
        issue.change(by=by, status="done", comment="Fine.")
    assert (refusal.value.status, refusal.value.code) == (422, "not_a_participant")


def test_a_decision_needs_a_comment(team: Team) -> None:
    issue = filed(team, stage(team.boss))
    say(issue, team.dev, "done")
    with pytest.raises(Invalid, match="needs a comment"):
        issue.change(by=make.by(team.boss), status="done")
    silent = filed(team, stage(team.boss), commentRequired=False)
    say(silent, team.dev, "done")
    silent.change(by=make.by(team.boss), status="done")
    assert silent.status == "done"


def test_without_its_policy_it_is_the_executors_again(team: Team) -> None:
    issue = filed(team, stage(team.qa))
    say(issue, team.dev, "done")
    issue.change(by=make.by(team.boss), review_policy=None)
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == ("in_progress", team.dev)
    assert not issue.is_under_review and issue.review is None
    assert Decision.objects.get(issue=issue).outcome == "withdrawn"


def test_who_does_the_work_does_not_say_who_looks(team: Team) -> None:
    issue = filed(team, stage(team.qa))
    with pytest.raises(NotAllowed, match="somebody else says who looks"):
        issue.change(by=make.working(team.dev, issue), review_policy=None)


def test_another_policy_asks_somebody_else(team: Team) -> None:
    issue = filed(team, stage(team.qa))
    say(issue, team.dev, "done")
    wanted = {"stages": [stage(team.cto)]}
    issue.change(by=make.by(team.boss), review_policy=wanted)
    issue.refresh_from_db()
    assert (issue.status, issue.assignee_agent) == ("in_review", team.cto)


def test_opened_again_it_is_looked_at_again(team: Team) -> None:
    issue = filed(team, stage(team.qa))
    say(issue, team.dev, "done")
    say(issue, team.qa, "done")
    issue.change(by=make.by(team.boss), status="todo")
    say(issue, team.dev, "done")
    assert (issue.status, issue.assignee_agent) == ("in_review", team.qa)


@pytest.mark.parametrize("wrong", ["foreign", "twice", "too many"])
def test_a_policy_that_cannot_be_followed_is_refused(team: Team, wrong: str) -> None:
    stages = {
        "foreign": stage(make.agent()),
        "twice": stage(team.qa, team.qa),
        "too many": stage(team.qa, needs=2),
    }
    with pytest.raises(Invalid):
        filed(team, stages[wrong])


def test_the_default_is_the_reviewer_in_the_same_way(team: Team) -> None:
    team.dev.change(by=SYSTEM, reviewer=team.qa)
    issue = make.issue(team.dev.company, assignee_agent=team.dev)
    say(issue, team.dev, "done")
    asked = Decision.objects.get(issue=issue)
    assert (asked.asked_agent, asked.outcome) == (team.qa, "pending")
    say(issue, team.qa, "done", "I ran it.")
    asked.refresh_from_db()
    assert (asked.outcome, asked.by_agent, asked.body) == (
        "approved",
        team.qa,
        "I ran it.",
    )
    assert asked.decided_at is not None and issue.review is None


def test_over_the_api(team: Team) -> None:
    client = make.client_of(team.boss)
    body = {
        "title": "Stages",
        "status": "todo",
        "assigneeAgentId": str(team.dev.pk),
        "executionPolicy": {"stages": [stage(team.qa), stage(team.boss)]},
    }
    path = f"/api/companies/{team.dev.company.pk}/issues"
    made = client.post(path, body)
    assert made.status_code == 201, made.content
    policy = made.json()["executionPolicy"]
    assert (policy["mode"], policy["commentRequired"]) == ("normal", True)
    assert policy["stages"][0]["participants"][0]["agentId"] == str(team.qa.pk)
    assert made.json()["executionState"]["status"] == "idle"
    issue = Issue.objects.get(pk=made.json()["id"])
    say(issue, team.dev, "done")
    say(issue, team.qa, "done", "I ran it.")
    one = f"/api/issues/{issue.pk}"
    state = client.get(one).json()["executionState"]
    assert state["currentParticipant"]["userId"] == str(team.boss.pk)
    assert state["returnAssignee"]["agentId"] == str(team.dev.pk)
    rows = client.get(f"{one}/decisions").json()
    assert [row["outcome"] for row in rows] == ["approved", "pending"]
    refused = client.patch(one, {"status": "done"})
    assert refused.status_code == 422 and "comment" in refused.json()["error"]
    done = client.patch(one, {"status": "done", "comment": "Good."}).json()
    assert (done["status"], done["executionState"]["status"]) == ("done", "completed")
    bad = {"executionPolicy": {"stages": [{"participants": []}]}}
    assert client.patch(one, bad).status_code == 400
