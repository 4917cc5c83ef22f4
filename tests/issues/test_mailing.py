"""Mail about what waits for a person, to a real server on the loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from django.utils.timezone import now

from agents.models import Approval
from issues import mailing
from paperclip import invitations
from paperclip.actors import SYSTEM
from paperclip.doctor import company as doctor
from paperclip.models import Company
from tests import make

pytestmark = pytest.mark.django_db


class Inbox(Message):
    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.mails.append(message_from_bytes(message.as_bytes(), policy=default))


@pytest.fixture
def inbox(settings: Any) -> Iterator[Inbox]:
    inbox = Inbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = port
    settings.EMAIL_URL = f"smtp://127.0.0.1:{port}"
    yield inbox
    server.stop()


@pytest.fixture
def company() -> Company:
    company = make.company("Digital Agents")
    for name, role in (("ada", "owner"), ("bob", "operator"), ("eve", "viewer")):
        user = make.operator(company, role=role)
        user.email = f"{name}@example.com"
        user.save()
    return company


def ask(company: Company, title: str) -> Approval:
    payload = {"title": title}
    return Approval.objects.request(
        company, "request_board_approval", payload, by=SYSTEM
    )


def later(minutes: int) -> Any:
    return now() + timedelta(minutes=minutes)


def test_one_mail_tells_each_person_of_all_that_is_new(
    inbox: Inbox, company: Company
) -> None:
    asked = [ask(company, f"Thing {number}") for number in range(20)]
    assert mailing.mail_waiting(later(2)) == 2
    assert sorted(mail["To"] for mail in inbox.mails) == [
        "ada@example.com",
        "bob@example.com",
    ]
    text = inbox.mails[0].get_content()
    assert inbox.mails[0]["Subject"] == "20 decisions wait for you at Digital Agents"
    assert text.count("[new]") == 20 and f"/approvals/{asked[0].pk}" in text


def test_it_is_said_once_and_not_too_often(inbox: Inbox, company: Company) -> None:
    ask(company, "First")
    assert mailing.mail_waiting(now()) == 0  # it may not be alone
    assert mailing.mail_waiting(later(2)) == 2
    assert mailing.mail_waiting(later(4)) == 0
    ask(company, "Second")
    assert mailing.mail_waiting(later(10)) == 0
    assert mailing.mail_waiting(later(20)) == 2
    text = inbox.mails[-1].get_content()
    assert "[new] decision: Second" in text and "[still] decision: First" in text
    assert mailing.mail_waiting(later(60)) == 0


def test_what_is_decided_already_is_not_mailed(inbox: Inbox, company: Company) -> None:
    ask(company, "First").decide("approved", by=make.by(make.operator(company)))
    assert mailing.mail_waiting(later(2)) == 0 and not inbox.mails


def test_a_title_makes_no_line_and_no_header(inbox: Inbox, company: Company) -> None:
    payload, said = {"title": "Hello"}, "Hello\nBcc: evil@example.com"
    Approval.objects.request(
        company, "request_board_approval", payload, by=SYSTEM, summary=said
    )
    mailing.mail_waiting(later(2))
    assert inbox.mails[0]["Bcc"] is None
    assert "Hello Bcc:" in inbox.mails[0].get_content()


def test_an_invitation_is_mailed_to_its_address(
    inbox: Inbox, company: Company, django_capture_on_commit_callbacks: Any
) -> None:
    Company.objects.update(name="Digital\nBcc: evil@example.com")
    company.refresh_from_db()
    owner = make.by(company.memberships.filter(role="owner").first().user)  # type: ignore[union-attr]
    with django_capture_on_commit_callbacks(execute=True):
        invite, token = invitations.invite(
            company, by=owner, role="viewer", email="grace@example.com"
        )
    assert invitations.is_mailed(invite)
    [mail] = inbox.mails
    assert (mail["To"], mail["Bcc"]) == ("grace@example.com", None)
    assert f"/invite/{token}\n" in mail.get_content()
    assert "as a viewer" in mail.get_content()


def test_a_rehearsal_mails_nobody(inbox: Inbox, company: Company) -> None:
    Company.objects.filter(pk=company.pk).update(rehearsal=True)
    ask(company, "First")
    assert mailing.mail_waiting(later(2)) == 0


def test_a_server_that_is_away_is_tried_again(
    inbox: Inbox, company: Company, settings: Any
) -> None:
    ask(company, "First")
    there, settings.EMAIL_PORT = settings.EMAIL_PORT, 9
    assert mailing.mail_waiting(later(2)) == 0
    assert doctor.mail().state == "fail"
    settings.EMAIL_PORT = there
    assert mailing.mail_waiting(later(3)) == 2
    assert doctor.mail().state == "ok"


def test_without_a_server_it_is_off_and_the_doctor_says_so(
    company: Company, settings: Any
) -> None:
    settings.EMAIL_URL = ""
    ask(company, "First")
    assert mailing.mail_waiting(later(2)) == 0
    finding = doctor.mail()
    assert finding.state == "warn" and "PAPERCLIP_EMAIL_URL" in finding.todo
