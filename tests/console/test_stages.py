"""People say who looks at the work on an issue, on a page of its own."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from agents.models import Agent, Run
from issues import stage_form
from issues.models import Issue
from paperclip.models import Company, User
from tests import make
from tests.console.conftest import seen_by

pytestmark = pytest.mark.django_db


class Place(NamedTuple):
    issue: Issue
    dev: Agent
    qa: Agent
    cto: Agent
    boss: User

    @property
    def url(self) -> str:
        return f"/issues/{self.issue.identifier}/stages"


@pytest.fixture
def place(company: Company) -> Place:
    dev, qa, cto = (make.agent(company, name=name) for name in ("Dev", "QA", "CTO"))
    issue = make.issue(company, assignee_agent=dev, title="Grow tomatoes")
    return Place(issue, dev, qa, cto, make.owner_of(company))


def key(one: Agent | User) -> str:
    return f"{'agent' if isinstance(one, Agent) else 'user'} {one.pk}"


def filled(
    place: Place, *rows: tuple[list[Any], int], seen: str = "", off: int | None = None
) -> dict[str, Any]:
    """The form as a browser sends it: who looks at each stage, and how many of them
    approve."""
    place.issue.refresh_from_db()
    now = (place.issue.review_policy or {}).get("stages", [])
    sent: dict[str, Any] = {
        "seen": seen or stage_form.mark(place.issue),
        "stages-TOTAL_FORMS": len(rows),
        "stages-INITIAL_FORMS": len(now),
    }
    for n, (who, needed) in enumerate(rows):
        sent[f"stages-{n}-who"] = [key(one) for one in who]
        sent[f"stages-{n}-needed"] = needed
        sent[f"stages-{n}-stage"] = now[n]["id"] if n < len(now) else ""
    if off is not None:
        sent[f"stages-{off}-DELETE"] = "on"
    return sent


def kept(place: Place) -> list[tuple[list[str], int]]:
    place.issue.refresh_from_db()
    return [
        (
            [str(one["agentId"] or one["userId"]) for one in stage["participants"]],
            stage["approvalsNeeded"],
        )
        for stage in (place.issue.review_policy or {}).get("stages", [])
    ]


def test_they_are_added_changed_and_taken_off(console: Client, place: Place) -> None:
    qa, cto, boss = (str(one.pk) for one in (place.qa, place.cto, place.boss))
    sent = filled(place, ([place.qa, place.cto], 2), ([place.boss], 1), ([], 1))
    answer = console.post(place.url, sent, follow=True)
    page = answer.content.decode()
    assert "Who looks at it is changed." in page
    assert f"2 of QA, CTO; {place.boss}" in page
    assert kept(place)[0] == ([qa, cto], 2)
    assert kept(place)[1] == ([boss], 1)
    assert 'class="field field-DELETE"' in console.get(place.url).content.decode()
    ids = [one["id"] for one in place.issue.review_policy["stages"]]
    more = ([place.boss, place.cto, place.qa], 1)
    console.post(place.url, filled(place, more, ([place.boss], 1)))
    assert kept(place)[0] == ([qa, cto, boss], 1)  # who was there is asked first
    console.post(place.url, filled(place, ([place.cto], 1), ([place.boss], 1)))
    assert kept(place)[0] == ([cto], 1)
    assert [one["id"] for one in place.issue.review_policy["stages"]] == ids
    console.post(place.url, filled(place, ([place.cto], 1), ([place.boss], 1), off=0))
    assert kept(place) == [([boss], 1)]
    console.post(place.url, filled(place, ([], 1), off=0))
    assert place.issue.review_policy is not None and kept(place) == []
    assert place.issue.review_policy is None


@pytest.mark.parametrize(
    ("who", "needed", "said"),
    [
        (["dev"], 1, "Dev does the work: somebody else looks at it."),
        (["qa", "dev"], 1, "Dev does the work: somebody else looks at it."),
        (["qa"], 2, "There are not so many of them."),
        (["qa"], 0, "greater than or equal to 1"),
        (["qa"], "some", "Enter a whole number."),
        ([], 3, "Choose who looks, or take the stage off."),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_lost(
    console: Client, place: Place, who: list[str], needed: Any, said: str
) -> None:
    chosen = [getattr(place, name) for name in who]
    answer = console.post(place.url, filled(place, (chosen, needed)))
    page = answer.content.decode()
    assert answer.status_code == 422 and said in page.replace("&#x27;", "'")
    assert page.count(" checked") == len(who) and f'value="{needed}"' in page
    assert kept(place) == []


def test_a_stale_tab_undoes_nothing(console: Client, place: Place) -> None:
    old = stage_form.mark(place.issue)
    console.post(place.url, filled(place, ([place.qa], 1)))
    mine = filled(place, ([place.cto], 1), seen=old)
    answer = console.post(place.url, mine)
    page = answer.content.decode()
    assert answer.status_code == 409 and "Somebody else changed" in page
    assert kept(place) == [([str(place.qa.pk)], 1)]
    # What was typed is there still, and may be saved now.
    assert f'value="{key(place.cto)}" id="id_stages-0-who' in page
    console.post(place.url, filled(place, ([place.cto], 1)))
    assert kept(place) == [([str(place.cto.pk)], 1)]


def test_who_does_the_work_is_known_during_a_review(
    console: Client, place: Place
) -> None:
    console.post(place.url, filled(place, ([place.qa], 1)))
    by = make.working(place.dev, place.issue)
    place.issue.refresh_from_db()
    place.issue.check_out(place.dev, by.run, [place.issue.status], by=by)
    place.issue.change(by=by, status="done", comment="Done.")
    assert by.run is not None
    by.run.finish(Run.Status.SUCCEEDED)
    place.issue.refresh_from_db()
    assert place.issue.assignee_agent == place.qa
    page = console.get(place.url).content.decode()
    assert "A review is under way" in page
    refused = console.post(place.url, filled(place, ([place.dev], 1)))
    assert refused.status_code == 422
    console.post(place.url, filled(place, ([place.cto], 1)))
    place.issue.refresh_from_db()
    assert place.issue.assignee_agent == place.cto


def test_who_may(viewer: Client, stranger: Client, place: Place) -> None:
    assert viewer.get(place.url).status_code == 403
    assert stranger.get(place.url).status_code == 404
    assert stranger.post(place.url, filled(place, ([place.qa], 1))).status_code == 404
    shown = viewer.get(f"/issues/{place.issue.identifier}").content.decode()
    assert place.url not in shown
    other = make.agent(make.company("Elsewhere"), name="Eve")
    ours = seen_by(place.boss)
    answer = ours.post(place.url, filled(place, ([other], 1)))
    assert answer.status_code == 422 and kept(place) == []


@pytest.mark.django_db(transaction=True)
def test_a_person_does_it_on_a_phone(
    live_server: Any, page: Page, place: Place
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    cookie = seen_by(place.boss).cookies[settings.SESSION_COOKIE_NAME]
    found: Any = {"name": cookie.key, "value": cookie.value, "url": live_server.url}
    page.context.add_cookies([found])
    page.goto(live_server.url + place.url)
    page.get_by_label("Dev").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Dev does the work")).to_be_visible()
    page.get_by_label("Dev").uncheck()
    page.get_by_label("QA").check()
    page.get_by_label("CTO").check()
    page.get_by_label("So many of them have to approve").fill("2")
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    page.get_by_role("button", name="Save").dblclick()
    expect(page.locator("#issue-properties")).to_contain_text("2 of CTO, QA")
    assert wide <= 0 and len(kept(place)) == 1
