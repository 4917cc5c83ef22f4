"""What a reading claims of its pages is kept once, as long as a proof names it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils.timezone import now

from agents import retention
from issues.models import Issue
from marketing import verification
from marketing.crawl import fields
from marketing.jobs import spy
from marketing.models import Blob, Competitor, JobRun, Manifest, PageSnapshot, Site
from paperclip.actors import SYSTEM
from tests.marketing import scene

pytestmark = pytest.mark.django_db
PAGES = 40


@pytest.fixture
def rival() -> Competitor:
    site = scene.site()
    return Competitor.objects.add(site.company, "R", "http://r.example/", by=SYSTEM)


def pages(rival: Competitor, changed: str = "") -> list[PageSnapshot]:
    """Its pages as they were read, one of them another one than before."""
    found = []
    for n in range(PAGES):
        url = f"http://r.example/blog/a-page-about-something-{n:02}"
        body = f"<title>Page {n}{changed if n == 7 else ''}</title>".encode()
        blob = Blob.objects.keep(rival.company_id, body)
        head = {"content-type": "text/html; charset=utf-8", "server": "nginx/1.26"}
        sight = fields.Sight(body, url, head)
        row, _new = PageSnapshot.objects.keep(
            rival, url, blob.sha256, blob=blob, status="ok", http_status=200,
            headers=head, how="static", fields=fields.extract(sight),
            last_seen_at=now(),
        )  # fmt: skip
        found.append(row)
    return found


def reading(rival: Competitor, changed: str = "") -> JobRun:
    """One run that has read them, and was checked."""
    site = Site.objects.get(company=rival.company)
    JobRun.objects.filter(status="running").update(status="ok", finished_at=now())
    work = scene.work(site, "spy")
    spy.claim(work, rival, pages(rival, changed))
    verification.verify_run(work)
    return work.job_run


def outcomes() -> list[str]:
    rows = Issue.objects.exclude(evidence=None).order_by("number")
    return [row.evidence.first().outcome for row in rows]


def size(*tables: str) -> int:
    found = 0
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT sum(pg_column_size(t.*)) FROM {table} t")  # noqa: S608
            found += int(cursor.fetchone()[0] or 0)
    return found


TABLES = ("issues_criterion", "issues_evidence", "marketing_manifest")


def test_the_same_pages_are_kept_once_and_proven_each_time(rival) -> None:
    reading(rival)
    first = size(*TABLES)
    for _ in range(5):
        reading(rival)
    assert outcomes() == ["passed"] * 6 and Manifest.objects.count() == 1
    # So much a reading without anything new adds; the first is the whole list.
    added = (size(*TABLES) - first) / 5
    assert first > 8 * added and added < 1000
    reading(rival, changed=" again")
    assert outcomes() == ["passed"] * 7 and Manifest.objects.count() == 2


def test_a_list_that_was_changed_or_is_gone_proves_nothing(rival) -> None:
    row = reading(rival)
    kept = Manifest.objects.get()
    kept.pages[0]["fields"] = "0" * 64
    kept.save()
    JobRun.objects.filter(pk=row.pk).update(status="ok", finished_at=now())
    reading_again = scene.work(Site.objects.get(), "spy")
    reading_again.claim(
        "crawl", "x", competitor=str(rival.pk), manifest=kept.sha256, pages=PAGES
    )
    verification.verify_run(reading_again)
    assert outcomes() == ["passed", "failed"]
    JobRun.objects.filter(status="running").update(status="ok", finished_at=now())
    third = scene.work(Site.objects.get(), "spy")
    third.claim("crawl", "x", competitor=str(rival.pk), manifest="1" * 64, pages=3)
    verification.verify_run(third)
    assert outcomes() == ["passed", "failed", "unable"]


def test_what_was_claimed_before_there_were_lists_is_still_looked_at(rival) -> None:
    work = scene.work(Site.objects.get(), "spy")
    (page, *_rest) = pages(rival)
    told = {
        "url": page.url, "sha256": page.body_hash, "kind": "static",
        "headers": page.headers, "selectors": {}, "fields": fields.digest(page.fields),
    }  # fmt: skip
    work.claim("crawl", "A page", competitor=str(rival.pk), pages=[told])
    verification.verify_run(work)
    assert outcomes() == ["passed"]


def test_the_list_and_its_bytes_stay_as_long_as_the_proof(rival) -> None:
    row = reading(rival)
    JobRun.objects.filter(pk=row.pk).update(status="ok", finished_at=ago(500))
    long_ago = {"updated_at": ago(500)}
    PageSnapshot.objects.all().delete()
    Blob.objects.update(**long_ago)
    Manifest.objects.update(**long_ago)
    issue = Issue.objects.get(pk=row.issue_id)
    for days, left in ((300, 1), (400, 0)):
        Issue.objects.filter(pk=issue.pk).update(status="done", completed_at=ago(days))
        removed = retention.retain()
        assert removed["lists of pages"] == 1 - left
        assert Manifest.objects.count() == left
        assert Blob.objects.count() == PAGES * left
    # What was seen stays told.
    assert issue.criteria.count() == issue.evidence.count() == 1


def ago(days: float) -> datetime:
    return now() - timedelta(days=days)
