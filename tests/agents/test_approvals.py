"""Approvals: asked once, decided once, and whoever asked is told once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from agents import decisions
from agents.models import Agent, Approval, Notice, Run
from issues import sweep
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, Missing, NotAllowed
from paperclip.models import Activity, Company
from tests import make
from tests.races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Agent:
    return make.agent(max_concurrent_runs=5)


def asked(agent: Agent, payload: dict[str, Any] | None = None, **more: Any) -> Approval:
    """An approval that the agent asks for, or whoever is named."""
    fields = {"type": "request_board_approval", **more}
    if "by" not in fields:
        fields |= {"by": SYSTEM, "agent": agent}
    payload = {"title": "Buy a domain"} if payload is None else payload
    return Approval.objects.request(agent.company, payload=payload, **fields)


def person_of(agent: Agent) -> Actor:
    return make.by(make.operator(agent.company))


# --- asking ------------------------------------------------------------------------


def test_the_payload_is_bound_by_its_hash_however_it_is_written(agent: Agent) -> None:
    one = asked(agent, {"a": 1, "b": "é"})
    assert asked(agent, {"b": "é", "a": 1}) == one
    assert asked(agent, {"a": 1, "b": "e"}) != one


def test_the_same_request_makes_one_card(agent: Agent) -> None:
    """T-12a: twice in one run, from a second run, and from a colleague."""
    first, second = make.working(agent), make.working(agent, make.issue(agent.company))
    watcher = make.working(make.agent(agent.company))
    cards = {asked(agent, by=by).pk for by in (first, first, second, watcher)}
    assert len(cards) == 1
    assert Approval.objects.get().requested_by_agent == agent


def test_who_asks_what_is_asked_already_is_told_too(agent: Agent) -> None:
    colleague = make.agent(agent.company)
    asked(agent)
    asked(colleague).decide("approved", by=person_of(agent))
    assert {n.agent for n in Notice.objects.all()} == {agent, colleague}


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_one_makes_the_card() -> None:
    agent = make.agent()
    found = together(6, lambda n: asked(Agent.objects.get(pk=agent.pk)))
    assert {approval.pk for approval in found} == {Approval.objects.get().pk}


def test_what_was_decided_may_be_asked_again(agent: Agent) -> None:
    first = asked(agent)
    first.decide("rejected", by=person_of(agent))
    assert asked(agent) != first


def test_it_is_about_the_issue_of_its_run(agent: Agent) -> None:
    issue = make.issue(agent.company)
    by = make.working(agent, issue)
    approval = asked(agent, by=by)
    assert [link.issue for link in approval.issue_links.all()] == [issue]


def test_it_says_why_it_is_about_no_issue(agent: Agent) -> None:
    """T-12e."""
    at_large = asked(agent, {"title": "1"}, by=make.working(agent))
    by_person = asked(agent, {"title": "2"}, by=person_of(agent))
    reasons = {approval.why_unlinked for approval in (at_large, by_person)}
    assert len(reasons) == 2
    for approval in (at_large, by_person):
        assert approval.expires_at > now() and approval.default == "rejected"


def test_an_issue_of_another_company_is_missing(agent: Agent) -> None:
    foreign = make.issue(make.company("Other"))
    with pytest.raises(Missing):
        asked(agent, issue_ids=[foreign.pk])
    assert not Approval.objects.exists()


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"question": "Which?"},
        {"question": "Which?", "options": []},
        {"question": "Which?", "options": [1]},
        {"question": "Which?", "options": ["a"], "default": "b"},
    ],
)
def test_a_question_has_options(agent: Agent, payload: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        asked(agent, payload, type="question")


def test_an_unknown_type_is_refused(agent: Agent) -> None:
    with pytest.raises(Invalid, match="hire_agent"):
        asked(agent, type="anything")


# --- deciding ----------------------------------------------------------------------


def test_it_is_decided_once(agent: Agent) -> None:
    approval, person = asked(agent), person_of(agent)
    assert approval.decide("approved", by=person, note="ok")
    assert (approval.status, approval.decision_note) == ("approved", "ok")
    assert not approval.decide("approved", by=person, note="again")
    assert approval.decision_note == "ok"
    for act in (
        lambda: approval.decide("rejected", by=person),
        lambda: approval.request_revision(by=person),
    ):
        with pytest.raises(Invalid, match="Only pending or revision requested"):
            act()
    assert Activity.objects.filter(action="approval.approved").count() == 1
    assert Notice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_decisions_at_once_one_counts() -> None:
    agent = make.agent()
    approval, person = asked(agent), person_of(agent)

    def decide(number: int) -> Any:
        status = "approved" if number % 2 else "rejected"
        return Approval.objects.get(pk=approval.pk).decide(status, by=person)

    results = together(8, decide)
    assert results.count(True) == 1
    assert sum(isinstance(result, Invalid) for result in results) == 4
    assert results.count(False) == 3
    assert Notice.objects.count() == 1


def test_a_question_is_answered_with_one_of_its_options(agent: Agent) -> None:
    payload = {"question": "Which colour?", "options": ["red", "blue"]}
    question, person = asked(agent, payload, type="question"), person_of(agent)
    with pytest.raises(Invalid, match="red; blue"):
        question.decide("approved", by=person, choice="green")
    question.decide("approved", by=person, choice="blue")
    assert question.choice == "blue"
    with pytest.raises(Invalid):
        question.decide("approved", by=person, choice="red")
    assert "Choice: blue" in Notice.objects.get().text


def test_what_was_looked_at_is_what_is_decided(agent: Agent) -> None:
    approval, person = asked(agent), person_of(agent)
    seen = approval.payload_hash
    approval.request_revision(by=person)
    approval.resubmit({"title": "Buy two domains"}, by=person)
    with pytest.raises(Invalid, match="changed since"):
        approval.decide("approved", by=person, seen=seen)
    assert approval.decide("approved", by=person, seen=approval.payload_hash)


def test_a_revision_is_asked_anew(agent: Agent) -> None:
    approval, person = asked(agent), person_of(agent)
    approval.request_revision(by=person, note="How much?")
    assert approval.status == "revision_requested"
    asker = make.working(agent)
    approval.resubmit({"title": "Buy a domain", "cents": 900}, by=asker)
    assert (approval.status, approval.decision_note) == ("pending", None)
    event = approval.events.get(kind="resubmitted")
    assert event.payload_before == {"title": "Buy a domain"}
    with pytest.raises(Invalid, match="can be resubmitted"):
        approval.resubmit(by=asker)


def test_nobody_but_who_asked_asks_it_anew(agent: Agent) -> None:
    approval = asked(agent)
    approval.request_revision(by=person_of(agent))
    with pytest.raises(NotAllowed):
        approval.resubmit(by=make.working(make.agent(agent.company)))


def test_no_agent_decides(agent: Agent) -> None:
    """T-13e: not its own request, not its child's, not with a person's key either."""
    child = make.agent(agent.company, reports_to=agent)
    run, _ = make.live_run(child)
    user = make.operator(agent.company)
    borrowed = Actor("user", str(user.pk), str(user), user=user, run=run)
    approval = asked(agent)
    for by in (make.working(agent), Actor.of_agent(child, run), borrowed):
        for status in ("approved", "rejected"):
            with pytest.raises(NotAllowed):
                approval.decide(status, by=by)
        with pytest.raises(NotAllowed):
            approval.request_revision(by=by)
    approval.refresh_from_db()
    assert approval.status == "pending"


def test_nobody_approves_what_they_asked_for_themselves(agent: Agent) -> None:
    person = person_of(agent)
    approval = asked(agent, by=person)
    with pytest.raises(NotAllowed, match="Somebody else"):
        approval.decide("approved", by=person)
    assert approval.decide("rejected", by=person)  # they may take it back


def test_a_viewer_decides_nothing(agent: Agent) -> None:
    viewer = make.by(make.operator(agent.company, role="viewer"))
    with pytest.raises(NotAllowed):
        asked(agent).decide("approved", by=viewer)


def test_what_follows_is_done_with_the_decision(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{__name__}.{note_effect.__name__}"
    effect = decisions.Effect(on_approved=name)
    monkeypatch.setitem(decisions.EFFECTS, "publish", effect)
    done.clear()
    good = asked(agent, {"title": "good"}, type="publish")
    good.decide("approved", by=person_of(agent))
    good.decide("approved", by=person_of(agent))
    assert done == ["good"]
    bad = asked(agent, {"title": "bad"}, type="publish")
    with pytest.raises(Invalid, match="cannot"):
        bad.decide("approved", by=person_of(agent))
    bad.refresh_from_db()
    assert bad.status == "pending" and not bad.events.filter(kind="approved").exists()
    assert bad.decide("rejected", by=person_of(agent))


done: list[str] = []


def note_effect(approval: Approval, *, by: Actor) -> None:
    if approval.title == "bad":
        raise Invalid("It cannot be done.")
    done.append(approval.title)


# --- expiry ------------------------------------------------------------------------


@pytest.mark.parametrize("default", ["approved", "rejected"])
def test_nobody_decides_so_the_default_counts(agent: Agent, default: str) -> None:
    approval = asked(agent, default=default)
    assert not Approval.objects.due(now()).exists()
    late = now() + timedelta(days=8)
    assert Approval.objects.due(late).get() == approval
    assert approval.expire()
    assert (approval.status, approval.decided_by_user) == (default, None)
    assert "in time" in (approval.decision_note or "")
    assert not Approval.objects.due(late).exists()


def test_a_question_has_the_default_it_names(agent: Agent) -> None:
    payload = {"question": "Which?", "options": ["a", "b"], "default": "b"}
    question = asked(agent, payload, type="question")
    question.expire()
    assert (question.status, question.choice) == ("approved", "b")


def test_it_does_not_expire_once_it_is_decided(agent: Agent) -> None:
    approval = asked(agent)
    approval.decide("approved", by=person_of(agent))
    assert not approval.expire()
    assert Approval.objects.get().status == "approved"


# --- telling -----------------------------------------------------------------------


def outcome(approval: Approval, name: str, person: Actor) -> None:
    """Let that happen to the approval, with a text."""
    if name == "expire":
        approval.expire()
    elif name == "revise":
        approval.request_revision(by=person, note="How much is it?")
    elif name == "comment":
        approval.comment("How much is it?", by=person)
    else:
        approval.decide(name, by=person, note="How much is it?")


def told(agent: Agent) -> list[list[str]]:
    """The texts that each run of the agent was told, run after run."""
    runs = Run.objects.filter(agent=agent).exclude(notices=None)
    return [[n.text for n in run.notices.all()] for run in runs.distinct()]


def claim_all(agent: Agent) -> None:
    """Start and end the runs of the agent until none waits."""
    while run := agent.runs.filter(status="queued").first():
        run.claim(host="test")
        make.end(run)


OUTCOMES = ["approved", "rejected", "revise", "comment", "expire"]


@pytest.mark.parametrize("state", ["idle", "running", "paused", "stopped"])
@pytest.mark.parametrize("name", OUTCOMES)
def test_who_asked_is_told_once_in_its_next_run(name: str, state: str) -> None:
    """T-12b."""
    issue = make.issue()
    agent, person = make.agent(issue.company), make.by(make.operator(issue.company))
    running, _ = make.live_run(agent, issue)
    approval = asked(agent, by=Actor.of_agent(agent, running))
    if state != "running":
        make.end(running)
        claim_all(agent)
    if state in ("paused", "stopped"):
        reason = "budget" if state == "stopped" else "manual"
        agent.pause(by=SYSTEM, reason=reason)
    outcome(Approval.objects.get(pk=approval.pk), name, person)
    sweep.wake_waiting()
    if state in ("paused", "stopped"):
        assert not told(agent)
        agent.resume(by=SYSTEM)
    elif state == "running":
        make.end(running)
    sweep.wake_waiting()
    claim_all(agent)
    sweep.wake_waiting()
    claim_all(agent)
    (texts,) = told(agent)
    assert len(texts) == 1 and "Buy a domain" in texts[0]
    assert ("in time" if name == "expire" else "How much is it?") in texts[0]
    assert agent.runs.filter(wakes__contains=[{"source": "approval"}]).count() == 1


def test_a_run_that_fails_has_not_been_told(agent: Agent) -> None:
    asked(agent).decide("approved", by=person_of(agent))
    run = agent.runs.get()
    run.claim(host="test")
    assert Notice.objects.get().told_run == run
    make.end(run, "failed", error="no", error_code="adapter_failed")
    assert Notice.objects.get().told_run is None
    again = make.queued_run(agent)
    again.claim(host="test")
    assert Notice.objects.get().told_run == again


def test_what_was_told_is_not_told_again_when_its_run_is_removed(agent: Agent) -> None:
    asked(agent).decide("approved", by=person_of(agent))
    claim_all(agent)
    agent.runs.all().delete()
    agent.wakeups.all().delete()
    sweep.wake_waiting()
    make.queued_run(agent).claim(host="test")
    assert not agent.runs.exclude(notices=None).exists()


def test_a_wake_that_was_cancelled_is_made_up_for(agent: Agent) -> None:
    asked(agent).decide("approved", by=person_of(agent))
    agent.pause(by=SYSTEM)
    agent.resume(by=SYSTEM)
    assert not agent.runs.open().exists()
    sweep.wake_waiting()
    sweep.wake_waiting()
    assert agent.runs.open().count() == 1


def test_one_that_only_its_timer_wakes_is_told_by_its_timer() -> None:
    agent = make.agent(wake_on_demand=False)
    asked(agent).decide("approved", by=person_of(agent), note="yes")
    assert not agent.runs.exists()
    agent.wake("timer", "heartbeat_timer", by=SYSTEM)
    claim_all(agent)
    assert len(told(agent)) == 1


def test_who_says_it_is_not_told_of_it(agent: Agent) -> None:
    approval = asked(agent)
    approval.comment("I forgot: it is urgent.", by=make.working(agent))
    assert not Notice.objects.exists()


def test_it_can_be_withdrawn(agent: Agent) -> None:
    approval = asked(agent)
    with pytest.raises(NotAllowed):
        approval.cancel(by=make.working(make.agent(agent.company)))
    by = make.working(agent)
    assert approval.cancel(by=by)
    assert not approval.cancel(by=by)
    with pytest.raises(Invalid):
        approval.decide("approved", by=person_of(agent))


def test_what_is_past_its_time_is_not_approved_any_more(agent: Agent) -> None:
    """The sweep has not come by yet."""
    approval = asked(agent)
    late = now() - timedelta(seconds=1)
    Approval.objects.filter(pk=approval.pk).update(expires_at=late)
    with pytest.raises(Invalid) as caught:
        approval.decide("approved", by=person_of(agent))
    assert caught.value.code == "already_decided"
    approval.refresh_from_db()
    assert approval.status == "rejected"


# --- a person's own request (T-13e) --------------------------------------------------


BOARD = "request_board_approval"


@pytest.fixture
def company() -> Company:
    return make.company()


def test_nobody_approves_what_they_asked_for(company: Company) -> None:
    asker, other = (make.by(make.operator(company, "operator")) for _ in range(2))
    card = Approval.objects.request(company, BOARD, {"title": "May I?"}, by=asker)
    with pytest.raises(NotAllowed, match="Somebody else has to approve"):
        card.decide("approved", by=asker)
    assert card.decide("approved", by=other)


def test_one_may_take_back_what_one_asked_for(company: Company) -> None:
    asker = make.by(make.operator(company, "operator"))
    card = Approval.objects.request(company, BOARD, {"title": "May I?"}, by=asker)
    assert card.decide("rejected", by=asker)


def test_an_operator_approves_no_hire_and_raises_no_budget(company: Company) -> None:
    operator = make.by(make.operator(company, "operator"))
    admin = make.by(make.operator(company, "admin"))
    for type in ("hire_agent", "budget_override_required"):
        card = Approval.objects.request(company, type, {"title": type}, by=SYSTEM)
        with pytest.raises(NotAllowed, match="takes an admin"):
            card.decide("rejected", by=operator)
        assert card.decide("rejected", by=admin)
