"""The page of a directory, and the buttons of contacts and templates."""

from __future__ import annotations

import pytest

from agents.models import Approval
from marketing import directories
from marketing.models import (
    Backlink,
    Contact,
    Directory,
    Mailbox,
    Message,
    SubmissionPacket,
    Template,
)
from paperclip.actors import SYSTEM
from tests import make
from tests.marketing import scene

pytestmark = pytest.mark.django_db


def test_a_packet_is_pasted_approved_and_submitted() -> None:
    facts = [{"id": f"f{n}", "text": f"Fact {n} of us."} for n in range(3)]
    site = scene.site(phone="+351 210 000 000", facts=facts, topics=["AI"])
    Mailbox.objects.create(
        company=site.company, name="A", address="a@us.example", smtp_host="s",
        imap_host="i", postal_address="Rua 1, Lisboa",
    )  # fmt: skip
    row = Directory.objects.create(
        company=site.company, name="Lists", url="https://www.lists.example/",
        form_url="https://lists.example/enter", terms_url="https://lists.example/terms",
    )  # fmt: skip
    browser, url = (
        scene.browser(site.company, "operator"),
        f"/marketing/listing/{row.pk}",
    )
    assert "Nothing to paste yet" in browser.get(url).content.decode()
    made = directories.packet(scene.work(site, "backlinks"), row)
    assert made is not None and made.approval is not None
    page = browser.get(url).content.decode()
    for told in ("+351 210 000 000", "Rua 1, Lisboa", "Fact 0 of us.", "Digiton"):
        assert told in page, told
    assert 'href="https://lists.example/enter"' in page and "/terms" in page
    assert f"/approvals/{made.approval.pk}" in page and "It is submitted" not in page
    card = browser.get(f"/approvals/{made.approval.pk}").content.decode()
    letter = card.partition('id="to-the-letter"')
    assert "<dt>Cost</dt><dd>$0</dd>" in card and "<dt>Sha256</dt>" not in card
    for mark in (made.sha256, str(made.pk)):
        assert mark not in letter[0] and mark in letter[2]
    browser.post(f"{url}/submit", {"profile_url": ""})
    assert SubmissionPacket.objects.get().state == "open"
    made.approval.decide("approved", by=make.by(make.owner_of(site.company)))
    assert "It is submitted" in browser.get(url).content.decode()
    browser.post(f"{url}/submit", {"profile_url": "https://elsewhere.example/us"})
    assert "paste its address" in browser.get(url).content.decode()
    browser.post(f"{url}/submit", {"profile_url": "https://lists.example/us"})
    row.refresh_from_db()
    assert (row.state, row.profile_url) == ("submitted", "https://lists.example/us")
    assert SubmissionPacket.objects.get().state == "submitted"
    assert "Not for us" not in browser.get(url).content.decode()
    browser.post(f"{url}/drop")
    row.refresh_from_db()
    assert row.state == "submitted" and not Backlink.objects.exists()


def test_not_for_us_takes_the_question_back() -> None:
    site = scene.site(facts=[{"id": "f", "text": "Fact."}])
    row = Directory.objects.create(company=site.company, name="L", url="https://l.x/")
    made = directories.packet(scene.work(site, "backlinks"), row)
    assert made is not None
    viewer, url = scene.browser(site.company, "viewer"), f"/marketing/listing/{row.pk}"
    viewer.post(f"{url}/drop")
    row.refresh_from_db()
    assert (
        row.state == "packet" and "Not for us" not in viewer.get(url).content.decode()
    )
    scene.browser(site.company, "operator").post(f"{url}/drop")
    row.refresh_from_db()
    assert row.state == "dropped"
    assert SubmissionPacket.objects.get().state == "dropped"
    assert Approval.objects.get().status == "cancelled"


def test_terms_that_changed_are_read_or_the_directory_is_dropped() -> None:
    site = scene.site()
    rows = [
        Directory.objects.create(
            company=site.company, name=name, url=f"https://{name}.x/", state="frozen",
            terms_hash="h",
        )
        for name in "ab"
    ]  # fmt: skip
    browser = scene.browser(site.company, "operator")
    url = f"/marketing/listing/{rows[0].pk}"
    assert "I have read them" in browser.get(url).content.decode()
    browser.post(f"{url}/terms")
    browser.post(f"/marketing/listing/{rows[1].pk}/drop")
    found = {one.name: (one.state, one.terms_hash) for one in Directory.objects.all()}
    assert found == {"a": ("open", ""), "b": ("dropped", "h")}


def test_a_contact_is_switched_and_is_somebody_else_too() -> None:
    site = scene.site()
    addresses = {"A": "ana@a.example", "B": "ana.b@gmail.com", "C": ""}
    ana, work, none = (
        Contact.objects.create(
            company=site.company, outlet=name, category="eu", email=address,
            is_on=bool(address),
        )
        for name, address in addresses.items()
    )  # fmt: skip
    browser, base = scene.browser(site.company), "/marketing/contacts"
    browser.post(f"{base}/{ana.pk}/switch", {"on": "0"})
    browser.post(f"{base}/{none.pk}/switch", {"on": "1"})
    assert set(Contact.objects.filter(is_on=True)) == {work}
    assert "no address" in browser.get(f"{base}/{none.pk}/change/").content.decode()
    browser.post(f"{base}/{ana.pk}/same", {"address": "nobody@x.example"})
    assert "enter them first" in browser.get(f"{base}/").content.decode()
    browser.post(f"{base}/{ana.pk}/same", {"address": "AnaB+press@googlemail.com"})
    ana.refresh_from_db()
    assert ana.identities == work.identities and len(ana.identities) == 2
    page = browser.get(f"{base}/{work.pk}/change/").content.decode()
    assert "ana@a.example" in page and "two people after all" not in page
    browser.post(f"{base}/{ana.pk}/same", {"address": ""})
    ana.refresh_from_db()
    assert ana.identities == ["ana@a.example"]


def test_a_category_goes_unread_after_ten_were_read_and_with_the_risk_told() -> None:
    site = scene.site()
    company = site.company
    row = Template.objects.create(
        company=company, category="eu", subject="S", body="{pitch}"
    )
    browser, url = scene.browser(company), f"/marketing/templates/{row.pk}"
    browser.post(f"{url}/approval", {"auto": "1"})
    page = browser.get(f"{url}/change/").content.decode()
    assert "so far: 0" in page and "I understand" not in page
    box = Mailbox.objects.create(
        company=company, name="A", address="a@us.example", smtp_host="s", imap_host="i"
    )
    for n in range(10):
        asked = Approval.objects.request(
            company, Approval.Type.BOARD, {"title": f"{n}"}, by=SYSTEM
        )
        asked.decide("approved", by=make.by(make.owner_of(company)))
        Message.objects.create(
            company=company, mailbox=box, identity=f"{n}@x.example", domain="x.example",
            category="eu", job="pr", to=f"{n}@x.example", message_id=f"{n}",
            unsubscribe_token=f"{n}", subject="S", body="B", approval=asked,
        )  # fmt: skip
    page = browser.get(f"{url}/change/").content.decode()
    assert "cannot be called back" in page and "I understand" in page
    scene.browser(company, "operator").post(f"{url}/approval", {"auto": "1"})
    row.refresh_from_db()
    assert not row.auto_approve
    browser.post(f"{url}/approval", {"auto": "1"})
    row.refresh_from_db()
    assert row.auto_approve
    browser.post(f"{url}/approval", {"auto": "0"})
    row.refresh_from_db()
    assert not row.auto_approve
