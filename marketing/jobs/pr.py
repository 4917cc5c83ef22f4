"""PR Outreach: short mails to people who write about such things, each about a recent
piece of theirs, each approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketing import verification
from marketing.jobs.base import Failed, Job
from marketing.models import Category, Contact, JobName
from marketing.outreach import articles, dns, pitches, rounds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from marketing.jobs.base import Work
    from marketing.outreach.articles import Article
    from marketing.outreach.pitches import Desk

PRESS = [one for one in Category.values if one != Category.LINK]
# New mails in a run: no more wait for people than they can read.
MOST_NEW = 25


class PrOutreach(Job):
    def __init__(self, look: dns.Texts = dns.texts) -> None:
        self._look = look

    def run(self, work: Work) -> None:
        if not work.is_dry:
            verification.verify_open(work.company.pk, JobName.PR, work.clock())
        box = rounds.mailbox_of(work)
        rounds.take_in(work, box)
        contacts = Contact.objects.filter(company=work.company, category__in=PRESS)
        waiting = rounds.candidates(work, contacts)
        if work.is_dry:
            work.did(f"Would write to {len(waiting[:MOST_NEW])} of {len(waiting)}.")
            return
        # First what was approved: that does not wait for a model.
        rounds.send_all(work, box, self._look)
        if waiting:
            desk = rounds.desk(work, box)
            write_all(work, desk, waiting[:MOST_NEW])
            # Of these, what needs no look at each.
            rounds.send_all(work, box, self._look)
        rounds.tell_sent(work)


def write_all(work: Work, desk: Desk, contacts: Iterable[Contact]) -> None:
    for contact in contacts:
        work.at(f"Writes to {contact}.")
        try:
            article: Article = articles.recent(work.site, contact, work.clock())
            pitches.draft(desk, contact, article)
        except (articles.NoArticle, pitches.NoPitch) as no:
            work.count("not written to")
            work.did(f"Nothing was written to {contact.outlet}: {no}")
        except Failed as no:
            work.falls_short(f"No more is written now: {no}")
            return
        else:
            work.count("written")
