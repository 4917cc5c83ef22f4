"""Pages of the marketing with many rows: as many questions as with few, and pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from marketing import positions
from marketing.models import (
    Competitor,
    IndexNowSubmission,
    Keyword,
    KeywordGap,
    Message,
    PageSnapshot,
    Post,
    RankReading,
    Site,
)
from marketing.words import stem_key
from tests import make
from tests.marketing import scene, showcase

pytestmark = pytest.mark.django_db
PAGES = [
    *("", "gaps/", "posts/", "posts/?column=live", "ranks/", "outreach/", "indexnow/"),
    "results/",
]


def copies(row: Model, count: int, **others: Any) -> None:
    """More rows like it; of each name in `others` what it says for that number."""
    values = {f.attname: getattr(row, f.attname) for f in row._meta.concrete_fields}
    rows = [
        type(row)(
            **values | {"id": uuid4()} | {name: say(n) for name, say in others.items()}
        )
        for n in range(count)
    ]
    type(row)._default_manager.bulk_create(rows)  # type: ignore[attr-defined]


def grow(site: Site) -> None:
    known = RankReading.objects.exclude(position=None).first()
    assert known is not None
    words = [f"word {n} of many" for n in range(60)]
    rows = Keyword.objects.bulk_create(
        Keyword(company=site.company, text=word, stem_key=stem_key(word))
        for word in words
    )
    for n in range(2):
        day = now().date() - timedelta(days=n)
        copies(known, 60, keyword_id=lambda n: rows[n].pk, day=lambda n, at=day: at)
    copies(KeywordGap.objects.get(term="mvp development cost"), 60,
        stem_key=lambda n: f"gap {n}", term=lambda n: f"gap {n}")  # fmt: skip
    copies(Post.objects.filter(state="announced")[0], 60, slug=lambda n: f"copy-{n}",
        key=lambda n: uuid4(),
        keyword=lambda n: f"keyword {n}", title=lambda n: f"About {n}",
        approval_id=lambda n: None)  # fmt: skip
    copies(Message.objects.filter(state="accepted")[0], 60, contact_id=lambda n: None,
        identity=lambda n: f"{n}@x.example", message_id=lambda n: f"<{n}@x>",
        unsubscribe_token=str, approval_id=lambda n: None)  # fmt: skip
    copies(IndexNowSubmission.objects.all()[0], 60, content_hash=str,
        url=lambda n: f"https://digiton.ai/{n}")  # fmt: skip
    copies(Competitor.objects.all()[0], 20, name=lambda n: f"Rival {n}",
        base_url=lambda n: f"https://{n}.example/")  # fmt: skip


def asked(browser: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as questions:
        assert browser.get(address).status_code == 200
    return len(questions)


def test_a_page_asks_as_much_with_many_rows_as_with_few() -> None:
    site = showcase.company()
    browser = Client()
    browser.force_login(make.operator(site.company, "admin"))
    rival = PageSnapshot.objects.all()[0]
    addresses = [f"/marketing/{one}" for one in PAGES]
    addresses.append(f"/marketing/rivals/{rival.competitor_id}")
    before = {one: asked(browser, one) for one in addresses}
    grow(site)
    copies(rival, 15, url=lambda n: f"https://altar.io/{n}")
    after = {one: asked(browser, one) for one in addresses}
    more = {one: (before[one], after[one]) for one in after if after[one] > before[one]}
    assert not more
    gaps = browser.get("/marketing/gaps/?page=2")
    assert len(gaps.context["gaps"]) == 20 and "21 to 40 of" in gaps.content.decode()
    # A tab that was open too long asks for a page that there is not any more.
    assert browser.get("/marketing/gaps/?page=99&dismissed=1").status_code == 200
    pipeline = browser.get("/marketing/posts/").content.decode()
    assert "?column=live" in pipeline and "All 61" in pipeline


def test_what_moved_most_comes_first() -> None:
    company, today = scene.site().company, now().date()
    told = {"steady": (5, 5), "up": (30, 12), "down": (4, 9), "new": (None, 3),
        "best": (1, 1)}  # fmt: skip
    for text, (then, at) in told.items():
        word = Keyword.objects.create(
            company=company, text=text, stem_key=text, is_tracked=True
        )
        for days, place in ((9, then), (0, at)):
            RankReading.objects.create(
                company=company, keyword=word, engine="google", country="PT",
                device="desktop", metric="gsc_avg_position", provider="gsc",
                day=today - timedelta(days=days), position=place,
                status="ranked" if place else "no_data",
            )  # fmt: skip
    early = today - timedelta(days=30)
    rows = positions.standings_of(company, early, early, today + timedelta(days=1))
    found = [one.keyword.text for one in rows]
    assert found == ["up", "down", "best", "new", "steady"]
    assert [one.gain for one in rows] == [18, -5, 0, None, 0]
    assert positions.sums(rows) == (5, 4, 1, 1)
    # Against the first of the time where there is none before it.
    assert rows[0].positions[0].since == today - timedelta(days=9)
    positions.draw(rows, early, today + timedelta(days=1))
    (new,) = (one for one in rows if one.keyword.text == "new")
    assert 'class="rank-gap"' in new.positions[0].chart
    assert "measured 1 times of 2" in new.positions[0].chart
