"""What a month came to, as a page, as a PDF and by mail; and the picture of ranks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from agents.models import CostEvent
from marketing import results
from marketing.charts import Point, rank_chart
from marketing.models import Backlink, Keyword, Mailbox, Message, Post, RankReading
from marketing.words import stem_key
from tests import make
from tests.marketing import scene

pytestmark = pytest.mark.django_db
MONTH = date(2026, 10, 1)


def at(day: int, month: int = 10) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


@pytest.fixture
def company() -> Any:
    return scene.site(make.company(), base_url="https://us.example/").company


def post(company: Any, slug: str, **fields: Any) -> Post:
    values = {"title": f"About {slug}", "keyword": slug, "slug": slug, **fields}
    return Post.objects.create(company=company, **values)


def message(company: Any, to: str, **fields: Any) -> Message:
    box, _ = Mailbox.objects.get_or_create(
        company=company, address="us@us.example", smtp_host="x", imap_host="x"
    )
    return Message.objects.create(
        company=company, mailbox=box, identity=to, domain="x", to=to, job="pr",
        subject="s", body="b", message_id=str(uuid4()), unsubscribe_token=str(uuid4()),
        **fields,
    )  # fmt: skip


def test_only_what_was_seen_counts(company) -> None:
    post(company, "seen", state="announced", live_at=at(5), pushed_at=at(5))
    post(company, "pushed", state="unverified", pushed_at=at(6))
    post(company, "later", state="live", live_at=at(2, 11), pushed_at=at(2, 11))
    message(company, "a@x", state="accepted", sent_at=at(3), found_at=at(3))
    message(company, "b@x", state="accepted", sent_at=at(3))
    message(company, "c@x", state="unknown", sent_at=at(3))
    Backlink.objects.create(
        company=company, source_url="https://a/", target_url="https://us.example/",
        state="live", seen_at=at(9),
    )  # fmt: skip
    Backlink.objects.update(created_at=at(9))
    agent = company.sites.get().agent
    CostEvent.objects.enter(
        uuid4(), company.pk, agent, provider="x", biller="x", model="m",
        billing_type="metered_api", cost_micros=3_000_000, occurred_at=at(4),
    )  # fmt: skip
    told = results.of(company, MONTH)
    assert [one.slug for one in told.posts] == ["seen"] and told.unproven_posts == 1
    assert (told.pitches, told.unproven_pitches, len(told.links)) == (1, 2, 1)
    assert (told.results, told.micros_each) == (3, 1_000_000)
    assert "Posts seen live: 1" in results.as_text(told)


def test_positions_are_told_with_those_before_and_nothing_made_up(company) -> None:
    word = Keyword.objects.create(company=company, text="ai", stem_key=stem_key("ai"))
    for day, month, position in ((20, 9, 9.0), (3, 10, 7.0), (9, 10, 4.5)):
        RankReading.objects.create(
            company=company, keyword=word, engine="google", country="PT",
            device="desktop", metric="gsc_avg_position", provider="gsc",
            day=date(2026, month, day), status="ranked", position=position,
        )  # fmt: skip
    (row,) = results.of(company, MONTH).standings
    (one,) = row.positions
    assert (one.now, one.before, one.gain) == (4.5, 9.0, 4.5)
    told = results.of(company, date(2026, 11, 1))
    (one,) = told.standings[0].positions
    assert (one.now, one.gain, told.sums.measured) == (None, None, 0)


def test_a_gap_is_a_gap_and_the_first_place_is_on_top() -> None:
    days = [date(2026, 10, n) for n in range(1, 7)]
    values = [3.0, 5.0, None, None, 2.0, 1.0]
    points = [Point(*each) for each in zip(days, values, strict=True)]
    svg = rank_chart(points, "<ai>")
    assert svg.count("<polyline") == 2 and svg.count('class="rank-gap"') == 2
    assert "&lt;ai&gt;" in svg and "<ai>" not in svg
    heights = [float(part.split('"')[0]) for part in svg.split(' cy="')[1:7]]
    assert heights[0] < heights[1] and min(heights) == heights[3]
    assert "<polyline" not in rank_chart([], "x")
    assert "<polyline" not in rank_chart(points[:1], "x")


def test_the_page_the_pdf_and_the_mail(company, settings, mailoutbox) -> None:
    post(company, "seen", state="announced", live_at=at(5), url="https://us.example/b")
    user = make.operator(company, "operator")
    client = Client()
    client.force_login(user)
    answer = client.get("/marketing/results/?month=2026-10")
    assert "About seen" in answer.content.decode()
    assert client.get("/marketing/results/?month=2026-13").status_code == 404
    assert client.get("/marketing/results/?month=2031-01").status_code == 404
    pdf = client.get("/marketing/results/pdf?month=2026-10")
    assert pdf.content.startswith(b"%PDF-") and len(pdf.content) > 5000
    user.email = "person@us.example"
    user.save()
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    client.post("/marketing/results/mail", {"month": "2026-10"})
    assert [one.to for one in mailoutbox] == [["person@us.example"]]
    assert "About seen" in mailoutbox[0].body


def test_the_browser_that_prints_is_told_no_key(company, tmp_path, monkeypatch) -> None:
    printer = tmp_path / "browser"
    printer.write_text(
        f"""#!/bin/sh
env > {tmp_path}/told
for each; do
    case $each in --print-to-pdf=*) echo %PDF-1 > "${{each#*=}}" ;; esac
done
"""
    )
    printer.chmod(0o700)
    monkeypatch.setenv("PAPERCLIP_CHROMIUM", str(printer))
    monkeypatch.setenv("OPENAI_API_KEY", "canary-of-the-printer")
    pdf = results.as_pdf(results.of(company, date(2026, 10, 1)))
    told = (tmp_path / "told").read_text()
    assert pdf == b"%PDF-1\n" and "PATH=" in told
    assert "canary-of-the-printer" not in told


def test_last_months_mail_goes_out_once_and_never_of_a_rehearsal(
    company, settings, mailoutbox
) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    played = scene.site().company
    for number, one in enumerate((company, played)):
        user = make.operator(one)
        user.email = f"person{number}@us.example"
        user.save()
    assert results.mail_month(at(1, 11)) == 1
    assert results.mail_month(at(1, 11) + timedelta(minutes=5)) == 0
    assert mailoutbox[0].to == ["person0@us.example"]
    assert "October 2026" in mailoutbox[0].subject
