"""Mail servers over TLS: what is sent, and to whom nothing is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from marketing.jobs.base import Blocked
from marketing.models import Mailbox, Site
from marketing.outreach import imap, mail, sending, sent, trial
from paperclip.actors import SYSTEM
from paperclip.doctor import marketing as doctor
from paperclip.doctor.findings import FAIL
from paperclip.exceptions import Conflict, Invalid
from tests import make
from tests.certificates import Certificates
from tests.mailserver import mail as mailserver
from tests.marketing import mailworld, scene
from tests.marketing.mailworld import AT, PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
SECURE = ["starttls", "tls"]
# What a person reads of each certificate that is not to be believed.
SAID = {
    "expired": "has expired: ask your provider to renew it",
    "other host": "of another server: enter its name exactly as your provider gives it",
    "unknown authority": "of an authority that is not known here",
}


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return Certificates()


@pytest.fixture(autouse=True)
def _trusted(certificates, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(mail, "SECONDS", 3)
    monkeypatch.setattr(imap, "SECONDS", 3)
    with certificates.trusted(monkeypatch):
        yield


@pytest.fixture
def site() -> Site:
    return scene.site()


def mailbox(site: Site, security: str, smtp: int = 1, imap: int = 1, **fields: Any):
    fields = {"sent_copy": "append", "imap_security": security} | fields
    return mailworld.mailbox(site, smtp, imap, smtp_security=security, **fields)


def looked_into(box: Mailbox) -> None:
    with imap.opened(box, by=SYSTEM, seconds=3):
        pass


@pytest.mark.parametrize("security", SECURE)
def test_mail_is_sent_copied_and_found(site, certificates, security) -> None:
    context = certificates.context()
    with (
        mailworld.scripted(security, context) as (script, smtp),
        mailserver(security, context) as (store, _smtp, port),
    ):
        box = mailbox(site, security, smtp, port)
        store.listed = ['(\\Sent) "/" "Sent"']
        one = mailworld.message(box, mailworld.contact(site))
        with mail.Outbox(box, by=SYSTEM) as outbox:
            sending.send(one, outbox, clock=lambda: AT, by=SYSTEM)
        one.refresh_from_db()
        assert one.state == "accepted" and script.ids == [one.message_id]
        assert script.said == [(box.user.encode(), PASSWORD.encode())]
        for _ in range(2):
            assert sent.keep_copy(one, by=SYSTEM) == ""
        assert len(store.letters) == 1
        with imap.opened(box, by=SYSTEM) as server:
            assert imap.is_in_sent(server, one.message_id)
        assert "is in Sent" in box.test(by=SYSTEM)
        if security == "starttls":
            assert {*store.in_clear} == {"CAPABILITY", "STARTTLS"}
        else:
            assert store.in_clear == []


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("security", SECURE)
def test_who_cannot_be_believed_gets_no_password_and_no_mail(
    site, certificates, security, kind
) -> None:
    context = certificates.context(kind)
    with (
        mailworld.scripted(security, context) as (script, smtp),
        mailserver(security, context) as (store, _smtp, port),
    ):
        box = mailbox(site, security, smtp, port)
        one = mailworld.message(box, mailworld.contact(site))
        with pytest.raises(mail.Away) as no, mail.Outbox(box, by=SYSTEM) as outbox:
            sending.send(one, outbox, clock=lambda: AT, by=SYSTEM)
        assert f"127.0.0.1 shows {said_of(kind)}" in str(no.value)
        with pytest.raises(imap.NoFolder) as no:
            looked_into(box)
        assert f"127.0.0.1 shows {said_of(kind)}" in str(no.value)
        assert SAID[kind] in sent.keep_copy(sent_one(one), by=SYSTEM)
        assert script.said == [] and script.letters == []
        store.must_have_heard_nothing()


def said_of(kind: str) -> str:
    return f"{'a' if kind != 'other host' else 'the'} certificate " + (
        SAID[kind] if kind != "expired" else f"that {SAID[kind]}"
    )


def sent_one(one):
    one.sent_at = AT
    return one


@pytest.mark.parametrize(
    ("wanted", "offered", "said"),
    [
        ("starttls", "none", "does not offer STARTTLS at port"),
        ("tls", "none", "does not speak TLS at port"),
        ("tls", "starttls", "does not speak TLS at port"),
        ("starttls", "tls", "does not answer at port"),
    ],
)
def test_nothing_is_sent_in_clear_where_encryption_is_wanted(
    site, certificates, wanted, offered, said
) -> None:
    context = certificates.context()
    with (
        mailworld.scripted(offered, context) as (script, smtp),
        mailserver(offered, context) as (store, _smtp, port),
    ):
        box = mailbox(site, wanted, smtp, port)
        with pytest.raises(mail.Away, match=said):
            mail.Outbox(box, by=SYSTEM, seconds=3).open()
        with pytest.raises(imap.NoFolder, match=said):
            looked_into(box)
        assert script.said == [] and script.letters == []
        store.must_have_heard_nothing()


def test_a_server_that_wants_encryption_gets_no_password_without(
    site, certificates
) -> None:
    context = certificates.context()
    with (
        mailworld.scripted("starttls", context) as (script, smtp),
        mailserver("starttls", context) as (store, _smtp, port),
    ):
        box = mailbox(site, "none", smtp, port)
        one = mailworld.message(box, mailworld.contact(site))
        with mail.Outbox(box, by=SYSTEM) as outbox:
            outcome = outbox.send(one.to, one.raw.encode())
        assert outcome.word == mail.CLOSED and script.letters == []
        with pytest.raises(imap.NoFolder, match="PRIVACYREQUIRED"):
            looked_into(box)
        assert not store.logins


@pytest.mark.parametrize("name", ["smtp", "imap"])
def test_only_this_machine_is_spoken_to_without_encryption(site, name) -> None:
    site.company.rehearsal = False
    site.company.save()
    box, host = mailbox(site, "none"), f"{name}_host"
    with pytest.raises(Invalid, match="Without encryption only this machine"):
        box.change(by=SYSTEM, **{host: "mail.provider.example"})
    Mailbox.objects.update(**{host: "mail.provider.example"})
    box.refresh_from_db()
    with pytest.raises(Blocked, match="choose TLS or STARTTLS"):
        mail.Outbox(box, by=SYSTEM) if name == "smtp" else looked_into(box)


@pytest.mark.parametrize("security", [*SECURE, "none"])
def test_a_refused_password_is_told_and_not_repeated(
    site, certificates, security
) -> None:
    context = certificates.context()
    with (
        mailworld.scripted(security, context) as (script, smtp),
        mailserver(security, context) as (store, _smtp, port),
    ):
        box = mailbox(site, security, smtp, port, user="somebody@us.example")
        with pytest.raises(mail.Shut) as no:
            mail.Outbox(box, by=SYSTEM).open()
        refusals = [str(no.value)]
        with pytest.raises(imap.NoFolder) as unread:
            looked_into(box)
        refusals.append(str(unread.value))
        for said in refusals:
            assert "does not take the user somebody@us.example" in said
            assert "app password" in said and "***" in said and PASSWORD not in said
        assert script.said and script.letters == [] and not store.logins


def test_a_password_no_server_can_be_told(site) -> None:
    with mailworld.scripted() as (script, smtp), mailserver() as (store, _smtp, port):
        box = mailbox(site, "none", smtp, port, user="josé@us.example")
        with pytest.raises(mail.Away, match="letters beyond a-z"):
            mail.Outbox(box, by=SYSTEM).open()
        with pytest.raises(imap.NoFolder, match="letters beyond a-z"):
            looked_into(box)
        assert script.said == [] and not store.logins


# --- where a person reads it ------------------------------------------------------


def test_the_page_of_the_test_mail_says_what_to_do(site, certificates) -> None:
    browser = Client()
    browser.force_login(make.operator(site.company, "admin"))
    with mailworld.scripted("starttls", certificates.context("expired")) as (_, smtp):
        box = mailbox(site, "starttls", smtp)
        page = browser.post(f"/marketing/mailboxes/{box.pk}/test", follow=True)
    assert "has expired: ask your provider to renew it" in page.content.decode()
    box.refresh_from_db()
    assert box.tested_at is None


def test_the_test_mail_says_what_to_do_about_sent(site, certificates, monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 0.1)
    good, wrong = certificates.context(), certificates.context("other host")
    with (
        mailworld.scripted("tls", good) as (script, smtp),
        mailserver("tls", wrong) as (_store, _smtp, port),
    ):
        box = mailbox(site, "tls", smtp, port)
        with pytest.raises(Conflict, match="of another server: enter its name"):
            box.test(by=SYSTEM)
        assert len(script.letters) == 1


@pytest.mark.parametrize("kind", SAID)
def test_the_doctor_says_it_too(certificates, kind) -> None:
    site, context = scene.site(make.company()), certificates.context(kind)
    with (
        mailworld.scripted("starttls", context) as (_script, smtp),
        mailserver("tls", context) as (_store, _smtp, port),
    ):
        mailbox(site, "starttls", smtp, port, imap_security="tls")
        found = dict(doctor.examine())
    for name in ("smtp", "imap"):
        finding = found[f"{site.company.issue_prefix} {name}"]
        assert finding.state == FAIL and SAID[kind] in finding.said
