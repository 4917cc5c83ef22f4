"""What a routine was, what each change did to it, and the way back, in the console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from issues.models import Routine, RoutineTrigger
from issues.views import revisions
from paperclip.actors import SYSTEM
from paperclip.models import Activity, Company
from tests import make
from tests.console.test_browser import sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def routine(company: Company) -> Routine:
    """One that was made, got a schedule and was changed by two people."""
    agent = make.agent(company, name="Ada")
    project = make.project(company, name="Site")
    routine = make.routine(
        company,
        title="Look around",
        description="Every page.\nEach link.",
        assignee_agent=agent,
        project=project,
        variables=[{"name": "pr", "type": "number", "default": 7, "label": "Which"}],
    )
    make.schedule(routine, "0 9 * * 1", "Europe/Lisbon")
    routine.change(
        by=make.by(make.owner_of(company)),
        title="Look twice",
        description="Every page.",
        assignee_agent=None,
        variables=[],
    )
    return routine


def lines(answer: Any, kind: str, name: str = "diff") -> list[str]:
    return [line.text for line in answer.context[name] if line.kind == kind]


def test_it_says_who_changed_what(
    console: Client, company: Company, routine: Routine
) -> None:
    url = f"/routines/{routine.pk}/revisions"
    answer = console.get(url)
    page = answer.content.decode()
    assert "Changed assignee agent, description, title, variables" in page
    assert str(make.owner_of(company)) in page and "as it is now" in page
    assert "Yes, restore" not in page  # it is that already
    assert lines(answer, "added") == ["+Title: Look twice", "+Who does it: nobody"]
    assert lines(answer, "removed") == [
        "-Title: Look around",
        "-Who does it: Ada",
        "-Variable pr (Which): a number; by default 7",
        "-Each link.",
    ]
    answer = console.get(f"{url}?revision=2")
    assert lines(answer, "added") == ["+Schedule: every Monday at 09:00, Europe/Lisbon"]
    assert " Project: Site" in lines(answer, "same")
    assert "+Each link." in lines(answer, "added", "restoring")
    assert "Yes, restore" in answer.content.decode()
    assert console.get(f"{url}?revision=4").status_code == 404
    assert url in console.get(f"/routines/{routine.pk}").content.decode()


def test_a_change_that_shows_nothing_still_shows_the_routine(
    console: Client, company: Company
) -> None:
    routine = make.routine(company, title="Look around")
    hook = RoutineTrigger.objects.add(routine, by=SYSTEM, kind="webhook")[0]
    hook.rotate_secret(by=SYSTEM)
    answer = console.get(f"/routines/{routine.pk}/revisions")
    assert not lines(answer, "added") and not lines(answer, "removed")
    assert " Webhook: webhook, a secret in the Authorization header" in lines(
        answer, "same"
    )


def test_one_is_restored(console: Client, company: Company, routine: Routine) -> None:
    routine.pause(by=SYSTEM)
    first = routine.revisions.get(number=2)
    url = f"/routines/{routine.pk}/revisions"
    # What the page says it would change is what it changes.
    promised = console.get(f"{url}?revision=2").context["restoring"]
    answer = console.post(f"{url}/{first.pk}/restore", follow=True)
    assert "again what it was after revision 2" in answer.content.decode()
    routine.refresh_from_db()
    assert (routine.title, str(routine.assignee_agent)) == ("Look around", "Ada")
    assert routine.status == "paused" and routine.revision_number == 5
    newest = routine.revisions.first()
    assert newest.restored_from == first
    done = console.get(url)
    assert lines(done, "added") == [x.text for x in promised if x.kind == "added"]
    assert lines(done, "removed") == [x.text for x in promised if x.kind == "removed"]
    act = Activity.objects.filter(company=company).latest("seq")
    assert act.action == "routine.updated"
    assert act.details["summary"] == "Restored revision 2"
    assert act.actor_id == str(newest.author_user_id) and act.actor_type == "user"


def test_a_webhook_that_comes_back_shows_its_new_secret_once(
    console: Client, company: Company
) -> None:
    routine = make.routine(company)
    hook = RoutineTrigger.objects.add(routine, by=SYSTEM, kind="webhook")[0]
    with_hook = routine.revisions.first()
    hook.remove(by=SYSTEM)
    answer = console.post(f"/routines/{routine.pk}/revisions/{with_hook.pk}/restore")
    ((made, secret, _how),) = answer.context["made"]
    page = answer.content.decode()
    assert secret in page and made.webhook_url in page
    assert "again what it was after revision 2" in page
    assert "no-store" in answer.headers["Cache-Control"]
    assert secret not in console.get(f"/routines/{routine.pk}").content.decode()


def test_what_cannot_be_restored_says_why(
    console: Client, viewer: Client, company: Company, routine: Routine
) -> None:
    first = routine.revisions.get(number=1)
    url = f"/routines/{routine.pk}/revisions/{first.pk}/restore"
    answer = viewer.post(url)
    assert answer.status_code == 403 and "viewer" in answer.content.decode()
    assert "restore" not in viewer.get(
        f"/routines/{routine.pk}/revisions?revision=1"
    ).content.decode().replace("and restore", "")
    other = make.routine(company)
    assert console.post(url.replace(str(routine.pk), str(other.pk))).status_code == 404
    routine.archive(by=SYSTEM)
    answer = console.post(url)
    assert answer.status_code == 409
    assert "is archived and stays as it is" in answer.content.decode()
    routine.refresh_from_db()
    assert routine.title == "Look twice"


def test_what_it_named_may_be_gone(
    console: Client, company: Company, routine: Routine
) -> None:
    routine.project.delete()
    routine.company.agents.get(name="Ada").terminate(by=SYSTEM)
    answer = console.get(f"/routines/{routine.pk}/revisions?revision=1")
    assert "+Project: what is gone" in lines(answer, "added")
    assert "+Who does it: Ada" in lines(answer, "added")
    # Restoring it does not bring them back, and says so.
    assert " Who does it: nobody" in lines(answer, "same", "restoring")
    assert not any("Project" in line.text for line in answer.context["restoring"])


def test_older_ones_are_on_further_pages(
    console: Client, routine: Routine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "REVISIONS", 2)
    url = f"/routines/{routine.pk}/revisions"
    page = console.get(url)
    assert [each.number for each in page.context["revisions"]] == [3, 2]
    found = re.search(r'href="(\?[^"]*)">Older ones', page.content.decode())
    assert found
    page = console.get(url + found[1].replace("&amp;", "&"))
    assert [each.number for each in page.context["revisions"]] == [1]
    assert page.context["shown"].number == 1 and page.context["older"] is None


@pytest.mark.django_db(transaction=True)
def test_a_person_restores_one_in_the_browser(live_server: Any, page: Page) -> None:
    company = make.company()
    routine = make.routine(company, title="Before")
    routine.change(by=SYSTEM, title="After")
    sign_in(page, live_server.url, make.owner_of(company))
    page.goto(f"{live_server.url}/routines/{routine.pk}")
    page.locator("#revisions > summary").click()
    page.get_by_role("link", name="See what they changed").click()
    page.get_by_role("link", name="Revision 1").click()
    button = page.get_by_role("button", name="Yes, restore")
    expect(button).to_be_hidden()
    page.get_by_text("Restore …").click()
    expect(page.locator("#restore .diff")).to_contain_text("Title: Before")
    button.click()
    expect(page.get_by_role("heading", name="Before").first).to_be_visible()
    routine.refresh_from_db()
    assert routine.title == "Before"
