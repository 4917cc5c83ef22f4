"""What comes back: each letter is put into the inbox of a real server, and read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from textwrap import dedent

import pytest

from marketing.models import InboxMessage, Mailbox, Message, Site, Suppression
from marketing.outreach import answers, checks, inbox, letters
from tests.marketing import mailworld, scene
from tests.marketing.mailworld import AT, Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def post() -> Iterator[Post]:
    with mailworld.post() as one:
        yield one


@pytest.fixture
def sent(post: Post) -> Message:
    site = scene.site()
    box = mailworld.mailbox(site, 1, post.imap)
    who = mailworld.contact(site)
    at = AT - timedelta(days=1)
    return mailworld.message(box, who, state="accepted", sent_at=at)


def letter(text: str, **headers: str) -> bytes:
    one = EmailMessage()
    values = {"From": "Eva <eva@paper1.example>", "Subject": "Re: Agents"} | headers
    for name, value in values.items():
        one[name.replace("_", "-")] = value
    if "Message_ID" not in headers:
        one["Message-ID"] = f"<{abs(hash(text + str(headers)))}@paper1.example>"
    one.set_content(text)
    return one.as_bytes()


def bounce(
    about: str, status: str, action: str = "failed", rfc822: bool = True
) -> bytes:
    kind = "message/rfc822" if rfc822 else "text/rfc822-headers"
    return (
        dedent(f"""\
        From: MAILER-DAEMON@mx.example
        To: press@us.example
        Subject: Undelivered Mail Returned to Sender
        Message-ID: <{abs(hash((about, status, action, rfc822)))}@mx.example>
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="B"

        --B
        Content-Type: text/plain

        It did not work. Unsubscribe from nothing.
        --B
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example

        Final-Recipient: rfc822; eva@paper1.example
        Action: {action}
        Status: {status}
        Diagnostic-Code: smtp; 550 no such user

        --B
        Content-Type: {kind}

        Message-ID: {about}
        Subject: Agents

        --B--
        """)
        .replace("\n", "\r\n")
        .encode()
    )


def processed(message: Message, times: int = 1) -> list[str]:
    site = Site.objects.get(company=message.company_id)
    work = scene.work(site, "pr", clock=lambda: AT)
    for _again in range(times):
        inbox.process(work, Mailbox.objects.get(pk=message.mailbox_id))
    assert work.shortfalls == []
    work.job_run.finish("ok", by=work.by)
    message.refresh_from_db()
    return [one["text"] for one in work.job_run.waiting]


def kinds() -> list[str]:
    rows = InboxMessage.objects.order_by("arrived_at", "created_at")
    return list(rows.values_list("kind", flat=True))


def test_a_reply_is_told_once_and_its_text_is_data(post: Post, sent: Message) -> None:
    post.put("INBOX", letter("Nice! Tell me more.", In_Reply_To=sent.message_id))
    told = processed(sent, times=2)
    assert kinds() == ["reply"] and sent.replied_at is not None
    assert len(told) == 1 and "e***@paper1.example" in told[0]
    assert processed(sent) == [] and not Suppression.objects.exists()


@pytest.mark.parametrize(
    "said",
    [
        "Please unsubscribe me.",
        "Remove me from your list",
        "do not contact us again",
        "Não envie mais mensagens",
        "Bitte abmelden",
        "Merci de me désabonner",
    ],
)
def test_who_says_no_is_never_written_to_again(said: str) -> None:
    assert answers.read(letter(said)).kind == "opt_out"


def test_a_no_suppresses_and_somebody_is_told(post: Post, sent: Message) -> None:
    post.put("INBOX", letter("Not interested.", In_Reply_To=sent.message_id))
    told = processed(sent)
    row = Suppression.objects.get()
    assert (row.value, row.reason) == (sent.identity, "unsubscribed")
    assert "wants no more mail" in told[0] and kinds() == ["opt_out"]


def test_our_own_words_quoted_are_no_no(post: Post, sent: Message) -> None:
    quoted = "Thank you!\n\nOn Thu, Ana wrote:\n> No more mail: answer “unsubscribe”"
    other = "Thank you!\n> answer “unsubscribe”\n"
    for text in (quoted, other):
        assert answers.read(letter(text)).kind == "reply"


def test_the_mail_address_for_opting_out_works_from_any_address(
    post: Post, sent: Message
) -> None:
    subject = f"unsubscribe {sent.unsubscribe_token}"
    post.put("INBOX", letter(".", From="x@private.example", Subject=subject))
    processed(sent)
    assert Suppression.objects.get().value == sent.identity


def test_an_automatic_answer_is_no_reply(post: Post, sent: Message) -> None:
    away = {"In_Reply_To": sent.message_id, "Auto_Submitted": "auto-replied"}
    post.put("INBOX", letter("I am away. To unsubscribe, wait.", **away))
    processed(sent)
    assert kinds() == ["auto"] and sent.replied_at is None
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("rfc822", [True, False])
def test_a_bounce_for_good_suppresses(post: Post, sent: Message, rfc822: bool) -> None:
    post.put("INBOX", bounce(sent.message_id, "5.1.1", rfc822=rfc822))
    processed(sent)
    row = InboxMessage.objects.get()
    assert (row.kind, row.status_code, row.answered) == ("bounce", "5.1.1", sent)
    assert Suppression.objects.get().reason == "bounced"


def test_three_bounces_for_now_suppress(post: Post, sent: Message) -> None:
    for n, action in enumerate(("failed", "failed", "delayed")):
        assert not Suppression.objects.exists()
        status = f"4.{n}.0" if action == "failed" else "5.0.0"
        post.put("INBOX", bounce(sent.message_id, status, action))
        processed(sent)
    assert kinds() == ["bounce"] * 3
    assert Suppression.objects.get().reason == "soft_bounces"


def test_a_bounce_that_names_no_mail_of_ours_is_for_a_person(
    post: Post, sent: Message
) -> None:
    post.put("INBOX", bounce("<forged@us.example>", "5.1.1"))
    told = processed(sent)
    assert kinds() == ["needs_review"] and "look at it" in told[0]
    assert not Suppression.objects.exists()


def test_a_bounce_without_a_report_is_for_a_person(post: Post, sent: Message) -> None:
    text = f"Your mail {sent.message_id} to eva could not be delivered."
    post.put("INBOX", letter(text, From="postmaster@mx.example"))
    processed(sent)
    assert kinds() == ["needs_review"] and not Suppression.objects.exists()


def test_other_peoples_mail_is_none_of_ours(post: Post, sent: Message) -> None:
    shop = "news@shop.example"
    post.put("INBOX", letter("Buy! Unsubscribe below.", From=shop, Subject="Sale"))
    post.put("INBOX", letter("About the invoice", From="books@office.example"))
    post.put("INBOX", b"\xff\xfe broken \x00\r\n\r\n\xff")
    processed(sent)
    assert kinds() == [] and not Suppression.objects.exists()


def test_a_complaint_is_final(post: Post, sent: Message) -> None:
    text = bounce(sent.message_id, "5.0.0").replace(
        b"delivery-status;", b"feedback-report;"
    )
    post.put("INBOX", text)
    processed(sent)
    assert Suppression.objects.get().reason == "complaint"


def test_an_inbox_that_cannot_be_read_is_said(post: Post, sent: Message) -> None:
    Mailbox.objects.update(imap_port=1)
    work = scene.work(Site.objects.get(), "pr", clock=lambda: AT)
    inbox.process(work, Mailbox.objects.get())
    assert "inbox cannot be read" in work.shortfalls[0]


FOOTERS = {
    "en": ("Your address is from", "unsubscribe"),
    "pt-PT": ("O seu endereço vem de", "unsubscribe"),
    "es": ("Su dirección procede de", "baja"),
    "fr-FR": ("Votre adresse provient de", "désinscription"),
    "de-AT": ("Ihre Adresse stammt von", "abmelden"),
}
QUOTED = {
    "en": "On Mon, 24 Nov 2026, Ana wrote:",
    "pt-PT": "De: Ana Silva\nEnviada: segunda-feira",
    "es": "El lun, 24 nov 2026 a las 10:00, Ana escribió:",
    "fr-FR": "De\u00a0: Ana Silva\nEnvoyé\u00a0: lundi",
    "de-AT": "Von: Ana Silva\nGesendet: Montag",
}


@pytest.mark.parametrize("language", FOOTERS)
def test_what_a_footer_asks_to_answer_is_understood(language: str) -> None:
    """And the footer itself, quoted as programs do, is no such answer."""
    site = scene.site()
    box = mailworld.mailbox(site)
    who = mailworld.contact(site, language=language)
    foot = letters.footer(site, box, who, "https://us.example/u/token")
    source, word = FOOTERS[language]
    assert letters.speaks(language) and source in foot and word in foot
    assert letters.link_in(f"Hello\n{foot}") == "https://us.example/u/token"
    without = letters.footer(site, box, who, "")
    assert word in without and "https://us.example/u/" not in without
    for said in (word, f"{word.capitalize()}!", f"Hello,\n\n{word.upper()}\n\nEva"):
        assert answers.read(letter(said)).kind == "opt_out", said
    reply = f"Great, tell me more.\n\n{QUOTED[language]}\n\n{foot}"
    assert answers.read(letter(reply)).kind == "reply"
    assert word in letters.NO_MORE


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Por favor, darme de baja de la lista.", "opt_out"),
        ("No deseo recibir más correos.", "opt_out"),
        ("Merci de me désabonner.", "opt_out"),
        ("Bitte keine weiteren E-Mails.", "opt_out"),
        ("Bitte bestätigen Sie meine Abmeldung.", "opt_out"),
        ("La demanda es baja este trimestre, cuéntame más.", "reply"),
        ("Le bulletin est intéressant, envoyez la suite.", "reply"),
        ("Ich melde mich nächste Woche.", "reply"),
    ],
)
def test_a_no_is_understood_in_the_languages_of_the_footers(said, kind) -> None:
    assert answers.read(letter(said)).kind == kind


@pytest.mark.parametrize("language", FOOTERS)
def test_a_mail_with_such_a_footer_may_be_sent(language: str) -> None:
    site = scene.site()
    box = mailworld.mailbox(site)
    who = mailworld.contact(site, language=language)
    foot = letters.footer(site, box, who, "")
    text = f"About your piece on agents.\n\n{foot}"
    assert checks.faults_of_mail(text, box, who) == []
