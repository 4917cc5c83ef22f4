"""How long what the jobs leave behind is kept."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import transaction
from django.utils.timezone import now

from agents import retention
from agents.models import Approval
from issues.models import Evidence, Issue
from marketing.models import (
    Backlink,
    BacklinkLook,
    Blob,
    Competitor,
    IndexNowSubmission,
    JobName,
    JobRun,
    Keyword,
    PageSnapshot,
    RankReading,
    Site,
)
from paperclip.actors import SYSTEM
from tests.marketing import scene
from tests.races import together

pytestmark = pytest.mark.django_db


def ago(days: float) -> datetime:
    return now() - timedelta(days=days)


def blob(site: Site, text: str, days: float = 100) -> Blob:
    row = Blob.objects.keep(site.company_id, text.encode())
    Blob.objects.filter(pk=row.pk).update(updated_at=ago(days))
    return row


def close(issue: Issue, days: float) -> None:
    Issue.objects.filter(pk=issue.pk).update(status="done", completed_at=ago(days))


def test_states_of_pages_go_but_those_of_the_last_reading() -> None:
    site = scene.site()
    rival = Competitor.objects.add(site.company, "R", "http://r.example/", by=SYSTEM)
    Competitor.objects.filter(pk=rival.pk).update(read_at=ago(100))

    def state(text: str, days: float, status: str = "ok") -> PageSnapshot:
        kept = blob(site, text, days)
        return PageSnapshot.objects.keep(
            rival, "http://r.example/a", kept.sha256, blob=kept, status=status,
            last_seen_at=ago(days),
        )[0]  # fmt: skip

    old, shown, wall = state("old", 200), state("shown", 100), state("no", 99, "failed")
    young = state("young", 10, "blocked")
    removed = retention.retain()
    assert set(PageSnapshot.objects.all()) == {shown, young}
    assert removed["states of pages"] == 2 and removed["stored answers"] == 2
    assert set(Blob.objects.all()) == {shown.blob, young.blob}
    assert {old.pk, wall.pk}.isdisjoint(PageSnapshot.objects.values_list("pk"))
    assert not any(retention.retain().values())


def test_the_newest_reading_look_and_run_of_each_thing_stay() -> None:
    site = scene.site()
    company = site.company
    keyword = Keyword.objects.enter(company, "AI agents", by=SYSTEM)[0]
    link = Backlink.objects.create(
        company=company, source_url="http://d.example/", target_url=site.base_url
    )
    kept: set[Any] = set()
    for days in (900, 800):
        reading = RankReading.objects.create(
            company=company, keyword=keyword, engine="google", country="PT",
            device="desktop", metric="serp_rank", day=ago(days).date(),
            status="no_data", provider="serper",
        )  # fmt: skip
        look = BacklinkLook.objects.create(company=company, backlink=link, state="live")
        BacklinkLook.objects.filter(pk=look.pk).update(created_at=ago(days))
        run = JobRun.objects.create(
            company=company, job=JobName.SPY, tick_at=ago(days), status="noop",
            finished_at=ago(days),
        )  # fmt: skip
        kept = {reading, look, run}
    removed = retention.retain()
    assert {removed[one] for one in ("rank readings", "looks at links")} == {1}
    assert removed["runs of jobs"] == 1
    left = (*RankReading.objects.all(), *BacklinkLook.objects.all())
    assert {*left, *JobRun.objects.all()} == kept


def test_what_is_still_to_be_proven_or_decided_keeps_its_run_and_its_bytes() -> None:
    site = scene.site()
    work = scene.work(site, "spy")
    issue, names = work.job_run.issue, ("claimed", "proof", "asked", "sent", "nothing")
    assert issue is not None
    claimed, proof, asked, sent, nothing = (blob(site, name) for name in names)
    work.claim("crawl", "Two pages", pages=[{"url": "u", "sha256": claimed.sha256}])
    Evidence.objects.create(
        issue=issue, company=site.company, title="t", type="crawl", outcome="passed",
        said="s", facts={"digests": [proof.sha256]}, state="s", began_at=now(),
    )  # fmt: skip
    payload = {"title": "May it?", "sha256": asked.sha256}
    approval = Approval.objects.request(
        site.company, Approval.Type.BOARD, payload, by=SYSTEM
    )
    told = IndexNowSubmission.objects.create(
        company=site.company, host="h", url="http://h/", content_hash="c",
        payload_sha256=sent.sha256, sent_at=ago(100),
    )  # fmt: skip
    JobRun.objects.filter(pk=work.job_run.pk).update(
        status="ok", finished_at=ago(500), tick_at=ago(500)
    )
    JobRun.objects.create(
        company=site.company, job="spy", tick_at=now(), status="noop", finished_at=now()
    )
    removed = retention.retain()
    assert (removed["stored answers"], removed["runs of jobs"]) == (1, 0)
    assert not Blob.objects.filter(pk=nothing.pk).exists()
    # All of it settled, but lately.
    close(issue, 300)
    Approval.objects.filter(pk=approval.pk).update(
        status="approved", decided_at=ago(300)
    )
    removed = retention.retain()
    assert (removed["stored answers"], removed["runs of jobs"]) == (0, 1)
    # And long ago.
    close(issue, 400)
    Approval.objects.update(decided_at=ago(400))
    IndexNowSubmission.objects.filter(pk=told.pk).update(sent_at=ago(400))
    assert retention.retain(dry_run=True)["stored answers"] == 4
    assert retention.retain()["stored answers"] == 4
    assert not Blob.objects.exists() and Issue.objects.filter(pk=issue.pk).exists()
    assert issue.criteria.count() == 1 and issue.evidence.count() == 1


def test_for_ever_is_for_ever(settings: LazySettings) -> None:
    settings.KEEP_PROOFS_DAYS = 0
    site = scene.site()
    work = scene.work(site, "spy")
    kept = blob(site, "claimed", 4000)
    work.claim("crawl", "A page", pages=[{"sha256": kept.sha256}])
    assert work.job_run.issue is not None
    close(work.job_run.issue, 4000)
    assert retention.retain()["stored answers"] == 0


@pytest.mark.django_db(transaction=True)
def test_what_is_received_again_is_not_thrown_away() -> None:
    """Whoever keeps the same bytes again may refer to them, whatever the night does."""
    site = scene.site()
    blob(site, "the same")

    def keep_or_retain(number: int) -> None:
        if number:
            retention.retain()
            return
        with transaction.atomic():
            rival = Competitor.objects.add(site.company, "R", "http://r/", by=SYSTEM)
            row = Blob.objects.keep(site.company_id, b"the same")
            PageSnapshot.objects.keep(
                rival, "http://r/", row.sha256, blob=row, status="ok",
                last_seen_at=now(),
            )  # fmt: skip

    together(2, keep_or_retain)
    snapshot = PageSnapshot.objects.get()
    assert snapshot.blob is not None and snapshot.blob.body == b"the same"
