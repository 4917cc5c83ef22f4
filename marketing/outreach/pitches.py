"""A mail to one person, written about a recent piece of theirs and from our facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction
from pydantic import BaseModel, Field

from marketing.jobs.base import Failed
from marketing.models import CountryPolicy, Message, Template
from marketing.outreach import checks, letters
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.models import Contact, Mailbox
    from marketing.outreach.articles import Article

State = Message.State
ROUNDS = 2
# Other mails that a new one is held against.
COMPARED = 500
LONGEST_SUBJECT = 120
TASK = """\
Write part of a mail in the language “{language}” to {name} of {outlet}, from {site}.
opening: one or two sentences about what their piece says, at most 50 words.
pitch: what we have that fits it, from the facts below and nothing else, at most 90
words. No praise, no greeting, no signature, no links, no numbers that stand nowhere.
facts: the ids of the facts you used, at least one.{more}

Tone: {tone}

Facts:
{facts}"""
FOR_LINK = """
The mail asks whether our page fits the page named below. Offer nothing for it: no
money, no exchange, no wishes about the kind of link."""


class NoPitch(Exception):
    """There is no mail to this person; the text says why."""


class Words(BaseModel):
    opening: str = Field(min_length=20, max_length=500)
    pitch: str = Field(min_length=40, max_length=900)
    facts: list[str] = Field(min_length=1, max_length=8)


@dataclass(frozen=True)
class Desk:
    """What all mails of a run have in common. `base` is where the unsubscribe page is
    reached from outside; empty when it is not."""

    work: Work
    box: Mailbox
    base: str = ""
    asks_for_link: bool = False


def draft(desk: Desk, contact: Contact, article: Article) -> Message:
    """A new mail, checked, that waits for a person; or is approved, where its category
    is. NoPitch when none came about that may be sent."""
    template = template_of(contact)
    said: list[str] = []
    for _round in range(ROUNDS):
        words = written(desk, contact, article, said)
        message = composed(desk, contact, article, template, words)
        said = faults(desk, contact, article, words, message)
        if not said:
            return handed_in(desk, message, template)
    raise NoPitch(" ".join(said))


def template_of(contact: Contact) -> Template:
    rows = Template.objects.filter(
        company=contact.company_id, category=contact.category
    )
    found: Template | None = (
        rows.filter(language=contact.language).first() or rows.first()
    )
    if found is None:
        raise NoPitch(f"“{contact.get_category_display()}” has no template.")
    return found


def written(desk: Desk, contact: Contact, article: Article, said: list[str]) -> Words:
    site, writer = desk.work.site, desk.work.writer
    if writer is None:
        raise Failed("There is no model to write with.")
    facts = "\n".join(f"{pk}: {text}" for pk, text in site.facts_by_id().items())
    more = FOR_LINK if desk.asks_for_link else ""
    if said:
        more += f"\nThe last try was refused: {' '.join(said)}"
    task = TASK.format(
        language=contact.language,
        name=contact.name or "the editors",
        outlet=contact.outlet,
        site=site.name,
        tone=site.tone or "plain",
        facts=facts,
        more=more,
    )
    piece = f"{article.title}\n\n{article.text}"[:6000]
    return writer.write(task, Words, outside=[(article.url, piece)])


def composed(
    desk: Desk, contact: Contact, article: Article, template: Template, words: Words
) -> Message:
    """The message as it would go out; not kept yet."""
    work, box, token = desk.work, desk.box, letters.new_token()
    link = f"{desk.base}/u/{token}" if desk.base else ""
    places = {
        "name": contact.name or contact.outlet,
        "outlet": contact.outlet,
        "article": f"“{article.title}”",
        "url": article.url,
        "pitch": f"{words.opening.strip()}\n\n{words.pitch.strip()}",
        "site": work.site.name,
    }
    try:
        subject = letters.filled(template.subject, places)[:LONGEST_SUBJECT]
        text = letters.filled(template.body, places).strip()
    except Invalid as no:
        raise NoPitch(str(no)) from None
    message = Message(
        company=work.company,
        mailbox=box,
        contact=contact,
        identity=contact.identity,
        domain=contact.identity.rpartition("@")[2],
        category=contact.category,
        job=work.job_run.job,
        job_run=work.job_run,
        message_id=letters.new_message_id(box),
        to=contact.email,
        subject=letters.one_line(subject),
        body=f"{text}\n\n{letters.footer(work.site, box, contact, link)}",
        article_url=article.url[:500],
        article_title=article.title[:300],
        facts=words.facts,
        unsubscribe_token=token,
    )
    letters.write_down(message)
    return message


def faults(
    desk: Desk, contact: Contact, article: Article, words: Words, message: Message
) -> list[str]:
    site = desk.work.site
    found = checks.faults_of_words(
        words.opening, words.pitch, words.facts, article, site
    )
    found += checks.faults_of_mail(
        message.body, desk.box, contact, asks_for_link=desk.asks_for_link
    )
    rows = Message.objects.filter(company=site.company_id)
    rows = rows.exclude(state=State.DROPPED).order_by("-created_at")
    told = [
        (one.body, one.contact) for one in rows.select_related("contact")[:COMPARED]
    ]
    names = {contact.outlet, contact.name, *site.brands}
    names |= {name for _b, c in told if c for name in (c.outlet, c.name)}
    text = own_text(message.body)
    alike = checks.nearest(text, [own_text(body) for body, _c in told], names - {""})
    if alike > checks.ALIKE:
        found.append(f"It is {alike:.0%} the same as a mail to somebody else.")
    return found


def own_text(body: str) -> str:
    return body.partition(f"\n{letters.LINE}\n")[0]


@transaction.atomic
def handed_in(desk: Desk, message: Message, template: Template) -> Message:
    """Keep it, and ask; or let it go where its category needs no single yes."""
    at = desk.work.clock()
    message.save(force_insert=True)
    message.note(State.DRAFT, "", at)
    if goes_without(desk, message, template):
        said = "Mails of this category go without a look at each."
        message.move((State.DRAFT,), State.APPROVED, said, at=at)
    else:
        approval = message.ask(at=at)
        said = f"Approve the mail to {message.contact}: {message.subject}"
        desk.work.waits_for_person(said, f"/approvals/{approval.pk}")
    message.refresh_from_db()
    return message


def goes_without(desk: Desk, message: Message, template: Template) -> bool:
    country = message.contact.country if message.contact else ""
    rule = CountryPolicy.objects.rule(message.company_id, country)
    if not template.auto_approve or rule != CountryPolicy.Rule.ALLOW:
        return False
    if not desk.asks_for_link:
        return True
    # Whoever is asked for a link by us for the first time is asked by a person.
    domain = Message.objects.holding().filter(domain=message.domain)
    return bool(domain.filter(company=message.company_id).exists())
