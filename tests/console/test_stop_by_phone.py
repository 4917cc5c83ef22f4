"""The red button, pressed on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agents.models import Run
from tests import make
from tests.console.test_browser import sign_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("path", ["/", "/issues/", "/org/"])
def test_two_taps_stop_everything_and_one_resumes(
    live_server: Any, page: Page, path: str
) -> None:
    company = make.company()
    run, _token = make.live_run(make.agent(company))
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server.url, make.owner_of(company))
    page.goto(live_server.url + path)
    page.get_by_label("Stop everything").click()
    expect(page.get_by_text("All companies here, other people's too")).to_be_visible()
    page.get_by_role("button", name="Stop all companies").click()
    banner = page.locator("#stopped")
    expect(banner).to_contain_text("No agent starts until an owner or an admin")
    run.refresh_from_db()
    assert run.status == "cancelled" and not Run.objects.open().exists()
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    banner.get_by_role("button", name="Resume").click()
    expect(page.get_by_label("Stop everything")).to_be_visible()
    expect(banner).to_be_empty()
