"""The Content Engine: what to write about, and search engines told of what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marketing import indexnow, verification
from marketing.jobs.base import Job
from marketing.models import Brief, JobName, Keyword, KeywordCluster, KeywordGap
from marketing.opportunities import Prospects, write_brief
from marketing.ownpages import OwnPages
from marketing.web.addresses import host_of
from marketing.web.client import LOCAL_DELAY, Web
from marketing.web.robots import Robots
from marketing.web.sitemap import read_sitemap
from paperclip.exceptions import Refused

if TYPE_CHECKING:
    from marketing.jobs.base import Work

# Between two requests to our own site, which we may press harder than others'.
OWN_DELAY, LONGEST_DELAY = 1.0, 10.0
# New briefs in a run, and those that wait at the same time: nobody reads more.
BRIEFS, MOST_WAITING = 3, 10


class ContentEngine(Job):
    def run(self, work: Work) -> None:
        if not work.is_dry:
            verification.verify_open(work.company.pk, JobName.CONTENT, work.clock())
        site = work.site
        delay = LOCAL_DELAY if site.company.rehearsal else OWN_DELAY
        hosts = {*site.own_hosts, host_of(indexnow.key_address(site))}
        with Web.of(site, hosts, delay=delay) as own:
            pages = read_pages(work, own)
            write_briefs(work)
            if pages is not None:
                tell(work, own, pages)


def read_pages(work: Work, web: Web) -> OwnPages | None:
    """Our own pages as they are now; None when nobody can say which there are."""
    work.at("Reads the sitemap.")
    site, robots = work.site, Robots(web)
    web.delay = max(web.delay, min(robots.delay(site.base_url), LONGEST_DELAY))
    sitemap = read_sitemap(
        web, robots, site.base_url, site.sitemap_url, hosts=site.own_hosts
    )
    if not sitemap.files:
        said = " ".join(sitemap.problems) or "There is none."
        work.falls_short(f"The sitemap cannot be read, so no page was. {said}")
        return None
    if sitemap.problems:
        work.falls_short(f"Part of the sitemap: {' '.join(sitemap.problems[:5])}")
    if sitemap.strangers and not sitemap.pages:
        named = ", ".join(sorted(sitemap.strangers)[:3])
        work.falls_short(
            f"The sitemap is about {named or 'no host'}, and the site is {site.host}:"
            " correct its address, or name the host among its hosts."
        )
    pages = OwnPages(work, web, robots, sitemap)
    pages.read_all()
    tell_of_pages(work, pages)
    return pages


def tell_of_pages(work: Work, pages: OwnPages) -> None:
    if pages.changed:
        work.count("pages read", pages.read)
        work.count("pages changed", pages.changed)
    if pages.kept_back and pages.changed:
        url, why = min(pages.kept_back.items())
        number = len(pages.kept_back)
        work.did(f"{number} pages are kept from search engines: {url} {why}.")
    if pages.elsewhere and pages.changed:
        hosts = ", ".join(sorted({host_of(url) for url in pages.elsewhere}))
        number, ours = len(pages.elsewhere), work.site.host
        work.did(f"{number} pages are on {hosts}: only those of {ours} are told.")
    if pages.is_shut and not pages.read:
        work.falls_short("robots.txt forbids to read any page, or cannot be read.")
    if pages.troubled:
        number, first = len(pages.troubled), pages.troubled[0]
        work.falls_short(f"{number} of our own pages could not be read: {first}")


def write_briefs(work: Work) -> None:
    """Group the keywords, and write a brief for the best of what is worth it."""
    work.at("Groups the keywords.")
    company = work.company
    rows = Keyword.objects.filter(company=company)
    if not rows.exists() and not KeywordGap.objects.filter(company=company).exists():
        return
    if not work.is_dry:
        KeywordCluster.objects.regroup(company.pk)
    waiting = Brief.objects.filter(company=company).waiting().count()
    room = min(BRIEFS, MOST_WAITING - waiting)
    if room <= 0:
        return
    work.at("Looks for what is worth writing about.")
    prospects = Prospects(work.site, work.clock())
    for one, cluster in prospects.best(room):
        if work.is_dry:
            work.did(f"A brief would be written about “{one.text}”. {one.why}")
            continue
        work.must_go_on()
        try:
            brief = write_brief(prospects, one, cluster, by=work.by)
        except Refused as no:
            work.falls_short(f"No brief about “{one.text}”: {no}")
            continue
        if brief is not None:
            tell_of_brief(work, brief)


def tell_of_brief(work: Work, brief: Brief) -> None:
    work.count("briefs written")
    about = f"{brief.get_kind_display()}, “{brief.primary}”: {brief.why}"
    work.did(about)
    if brief.state == Brief.State.PROPOSED:
        work.waits_for_person(
            f"Say whether {brief.target_url}, which was written by hand, is to be"
            f" changed for “{brief.primary}”."
        )


def tell(work: Work, own: Web, pages: OwnPages) -> None:
    """Tell IndexNow, and claim what it took, also of a run that was killed midway."""
    endpoint = host_of(work.site.endpoint("indexnow"))
    with Web.of(work.site, {endpoint}, delay=own.delay) as web:
        try:
            indexnow.Teller(work, web, own).tell(pages.due)
        finally:
            indexnow.claim_all(work)
