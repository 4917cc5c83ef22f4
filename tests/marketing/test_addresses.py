"""Whole addresses of people outside are for who may write to them, on every way."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from marketing.models import InboxMessage, MailEvent, Message, Site, Suppression
from marketing.outreach import addresses
from paperclip.actors import SYSTEM
from paperclip.models import Activity
from tests import make
from tests.marketing import mailworld, scene

pytestmark = pytest.mark.django_db
EVA, RUI = "eva.lopes@paper1.example", "rui+press@other.example"


@pytest.fixture
def site() -> Site:
    """Eva was written to, her server and she have answered, and Rui wants no mail."""
    site = scene.site()
    box = mailworld.mailbox(site)
    eva = mailworld.contact(site, email=EVA, outlet="Paper 1")
    mail = mailworld.message(box, eva)
    said = f"550 5.1.1 <{EVA}>: no such user"
    Message.objects.filter(pk=mail.pk).update(
        smtp_reply=said, state="rejected", said=said, sent_at=now()
    )
    mail.refresh_from_db()
    mail.note(MailEvent.ATTEMPT, said, now())
    InboxMessage.objects.create(
        company=site.company,
        mailbox=box,
        answered=mail,
        kind="reply",
        message_id="<1@x>",
        sender=EVA,
        subject=f"Away: {EVA}",
        body=f"Write to {RUI} instead.\n> to {EVA.upper()}",
        arrived_at=now(),
    )
    Suppression.objects.add(
        site.company, RUI, Suppression.Reason.BOUNCED, by=SYSTEM, said=f"for {RUI}"
    )
    return site


def places(site: Site) -> dict[str, str]:
    """What is shown, and how each address there is masked."""
    mail = Message.objects.get()
    return {
        "/marketing/outreach/": "e***@paper1.example",
        f"/marketing/outreach/{mail.pk}": "e***@paper1.example",
        reverse("admin:marketing_contact_changelist"): "e***@paper1.example",
        reverse("admin:marketing_suppression_changelist"): "r***@other.example",
        f"/api/companies/{site.company_id}/messages": "e***@paper1.example",
    }


def page(who: Any, path: str) -> str:
    browser = make.client_of(who) if path.startswith("/api") else Client()
    if not path.startswith("/api"):
        browser.force_login(who)
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode().lower()


@pytest.mark.parametrize(
    ("role", "whole"), [("viewer", False), ("operator", True), ("admin", True)]
)
def test_one_rule_holds_for_the_console_and_the_api(site, role, whole) -> None:
    who = make.operator(site.company, role)
    for path, masked in places(site).items():
        shown = page(who, path)
        local = "eva.lopes@" if masked.startswith("e") else "rui+press@"
        assert (local in shown, masked in shown) == (whole, not whole), path
        if not whole:
            assert "eva.lopes@" not in shown and "rui+press@" not in shown


def test_nobody_is_found_by_an_address_that_is_not_shown(site) -> None:
    contacts = reverse("admin:marketing_contact_changelist")
    suppressed = reverse("admin:marketing_suppression_changelist")
    for role, reads in (("viewer", False), ("operator", True)):
        who = make.operator(site.company, role)
        assert ("paper1.example" in page(who, f"{contacts}?q=eva.lopes")) is reads
        assert "paper1.example" in page(who, f"{contacts}?q=paper+1")
        # Where nothing else is looked for, it is no search.
        assert ("other.example" in page(who, f"{suppressed}?q=nobody")) is not reads
        browser = Client()
        browser.force_login(who)
        for asked in ("email__startswith=e", "identity__startswith=e"):
            status = browser.get(f"{contacts}?{asked}").status_code
            assert (status == 200) is reads


def test_an_agent_reads_no_whole_address(site) -> None:
    _run, token = make.live_run(site.agent)
    path = f"/api/companies/{site.company_id}/messages"
    (row,) = make.client(token).get(path).json()
    assert row["to"] == "e***@paper1.example"
    assert row["smtpReply"] == "550 5.1.1 <e***@paper1.example>: no such user"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("<Eva@X.example>", "<E***@X.example>"),
        ("mailto:a@b.example?subject=x", "mailto:a***@b.example?subject=x"),
        ("a@b.example, c@d.example.", "a***@b.example, c***@d.example."),
        ("@domain.example", "@domain.example"),
        ("josé@bücher.example", "j***@bücher.example"),
        ("no address", "no address"),
        ("", ""),
    ],
)
def test_every_address_in_a_text_is_masked(text, masked) -> None:
    assert addresses.shown(text, whole=False) == masked
    assert addresses.shown(text, whole=True) == text


def test_what_a_person_entered_by_mistake_is_taken_back(site) -> None:
    """What they, or their server, asked for is not."""
    ours, theirs = (
        Suppression.objects.add(site.company, f"{who}@paper.example", why, by=SYSTEM)
        for who, why in (("eva", "manual"), ("rui", "unsubscribed"))
    )
    browser = scene.browser(site.company, "admin")
    listed = browser.get("/marketing/suppressions/").content.decode()
    assert f"/marketing/suppressions/{ours.pk}" in listed
    for row, is_gone in ((ours, True), (theirs, False)):
        url = f"/marketing/suppressions/{row.pk}"
        page = browser.get(url).content.decode()
        assert ("Allow mail there again" in page) == is_gone
        browser.post(f"{url}/lift")
        assert Suppression.objects.filter(pk=row.pk).exists() != is_gone
    acts = Activity.objects.filter(action="suppression.lifted")
    assert acts.count() == 1
