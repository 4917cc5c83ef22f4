"""A mailbox is entered and changed by people, in the console."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from marketing.models import Mailbox, Site
from tests import make
from tests.marketing import scene

pytestmark = pytest.mark.django_db
FILLED = {
    "name": "Ana Silva",
    "address": "press@us.example",
    "postal_address": "Rua das Flores 1",
    "user": "press@us.example",
    "smtp_host": "smtp.us.example",
    "smtp_port": "587",
    "smtp_security": "starttls",
    "per_hour": "20",
    "per_day": "60",
    "imap_host": "imap.us.example",
    "imap_port": "993",
    "imap_security": "tls",
    "sent_copy": "server",
}


@pytest.fixture
def site() -> Site:
    return scene.site(make.company())


@pytest.fixture
def browser(site: Site) -> Client:
    client = Client()
    client.force_login(make.operator(site.company, "admin"))
    return client


def send(browser: Client, url: str, **fields: Any) -> Any:
    return browser.post(url, FILLED | fields)


def test_a_mailbox_is_entered_and_changed(browser: Client) -> None:
    assert send(browser, reverse("admin:marketing_mailbox_add")).status_code == 302
    box = Mailbox.objects.get()
    url = reverse("admin:marketing_mailbox_change", args=[box.pk])
    changed = send(browser, url, address="press@bücher.example", per_hour="5")
    assert changed.status_code == 302
    box.refresh_from_db()
    assert (box.address, box.per_hour) == ("press@xn--bcher-kva.example", 5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"smtp_security": "none"}, "Without encryption only this machine"),
        ({"imap_security": "none"}, "Without encryption only this machine"),
        ({"address": "josé@us.example"}, "valid email address"),
    ],
)
def test_what_could_not_work_is_refused_at_its_field(
    browser: Client, fields: dict[str, str], said: str
) -> None:
    answer = send(browser, reverse("admin:marketing_mailbox_add"), **fields)
    assert answer.status_code == 422
    (name,) = fields
    assert said in str(answer.context["form"].errors[name])
    assert not Mailbox.objects.exists()
