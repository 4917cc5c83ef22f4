"""The board: what it shows, and cards that are moved by hand."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from issues.models import Issue
from tests import make
from tests.console.test_browser import sign_in


def shown(console: Any) -> dict[str, list[str]]:
    columns = console.get("/board/").context["columns"]
    return {c.status: [card.title for card in c.cards] for c in columns}


@pytest.mark.django_db
def test_issues_stand_in_columns_the_most_urgent_first(
    console: Any, company: Any
) -> None:
    make.issue(company, title="Later", status="backlog")
    make.issue(company, title="Calm", priority=3)
    make.issue(company, title="Now", priority=0)
    make.issue(company, title="Elsewhere", hidden_at="2026-01-01T00:00Z")
    columns = shown(console)
    assert columns["backlog"] == ["Later"] and columns["todo"] == ["Now", "Calm"]
    assert "cancelled" not in columns
    Issue.objects.filter(title="Calm").update(status="cancelled")
    assert shown(console)["cancelled"] == ["Calm"]


@pytest.mark.django_db
def test_of_what_is_done_the_newest_stands_first(console: Any, company: Any) -> None:
    owner = make.by(make.owner_of(company))
    for title in ("First", "Second"):
        make.issue(company, title=title).change(by=owner, status="done")
    assert shown(console)["done"] == ["Second", "First"]


@pytest.mark.django_db
def test_a_long_column_is_cut(
    console: Any, company: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(45):
        make.issue(company, assignee_agent=None)
    with django_assert_max_num_queries(9):
        answer = console.get("/board/")
    column = next(c for c in answer.context["columns"] if c.status == "todo")
    assert (len(column.cards), column.count) == (40, 45)
    assert "/issues/?status__exact=todo" in answer.content.decode()


@pytest.mark.django_db
def test_a_move_calls_the_verb(console: Any, company: Any) -> None:
    issue = make.issue(company)
    answer = console.post(f"/issues/{issue.identifier}/move", {"status": "blocked"})
    assert answer.json() == {
        "status": "blocked",
        "said": f"{issue.identifier} moved to “blocked”.",
    }
    issue.refresh_from_db()
    assert issue.status == "blocked"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        ("in_progress", "assign it first", 422),
        ("sideways", "no such column", 422),
        ("", "no such column", 422),
    ],
)
def test_a_refused_move_says_why(
    console: Any, company: Any, status: str, words: str, code: int
) -> None:
    issue = make.issue(company)
    answer = console.post(f"/issues/{issue.identifier}/move", {"status": status})
    assert answer.status_code == code and words in answer.json()["error"]
    issue.refresh_from_db()
    assert issue.status == "todo"


@pytest.mark.django_db
def test_a_viewer_moves_nothing(viewer: Any, company: Any) -> None:
    issue = make.issue(company)
    page = viewer.get("/board/").content.decode()
    assert issue.title in page and "x-sort" not in page and "<select" not in page
    answer = viewer.post(f"/issues/{issue.identifier}/move", {"status": "done"})
    assert answer.status_code == 403 and "viewer" in answer.json()["error"]


def card(page: Page, issue: Issue) -> Any:
    return page.locator(f"#ticket-{issue.identifier}")


def column(page: Page, status: str) -> Any:
    return page.locator(f"[data-column={status}]")


@pytest.mark.django_db(transaction=True)
def test_cards_are_dragged_and_refusals_bring_them_back(
    live_server: Any, page: Page, company: Any
) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    first, second = make.issue(company), make.issue(company)
    sign_in(page, live_server.url, make.owner_of(company))
    page.goto(f"{live_server.url}/board/")
    card(page, first).drag_to(column(page, "blocked"))
    expect(page.locator("#toast")).to_have_text(
        f"{first.identifier} moved to “blocked”."
    )
    expect(column(page, "blocked")).to_contain_text(first.identifier)
    first.refresh_from_db()
    assert first.status == "blocked"
    # Nobody is assigned, so nobody can work on it.
    card(page, second).drag_to(column(page, "in_progress"))
    expect(page.locator("#toast")).to_contain_text("assign it first")
    expect(column(page, "todo")).to_contain_text(second.identifier)
    expect(column(page, "in_progress")).not_to_contain_text(second.identifier)
    assert not faults


@pytest.mark.django_db(transaction=True)
def test_a_card_is_moved_without_dragging_and_others_see_it(
    live_server: Any, page: Page, company: Any
) -> None:
    issue, owner = make.issue(company), make.owner_of(company)
    sign_in(page, live_server.url, owner)
    page.goto(f"{live_server.url}/board/")
    page.get_by_label(f"Move {issue.identifier}").select_option("done")
    expect(column(page, "done")).to_contain_text(issue.identifier)
    expect(page.locator("#toast")).to_have_text(f"{issue.identifier} moved to “done”.")
    # The list that was used does not keep the board from growing old.
    late = make.issue(company, title="Filed meanwhile")
    expect(card(page, late)).to_be_visible(timeout=1500)
    issue.change(by=make.by(owner), status="todo")
    expect(column(page, "todo")).to_contain_text(issue.identifier, timeout=1500)


@pytest.mark.django_db(transaction=True)
def test_a_finger_drags_too(live_server: Any, browser: Any, company: Any) -> None:
    issue = make.issue(company)
    phone = browser.new_context(
        viewport={"width": 1000, "height": 800}, has_touch=True, is_mobile=True
    )
    page = phone.new_page()
    sign_in(page, live_server.url, make.owner_of(company))
    page.goto(f"{live_server.url}/board/")
    expect(card(page, issue)).to_be_visible()
    start, end = (
        card(page, issue).bounding_box(),
        column(page, "blocked").bounding_box(),
    )
    assert start and end
    page.evaluate("scrollTo(0, 0)")
    finger = phone.new_cdp_session(page)

    def touch(kind: str, *at: float) -> None:
        points = [{"x": at[0], "y": at[1]}] if at else []
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = start["x"] + 20, start["y"] + start["height"] - 8
    touch("touchStart", x, y)
    page.wait_for_timeout(350)  # held: a shorter touch scrolls
    for step in range(1, 21):
        to_x = x + (end["x"] + 60 - x) * step / 20
        touch("touchMove", to_x, y + (end["y"] + 40 - y) * step / 20)
        page.wait_for_timeout(20)
    touch("touchEnd")
    expect(page.locator("#toast")).to_have_text(
        f"{issue.identifier} moved to “blocked”."
    )
    phone.close()


@pytest.mark.django_db(transaction=True)
def test_a_phone_opens_the_board_where_cards_are(
    live_server: Any, page: Page, company: Any
) -> None:
    done = make.issue(company, status="todo")
    done.change(by=make.by(make.owner_of(company)), status="done")
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server.url, make.owner_of(company))
    page.goto(f"{live_server.url}/board/")
    expect(card(page, done)).to_be_in_viewport()
    # A refresh leaves it there.
    late = make.issue(company, title="Filed meanwhile")
    expect(card(page, late)).to_be_attached(timeout=3000)
    expect(card(page, done)).to_be_in_viewport()
