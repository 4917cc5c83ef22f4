"""Approvals in the console: read, decided, and gone from every open page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect

from agents import hiring
from agents.models import Agent, Approval, EffectPolicy
from paperclip.actors import SYSTEM
from tests import make
from tests.console.conftest import seen_by
from tests.console.test_browser import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(company: Any) -> Agent:
    return make.agent(company, name="Ada")


def asked(agent: Agent, payload: dict[str, Any] | None = None, **more: Any) -> Approval:
    payload = payload or {"title": "Buy a domain", "recommendedAction": "Pay 9 euros"}
    fields = {"type": "request_board_approval", "by": SYSTEM, "agent": agent, **more}
    return Approval.objects.request(agent.company, payload=payload, **fields)


def decide(console: Client, approval: Approval, verdict: str, **more: Any) -> Any:
    body = {"verdict": verdict, "seen": approval.payload_hash, **more}
    answer = console.post(f"/approvals/{approval.pk}/decide", body, follow=True)
    approval.refresh_from_db()
    return answer


def test_a_card_says_all_there_is_to_know(console: Client, agent: Agent) -> None:
    """T-12e."""
    issue = make.issue(agent.company, title="Get a name")
    asked(agent, issue_ids=[issue.pk])
    asked(agent, {"title": "Another"})
    html = console.get("/approvals/").content.decode()
    for text in ("Buy a domain", "Recommended action", "Pay 9 euros", "Ada asked"):
        assert text in html
    assert issue.identifier in html and "If nobody decides" in html
    assert "It is about no issue." in html
    assert "2 waiting for a decision" in html


@pytest.mark.parametrize("verdict", ["approved", "rejected", "revision_requested"])
def test_a_person_decides_with_a_note(
    console: Client, agent: Agent, verdict: str
) -> None:
    approval = asked(agent)
    decide(console, approval, verdict, note="Read this.")
    assert (approval.status, approval.decision_note) == (verdict, "Read this.")
    assert "Read this." in console.get(f"/approvals/{approval.pk}").content.decode()


def test_what_is_sent_back_says_why(console: Client, agent: Agent) -> None:
    approval = asked(agent)
    page = decide(console, approval, "revision_requested").content.decode()
    assert "Write in the note what should be different." in page
    assert approval.status == "pending"
    page = decide(console, approval, "revision_requested", note="Cheaper.")
    assert "It is sent back." in page.content.decode()


def test_in_a_second_tab_it_says_who_was_first(console: Client, agent: Agent) -> None:
    approval = asked(agent)
    decide(console, approval, "approved")
    page = decide(console, approval, "rejected").content.decode()
    assert "It is decided already: approved by" in page
    assert "Nothing was changed." in page and approval.status == "approved"


def test_a_budget_is_asked_for_in_words(console: Client, agent: Agent) -> None:
    payload = {"title": "Raise it?", "metric": "billed_cents", "amount": 100}
    payload |= {"raiseTo": 2550, "policyId": "1c0ffee1", "windowKind": "lifetime"}
    asked(agent, payload, type="budget_override_required")
    page = console.get("/approvals/").content.decode()
    assert "$25.50" in page and "$1.00" in page
    assert "1c0ffee1" not in page and "lifetime" not in page


def test_a_payload_is_told_without_json(console: Client, agent: Agent) -> None:
    payload = {
        "title": "Which name?",
        "summary": "**Two** are left.",
        "costs": {"domainCents": 1250, "perMonth": {"hostingCents": 900}},
        "steps": [{"name": "buy"}, {"name": "announce"}],
        "risky": True,
    }
    approval = asked(agent, payload)
    page = console.get("/approvals/").content.decode()
    for text in ("<strong>Two</strong>", "<dd>$12.50</dd>", "<dt>Hosting</dt>"):
        assert text in page
    assert "<dd>yes</dd>" in page and "<dd>announce</dd>" in page
    assert "domainCents" not in page and "{" not in page.partition('id="approvals"')[2]
    page = console.get(f"/approvals/{approval.pk}").content.decode()
    assert "summary: **Two** are left." in page  # to the letter


def test_an_effect_is_told_to_the_letter(console: Client, agent: Agent) -> None:
    """Whoever allows a command sees each of its signs."""
    effect = {"effect": "post_to_internet", "summary": "rm *a* [x](y)"}
    asked(agent, effect, type="send")
    asked(agent, {"title": "Run?", "command": "rm *b* [x](y)"})
    page = console.get("/approvals/").content.decode()
    assert "rm *a* [x](y)" in page and "<dd>rm *b* [x](y)</dd>" in page


def test_a_hire_is_told_in_words(console: Client, agent: Agent) -> None:
    agent.change(by=SYSTEM, permissions={"canCreateAgents": True})
    fields = {"name": "Bo", "role": "qa", "adapter_type": "process"}
    config = {"command": "sh", "args": ["a.sh", "-v"], "env": {"TOKEN_FILE": "abc"}}
    hiring.hire(agent.company, by=make.working(agent), **fields, adapter_config=config)
    page = console.get("/approvals/").content.decode()
    for text in ("Bo, QA", "<dd>QA</dd>", "a program on this machine", "a.sh\n-v"):
        assert text in page
    assert "<dt>Monthly budget</dt><dd>none of its own</dd>" in page
    assert "(not shown)" in page and "REDACTED" not in page and "abc" not in page


def test_a_bare_question_leaves_no_empty_box(console: Client, agent: Agent) -> None:
    payload = {"question": "Which colour?", "options": ["red", "blue"]}
    approval = asked(agent, payload, type="question")
    page = console.get(f"/approvals/{approval.pk}").content.decode()
    assert "The question above, with these answers: red, blue." in page
    approval = asked(agent, {"plan": "# The plan\n\nDo it."})
    assert approval.title == "The plan"


def test_who_waits_to_be_hired_cannot_be_woken(console: Client, agent: Agent) -> None:
    wake = f"/agents/{agent.pk}/wake"
    assert wake in console.get("/").content.decode()
    Agent.objects.filter(pk=agent.pk).update(status="pending_approval")
    page = console.get("/").content.decode()
    assert wake not in page and agent.name in page


def test_a_question_offers_its_options(console: Client, agent: Agent) -> None:
    payload = {"question": "Which colour?", "options": ["red", "blue"]}
    approval = asked(agent, payload, type="question")
    assert 'value="approved:blue"' in console.get("/approvals/").content.decode()
    decide(console, approval, "approved:blue")
    assert approval.choice == "blue"


def test_what_was_changed_meanwhile_is_not_decided(
    console: Client, agent: Agent
) -> None:
    approval = asked(agent)
    old = approval.payload_hash
    approval.request_revision(by=make.by(make.owner_of(agent.company)))
    approval.resubmit({"title": "Buy ten domains"}, by=SYSTEM)
    answer = decide(console, approval, "approved", seen=old)
    assert "changed since you looked" in answer.content.decode()
    assert approval.status == "pending"
    html = console.get(f"/approvals/{approval.pk}").content.decode()
    assert "-title: Buy a domain" in html and "+title: Buy ten domains" in html


def test_viewers_look_and_strangers_do_not(
    viewer: Client, stranger: Client, agent: Agent
) -> None:
    approval = asked(agent)
    assert "verdict" not in viewer.get("/approvals/").content.decode()
    decide(viewer, approval, "approved")
    assert approval.status == "pending"
    assert stranger.get(f"/approvals/{approval.pk}").status_code == 404
    url = f"/approvals/{approval.pk}/decide"
    assert stranger.post(url, {"verdict": "approved"}).status_code == 404


def test_a_comment_is_told(console: Client, agent: Agent) -> None:
    approval = asked(agent)
    console.post(f"/approvals/{approval.pk}/comment", {"body": "Why?"})
    assert agent.notices.get().event.body == "Why?"


def test_the_issue_and_the_dashboard_show_it(console: Client, agent: Agent) -> None:
    issue = make.issue(agent.company)
    asked(agent, issue_ids=[issue.pk])
    for path in ("/", f"/issues/{issue.identifier}"):
        assert "decision: Buy a domain" in console.get(path).content.decode()


def test_the_rules_are_edited(console: Client, viewer: Client, agent: Agent) -> None:
    body = {"post_to_internet": "allow", "spend_money": "refuse"}
    viewer.post("/approvals/rules", body)
    assert not EffectPolicy.objects.exists()
    console.post("/approvals/rules", {**body, "require_approval_for_hires": "1"})
    rule = EffectPolicy.objects.rule
    company = type(agent.company).objects.get(pk=agent.company_id)
    assert rule(company, agent, "post_to_internet") == "allow"
    assert (company.ask_after_outside_text, company.require_approval_for_hires) == (
        False,
        True,
    )
    console.post("/approvals/rules", {"agent": agent.pk, "spend_money": "ask"})
    assert rule(company, agent, "spend_money") == "ask"
    assert rule(company, None, "spend_money") == "refuse"
    html = console.get(f"/approvals/rules?agent={agent.pk}").content.decode()
    assert "as the company: allow" in html


def test_a_desk_of_another_company_counts_its_own(company: Any, agent: Agent) -> None:
    asked(agent)
    other = seen_by(make.operator(make.company("Other")))
    assert "waiting for a decision" not in other.get("/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_decided_on_one_page_it_is_gone_from_the_others(
    live_server: Any, page: Page, context: BrowserContext
) -> None:
    """T-12c: A decides, on a phone, with a thumb."""
    company = make.company()
    agent = make.agent(company)
    approval = asked(agent)
    sign_in(page, live_server.url, make.owner_of(company))
    b, c, d = context.new_page(), context.new_page(), context.new_page()
    b.goto(f"{live_server.url}/approvals/")
    c.goto(f"{live_server.url}/approvals/{approval.pk}")
    d.goto(f"{live_server.url}/issues/")
    for each in (b, d):
        expect(each.locator("#to-decide")).to_have_text("gavel1")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/approvals/")
    button = page.get_by_role("button", name="Approve")
    box = button.bounding_box()
    assert box is not None and box["height"] >= 44 and box["width"] >= 300
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    button.click()
    soon = 2_000
    expect(b.get_by_text("Nothing waits for you.")).to_be_visible(timeout=soon)
    for each in (b, d):
        expect(each.locator("#to-decide")).to_be_empty(timeout=soon)
    expect(c.get_by_role("button", name="Reject")).to_have_count(0, timeout=soon)
    expect(c.locator("#approval-head [role=status]")).to_contain_text("approved")
    expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    approval.refresh_from_db()
    assert approval.status == "approved"
