"""One mail, at most once: what each answer of a server means, and what forbids it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from io import StringIO
from threading import Event

import psutil
import pytest
from django.core.management import call_command
from django.utils.timezone import now

from agents.models import Approval
from marketing.models import (
    CountryPolicy,
    JobSchedule,
    Mailbox,
    MailEvent,
    Message,
    Site,
    Suppression,
    Template,
)
from marketing.outreach import dns, imap, ledger, mail, rounds, sending, sent, trial
from marketing.rehearsal.mail import Mail
from paperclip.actors import SYSTEM
from paperclip.commands import operator
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from tests import make
from tests.instance import free_port
from tests.marketing import mailworld, scene
from tests.marketing.mailworld import AT, Post, Script

pytestmark = pytest.mark.django_db


@pytest.fixture
def smtp() -> Iterator[tuple[Script, int]]:
    with mailworld.scripted() as server:
        yield server


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    with mailworld.post() as one:
        yield one


@pytest.fixture
def site() -> Site:
    return scene.site()


def sent_at(message: Message, at=AT) -> str:
    with mail.Outbox(message.mailbox, by=SYSTEM) as outbox:
        state = sending.send(message, outbox, clock=lambda: at, by=SYSTEM)
    message.refresh_from_db()
    return state


def ready(site: Site, port: int, number: int = 1, **fields) -> Message:
    box = Mailbox.objects.filter(company=site.company).first()
    box = box or mailworld.mailbox(site, port)
    return mailworld.message(box, mailworld.contact(site, number), **fields)


def held(message: Message, at=AT) -> sending.Held:
    with pytest.raises(sending.Held) as no:
        sent_at(message, at)
    message.refresh_from_db()
    return no.value


# --- what the server says --------------------------------------------------------


def test_what_the_server_says_is_kept_and_what_was_approved_is_sent(site, smtp) -> None:
    script, port = smtp
    one = ready(site, port)
    assert sent_at(one) == one.state == "accepted"
    assert one.smtp_reply == "250 2.0.0 Ok: queued as Q1"
    letter = message_from_bytes(script.letters[0], policy=policy.default)
    assert letter["Message-ID"] == one.message_id
    assert letter["To"] == one.to and letter.get_content().strip() == one.body
    assert script.letters[0].partition(b"\r\n")[2] == one.raw.encode()
    kinds = set(MailEvent.objects.values_list("kind", flat=True))
    assert {"reserved", "attempt", "sending", "accepted"} <= kinds


def test_the_mail_server_of_a_rehearsal_is_told_no_key(monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-of-the-mail")
    monkeypatch.setenv("PAPERCLIP_UP", "our-instance")
    server = Mail(free_port(), free_port(), "us", "a-password")
    server.start()
    try:
        (told,) = [
            one.environ()
            for one in psutil.Process().children()
            if "mail_devel" in one.cmdline()
        ]
    finally:
        server.stop()
    assert told["MAIL_USER"] == "us" and "OPENAI_API_KEY" not in told
    assert told["PAPERCLIP_UP"] == "our-instance"  # by which it is ended with us


def test_the_headers_of_one_click_stand_on_one_line(site) -> None:
    box = mailworld.mailbox(site)
    link = "https://us.example/u/" + "x" * 120
    one = mailworld.message(
        box, mailworld.contact(site), body=f"Hi\n-- \nUs\nNo more: open {link}"
    )
    lines = one.raw.split("\r\n")
    (header,) = [line for line in lines if line.startswith("List-Unsubscribe:")]
    assert f"<{link}>, <mailto:{box.address}" in header
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines
    bare = mailworld.message(box, mailworld.contact(site, 2))
    assert "mailto:" in bare.raw and "One-Click" not in bare.raw


def test_put_off_is_tried_again_three_times_half_an_hour_apart(site, smtp) -> None:
    script, port = smtp
    one = ready(site, port)
    script.to_rcpt = ["450 4.2.1 later"] * 3
    assert sent_at(one) == "deferred"
    assert "put off" in held(one, AT + timedelta(minutes=29)).why
    assert sent_at(one, AT + timedelta(minutes=30)) == "deferred"
    assert sent_at(one, AT + timedelta(minutes=90)) == "dropped"
    assert script.letters == [] and one.tries == 3
    assert MailEvent.objects.filter(kind="attempt").count() == 3


def test_a_refused_recipient_is_never_written_to_again(site, smtp) -> None:
    script, port = smtp
    one = ready(site, port)
    script.to_rcpt = ["550 5.1.1 no such user"]
    assert sent_at(one) == "rejected"
    assert Suppression.objects.get().value == one.identity


def test_a_refused_text_says_nothing_about_the_recipient(site, smtp) -> None:
    script, port = smtp
    one = ready(site, port)
    script.to_data = ["554 5.6.0 we do not like it"]
    assert sent_at(one) == "rejected"
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("said", ["550 5.4.5 Daily limit", "550 5.7.515 not believed"])
def test_a_no_to_us_closes_the_mailbox_for_a_day(site, smtp, said) -> None:
    script, port = smtp
    one, other = ready(site, port), ready(site, port, 2)
    script.to_data = [said]
    assert sent_at(one) == "deferred"
    assert not Suppression.objects.exists()
    no = held(other, AT + timedelta(hours=23, minutes=59))
    assert no.ends and "rests" in no.why


def test_broken_off_after_the_text_nobody_knows_and_nobody_tries_again(
    site, smtp
) -> None:
    script, port = smtp
    one = ready(site, port)
    script.to_data = ["abort"]
    assert sent_at(one) == "unknown"
    assert len(script.letters) == 1
    held(one, AT + timedelta(days=1))
    assert len(script.letters) == 1


def test_a_slow_server_leaves_it_unknown(site, smtp, monkeypatch) -> None:
    script, port = smtp
    monkeypatch.setattr(mail, "SECONDS", 0.5)
    given_up = Event()
    script.to_data = [lambda: given_up.wait(30) and "250 at last"]
    assert sent_at(ready(site, port)) == "unknown"
    given_up.set()


def test_a_server_that_is_away_costs_no_attempt(site) -> None:
    one = ready(site, 1)
    with pytest.raises(mail.Away):
        sent_at(one)
    assert not MailEvent.objects.filter(kind="attempt").exists()
    one.refresh_from_db()
    assert one.state == "approved"


# --- what forbids it -------------------------------------------------------------


def test_each_switch_stops_it(site, smtp) -> None:
    one = ready(site, smtp[1])
    JobSchedule.objects.get(job="pr").switch(False, by=SYSTEM)
    assert held(one).ends
    JobSchedule.objects.get(job="pr").switch(True, by=SYSTEM)
    Site.objects.update(is_stopped=True)
    assert held(one).ends
    Site.objects.update(is_stopped=False)
    assert sent_at(one) == "accepted"


@pytest.mark.parametrize("value", ["eva@paper1.example", "@paper1.example"])
def test_who_wants_no_mail_gets_none(site, smtp, value) -> None:
    one = ready(site, smtp[1])
    Suppression.objects.add(site.company, value, "manual", by=SYSTEM)
    assert held(one).drops and one.state == "dropped" and smtp[0].letters == []


def test_a_changed_mail_is_not_the_approved_one(site, smtp) -> None:
    one = ready(site, smtp[1])
    Message.objects.update(raw=one.raw + "PS: more")
    assert "approved" in held(one).why and smtp[0].letters == []


def test_an_edited_mail_is_approved_anew(site, smtp) -> None:
    one = ready(site, smtp[1])
    old = one.approval
    person = make.by(make.operator(site.company))
    approval = one.edit("Other", "Other words", by=person)
    assert one.state == "awaiting_approval" and approval.pk != old.pk
    assert "It is" in held(one).why
    approval.decide("approved", by=person)
    one.refresh_from_db()
    assert sent_at(one) == "accepted" and b"Other words" in smtp[0].letters[0]
    with pytest.raises(Conflict):
        one.edit("Again", "Too late", by=person)


def test_an_approval_of_other_words_lets_nothing_go(site) -> None:
    box = mailworld.mailbox(site)
    one = mailworld.message(box, mailworld.contact(site), state="awaiting_approval")
    approval = one.ask(at=AT)
    Message.objects.filter(pk=one.pk).update(sha256="0" * 64)
    with pytest.raises(Invalid, match="no longer"):
        approval.decide("approved", by=make.by(make.owner_of(site.company)))


def test_a_refused_one_is_dropped(site) -> None:
    box = mailworld.mailbox(site)
    one = mailworld.message(box, mailworld.contact(site), state="awaiting_approval")
    approval = one.ask(at=AT)
    approval.decide("rejected", by=make.by(make.owner_of(site.company)), note="No.")
    one.refresh_from_db()
    assert (one.state, one.said) == ("dropped", "No.")


def test_an_old_yes_and_a_denied_country_let_nothing_go(site, smtp) -> None:
    one, other = ready(site, smtp[1]), ready(site, smtp[1], 2)
    week = one.approval.decided_at + timedelta(days=7, seconds=1)
    assert "too long ago" in held(one, week).why
    CountryPolicy.objects.put(site.company, "pt", "deny", by=SYSTEM)
    assert held(other).drops
    CountryPolicy.objects.all().delete()
    third = ready(site, smtp[1], 3)
    CountryPolicy.objects.all().delete()
    assert "written to" in held(third).why


def test_nobody_is_written_to_twice_under_whatever_address(site, smtp) -> None:
    one = ready(site, smtp[1])
    assert sent_at(one) == "accepted"
    box = one.mailbox
    same = mailworld.message(box, one.contact, job="backlinks")
    assert held(same).drops
    other = mailworld.contact(site, 9, email="other@elsewhere.example")
    other.is_same_as(one.contact, by=SYSTEM)
    again = mailworld.message(box, other)
    assert "before" in held(again).why and len(smtp[0].letters) == 1


def test_a_domain_gets_one_mail_until_it_answers(site, smtp) -> None:
    one = ready(site, smtp[1])
    sent_at(one)
    other = mailworld.contact(site, 2, email="rui@paper1.example")
    second = mailworld.message(one.mailbox, other)
    assert "just now" in held(second).why and second.state == "approved"
    Message.objects.filter(pk=one.pk).update(replied_at=AT)
    assert sent_at(second) == "accepted"


def test_mail_comes_at_working_hours_where_they_are(smtp) -> None:
    site = scene.site(make.company())
    one = ready(site, smtp[1])
    night, sunday = AT.replace(hour=3), AT + timedelta(days=3)
    assert "no time" in held(one, night).why
    assert "no time" in held(one, sunday).why
    assert sent_at(one) == "accepted"


def test_twenty_an_hour_and_no_more_a_day(site, smtp) -> None:
    box = mailworld.mailbox(site, smtp[1], per_day=21)
    mails = [mailworld.message(box, mailworld.contact(site, n)) for n in range(23)]
    for one in mails[:20]:
        assert sent_at(one) == "accepted"
    hour = timedelta(hours=1)
    assert "hour" in held(mails[20], AT + hour - timedelta(seconds=1)).why
    # (now - 3600 s, now]: what is exactly an hour old does not count any more.
    assert sent_at(mails[20], AT + hour) == "accepted"
    assert "a day" in held(mails[21], AT + 2 * hour).why
    assert "backwards" in held(mails[22], AT).why


def test_two_mailboxes_share_the_hour(site, smtp) -> None:
    first = mailworld.mailbox(site, smtp[1])
    second = mailworld.mailbox(site, smtp[1], address="b@us.example")
    for n in range(20):
        sent_at(mailworld.message(first, mailworld.contact(site, n)))
    no = held(mailworld.message(second, mailworld.contact(site, 30)))
    assert no.ends and "within the hour" in no.why


def test_a_category_goes_without_a_look_after_ten_of_its_own(site) -> None:
    box = mailworld.mailbox(site)
    row = Template.objects.create(
        company=site.company, category="pt_tech", subject="{outlet}", body="{pitch}"
    )
    for n in range(9):
        mailworld.message(box, mailworld.contact(site, n))
    with pytest.raises(Invalid, match="9 mails"):
        row.switch_approval(True, by=SYSTEM)
    mailworld.message(box, mailworld.contact(site, 10))
    row.switch_approval(True, by=SYSTEM)
    assert row.auto_approve


# --- what nobody wrote down ------------------------------------------------------


def test_a_mail_whose_sender_was_killed_is_looked_up_and_never_sent_again(
    site, smtp, post
) -> None:
    box = mailworld.mailbox(site, smtp[1], post.imap)
    states = ("reserved", "sending", "sending")
    old = AT - timedelta(minutes=11)
    mails = []
    for n, state in enumerate(states):
        one = mailworld.message(box, mailworld.contact(site, n))
        Message.objects.filter(pk=one.pk).update(state=state, sent_at=old, tries=1)
        one.refresh_from_db()
        mails.append(one)
    post.put("Sent", mails[1].raw.encode())
    work = scene.work(site, "pr", clock=lambda: AT)
    sent.reconcile(work, box)
    for one in mails:
        one.refresh_from_db()
    assert [one.state for one in mails] == ["approved", "accepted", "unknown"]
    assert mails[1].found_at == AT
    assert any("Find out" in one["text"] for one in work.job_run.waiting)
    held(mails[2])
    mails[2].settle(False, by=SYSTEM)
    assert mails[2].state == "dropped"
    assert not any(
        one.identity == mails[2].identity
        for one in rounds.candidates(work, type(mails[2].contact).objects.all())
    )


def test_what_is_just_being_sent_is_left_alone(site, post) -> None:
    box = mailworld.mailbox(site, 1, post.imap)
    one = mailworld.message(box, mailworld.contact(site))
    at = AT - timedelta(minutes=9)
    Message.objects.filter(pk=one.pk).update(state="sending", sent_at=at, tries=1)
    sent.reconcile(scene.work(site, "pr", clock=lambda: AT), box)
    one.refresh_from_db()
    assert one.state == "sending"


def test_a_copy_goes_into_sent_once_and_the_folder_is_made(site, smtp, post) -> None:
    box = mailworld.mailbox(site, smtp[1], post.imap, sent_copy="append")
    one = mailworld.message(box, mailworld.contact(site))
    sent_at(one)
    before = post.count("Sent")
    assert sent.keep_copy(one, by=SYSTEM) == sent.keep_copy(one, by=SYSTEM) == ""
    assert post.count("Sent") == before + 1
    with imap.opened(box, by=SYSTEM) as server:
        assert imap.is_in_sent(server, one.message_id)
        assert not imap.is_in_sent(server, "<other@us.example>")


def test_a_mailbox_is_tried_end_to_end(site, post, monkeypatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.1)
    box = mailworld.mailbox(site, post.smtp, post.imap, sent_copy="append")
    box.close(now() + timedelta(days=1), "535 No", by=SYSTEM)
    assert "is in Sent" in box.test(by=SYSTEM)
    # Proven to work, its server is asked again at once.
    assert box.tested_at is not None and box.closed_until is None
    Mailbox.objects.update(sent_copy="server")
    box.refresh_from_db()
    with pytest.raises(Conflict, match="Sent does not have it"):
        box.test(by=SYSTEM)
    box.smtp_port = 1
    with pytest.raises(Conflict, match="does not let us in"):
        box.test(by=SYSTEM)


def test_a_mailbox_of_a_domain_with_letters_of_its_own(site, smtp) -> None:
    """Its mails have ids and senders that every server takes, and nobody they are for
    is blamed for it."""
    box = mailworld.mailbox(site, smtp[1])
    box.change(by=SYSTEM, address="press@bücher.example")
    assert box.address == "press@xn--bcher-kva.example"
    one = mailworld.message(box, mailworld.contact(site))
    assert sent_at(one) == "accepted" and smtp[0].ids == [one.message_id]
    with pytest.raises(Invalid, match="valid email address"):
        box.change(by=SYSTEM, address="josé@us.example")


def test_every_mail_is_exported_with_all_that_happened_to_it(site, smtp) -> None:
    one, other = ready(site, smtp[1]), ready(site, smtp[1], 2)
    sent_at(one)
    site.company.memberships.create(user=operator(), role="owner")
    out = StringIO()
    call_command("export_mail", company=site.company.issue_prefix, stdout=out)
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert (first["messageId"], second["to"]) == (one.message_id, other.to)
    assert first["smtpReply"].startswith("250") and first["body"] == one.body
    kinds = [event["kind"] for event in first["events"]]
    assert kinds[0] == "awaiting_approval" and kinds[-1] == "accepted"
    out = StringIO()
    call_command("export_mail", address="EVA+x@paper2.example", stdout=out)
    assert [json.loads(x)["to"] for x in out.getvalue().splitlines()] == [other.to]
    viewer = make.by(make.operator(site.company, "operator"))
    with pytest.raises(NotAllowed):
        list(ledger.export(site.company, by=viewer))


def test_a_rehearsal_writes_to_this_machine_alone(site) -> None:
    from marketing.jobs.base import Blocked

    box = mailworld.mailbox(site, smtp_host="smtp.real.example")
    with pytest.raises(Blocked, match="rehearses"):
        mail.Outbox(box, by=SYSTEM)


def test_what_a_domain_lacks_is_named_before_the_first_mail() -> None:
    from marketing.jobs.base import Blocked

    box = mailworld.mailbox(scene.site(make.company()))
    zone = {
        "us.example": ["v=spf1 mx -all"],
        "google._domainkey.us.example": ["v=DKIM1; p=MIIB"],
        "_dmarc.us.example": ["v=DMARC1; p=none"],
    }
    assert dns.missing(box, lambda name: zone.get(name, [])) == []
    for name in zone:
        less = {k: v for k, v in zone.items() if k != name}
        with pytest.raises(Blocked, match=r"SPF|DKIM|DMARC"):
            dns.must_be_believed(box, lambda name, less=less: less.get(name, []))
    assert Approval.objects.count() == 0
