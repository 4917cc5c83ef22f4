"""Criteria, receipts and the catalogue, as people see and use them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from playwright.sync_api import Page, expect

from agents.models import Secret
from issues import standing
from issues.models import Check, Claim, Criterion, Decision, Issue
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make
from tests.console.conftest import seen_by
from tests.console.test_browser import sign_in
from tests.issues.evidence import (
    RIGHT,
    WRONG,
    checked,
    claimed,
    dev,
    ended,
    project,
    suite,
    worked_on,
)
from tests.long import long
from tests.workers import worker

pytestmark = pytest.mark.django_db(transaction=True)
WIDE = "document.documentElement.scrollWidth"


def refused(company: Company, place: Path) -> Issue:
    """An issue whose agent said that the tests pass, which they do not."""
    agent = dev(company)
    issue = make.issue(
        company,
        title="Build the tool",
        project=project(company, place / "first"),
        assignee_agent=agent,
    )
    Criterion.objects.add(issue, by=SYSTEM, check=suite(company))
    _work, by = worked_on(issue, place / "work", tool_py=WRONG)
    claimed(issue, by)
    ended(by)
    assert checked(issue).status == Claim.Status.REFUSED
    return issue


def test_the_console_shows_the_lie(
    company: Company, console: Client, viewer: Client, tmp_path: Path
) -> None:
    issue = refused(company, tmp_path)
    shown = console.get(f"/issues/{issue.identifier}").content.decode()
    assert "refused" in shown and "Dev called it done" in shown
    assert "not so" in shown and "-1 != 5" in shown
    assert "<dt>exit code</dt>" in shown and "Digest" not in shown
    assert "<code>python3 -B -m unittest discover -s tests -t .</code>" in shown
    seen = viewer.get(f"/issues/{issue.identifier}").content.decode()
    assert "Check again" not in seen and "Accept by hand" not in seen
    agent = console.get(f"/agents/{issue.assignee_agent_id}").content.decode()
    assert "<strong>0 of 1</strong> claims were verified (0 %)" in agent


def test_the_share_of_verified_claims(company: Company, console: Client) -> None:
    agent = dev(company)
    issue = make.issue(company, assignee_agent=agent)
    for status in ("verified", "verified", "refused", "unverified", "withdrawn"):
        Claim.objects.create(issue=issue, company=company, agent=agent, status=status)
    found = standing.standing_of(agent.pk)
    assert (found.claimed, found.verified.count, found.verified.share) == (4, 2, 50)
    assert sum(part.count for part in found.parts) == 4
    shown = console.get(f"/agents/{agent.pk}").content.decode()
    assert "<strong>2 of 4</strong> claims were verified (50 %)" in shown


def test_how_long_reviews_take(company: Company, console: Client) -> None:
    qa, issue = make.agent(company, name="QA"), make.issue(company)
    for hours in range(1, 11):
        row = Decision.objects.create(
            issue=issue,
            company=company,
            stage_id="review",
            stage_type="review",
            outcome="approved",
            by_agent=qa,
            decided_at=now(),
        )
        begun = row.decided_at - timedelta(hours=hours)
        Decision.objects.filter(pk=row.pk).update(created_at=begun)
    found = standing.turnaround_of(qa)
    assert found is not None
    assert (found.count, found.p50) == (10, timedelta(hours=5, minutes=30))
    assert found.p90 == timedelta(hours=9, minutes=6)
    agent = console.get(f"/agents/{qa.pk}").content.decode()
    assert "It has decided 10 reviews: half of them take at most 5.5 h" in agent
    costs = console.get("/costs/").content.decode()
    assert "How long reviews take" in costs and "9.1 h" in costs


def test_the_catalogue_is_edited(company: Company, console: Client) -> None:
    body = {
        "title": "The page is online",
        "key": "page",
        "type": "http",
        "url": "https://example.com/{page}",
        "command": "rm",
        "parameters": "page: path\nlang: choice(de | en) = de",
    }
    refused = console.post("/checks/add/", body)
    assert refused.status_code == 422 and b"is used nowhere" in refused.content
    assert not Check.objects.exists()
    body["contains"] = "{lang}"
    assert console.post("/checks/add/", body).status_code == 302
    check = Check.objects.get()
    # What belongs to another type is left out.
    assert check.settings == {"url": body["url"], "contains": "{lang}"}
    assert check.parameters[1]["options"] == ["de", "en"]
    form = console.get(f"/checks/{check.pk}/change/").content.decode()
    assert "lang: choice(de | en) = de" in form
    changed = {**body, "title": "Online", "archived": "on"}
    assert console.post(f"/checks/{check.pk}/change/", changed).status_code == 302
    check.refresh_from_db()
    assert check.title == "Online" and check.archived_at is not None
    listed = console.get("/checks/").content.decode()
    assert "Online" in listed


def test_a_viewer_and_a_stranger_change_nothing(
    company: Company, viewer: Client, stranger: Client
) -> None:
    check = suite(company)
    issue = make.issue(company)
    row = Criterion.objects.add(issue, by=SYSTEM, check=check)
    path = f"/issues/{issue.identifier}"
    for act in (f"criteria/{row.pk}/by_hand", f"criteria/{row.pk}/remove", "check"):
        assert stranger.post(f"{path}/{act}").status_code == 404
        viewer.post(f"{path}/{act}")
    assert viewer.get("/checks/add/").status_code == 403
    assert stranger.get(f"/checks/{check.pk}/change/").status_code == 404
    assert issue.criteria.get() == row
    assert not row.evidence.exists() and not issue.claims.exists()


@pytest.mark.parametrize("width", [390, long(1440)])
def test_a_person_decides_what_counts(
    live_server: Any, page: Page, tmp_path: Path, width: int
) -> None:
    company = make.company()
    owner = make.owner_of(company)
    issue = refused(company, tmp_path)
    agent = issue.assignee_agent
    assert agent is not None
    free = {"type": "human", "title": "It reads well"}
    Criterion.objects.add(issue, by=make.working(agent, issue), **free)
    page.set_viewport_size({"width": width, "height": 844})
    sign_in(page, live_server.url, owner)
    page.goto(f"{live_server.url}/issues/{issue.identifier}")
    section = page.locator("#issue-criteria")
    expect(section).to_contain_text("Proposed by Dev")
    expect(section.locator("#claim")).to_contain_text("refused")
    section.locator(".receipt summary").first.click()
    expect(section).to_contain_text("-1 != 5")
    assert page.evaluate(WIDE) <= width
    section.get_by_role("button", name="Let it count: It reads well").click()
    expect(page.get_by_text("It counts from now on.")).to_be_visible()
    section.get_by_role("button", name="Accept by hand: It reads well").click()
    expect(section).to_contain_text("accepted by hand")
    for run in agent.runs.open():
        run.cancel(by=SYSTEM, why="the test goes on")
    work, by = worked_on(issue, tmp_path / "again")
    work.git("reset", "-q", "--hard", f"origin/{work.branch}")
    work.write("tool.py", RIGHT)
    assert work.upload().status_code == 200
    claimed(issue, by)
    ended(by)
    expect(section).to_contain_text("waits for its check")
    with worker():
        page.reload()
        expect(section.locator("#claim")).to_contain_text("a person decides")
    button = section.get_by_role("button", name="Accept by hand: It reads well")
    button.click()
    expect(section.locator("#claim")).to_contain_text(f"accepted by {owner}")
    expect(page.locator("#issue-head [role=status]")).to_contain_text("done")
    page.goto(f"{live_server.url}/agents/{agent.pk}")
    expect(page.locator("#agent-claims")).to_contain_text("accepted by somebody 1")
    assert page.evaluate(WIDE) <= width
    page.goto(f"{live_server.url}/checks/add/")
    page.locator("#id_type").select_option("http")
    expect(page.locator("#id_url")).to_be_visible()
    expect(page.locator("#id_command")).to_be_hidden()
    assert page.evaluate(WIDE) <= width


def test_a_mailbox_is_made_in_the_catalogue(company: Company, console: Client) -> None:
    other = make.company("Others")
    keep = Secret.objects.keep
    secret = keep(company, by=SYSTEM, name="Press mail", value="a-mail-password")
    foreign = keep(other, by=SYSTEM, name="Their mail", value="another-password")
    shown = console.get("/checks/add/").content.decode()
    assert "Press mail" in shown and "Their mail" not in shown
    body = {
        **{"title": "It is sent", "key": "sent", "type": "mail", "to": "{to}"},
        **{"host": "imap.example.com", "user": "press@example.com"},
        "parameters": "to: word",
    }
    refused = console.post("/checks/add/", {**body, "password": str(foreign.pk)})
    assert refused.status_code == 422 and not Check.objects.exists()
    body["password"] = str(secret.pk)
    assert console.post("/checks/add/", body).status_code == 302
    check = Check.objects.get()
    assert check.settings["password"]["secretId"] == str(secret.pk)
    place = f"/checks/{check.pk}/change/"
    form = console.get(place).content.decode()
    assert "a-mail-password" not in form
    assert f'value="{secret.pk}" selected' in form
    assert place in console.get(f"/secrets/{secret.pk}").content.decode()
    assert console.post(place, {**body, "title": "Sent"}).status_code == 302
    assert secret.bindings.get().target_id == str(check.pk)
    assert console.post(place, {**body, "password": ""}).status_code == 302
    assert not secret.bindings.exists()


def test_who_is_signed_in_is_shown_their_own(company: Company) -> None:
    other = make.company("Others")
    suite(other)
    mine = seen_by(make.owner_of(company)).get("/checks/").content.decode()
    assert "The tests pass" not in mine


def test_a_person_of_a_stage_approves_with_a_word(
    company: Company, console: Client
) -> None:
    owner, agent = make.owner_of(company), dev(company)
    people = [{"type": "user", "userId": str(owner.pk)}]
    wanted = {"stages": [{"type": "approval", "participants": people}]}
    issue = make.issue(company, assignee_agent=agent, review_policy=wanted)
    by = make.working(agent, issue)
    issue.check_out(agent, by.run, ["todo"], by=by)
    issue.change(by=by, status="done", comment="There.")
    path, browser = f"/issues/{issue.identifier}", seen_by(owner)
    said = {"body": "I have read it.", "approve": "1"}
    # Somebody who takes no part cannot, whatever they say.
    refused = console.post(f"{path}/answer", said)
    assert refused.status_code == 422 and b"to decide" in refused.content
    assert 'name="approve"' in browser.get(path).content.decode()
    assert browser.post(f"{path}/answer", said).status_code == 302
    issue.refresh_from_db()
    assert issue.status == "done"
    shown = browser.get(path).content.decode()
    assert f"{owner} <span" in shown and "approved" in shown
    ended(by)
