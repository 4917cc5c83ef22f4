"""Routines in the console, for people who do not know cron."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from issues.models import Issue, Routine, RoutineRun, RoutineTrigger
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make
from tests.console.conftest import LOG
from tests.console.test_browser import sign_in

pytestmark = pytest.mark.django_db
NEW = {
    "title": "Weekly report",
    "priority": "2",
    "every": "week",
    "weekday": "1",
    "date": "1",
    "at": "09:00",
    "cron": "",
    "time_zone": "Europe/Lisbon",
    "concurrency_policy": "coalesce_if_active",
    "catch_up_policy": "skip_missed",
}


def made(console: Client, **fields: Any) -> RoutineTrigger | None:
    """The schedule of a routine that was filled in like this."""
    answer = console.post("/routines/add/", {**NEW, **fields})
    assert answer.status_code == 302, answer.context["form"].errors
    return RoutineTrigger.objects.first()


@pytest.mark.parametrize(
    ("chosen", "line"),
    [
        ({"every": "day", "at": "08:30"}, "30 8 * * *"),
        ({"every": "weekday"}, "0 9 * * 1-5"),
        ({"every": "week", "weekday": "0"}, "0 9 * * 0"),
        ({"every": "month", "date": "15"}, "0 9 15 * *"),
        ({"every": "month", "date": "L"}, "0 9 L * *"),
        ({"every": "cron", "cron": " */5  * * * * "}, "*/5 * * * *"),
    ],
)
def test_a_rhythm_is_chosen(console: Client, chosen: dict[str, str], line: str) -> None:
    trigger = made(console, **chosen)
    assert trigger and trigger.cron_expression == line
    assert trigger.time_zone == "Europe/Lisbon" and trigger.next_run_at
    page = console.get(f"/routines/{trigger.routine_id}/change/")
    form = page.context["form"]
    shown = {name: str(form[name].value()) for name in chosen if name != "cron"}
    assert shown["every"] == chosen["every"]
    assert shown.get("at", "08:30:00") == "08:30:00"
    # Saved as it is shown, nothing changes.
    same = {name: form[name].value() or "" for name in form.fields}
    assert console.post(page.request["PATH_INFO"], same).status_code == 302
    trigger.refresh_from_db()
    assert trigger.cron_expression == line
    assert trigger.routine.revision_number == 2


def test_without_a_rhythm_it_has_no_schedule(console: Client) -> None:
    assert made(console, every="") is None
    routine = Routine.objects.get()
    url = f"/routines/{routine.pk}/change/"
    assert console.post(url, NEW).status_code == 302
    assert routine.triggers.get().cron_expression == "0 9 * * 1"
    assert console.post(url, {**NEW, "every": ""}).status_code == 302
    assert not routine.triggers.exists()


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"every": "cron", "cron": "0 25 * * *"}, "cron", "is not 0 to 23"),
        ({"every": "cron", "cron": ""}, "cron", "has five fields"),
        ({"at": ""}, "at", "Say at what time"),
        ({"at": "25:00"}, "at", "valid time"),
        ({"time_zone": "Mars/Base"}, "time_zone", "valid choice"),
        ({"title": ""}, "title", "required"),
    ],
)
def test_a_mistake_is_said_beside_its_field(
    console: Client, wrong: dict[str, str], field: str, said: str
) -> None:
    answer = console.post("/routines/add/", {**NEW, **wrong})
    assert answer.status_code == 422
    assert said in str(answer.context["form"].errors[field])
    assert not Routine.objects.exists()


def test_it_is_run_paused_and_archived(console: Client, company: Company) -> None:
    routine = make.routine(company, title="Water the plants")
    url = f"/routines/{routine.pk}"
    answer = console.post(f"{url}/run", follow=True)
    issue = Issue.objects.get()
    assert f"Filed {issue.identifier}." in answer.content.decode()
    assert f"/issues/{issue.identifier}" in answer.content.decode()
    console.post(f"{url}/pause")
    assert "Paused: nothing starts it but you" in console.get(url).content.decode()
    console.post(f"{url}/resume", follow=True)
    console.post(f"{url}/archive", follow=True)
    assert "Water" not in console.get("/routines/").content.decode()
    assert "Water" in console.get("/routines/?archived=1").content.decode()
    answer = console.post(f"{url}/run", follow=True)
    assert "is archived" in answer.content.decode()
    told = console.get("/activity/").content.decode().partition(LOG)[2]
    assert "archived the routine" in told and url in told


def asked(*variables: dict[str, str], had: int = 0) -> dict[str, str]:
    """The rows of a form, filled in like this."""
    told = {
        "variables-TOTAL_FORMS": str(len(variables)),
        "variables-INITIAL_FORMS": str(had),
        "variables-MIN_NUM_FORMS": "0",
        "variables-MAX_NUM_FORMS": "50",
    }
    for number, one in enumerate(variables):
        told |= {f"variables-{number}-{name}": text for name, text in one.items()}
    return told


PR = {"name": "pr", "type": "number", "label": "Pull request", "default": "7"}
KIND = {"name": "kind", "type": "select", "options": "fast\r\n\r\nslow, deep \r\n"}
BLANK = {"name": "", "type": "text", "label": "", "options": "", "default": ""}


def test_what_is_asked_is_filled_in(console: Client) -> None:
    deep = {"name": "deep", "type": "boolean", "default": "Yes"}
    made(console, **asked(PR, KIND, deep, BLANK), every="")
    routine = Routine.objects.get()
    assert routine.variables == [
        {"name": "pr", "type": "number", "required": False, "label": "Pull request",
         "default": 7},
        {"name": "kind", "type": "select", "required": False, "label": None,
         "options": ["fast", "slow, deep"]},
        {"name": "deep", "type": "boolean", "required": False, "label": None,
         "default": True},
    ]  # fmt: skip
    url = f"/routines/{routine.pk}/change/"
    page = console.get(url).context["form"].variables
    shown = [{name: form[name].value() for name in ("name", "default", "options")}
             for form in page]  # fmt: skip
    assert shown[0] == {"name": "pr", "default": "7", "options": ""}
    assert shown[1]["options"] == "fast\nslow, deep" and shown[2]["default"] == "yes"
    assert [one["name"] for one in shown[3:]] == [None, None]
    # Saved as it is shown, nothing changes; nor by a form that does not speak of them.
    same = [{n: str(form[n].value() or "") for n in form.fields if n != "DELETE"}
            for form in page]  # fmt: skip
    for told in (asked(*same, had=3), {}):
        assert console.post(url, {**NEW, "every": "", **told}).status_code == 302
    before = routine.variables
    routine.refresh_from_db()
    assert routine.variables == before
    # One is taken away.
    same[1]["DELETE"] = "on"
    console.post(url, {**NEW, "every": "", **asked(*same, had=3)})
    routine.refresh_from_db()
    assert [one["name"] for one in routine.variables] == ["pr", "deep"]


def test_what_was_not_touched_stays_as_it_is(console: Client, company: Company) -> None:
    declared = [
        {"name": "a", "type": "textarea", "default": "one\n  two\n", "label": None},
        {"name": "b", "type": "number", "default": 1e20, "label": None},
    ]
    routine = make.routine(company, title="{{a}} {{b}}", variables=declared)
    url = f"/routines/{routine.pk}/change/"
    page = console.get(url).context["form"].variables
    rows = [{n: str(form[n].value() or "") for n in form.fields if n != "DELETE"}
            for form in page]  # fmt: skip
    rows[0] |= {"label": "What?", "default": rows[0]["default"].replace("\n", "\r\n")}
    told = {**NEW, "title": routine.title, "every": "", **asked(*rows, had=2)}
    assert console.post(url, told).status_code == 302
    routine.refresh_from_db()
    found = [(one["default"], one["label"]) for one in routine.variables]
    assert found == [("one\n  two\n", "What?"), (1e20, None)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"name": "1st", "type": "text"}, "begins with a letter"),
        ({"name": "date", "type": "text"}, "this name is taken"),
        ({"name": "n", "type": "number", "default": "many"}, "is not a number"),
        ({"name": "n", "type": "boolean", "default": "perhaps"}, "not true or false"),
        ({"name": "n", "type": "date", "default": "soon"}, "is not a day"),
        ({"name": "n", "type": "select"}, "give its options"),
        ({"name": "n", "type": "select", "options": "a", "default": "b"}, "none of a"),
        ({"name": "", "type": "text", "label": "What?"}, "This field is required"),
        ({"name": "pr", "type": "text"}, "this name is taken"),
    ],
)
def test_a_wrong_variable_is_said_and_nothing_is_lost(
    console: Client, row: dict[str, str], said: str
) -> None:
    answer = console.post("/routines/add/", {**NEW, "every": "", **asked(PR, row)})
    assert answer.status_code == 422 and not Routine.objects.exists()
    page = html.unescape(answer.content.decode())
    assert said in page and "What is asked each time is not right yet." in page
    assert 'value="Pull request"' in page


def test_what_a_schedule_cannot_ask_is_refused(console: Client) -> None:
    needs = {"name": "pr", "type": "number", "required": "on"}
    answer = console.post("/routines/add/", {**NEW, **asked(needs)})
    assert answer.status_code == 422 and not Routine.objects.exists()
    assert "A schedule cannot be asked for pr" in answer.content.decode()
    # Taken off its schedule in the same step, it may ask.
    made(console)
    url = f"/routines/{Routine.objects.get().pk}/change/"
    assert console.post(url, {**NEW, **asked(needs)}).status_code == 422
    assert Routine.objects.get().variables == []
    assert console.post(url, {**NEW, **asked(needs), "every": ""}).status_code == 302
    assert Routine.objects.get().variables[0]["required"] is True


def test_a_name_that_is_no_variable_is_pointed_out(
    console: Client, company: Company
) -> None:
    declared = [{"name": "site", "type": "text", "label": None, "required": False}]
    routine = make.routine(
        company,
        title="{{site}} on {{date}}",
        description="About {{topic}}, {{ topic }}.",
        variables=declared,
    )
    page = html.unescape(console.get(f"/routines/{routine.pk}").content.decode())
    assert page.count("is no variable") == 1 and "{{topic}} is no variable" in page


def test_values_are_asked_for(console: Client, company: Company) -> None:
    declared: list[dict[str, Any]] = [
        {"name": "pr", "type": "number", "required": True, "label": "Pull request"},
        {"name": "deep", "type": "boolean"},
        {"name": "kind", "type": "select", "options": ["fast", "slow"]},
    ]
    routine = make.routine(company, title="Review {{pr}} {{kind}}", variables=declared)
    url = f"/routines/{routine.pk}"
    page = console.get(url).content.decode()
    assert "Pull request" in page and "slow" in page
    answer = console.post(f"{url}/run", {"value-pr": "x"}, follow=True)
    assert "is not a number" in answer.content.decode()
    console.post(f"{url}/run", {"value-pr": "7", "value-kind": "slow"})
    assert Issue.objects.get().title == "Review 7 slow"


def test_what_is_wrong_with_a_value_is_said_beside_it(
    console: Client, company: Company
) -> None:
    declared: list[dict[str, Any]] = [
        {"name": "pr", "type": "number", "required": True, "default": 7},
        {"name": "site", "type": "text", "required": True},
        {"name": "note", "type": "text", "default": "none"},
        {"name": "day", "type": "date", "required": False},
        {"name": "deep", "type": "boolean", "required": True, "default": True},
    ]
    title = "Review {{pr}} of {{site}}, {{note}}, {{deep}}"
    routine = make.routine(company, title=title, variables=declared)
    url = f"/routines/{routine.pk}"
    form = console.get(url).context["run_form"]
    assert [form[one["name"]].value() for one in declared] == [
        *(7, None, "none", None, True)
    ]
    # A default that somebody took away is not put back behind their back.
    typed = {"value-pr": "", "value-site": "", "value-day": "31.12.", "value-note": "x"}
    answer = console.post(f"{url}/run", typed)
    assert answer.status_code == 422 and not Issue.objects.exists()
    form = answer.context["run_form"]
    assert form.errors["pr"] == form.errors["site"] == ["It needs a value."]
    assert "is not a day like" in str(form.errors["day"])
    assert set(form.errors) == {"pr", "site", "day"}
    page = answer.content.decode()
    assert "It needs a value." in page and 'value="31.12."' in page
    answer = console.post(f"{url}/run", {"value-pr": "1.5", "value-site": "shop"})
    assert answer.status_code == 302
    assert Issue.objects.get().title == "Review 1.5 of shop, none, no"


def test_a_webhook_is_shown_once(console: Client, company: Company) -> None:
    routine = make.routine(company)
    url = f"/routines/{routine.pk}"
    form = {"label": "our shop", "signing_mode": "hmac_sha256"}
    answer = console.post(f"{url}/webhooks", form)
    ((hook, secret, _how),) = answer.context["made"]
    assert secret in answer.content.decode()
    assert hook.webhook_url in answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    page = console.get(url).content.decode()
    assert secret not in page and "hmac_sha256</span>" not in page
    assert page.count("a signature over time and body") == 2  # chosen, and shown
    answer = console.post(f"{url}/webhooks/{hook.pk}/rotate")
    assert answer.context["made"][0][1] not in ("", secret)
    assert console.post(f"{url}/webhooks", {"signing_mode": "x"}).status_code == 422
    console.post(f"{url}/webhooks/{hook.pk}/remove")
    assert not RoutineTrigger.objects.exists()


def test_a_schedule_that_cannot_be_read_does_not_break_the_pages(
    console: Client, company: Company
) -> None:
    trigger = make.schedule(make.routine(company))
    RoutineTrigger.objects.filter(pk=trigger.pk).update(cron_expression="nonsense")
    for url in ("/routines/", f"/routines/{trigger.routine_id}"):
        assert "nonsense" in console.get(url).content.decode()
    assert console.get(f"/routines/{trigger.routine_id}/change/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_person_makes_one_in_the_browser(live_server: Any, page: Page) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    company = make.company()
    agent = make.agent(company, name="Ada")
    sign_in(page, live_server.url, make.owner_of(company))
    page.get_by_role("link", name="Routines").click()
    page.get_by_role("link", name="New routine").first.click()
    page.get_by_label("Title").fill("Weekly report")
    page.get_by_label("Who does it").select_option("Ada")
    page.get_by_label("How often").select_option("every day")
    expect(page.get_by_label("On", exact=True)).to_be_hidden()
    page.get_by_label("How often").select_option("every week")
    page.get_by_label("On", exact=True).select_option("Friday")
    page.get_by_label("At", exact=True).fill("16:30")
    expect(page.get_by_label("Cron line")).to_be_hidden()
    page.get_by_label("Time zone").select_option("Lisbon")
    page.get_by_text("Fine tuning").click()
    page.get_by_label("Another issue is filed each time.").check()
    page.get_by_role("button", name="Save").click()
    when = page.locator("#routine-when")
    expect(when).to_contain_text("every Friday at 16:30, Europe/Lisbon")
    expect(when.get_by_role("listitem")).to_have_count(3)
    expect(when.get_by_role("listitem").first).to_contain_text("Fri")
    page.get_by_role("button", name="Run now").click()
    runs = page.locator("#routine-runs")
    expect(runs).to_contain_text("Weekly report")
    run = RoutineRun.objects.get()
    assert run.linked_issue and run.linked_issue.assignee_agent == agent
    # What happens elsewhere is seen without a reload.
    run.linked_issue.change(by=SYSTEM, status="done")
    expect(runs).to_contain_text("is done.")
    page.get_by_role("link", name="Routines").first.click()
    row = page.get_by_role("article", name="Weekly report")
    expect(row).to_contain_text("every Friday at 16:30")
    row.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("article").get_by_text("paused")).to_be_visible()
    row.get_by_role("button", name="Resume").click()
    expect(row.get_by_role("button", name="Pause")).to_be_visible()
    assert not faults


@pytest.mark.django_db(transaction=True)
def test_a_phone_shows_all_of_it(live_server: Any, page: Page) -> None:
    company = make.company()
    long = make.routine(company, title="Long" * 60, description="x" * 400)
    make.schedule(long, "*/7 1-5,9 1,15 * 1-3", "America/Argentina/ComodRivadavia")
    RoutineTrigger.objects.add(long, by=SYSTEM, kind="webhook", label="L" * 100)
    long.fire(by=SYSTEM, source="manual", at=long.created_at)
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, live_server.url, make.owner_of(company))
    own = f"/routines/{long.pk}"
    ours = [own, f"{own}/change/", f"{own}/revisions?revision=1"]
    for path in ("/routines/", "/routines/add/", *ours):
        page.goto(live_server.url + path)
        wide = page.evaluate("""() => {
            const boxes = [...document.querySelectorAll("#content *")];
            const ends = boxes.map((box) => box.getBoundingClientRect().right);
            return Math.max(document.documentElement.scrollWidth, ...ends) - innerWidth;
        }""")
        assert wide <= 0, path
