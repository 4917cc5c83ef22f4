"""A person at a real browser, with a real worker behind the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from paperclip.models import SignInLink
from tests import make
from tests.workers import hired, worker

# Each line carries the moment it was printed.
SCRIPT = 'for i in 1 2 3 4 5 6; do echo "line $i at $(date +%s%3N)"; sleep 1; done'
# Notes when each line came up on the page.
WATCH = """() => {
    window.loadedOnce = true;
    window.seen = {};
    setInterval(() => {
        for (const [, n, at] of document.getElementById("log").textContent
                .matchAll(/line (\\d) at (\\d+)/g))
            window.seen[n] ??= Date.now() - Number(at);
    }, 20);
}"""


def sign_in(page: Page, address: str, user: Any) -> None:
    page.goto(f"{address}/sign-in/{SignInLink.issue(user)}")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


@pytest.mark.django_db(transaction=True)
def test_an_agent_is_woken_and_followed_without_a_reload(
    live_server: Any, page: Page
) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    company = make.company()
    agent = hired(company, SCRIPT)
    sign_in(page, live_server.url, make.owner_of(company))
    with worker():
        card = page.get_by_role("article", name=agent.name)
        expect(card.locator(".state")).to_have_text("idle")
        card.get_by_role("button", name="Wake").click()
        expect(card.locator(".state")).to_have_text("running")
        card.get_by_role("link", name="Follow the run").click()
        page.evaluate(WATCH)
        state = page.locator("#run-head .state")
        expect(state).to_have_text("running")
        expect(page.locator("#log")).to_contain_text("line 6", timeout=15_000)
        expect(state).to_have_text("succeeded", timeout=15_000)
        expect(page.locator("#run-facts")).to_contain_text(re.compile("Exit code\\s*0"))
    assert page.evaluate("window.loadedOnce") is True
    late = page.evaluate("Object.values(window.seen).slice(-3)")
    assert max(late) < 1500, late
    assert not faults


@pytest.mark.django_db(transaction=True)
def test_a_refresh_takes_nothing_away_that_was_typed(
    live_server: Any, page: Page
) -> None:
    company = make.company()
    owner = make.owner_of(company)
    issue = make.issue(company, title="Grow tomatoes")
    sign_in(page, live_server.url, owner)
    page.goto(f"{live_server.url}/issues/{issue.identifier}")
    page.get_by_label("Comment").fill("Half a tho")
    page.get_by_label("Priority").select_option("critical")
    page.get_by_label("Comment").focus()
    issue.comment("Meanwhile somebody spoke.", by=make.by(owner))
    expect(page.locator("#thread")).to_contain_text("Meanwhile somebody spoke.")
    page.keyboard.press("End")
    page.keyboard.type("ught")
    expect(page.get_by_label("Comment")).to_have_value("Half a thought")
    expect(page.get_by_label("Priority")).to_have_value("0")


@pytest.mark.django_db(transaction=True)
def test_a_phone_needs_no_sideways_scrolling(live_server: Any, page: Page) -> None:
    company = make.company()
    agent = make.agent(company, name="A" * 60, title="T" * 100)
    issue = make.issue(company, title="Long" * 60, description="x" * 400)
    issue.comment(
        "| " + "wide | " * 40 + "\n|" + "-|" * 40,
        by=make.by(make.owner_of(company)),
    )
    run = make.queued_run(agent, issue)
    never = "N" * 240
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server.url, make.owner_of(company))
    for path in (
        *("/", "/issues/", "/issues/add/", "/agents/", "/agents/add/", "/runs/"),
        *("/goals/", "/projects/", "/labels/", "/activity/", "/companies/"),
        *(f"/issues/{issue.identifier}", f"/agents/{agent.pk}", f"/runs/{run.pk}"),
    ):
        page.goto(live_server.url + path)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
    page.goto(f"{live_server.url}/issues/add/")
    page.get_by_label("Title").fill(never)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{never} is saved.")).to_be_visible()
    wide = page.evaluate("""() => {
        const boxes = [...document.querySelectorAll("#content *, ul li div")];
        const ends = boxes.map((box) => box.getBoundingClientRect().right);
        return Math.max(...ends) - innerWidth;
    }""")
    assert wide <= 0
