"""Backlink Outreach: where we could be listed, whom to ask, and who links to us."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db.models import Q

from marketing import directories, links, verification
from marketing.jobs.base import Blocked, Failed, Job
from marketing.models import (
    Backlink,
    Contact,
    Directory,
    JobName,
    Prospect,
    SubmissionPacket,
)
from marketing.outreach import dns, pitches, rounds
from marketing.outreach.articles import FEWEST_WORDS, Article
from marketing.web.addresses import host_of, with_www
from marketing.web.client import Web
from marketing.web.document import Document
from marketing.web.robots import Robots, page_at

if TYPE_CHECKING:
    from marketing.jobs.base import Work
    from marketing.outreach.pitches import Desk

MOST_NEW = 10
# A link that engines do not follow is not told as one that they do.
SAYS: dict[str, str] = {
    Backlink.State.NOFOLLOW: "links to us, not to be followed",
    Backlink.State.SPONSORED: "links to us, marked as paid",
}


class BacklinkOutreach(Job):
    def __init__(self, look: dns.Texts = dns.texts) -> None:
        self._look = look

    def run(self, work: Work) -> None:
        if not work.is_dry:
            verification.verify_open(work.company.pk, JobName.BACKLINKS, work.clock())
            look_at_links(work)
            offer_directories(work)
        write_to_prospects(work, self._look)


def look_at_links(work: Work) -> None:
    """Each page that links to us, or should: read once, and written down."""
    expect_profiles(work)
    site = work.site
    for link in Backlink.objects.filter(company=work.company).order_by("created_at"):
        work.at(f"Looks at {link.source_url}.")
        with Web.of(site, with_www(host_of(link.source_url))) as web:
            robots = Robots(web)
            seen = links.look(
                web, robots, link.source_url, link.target_url, site.own_hosts
            )
        before, state = link.state, links.note(link, seen, work.clock())
        work.count("links looked at")
        if state != before:
            work.did(f"{link.source_url}: {seen.said} ({state})")
        if seen.state in links.FOUND:
            claim(work, link, seen.state)


def claim(work: Work, link: Backlink, state: str) -> None:
    named = {"name": work.site.name} if link.directory_id else {}
    work.claim(
        "link",
        f"{link.source_url} {SAYS.get(state, 'links to us')}",
        source=link.source_url,
        target=link.target_url,
        state=str(state),
        **named,
    )
    if link.directory is not None and link.directory.state != Directory.State.LISTED:
        directories.set_listed(link.directory, link.source_url, work.clock())
        SubmissionPacket.objects.filter(directory=link.directory).update(state="listed")


def expect_profiles(work: Work) -> None:
    """The profile that a person entered for a directory is a page that links to us."""
    rows = Directory.objects.filter(company=work.company).exclude(profile_url="")
    for row in rows:
        Backlink.objects.get_or_create(
            company=work.company,
            source_url=row.profile_url,
            target_url=work.site.base_url,
            defaults={"directory": row},
        )


def offer_directories(work: Work) -> None:
    """Packets for the best directories, as many as people can do at a time."""
    packets = SubmissionPacket.objects.filter(company=work.company, state="open")
    for row in directories.rank(work):
        if packets.count() >= directories.MOST_OPEN:
            break
        work.at(f"Reads the terms of {row}.")
        if not directories.read_terms(work, row):
            continue
        if directories.packet(work, row) is not None:
            work.count("packets made")
    for one in packets.select_related("directory"):
        work.waits_for_person(
            f"Submit us to {one.directory} by hand: the packet says with what.",
            f"/marketing/listing/{one.directory_id}",
        )


def write_to_prospects(work: Work, look: dns.Texts) -> None:
    """Mails to those who could link to us, by the rules and the ledger of all mail."""
    rows = Prospect.objects.filter(company=work.company, is_on=True)
    rows = rows.exclude(contact=None).select_related("contact")
    mine = Q(company=work.company, job=JobName.BACKLINKS)
    if not rows.exists() and not pitches.Message.objects.filter(mine).exists():
        return
    try:
        box = rounds.mailbox_of(work)
    except Blocked as no:
        work.falls_short(str(no))
        return
    rounds.take_in(work, box)
    people = Contact.objects.filter(pk__in=rows.values("contact"))
    waiting = {one.pk: one for one in rounds.candidates(work, people)}
    wanted = [one for one in rows if one.contact_id in waiting][:MOST_NEW]
    if work.is_dry:
        work.did(f"Would write to {len(wanted)}.")
        return
    rounds.send_all(work, box, look)
    rounds.tell_sent(work)
    if not wanted:
        return
    desk = rounds.desk(work, box, asks_for_link=True)
    try:
        for one in {row.contact_id: row for row in wanted}.values():
            write_about(work, desk, one)
    except Failed as no:
        work.falls_short(f"No more is written now: {no}")


def write_about(work: Work, desk: Desk, prospect: Prospect) -> None:
    work.at(f"Writes about {prospect}.")
    contact = prospect.contact
    page = page_of(work, prospect)
    if contact is None or page is None:
        work.count("not written to")
        return
    try:
        pitches.draft(desk, contact, page)
    except pitches.NoPitch as no:
        work.count("not written to")
        work.did(f"Nothing was written about {prospect}: {no}")
    else:
        work.count("written")


def page_of(work: Work, prospect: Prospect) -> Article | None:
    """The page that could link to us, as it is now; None when it cannot be read, or
    links to us already."""
    page = page_at(work.site, prospect.url)
    if page is None:
        return None
    seen = links.read(page, work.site.base_url, work.site.own_hosts)
    if seen.state in links.FOUND:
        Backlink.objects.get_or_create(
            company=work.company,
            source_url=prospect.url,
            target_url=work.site.base_url,
        )
        return None
    document = Document(page.text, page.url)
    text = document.main_text
    if len(text.split()) < FEWEST_WORDS // 2:
        return None
    title = prospect.title or document.title
    return Article(page.url[:500], title[:300], text, datetime.now(UTC))
