"""What both jobs that write to people do in a run: look what came back, find out what
became of mails, choose whom to write to, and send what was approved."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from marketing.jobs.base import Blocked
from marketing.models import CountryPolicy, Mailbox, Message, Suppression
from marketing.outreach import dns, inbox, mail, sending, sent, unsubscribing
from marketing.outreach.pitches import Desk

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.models import Contact

State = Message.State
# Who was not written to after all is left alone for so long.
QUIET = timedelta(days=30)


def mailbox_of(work: Work) -> Mailbox:
    """Where the company's mail is sent from. Blocked when there is none, or it lacks
    what every mail has to say."""
    rows = Mailbox.objects.filter(company=work.company).order_by("created_at")
    box: Mailbox | None = rows.select_related("company").first()
    if box is None:
        raise Blocked(
            "No mailbox is set up: nobody can be written to, and no answer be read."
        )
    mail.must_be_of_this_machine_in_rehearsal(box)
    if not box.postal_address.strip():
        raise Blocked(
            f"“Postal address” of {box} is not set: every mail has to say who we are."
        )
    return box


def take_in(work: Work, box: Mailbox) -> None:
    """Answers, bounces and opt-outs; then mails whose end nobody wrote down."""
    work.at("Reads the inbox.")
    inbox.process(work, box)
    if work.is_dry:
        return
    work.at("Looks what became of mails.")
    sent.reconcile(work, box)
    withdrawn = Message.objects.filter(
        mailbox=box, job=work.job_run.job, state=State.AWAITING
    ).filter(Q(approval=None) | Q(approval__status__in=("cancelled", "rejected")))
    for one in withdrawn:
        said = "Its approval was withdrawn."
        one.move((State.AWAITING,), State.DROPPED, said, at=work.clock())
    tell_who_waits(work)


def tell_who_waits(work: Work) -> None:
    rows = Message.objects.filter(company=work.company, job=work.job_run.job)
    for one in rows.filter(state=State.AWAITING).select_related("contact"):
        work.waits_for_person(
            f"Approve the mail to {one.contact}: {one.subject}",
            f"/approvals/{one.approval_id}",
        )


def candidates(work: Work, contacts: Any) -> list[Contact]:
    """Those of the contacts who may be written to, and were not by any job."""
    at, company = work.clock(), work.company
    mine = Message.objects.filter(company=company)
    dropped = Q(state=State.DROPPED, tries=0, updated_at__lte=at - QUIET)
    known = set(mine.exclude(dropped).values_list("identity", flat=True))
    found, domains = [], set()
    for one in contacts.filter(is_on=True).exclude(identity="").order_by("created_at"):
        who, domain = one.identities, one.identity.rpartition("@")[2]
        if known & {*who} or domain in domains:
            continue
        if Suppression.objects.covering(company.pk, who).exists():
            work.count("suppressed")
            continue
        rule = CountryPolicy.objects.rule(company.pk, one.country)
        if rule == CountryPolicy.Rule.DENY:
            work.count("not allowed by country")
            continue
        domains.add(domain)
        found.append(one)
    return found


def desk(work: Work, box: Mailbox, *, asks_for_link: bool = False) -> Desk:
    """What every new mail needs. Blocked without facts: nothing may be said."""
    if not work.site.facts_by_id():
        raise Blocked("“Facts” of the site are not set: a mail may claim nothing else.")
    base = unsubscribing.public_base(work.site)
    # A rehearsal's mail reaches nobody who could opt out.
    if not base and not work.company.rehearsal:
        work.did(
            "Mails name a mail address for opting out, and no link:"
            " PAPERCLIP_PUBLIC_URL is no https address that reaches us from outside."
        )
    return Desk(work, box, base, asks_for_link)


def send_all(work: Work, box: Mailbox, look: dns.Texts) -> None:
    """Send what was approved, as far as the limits let it."""
    rows = Message.objects.filter(mailbox=box, job=work.job_run.job)
    ready = rows.filter(state__in=(State.APPROVED, State.DEFERRED))
    due = ready.filter(Q(next_try_at=None) | Q(next_try_at__lte=work.clock()))
    messages = list(due.select_related("company", "mailbox", "contact", "approval"))
    if not messages:
        return
    dns.must_be_believed(box, look)
    work.at("Opens the mailbox.")
    try:
        with mail.Outbox(box, by=work.by) as outbox:
            for message in reversed(messages):
                send_one(work, message, outbox)
    except sending.Held as no:
        work.did(f"No more is sent now: {no.why}")
    except mail.Shut as no:
        box.close(work.clock() + sending.REST, str(no), by=work.by)
        work.falls_short(f"The mail server does not let us in: {no}")
    except mail.Away as no:
        work.falls_short(f"The mail server cannot be reached: {no}")


def tell_sent(work: Work) -> None:
    """How many of this run's mails went out, if any did."""
    if number := work.job_run.counters.get(State.ACCEPTED.label):
        work.did(f"Accepted by the mail server: {number}.")


def send_one(work: Work, message: Message, outbox: mail.Outbox) -> None:
    work.at(f"Sends to {message.masked}.")
    try:
        state = sending.send(message, outbox, clock=work.clock, by=work.by)
    except sending.Held as no:
        if no.ends:
            raise
        work.count("dropped" if no.drops else "held back")
        work.did(f"{message.masked} was not sent to: {no.why}")
        return
    work.count(f"{State(state).label}")
    if state == State.ACCEPTED:
        if problem := sent.keep_copy(message, by=work.by):
            work.falls_short(problem)
        sent.claim(work, message)
    elif state == State.UNKNOWN:
        work.waits_for_person(
            f"Find out whether the mail to {message.masked} was sent: the server broke"
            " off after it had the text."
        )
    else:
        work.did(f"{message.masked}: {message.smtp_reply}")
