"""What people read and are offered where the company is governed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from agents.limits import Forecast
from agents.models import BudgetPolicy, Secret
from issues.templatetags.budgets import enough_for, expected
from paperclip import machine
from paperclip.actors import SYSTEM
from paperclip.backups import nightly
from paperclip.exceptions import Refused
from paperclip.models import Activity, Company
from tests import make
from tests.console.conftest import seen_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(company: Company) -> Client:
    return seen_by(make.owner_of(company))


@pytest.fixture
def operator(company: Company) -> Client:
    return seen_by(make.operator(company, role="operator"))


def html(client: Client, path: str, **asked: Any) -> str:
    return client.get(path, asked).content.decode()


# --- money ---------------------------------------------------------------------------


def test_zero_is_no_limit_to_raise_to(console: Client, company: Company) -> None:
    agent = make.agent(company, name="Ada")
    policy = make.budget(agent, 100)
    counter = policy.counter(policy.created_at)
    incident = counter.incidents.create(
        company=company,
        scope_type="agent",
        scope_id=agent.pk,
        metric="billed_cents",
        threshold="hard",
        limit=policy.limit,
        observed=policy.limit,
    )
    for amount in ("0", "0.004", "-1", "1e40", "many"):
        url = f"/budgets/incidents/{incident.pk}/resolve"
        answer = console.post(url, {"amount": amount}, follow=True)
        assert "Write a number" in answer.content.decode()
    policy.refresh_from_db()
    assert policy.is_active and policy.amount == 100


def test_a_limit_of_the_company_is_set_and_taken_away(
    console: Client, company: Company
) -> None:
    body = {"scope": f"company:{company.pk}", "metric": "billed_cents"}
    body |= {"amount": "1.50", "warn_percent": "80"}
    console.post("/budgets/put", body)
    assert BudgetPolicy.objects.active().get().amount == 150
    answer = console.post("/budgets/put", {**body, "amount": "0"}, follow=True)
    assert "There is no such limit any more." in answer.content.decode()
    assert not BudgetPolicy.objects.active().exists()


def test_forecasts_are_told_in_words() -> None:
    found = Forecast(3, 1_000_000, 2_000_000)
    for what in ("run", "issue"):
        said = expected(found, what)
        assert "cost less than $1.00, nine in ten less than $2.00" in said
    assert enough_for(1, 1) == "enough for 1 more"
    assert enough_for(1, 4) == "enough for 1 to 4 more"
    assert enough_for(0, 4) == "enough for 4 more at best"
    assert enough_for(0, 0) == "not enough for another run"


# --- what is offered, and to whom ----------------------------------------------------


def test_operators_are_offered_nothing_that_is_refused(
    console: Client, operator: Client, company: Company
) -> None:
    routine = make.routine(company)
    for path, name in (
        ("/projects/add/", 'name="repo_url"'),
        (f"/routines/{routine.pk}", '<option value="none"'),
    ):
        assert name in html(console, path) and name not in html(operator, path)
    answer = operator.post("/projects/add/", {"name": "Site", "status": "planned"})
    assert answer.status_code == 302 and company.projects.get().name == "Site"


def test_an_owner_archives_a_company(owner: Client, company: Company) -> None:
    form, button = f"/companies/{company.pk}/change/", f"/company/{company.pk}/archive"
    assert button in html(owner, form)
    answer = owner.post(button, follow=True)
    assert "It is your only company" in answer.content.decode()
    user = make.owner_of(company)
    make.company("Other").memberships.create(user=user, role="viewer")
    assert "is archived" in owner.post(button, follow=True).content.decode()
    company.refresh_from_db()
    assert company.status == "archived" and html(owner, "/").count(company.name) == 0


def test_an_admin_does_not(console: Client, company: Company) -> None:
    form, button = f"/companies/{company.pk}/change/", f"/company/{company.pk}/archive"
    assert button not in html(console, form)
    for user in (console, seen_by(make.operator(company, role="viewer"))):
        user.post(button)
    company.refresh_from_db()
    assert company.status == "active"


def test_an_owner_gives_a_new_sign_in_link(
    owner: Client, console: Client, company: Company
) -> None:
    ada = make.operator(company, role="viewer")
    url = f"/people/{company.memberships.get(user=ada).pk}/link"
    assert url in html(owner, "/people/") and url not in html(console, "/people/")
    assert "/sign-in/" not in console.post(url).content.decode()
    page = owner.post(url).content.decode()
    path = page.partition("/sign-in/")[2].partition("<")[0]
    visitor = Client()
    visitor.post(f"/sign-in/{path}")
    assert visitor.get("/").context["user"] == ada
    assert Activity.objects.filter(action="membership.link_given").count() == 1


def test_a_link_opens_no_company_of_others(owner: Client, company: Company) -> None:
    ada = make.operator(company)
    place = company.memberships.get(user=ada)
    elsewhere = make.company("Elsewhere").memberships.create(user=ada, role="viewer")
    page = owner.post(f"/people/{place.pk}/link").content.decode()
    assert "/sign-in/" not in page and "is not yours" in page
    elsewhere.delete()
    ada.is_superuser = True
    ada.save()
    page = owner.post(f"/people/{place.pk}/link").content.decode()
    assert "/sign-in/" not in page and not ada.sign_in_links.exists()


# --- what is said --------------------------------------------------------------------


def test_acts_are_chosen_in_words(console: Client, company: Company) -> None:
    page = html(console, "/activity/")
    assert '<option value="issue.checked_out">took up</option>' in page
    assert "Agent: anything" in page and "%(" not in page
    assert f"{company.pk}.jsonl" in page and "verify_audit --company" in page
    assert "is not one of the available" in html(console, "/activity/", action="x")


def test_saving_rules_writes_down_what_changed(
    console: Client, company: Company
) -> None:
    acts = Activity.objects.filter(action="company.effect_policy_changed")
    for rule, count in (("ask", 1), ("ask", 1), ("", 2)):
        console.post("/approvals/rules", {"spend_money": rule})
        assert acts.count() == count


def test_a_rehearsal_says_why_it_allows_all(console: Client, company: Company) -> None:
    said = "its own little world"
    assert said not in html(console, "/approvals/rules")
    Company.objects.filter(pk=company.pk).update(rehearsal=True)
    assert said in html(console, "/approvals/rules")


def test_before_the_first_night_no_backup_is_missing(company: Company) -> None:
    assert machine.backup() == {"waits": True, "said": "the first one is taken tonight"}
    shown = machine.state("Backup", {"status": "ok", **machine.backup()})
    assert shown.works is None
    Company.objects.update(created_at=company.created_at - nightly.FIRST)
    with pytest.raises(Refused, match="None yet"):
        machine.backup()


def test_narrow_lists_name_their_values(console: Client, company: Company) -> None:
    Secret.objects.keep(company, by=SYSTEM, name="Mail", value="a long value")
    assert 'class="labelled"' in html(console, "/secrets/")


def test_a_parameter_that_is_none_says_what_to_write(console: Client) -> None:
    body = {"title": "T", "key": "t", "type": "command", "command": "true"}
    answer = console.post("/checks/add/", {**body, "parameters": "page path"})
    page = answer.content.decode()
    assert "“page path” is not understood" in page and "such as page: path" in page
