"""What a month of marketing came to: only what was verified counts as a result."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet, Sum
from django.template.loader import render_to_string

from agents.models import CostEvent, Run
from issues import mailing
from issues.models import Issue
from issues.models.base import JOB
from issues.standing import Turnaround, decisions_of, turnaround
from marketing import positions
from marketing.models import (
    Backlink,
    BacklinkLook,
    Effect,
    Message,
    Post,
    Site,
)
from paperclip import browsers, processes
from paperclip.exceptions import Invalid

if TYPE_CHECKING:
    from marketing.positions import Standing, Sums
    from paperclip.models import Company

PRINT_SECONDS = 60
LINKED = ("live", "nofollow", "sponsored")
# So many keywords with a chart, and so many more without one.
TOP, REST = 12, 48


@dataclass(frozen=True)
class Results:
    """The figures of one company and month, UTC. `micros` are millionths of a dollar
    that calls with a known price have cost; `hours` those the jobs were at work."""

    company: Company
    first: date
    posts: list[Post]
    unproven_posts: int
    pitches: int
    unproven_pitches: int
    replies: int
    links: list[Backlink]
    lost_links: int
    standings: list[Standing]
    sums: Sums
    review: Turnaround | None
    hours: float
    micros: int
    unpriced: int

    @property
    def results(self) -> int:
        """Posts seen live, mails found in Sent, links found."""
        return len(self.posts) + self.pitches + len(self.links)

    @property
    def micros_each(self) -> float | None:
        return self.micros / self.results if self.results else None

    @property
    def hours_each(self) -> float | None:
        return round(self.hours / self.results, 2) if self.results else None

    @property
    def top(self) -> list[Standing]:
        """What moved most, with charts."""
        return self.standings[:TOP]

    @property
    def rest(self) -> list[Standing]:
        return self.standings[TOP : TOP + REST]

    @property
    def others(self) -> int:
        """How many more there are than `top` holds."""
        return max(0, len(self.standings) - TOP)

    @property
    def untold(self) -> int:
        """How many more there are than `top` and `rest` hold."""
        return max(0, len(self.standings) - TOP - REST)


def bounds(first: date) -> tuple[datetime, datetime]:
    start = datetime(first.year, first.month, 1, tzinfo=UTC)
    return start, (start + timedelta(days=32)).replace(day=1)


def month_before(first: date) -> date:
    return (first.replace(day=1) - timedelta(days=1)).replace(day=1)


def of(company: Company, first: date) -> Results:
    """What came of the month that begins on that day."""
    since, until = bounds(first)
    within: dict[str, Any] = {"company": company}
    posts = Post.objects.filter(**within, live_at__gte=since, live_at__lt=until)
    pushed = Post.objects.filter(
        **within, pushed_at__gte=since, pushed_at__lt=until, live_at=None
    )
    sent = Message.objects.filter(**within, sent_at__gte=since, sent_at__lt=until)
    proven = sent.filter(state="accepted").exclude(found_at=None)
    links = Backlink.objects.filter(**within, state__in=LINKED)
    lost = BacklinkLook.objects.filter(
        **within, state="lost", created_at__gte=since, created_at__lt=until
    )
    costs = costs_of(company, since, until)
    standings = positions_of(company, since.date(), until.date())
    return Results(
        company=company,
        first=since.date(),
        posts=list(posts.live().order_by("live_at")),
        unproven_posts=pushed.count(),
        pitches=proven.count(),
        unproven_pitches=sent.count() - proven.count(),
        replies=Message.objects.filter(
            **within, replied_at__gte=since, replied_at__lt=until
        ).count(),
        links=list(links.filter(created_at__lt=until, seen_at__gte=since)),
        lost_links=lost.values("backlink").distinct().count(),
        standings=standings,
        sums=positions.sums(standings),
        review=turnaround(decisions_of(company, since, until)),
        hours=hours_of(company, since, until),
        micros=costs.aggregate(sum=Sum("cost_micros", default=0))["sum"],
        unpriced=costs.filter(cost_micros=None).count(),
    )


def positions_of(company: Company, start: date, end: date) -> list[Standing]:
    """All, with the charts of those that moved most."""
    found = positions.standings_of(company, month_before(start), start, end)
    positions.draw(found[:TOP], start, end)
    return found


def costs_of(company: Company, since: datetime, until: datetime) -> QuerySet[CostEvent]:
    """What the agent that does the site's jobs has cost."""
    agents = Site.objects.filter(company=company).values("agent")
    return CostEvent.objects.filter(
        company=company,
        agent__in=agents,
        occurred_at__gte=since,
        occurred_at__lt=until,
    )


def hours_of(company: Company, since: datetime, until: datetime) -> float:
    """How long the programs of the jobs were at work."""
    ours = Issue.objects.filter(company=company, origin_kind=JOB).values("pk")
    runs = Run.objects.filter(
        company=company, issue_id__in=ours, started_at__gte=since, started_at__lt=until
    ).exclude(finished_at=None)
    took = [end - begin for begin, end in runs.values_list("started_at", "finished_at")]
    return round(sum(took, timedelta()) / timedelta(hours=1), 2)


def as_text(results: Results) -> str:
    """For a mail."""
    return render_to_string("marketing/results.txt", {"results": results})


def as_pdf(results: Results) -> bytes:
    """As a page to print, made by the browser in a process of its own. Invalid where
    there is no browser."""
    browser = browsers.find()
    if browser is None:
        raise Invalid(
            "There is no browser to print with: run"
            " `python3 manage.py install_browser`."
        )
    html = render_to_string("marketing/results_print.html", {"results": results})
    with TemporaryDirectory(prefix="results-") as place:
        page, pdf = Path(place, "results.html"), Path(place, "results.pdf")
        page.write_text(html)
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu"),
                *(f"--user-data-dir={place}/profile", "--no-pdf-header-footer"),
                *(f"--print-to-pdf={pdf}", page.as_uri()),
            ],
            env={**processes.of_helper(), "HOME": place},
            check=True,
            timeout=PRINT_SECONDS,
            capture_output=True,
        )
        return pdf.read_bytes()


def mail(results: Results, to: list[str]) -> int:
    """Send it to each; how many were taken. Invalid without a mail server."""
    if not mailing.is_on():
        raise Invalid("No mail server is named: set PAPERCLIP_EMAIL_URL.")
    name = " ".join(str(results.company).split())
    subject = f"{name}: marketing in {results.first:%B %Y}"
    return mailing.send(subject, as_text(results), to)


def mail_month(at: datetime) -> int:
    """Tell the people of each company what last month came to, once a month. What a
    rehearsal invents is nobody's business."""
    if not mailing.is_on():
        return 0
    first, sent = month_before(at.date()), 0
    active = Site.objects.filter(company__status="active", company__rehearsal=False)
    for site in active.select_related("company"):
        effect, is_new = Effect.objects.get_or_create(
            company=site.company, kind="results_mail", key=f"{first:%Y-%m}"
        )
        if not is_new:
            continue
        to = mailing.addresses(site.company)
        told = mail(of(site.company, first), to)
        effect.conclude("done" if told == len(to) else "failed", mails=told)
        sent += told
    return sent
