"""Who sees what. A row of another company is missing, not forbidden."""

import re

import pytest
from django.urls import reverse

from agents.models import Agent, ApiKey, Run
from issues.models import Issue, Routine, RoutineTrigger
from paperclip.actors import SYSTEM
from paperclip.models import Company
from tests import make
from tests.console.conftest import seen_by

pytestmark = pytest.mark.django_db
LISTS = ["", "issues/", "agents/", "runs/", "goals/", "projects/", "labels/"]
LISTS += ["routines/"]
MORE = ["board/", "org/", "costs/", "activity/", "companies/"]
PAGES = [f"/{each}" for each in (*LISTS, *MORE)]


@pytest.fixture
def rows(company):
    """One of each, and the addresses where they are shown."""
    agent = make.agent(company, name="Ada")
    issue = make.issue(company, assignee_agent=agent)
    run, _token = make.live_run(agent, issue)
    goal, project = make.goal(company), make.project(company)
    make.label(company)
    routine = make.routine(company, assignee_agent=agent)
    make.schedule(routine)
    RoutineTrigger.objects.add(routine, by=SYSTEM, kind="webhook")
    return [
        f"/routines/{routine.pk}",
        f"/routines/{routine.pk}/change/",
        f"/routines/{routine.pk}/revisions",
        f"/issues/{issue.identifier}",
        f"/issues/{issue.pk}",
        f"/issues/{issue.pk}/change/",
        f"/agents/{agent.pk}",
        f"/agents/{agent.pk}/change/",
        f"/runs/{run.pk}",
        f"/runs/{run.pk}/log",
        f"/runs/{run.pk}/talk",
        f"/goals/{goal.pk}/change/",
        f"/projects/{project.pk}/change/",
        f"/companies/{company.pk}/change/",
    ]


def acts(company):
    """Every button about these rows."""
    agent, issue = (
        Agent.objects.get(company=company),
        Issue.objects.get(company=company),
    )
    run = Run.objects.filter(company=company).earliest("created_at")
    key, _token = ApiKey.objects.issue_to(agent, name="k", by=SYSTEM)
    agent_acts = ["wake", "pause", "resume", "terminate"]
    return [
        *(reverse(f"admin:agent_{act}", args=[agent.pk]) for act in agent_acts),
        reverse("admin:agent_keys", args=[agent.pk]),
        reverse("admin:agent_key_revoke", args=[agent.pk, key.pk]),
        *(
            f"/issues/{issue.identifier}/{a}"
            for a in ("change", "comment", "answer", "move", "wake", "stop")
        ),
        reverse("admin:run_stop", args=[run.pk]),
        *routine_acts(company),
        reverse("admin:company_stop", args=[company.pk]),
        reverse("admin:company_resume", args=[company.pk]),
    ]


def routine_acts(company):
    routine = Routine.objects.get(company=company)
    hook = routine.triggers.get(kind="webhook")
    acts = ["run", "pause", "resume", "hooks", "archive"]
    hook_acts = ["rotate", "remove"]
    return [
        *(reverse(f"admin:routine_{act}", args=[routine.pk]) for act in acts),
        *(
            reverse(f"admin:routine_hook_{act}", args=[routine.pk, hook.pk])
            for act in hook_acts
        ),
        reverse(
            "admin:routine_restore", args=[routine.pk, routine.revisions.last().pk]
        ),
    ]


def test_every_page_opens(console, rows):
    for url in PAGES + rows + [f"/{each}add/" for each in LISTS if each != "runs/"][1:]:
        assert console.get(url).status_code == 200, url


def test_nobody_is_sent_to_the_login_page(client, rows):
    for url in PAGES + rows:
        answer = client.get(url)
        assert answer.status_code == 302, url
        assert answer.headers["Location"].startswith("/login/"), url


def test_a_person_without_a_company_is_told(db):
    lonely = seen_by(make.operator())
    assert lonely.get("/").status_code == 302
    assert "not a member" in lonely.get("/login/").content.decode()


def test_rows_of_another_company_do_not_exist(stranger, company, rows):
    for url in rows:
        assert stranger.get(url).status_code == 404, url
    for url in acts(company):
        assert stranger.post(url).status_code == 404, url
    assert stranger.post(f"/company/{company.pk}/choose").status_code == 404


def test_lists_show_no_other_company(stranger, company, rows):
    for url in PAGES:
        text = stranger.get(url).content.decode()
        assert "Ada" not in text and company.name not in text, url


def test_filters_offer_no_other_company(stranger, rows):
    theirs = make.agent(name="Mallory")
    text = stranger.get("/issues/").content.decode()
    assert "Ada" not in text and theirs.name not in text


def test_a_form_takes_no_row_of_another_company(console, rows):
    foreign = make.agent(name="Eve")
    answer = console.post(
        "/agents/add/", hire(name="Bob", reports_to=foreign.pk, command="true")
    )
    assert answer.status_code == 422
    assert not Agent.objects.filter(name="Bob").exists()


def hire(**fields):
    values = {"role": "qa", "adapter_type": "process"}
    numbers = {"interval_seconds": "0", "max_concurrent_runs": "1"}
    return {**values, **numbers, **fields}


def test_a_viewer_sees_everything_but_forms(viewer, rows):
    for url in PAGES + rows:
        form = url.endswith("/change/")
        assert viewer.get(url).status_code == (403 if form else 200), url


def test_a_viewer_is_led_to_no_form(viewer, rows):
    for url in PAGES + rows:
        assert "/change/" not in viewer.get(url).content.decode(), url


def test_a_viewer_sees_no_value_of_the_environment(viewer, console, company):
    env = {"API_TOKEN": "hunter2"}
    agent = make.agent(company, adapter_config={"command": "true", "env": env})
    text = viewer.get(f"/agents/{agent.pk}").content.decode()
    assert "API_TOKEN" in text and "hunter2" not in text
    assert "hunter2" not in viewer.get(f"/agents/{agent.pk}/change/").content.decode()
    assert "hunter2" in console.get(f"/agents/{agent.pk}").content.decode()


def test_a_viewer_is_offered_no_button(viewer, rows):
    for url in PAGES + rows:
        forms = viewer.get(url).content.decode().count('class="act"')
        assert forms == 0, url


@pytest.mark.parametrize("role", ["viewer", "operator", "admin", "owner"])
def test_every_form_one_is_led_to_opens(company, rows, role):
    """What a role may not do is not offered to it."""
    console, offered = seen_by(make.operator(company, role)), set()
    for url in PAGES + rows + ["/people/", "/budgets/", "/approvals/", "/secrets/"]:
        text = console.get(url).content.decode()
        offered |= set(re.findall(r'href="(/[^"?]*(?:/add/|/change/))', text))
    for url in sorted(offered):
        assert console.get(url).status_code == 200, url
    hires = "/agents/add/" in offered
    assert hires is (role in ("admin", "owner"))
    assert ("/issues/add/" in offered) is (role != "viewer")


def test_a_viewer_cannot_act(viewer, company, rows):
    before = state_of(company)
    for url in acts(company):
        answer = viewer.post(url, {"name": "k", "body": "hello"})
        assert answer.status_code in (302, 403, 409, 422), url
    assert state_of(company) == before
    assert "A viewer cannot" in viewer.get("/").content.decode()


def test_a_viewer_cannot_make_or_change(viewer, company):
    answers = [
        viewer.post("/issues/add/", {"title": "T", "priority": "2", "start": "todo"}),
        viewer.post("/agents/add/", hire(name="Bob", command="true")),
        viewer.post("/goals/add/", {"title": "T", "level": "team", "status": "active"}),
        viewer.post("/companies/add/", {"name": "Mine"}),
        viewer.post(f"/companies/{company.pk}/change/", {"name": "Mine"}),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert all("viewer cannot" in answer.content.decode() for answer in answers)
    assert not company.issues.exists() and not company.agents.exists()
    assert Company.objects.get() == company


def test_who_works_elsewhere_may_found_a_company_from_here(company):
    user = make.operator(company, "viewer")
    make.company("Works").memberships.create(user=user, role="operator")
    console = seen_by(user)
    console.post(f"/company/{company.pk}/choose")
    assert 'type="submit" class="button primary"' in (
        console.get("/companies/add/").content.decode()
    )
    assert console.post("/companies/add/", {"name": "Mine"}).status_code == 302


@pytest.mark.parametrize("odd", ["²", "-1", "9" * 5000, "x", ""])
def test_an_odd_number_in_an_address_is_no_fault(console, company, rows, odd):
    run = company.runs.first()
    changes = f"/routines/{company.routines.get().pk}/revisions?from="
    for url in ("/activity/?before=", f"/runs/{run.pk}/log?offset=", changes):
        assert console.get(url + odd).status_code == 200, url


def state_of(company):
    company.refresh_from_db()
    return [
        company.status,
        list(company.agents.values_list("status", flat=True)),
        list(company.issues.values_list("status", "checkout_run")),
        sorted(company.runs.values_list("status", flat=True)),
        company.comments.count(),
        list(company.routines.values_list("status", "revision_number")),
        ApiKey.objects.filter(revoked_at=None).exclude(name="k").count(),
    ]


def test_no_address_acts_on_a_get(console, company, rows):
    for url in acts(company):
        assert console.get(url).status_code == 405, url


def test_buttons_need_the_token_of_their_form(company, rows):
    from django.test import Client

    careful = Client(enforce_csrf_checks=True)
    careful.force_login(make.operator(company))
    for url in acts(company):
        assert careful.post(url).status_code == 403, url


def test_nothing_can_be_deleted(console, rows):
    for url in rows:
        assert console.post(url.replace("change/", "delete/")).status_code in (404, 405)


def test_a_person_of_two_companies_switches(company):
    user = make.operator(company)
    other = make.company("Other Works")
    other.memberships.create(user=user, role="viewer")
    make.agent(other, name="Otto")
    console = seen_by(user)
    assert "Otto" not in console.get("/agents/").content.decode()
    console.post(f"/company/{other.pk}/choose")
    assert "Otto" in console.get("/agents/").content.decode()


def test_the_policy_names_only_our_own_host(console):
    policy = console.get("/").headers["Content-Security-Policy"]
    assert "http" not in policy and "script-src 'self' 'unsafe-eval'" in policy


def test_every_answer_has_the_policy(console, company):
    for url in (
        *("/nowhere", "/%00", "/login/", "/stop", "/u/x", "/live/x"),
        *(f"/api/companies/{company.pk}/org.svg", "/api/companies", "/api/nowhere"),
        "/static/paperclip/live.js",
    ):
        assert "script-src" in console.get(url).headers["Content-Security-Policy"], url


def test_pages_refer_to_no_other_host(console, rows):
    for url in PAGES + rows:
        text = console.get(url).content.decode()
        for found in re.findall(r'(?:src|href|action)="([^"]*)"', text):
            assert not re.match(r"(https?:)?//", found), (url, found)
