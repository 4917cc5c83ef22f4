"""One-time links: who gets in, and what everybody else is told."""

from datetime import timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils.timezone import now

from paperclip.models import SignInLink
from tests import make

pytestmark = pytest.mark.django_db
GOOD = "a long walk by the sea"
HELP = "python3 manage.py sign_in"


@pytest.fixture
def link(company):
    return f"/sign-in/{SignInLink.issue(make.owner_of(company))}"


def test_a_link_says_who_and_signs_in_on_the_button(client, company, link):
    shown = client.get(link)
    assert str(make.owner_of(company)) in shown.content.decode()
    assert client.get("/").status_code == 302
    assert client.post(link).headers["Location"] == "/"
    assert client.get("/").status_code == 200


def test_looking_does_not_use_a_link_up(client, link):
    for _ in range(3):
        assert client.get(link).status_code == 200
        assert client.head(link).status_code == 200
    assert client.post(link).status_code == 302


def test_a_used_link_says_what_to_do(link):
    Client().post(link)
    for answer in (Client().get(link), Client().post(link)):
        assert answer.status_code == 410
        assert HELP in answer.content.decode()


def test_an_old_and_an_unknown_link_say_what_to_do(client, link):
    SignInLink.objects.update(expires_at=now() - timedelta(seconds=1))
    for url in (link, "/sign-in/nonsense"):
        for answer in (client.get(url), client.post(url)):
            assert (answer.status_code, HELP in answer.content.decode()) == (410, True)
    assert client.get("/").status_code == 302


def test_the_page_of_a_link_is_not_kept_and_not_passed_on(client, link):
    headers = client.get(link).headers
    assert "no-store" in headers["Cache-Control"]
    assert headers["Referrer-Policy"] == "strict-origin"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_the_button_needs_the_token_of_the_form(link):
    careful = Client(enforce_csrf_checks=True)
    assert careful.post(link).status_code == 403
    assert SignInLink.objects.get().used_at is None


def test_an_inactive_person_does_not_get_in(client, company, link):
    owner = make.owner_of(company)
    owner.is_active = False
    owner.save()
    client.post(link)
    assert client.get("/").status_code == 302


def test_signing_in_changes_the_session(client, link):
    session = client.session
    session["planted"] = True
    session.save()
    client.post(link)
    assert client.session.session_key != session.session_key


def test_the_login_page_says_what_to_do(client):
    assert client.get("/").headers["Location"] == "/login/?next=/"
    assert HELP in client.get("/login/").content.decode()


def test_signing_out(console):
    assert console.get("/").status_code == 200
    console.post("/logout/")
    assert console.get("/").status_code == 302


@pytest.fixture
def person(company):
    user = make.operator(company)
    user.set_password(GOOD)
    user.save()
    return user


def told(person, password=GOOD):
    return {"username": person.username, "password": password}


def test_with_a_password_one_gets_where_one_wanted(client, person):
    assert client.post("/login/", told(person)).headers["Location"] == "/"
    client.logout()
    for where, there in (("/board/", "/board/"), ("https://evil.example/", "/")):
        answer = client.post("/login/", told(person) | {"next": where})
        assert answer.headers["Location"] == there
    assert client.get("/").status_code == 200


def test_what_was_wrong_is_not_said(client, person):
    linked = make.operator()
    wrong = [told(person, "wrong"), {"username": "nobody", "password": "x"}, {}]
    wrong += [told(linked, ""), told(linked, "!")]
    for each in wrong:
        answer = client.post("/login/", each)
        assert answer.status_code == 401
        assert "The name or the password is not right" in answer.content.decode()
        assert "wrong" not in answer.content.decode().replace("is not right", "")
    assert client.get("/").status_code == 302


@time_machine.travel("2026-11-26T12:00:05Z", tick=False)
def test_who_guesses_has_to_wait(client, person):
    for _ in range(10):
        client.post("/login/", told(person, "wrong"))
    answers = {client.post("/login/", told(person)).status_code for _ in range(2)}
    assert answers == {429}
    assert "Too many tries" in client.post("/login/", told(person)).content.decode()


def test_a_password_needs_the_token_of_its_form(person):
    careful = Client(enforce_csrf_checks=True)
    assert careful.post("/login/", told(person)).status_code == 403


# --- Once signed in ------------------------------------------------------------------


def test_who_reads_the_database_can_go_on_as_nobody(company):
    """A backup holds its rows, and is kept where others may come by it."""
    user = make.owner_of(company)
    ada = Client()
    ada.force_login(user)
    cookie = ada.cookies[settings.SESSION_COOKIE_NAME].value
    row = Session.objects.get()
    assert cookie not in row.session_key + row.session_data
    thief = Client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = row.session_key
    assert thief.get("/").headers["Location"].startswith("/login/")
    assert ada.get("/").status_code == 200
    ada.post("/logout/")
    assert not Session.objects.filter(pk=row.pk).exists()
    ada.cookies[settings.SESSION_COOKIE_NAME] = cookie
    assert ada.get("/").headers["Location"].startswith("/login/")


def test_a_session_is_none_after_its_time(company):
    ada = Client()
    ada.force_login(make.owner_of(company))
    with time_machine.travel(now() + timedelta(days=15)):
        assert ada.get("/").headers["Location"].startswith("/login/")
