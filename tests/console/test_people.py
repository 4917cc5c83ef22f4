"""The page of people: who is shown what, invited, and sent off."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from paperclip.models import Company, Membership, User
from paperclip.roles import LEAST
from tests import make
from tests.console.conftest import seen_by
from tests.console.test_browser import sign_in

LADDER = ["viewer", "operator", "admin", "owner"]
PASSWORD = "a long walk by the sea"
NEW = {"username": "grace", "password": PASSWORD}


@pytest.mark.django_db
@pytest.mark.parametrize("role", LADDER)
def test_everybody_sees_the_table_and_only_what_they_may(
    company: Company, role: str
) -> None:
    owners = company.memberships.get()
    other = company.memberships.get(user=make.operator(company, "viewer"))
    me = seen_by(make.operator(company, role))
    text = me.get("/people/").content.decode()
    assert all(act.replace("'", "&#x27;") in text for act in LEAST)
    offers = role in ("admin", "owner")
    for url in (f"/people/{other.pk}/role", f"/people/{other.pk}/remove"):
        assert (f'action="{url}"' in text) is offers
    assert ('action="/people/invite"' in text) is offers
    assert (f'action="/people/{owners.pk}/role"' in text) is (role == "owner")
    assert "Yes, leave" in text


@pytest.mark.django_db
@pytest.mark.parametrize("role", LADDER)
def test_what_is_not_offered_is_refused(company: Company, role: str) -> None:
    other = company.memberships.get(user=make.operator(company, "viewer"))
    me, may = seen_by(make.operator(company, role)), role in ("admin", "owner")
    answer = me.post(f"/people/{other.pk}/role", {"role": "operator"}, follow=True)
    other.refresh_from_db()
    assert (other.role == "operator") is may
    assert ("cannot change a role" in answer.content.decode()) is not may
    me.post("/people/invite", {"role": "viewer"})
    assert company.invites.exists() is may
    me.post(f"/people/{other.pk}/remove")
    assert Membership.objects.filter(pk=other.pk).exists() is not may


@pytest.mark.django_db
def test_rows_of_others_are_missing(company: Company, stranger: Client) -> None:
    place = company.memberships.get()
    for act in ("role", "remove"):
        assert stranger.post(f"/people/{place.pk}/{act}").status_code == 404
    console = seen_by(make.owner_of(company))
    console.post("/people/invite", {"role": "viewer"})
    invite = company.invites.get()
    assert stranger.post(f"/people/invites/{invite.pk}/revoke").status_code == 404


def link_in(answer: Any) -> str:
    found = re.search(
        r'id="invite-link">[^<]*(/invite/[^<]+)<', answer.content.decode()
    )
    assert found, answer.content.decode()
    return found[1]


@pytest.mark.django_db
def test_the_link_is_shown_once_and_withdrawn(company: Company) -> None:
    console = seen_by(make.owner_of(company))
    link = link_in(console.post("/people/invite", {"role": "viewer", "email": ""}))
    assert link not in console.get("/people/").content.decode()
    assert "You are invited to" in Client().get(link).content.decode()
    console.post(f"/people/invites/{company.invites.get().pk}/revoke")
    assert Client().get(link).status_code == 404


@pytest.mark.django_db
def test_a_wrong_address_is_told_and_nobody_is_invited(company: Company) -> None:
    console = seen_by(make.owner_of(company))
    answer = console.post("/people/invite", {"role": "viewer", "email": "nonsense"})
    page = answer.content.decode()
    assert "valid email" in page and not company.invites.exists()
    assert 'value="nonsense"' in page and '<option value="viewer" selected>' in page


@pytest.mark.django_db
def test_without_a_mail_server_the_link_is_handed_over(
    company: Company, settings: Any
) -> None:
    settings.EMAIL_URL = ""
    console = seen_by(make.owner_of(company))
    sent = {"role": "viewer", "email": "ada@example.org"}
    page = console.post("/people/invite", sent).content.decode()
    assert "give the link to ada@example.org yourself" in page


@pytest.mark.django_db
def test_a_stranger_chooses_a_password_and_is_in(company: Company) -> None:
    console = seen_by(make.owner_of(company))
    link = link_in(console.post("/people/invite", {"role": "viewer"}))
    grace = Client()
    refused = grace.post(link, NEW | {"password": "12345678"})
    assert refused.status_code == 422 and "too common" in refused.content.decode()
    assert 'value="grace"' in refused.content.decode()
    assert grace.post(link, NEW).headers["Location"] == "/"
    assert company.name in grace.get("/").content.decode()
    assert grace.post("/agents/add/", {"name": "A"}).status_code == 403
    again = Client()
    assert again.post("/login/", NEW).status_code == 302
    assert again.get("/").status_code == 200


@pytest.mark.django_db
def test_who_is_signed_in_joins_with_one_button(company: Company) -> None:
    console = seen_by(make.owner_of(company))
    link = link_in(console.post("/people/invite", {"role": "operator"}))
    ada = make.operator(make.company("Elsewhere"))
    browser = seen_by(ada)
    page = browser.get(link).content.decode()
    assert f"signed in as <strong>{ada}" in page and "password" not in page
    assert browser.post(link).status_code == 302
    assert company.memberships.get(user=ada).role == "operator"
    assert company.name in browser.get("/").content.decode()


@pytest.mark.django_db
def test_the_page_of_a_link_is_not_kept_and_not_passed_on(company: Company) -> None:
    console = seen_by(make.owner_of(company))
    made = console.post("/people/invite", {"role": "viewer"})
    assert "no-store" in made.headers["Cache-Control"]
    headers = Client().get(link_in(made)).headers
    assert "no-store" in headers["Cache-Control"]
    assert headers["Referrer-Policy"] == "strict-origin"
    careful = Client(enforce_csrf_checks=True)
    assert careful.post(link_in(made), NEW).status_code == 403


@pytest.mark.django_db
def test_leaving_ends_at_the_door(company: Company) -> None:
    user = make.operator(company, "viewer")
    place, browser = company.memberships.get(user=user), seen_by(user)
    page = browser.post(f"/people/{place.pk}/remove", follow=True)
    assert page.redirect_chain[-1][0].startswith("/login/")
    assert f"{user} does not work at {company} any more." in page.content.decode()
    assert browser.get("/").headers["Location"].startswith("/login/")


@pytest.mark.django_db
def test_the_last_owner_is_told_the_way_out(company: Company) -> None:
    place = company.memberships.get()
    browser = seen_by(place.user)
    answer = browser.post(f"/people/{place.pk}/remove", follow=True)
    assert "make somebody else an owner first" in answer.content.decode()
    assert company.memberships.filter(pk=place.pk).exists()


@pytest.mark.django_db
def test_the_log_says_who_and_as_what(company: Company) -> None:
    console, user = seen_by(make.owner_of(company)), make.operator(company, "viewer")
    place = company.memberships.get(user=user)
    console.post(f"/people/{place.pk}/role", {"role": "admin"})
    text = console.get("/activity/").content.decode()
    assert "gave the role of admin to" in text and user.username in text


@pytest.mark.django_db(transaction=True)
def test_invited_at_work_and_removed_while_looking(
    live_server: Any, page: Page, settings: Any
) -> None:
    settings.URL = live_server.url
    company = make.company()
    issue = make.issue(company, title="Grow tomatoes")
    sign_in(page, live_server.url, make.owner_of(company))
    page.goto(f"{live_server.url}/people/")
    page.get_by_label("As", exact=True).select_option("operator")
    page.get_by_role("button", name="Invite", exact=True).click()
    link = page.locator("#invite-link").inner_text()
    theirs = page.context.browser.new_page()  # type: ignore[union-attr]
    theirs.goto(link)
    theirs.get_by_label("User name").fill("grace")
    theirs.get_by_label("Password").fill(PASSWORD)
    theirs.get_by_role("button", name="Join").click()
    expect(theirs.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(page.locator("#members")).to_contain_text("grace")
    theirs.goto(f"{live_server.url}/issues/{issue.identifier}")
    theirs.get_by_label("Comment").fill("I am here.")
    theirs.get_by_role("button", name="Comment").click()
    expect(theirs.locator("#thread")).to_contain_text("I am here.")
    theirs.goto(f"{live_server.url}/agents/")
    expect(theirs.get_by_role("link", name="Hire an agent")).to_have_count(0)
    theirs.goto(f"{live_server.url}/issues/{issue.identifier}")
    page.get_by_label("Remove grace …").click()
    page.get_by_role("button", name="Yes, remove: grace").click()
    expect(page.locator("#members")).not_to_contain_text("grace")
    # Their page asks for what is new, and has no place any more.
    expect(theirs.get_by_role("button", name="Sign in")).to_be_visible()
    grace = User.objects.get(username="grace")
    assert grace.sessions_ended == 1 and not grace.memberships.exists()
    theirs.close()
