"""No more mail by one click: public, without a look at who asks, and only where the
world reaches us."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from marketing.models import Message, Suppression
from marketing.outreach import letters, unsubscribing
from marketing.web.client import Web
from tests.marketing import mailworld, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent() -> Message:
    site = scene.site()
    box = mailworld.mailbox(site)
    return mailworld.message(box, mailworld.contact(site), state="accepted")


def test_one_click_is_enough_without_cookies_or_a_token_of_ours(sent: Message) -> None:
    client = Client(enforce_csrf_checks=True)
    body = {"List-Unsubscribe": "One-Click"}
    for _again in range(2):
        answer = client.post(f"/u/{sent.unsubscribe_token}", body)
        assert answer.status_code == 200 and not answer.cookies
    (row,) = Suppression.objects.all()
    assert (row.value, row.reason) == (sent.identity, "unsubscribed")


def test_a_look_at_the_page_changes_nothing(sent: Message) -> None:
    answer = Client().get(f"/u/{sent.unsubscribe_token}")
    page = answer.content.decode()
    assert answer.status_code == 200 and '<form method="post">' in page
    assert "no-store" in answer["Cache-Control"] and sent.to not in page
    assert Client().head(f"/u/{sent.unsubscribe_token}").status_code == 200
    assert not Suppression.objects.exists()


def test_a_token_that_is_none_is_answered_the_same(sent: Message) -> None:
    for ask in ("get", "post"):
        known = getattr(Client(), ask)(f"/u/{sent.unsubscribe_token}")
        other = getattr(Client(), ask)(f"/u/{letters.new_token()}")
        assert (known.status_code, known.content) == (other.status_code, other.content)
    assert Suppression.objects.count() == 1


def test_the_answer_to_a_probe_is_only_ours() -> None:
    answer = Client().get("/u/probe/some-nonce").content.decode()
    assert answer == unsubscribing.proof("some-nonce") != unsubscribing.proof("other")


@pytest.fixture
def said() -> list[bytes]:
    """What the proxy says instead of us."""
    return []


@pytest.fixture
def outside(httpserver: HTTPServer, settings, said: list[bytes]) -> str:
    """A proxy in front of us: what is asked there is asked here. Its address."""
    settings.ALLOWED_HOSTS = ["*"]

    def pass_on(request: Request) -> Response:
        inner = Client().get(request.path)
        return Response(said.pop() if said else inner.content, inner.status_code)

    everything = re.compile("^/u/")
    httpserver.expect_request(everything).respond_with_handler(pass_on)
    return httpserver.url_for("").rstrip("/")


def test_only_where_we_answer_ourselves_is_the_page_reached(
    outside: str, said: list[bytes]
) -> None:
    with Web.of(scene.site(), {"localhost"}, delay=0.0) as web:
        assert unsubscribing.leads_here(web, outside)
        said.append(b"Sign in first")
        assert not unsubscribing.leads_here(web, outside)
        assert not unsubscribing.leads_here(web, "http://localhost:9")


def test_without_https_there_is_no_link(outside: str, settings) -> None:
    for url in ("", outside, "https://127.0.0.1:9"):
        settings.PUBLIC_URL = url
        assert unsubscribing.public_base(scene.site()) == ""


def test_the_link_stands_in_the_mail_and_its_header(sent: Message) -> None:
    site = sent.company.sites.get()
    link = f"https://us.example/u/{sent.unsubscribe_token}"
    for base in (link, ""):
        foot = letters.footer(site, sent.mailbox, sent.contact, base)
        sent.body = f"Hello\n\n{foot}"
        letters.write_down(sent)
        assert letters.link_in(sent.body) == base
        assert (f"List-Unsubscribe: <{link}>, <mailto:" in sent.raw) is bool(base)
        assert ("One-Click" in sent.raw) is bool(base)
        assert "unsubscribe%20" + sent.unsubscribe_token in sent.raw
