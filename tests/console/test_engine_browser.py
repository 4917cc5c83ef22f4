"""A person lets go on what was parked, and interrupts a run, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agents.models import Attempt
from tests import make
from tests.console.test_browser import sign_in
from tests.long import long
from tests.workers import eventually, hired, running, worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("width", [390, long(1440)])
def test_what_was_parked_goes_on(
    live_server: Any, page: Page, tmp_path: Path, width: int
) -> None:
    paid = tmp_path / "paid"
    script = f"[ -e {paid} ] || {{ echo 'Credit balance is too low' >&2; exit 1; }}"
    company = make.company()
    agent = hired(company, script, sandbox=False)
    page.set_viewport_size({"width": width, "height": 844})
    with worker():
        make.issue(company, assignee_agent=agent, title="Send the invoices")
        eventually(lambda: Attempt.objects.parked().exists())
        sign_in(page, live_server.url, make.owner_of(company))
        alert = page.locator("#waiting li").filter(has_text="Credit balance is too low")
        expect(alert).to_contain_text("Pay the provider or raise its limit")
        wide = "document.documentElement.scrollWidth"
        assert page.evaluate(wide) <= width
        paid.touch()
        alert.get_by_role("button", name="Try again").click()
        expect(page.get_by_text(f"{agent} tries it again.")).to_be_visible()
        expect(page.locator("#waiting")).to_contain_text("Nothing.", timeout=15_000)
        eventually(lambda: agent.runs.filter(status="succeeded").exists())


def test_a_run_is_interrupted_and_reads_what_was_said(
    live_server: Any, page: Page
) -> None:
    company = make.company()
    agent = hired(company, 'echo "told: $PAPERCLIP_WAKE_COMMENT_ID"; sleep 120')
    issue = make.issue(company, assignee_agent=agent, title="Paint it")
    with worker():
        first = running(agent.runs.get())
        sign_in(page, live_server.url, make.owner_of(company))
        page.goto(f"{live_server.url}/issues/{issue.identifier}")
        expect(page.locator("#why")).to_contain_text(f"{agent} is at work on it.")
        page.get_by_label("Comment", exact=True).fill("Blue, please.")
        page.get_by_role("button", name="Comment").click()
        said = page.locator("article.comment").filter(has_text="Blue, please.")
        expect(said).to_contain_text(f"It waits for the next run of {agent}.")
        page.get_by_label("Comment", exact=True).fill("No: red, now.")
        page.get_by_label("Interrupt the run").check()
        page.get_by_role("button", name="Comment").click()
        expect(said).to_contain_text(f"{agent} is reading it.", timeout=15_000)
        first.refresh_from_db()
        assert first.status == "cancelled"
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_text("The work on it is stopped.")).to_be_visible()
        expect(said).to_contain_text(f"{agent} reads it when it is woken again.")
        eventually(lambda: not agent.runs.open().exists())
