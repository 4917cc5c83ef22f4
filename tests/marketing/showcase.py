"""A company whose marketing has been at work for some weeks, to look at its pages."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils.timezone import now

from marketing.models import (
    Brief,
    Competitor,
    Contact,
    Directory,
    InboxMessage,
    IndexNowSubmission,
    JobRun,
    Keyword,
    KeywordCluster,
    KeywordGap,
    Mailbox,
    Message,
    OwnPage,
    PageSnapshot,
    Post,
    PostVersion,
    RankAlert,
    RankReading,
    Site,
)
from paperclip.actors import SYSTEM
from tests.marketing import scene

WORDS = ["ai agents for shops", "chatbot für händler", "agentic commerce portugal"]
NOTES = {
    "failed": "The sitemap does not answer: timed out.",
    "blocked": "“IndexNow key” of Digiton is not set.",
    "partial": "altar.io answers with a bot wall (403).",
}
SOURCE = """---
title: AI agents for small shops
---
# AI agents for small shops

What an agent does **today**, and what it does not.

## Where it helps

- answers at night
- follows up on carts

## What it costs

Less than a part-time job, as long as somebody looks at the bill.
"""


def fill(site: Site) -> None:
    runs(site)
    gaps(site)
    posts(site)
    ranks(site)
    outreach(site)
    told(site)


def runs(site: Site) -> None:
    states = ["ok", "noop", "noop", "partial", "failed", "noop", "ok", "blocked"]
    for number in range(24):
        job = ["content", "blog", "spy", "backlinks", "ranks", "pr"][number % 6]
        row = JobRun.objects.start(
            site.company, job, by=SYSTEM, tick_at=now() - timedelta(hours=2 * number)
        )
        state = states[number % len(states)]
        row.lines = ["Read 14 pages; 3 have changed.", "Told IndexNow of 3 pages."]
        note = NOTES.get(state, "")
        row.finish(state, note, by=SYSTEM)
        row.issue.change(by=SYSTEM, status="in_review" if number == 3 else "done")


def gaps(site: Site) -> None:
    company, at = site.company, now()
    rival = Competitor.objects.create(
        company=company, name="altar.io", base_url="https://altar.io/", status="ok",
        read_at=at,
    )  # fmt: skip
    Competitor.objects.create(
        company=company, name="twistag.com", base_url="https://twistag.com/",
        status="blocked", said="It answers 403: a bot wall.", read_at=at,
    )  # fmt: skip
    for number, body in enumerate(("old", "new")):
        PageSnapshot.objects.create(
            company=company, competitor=rival, url="https://altar.io/blog/",
            body_hash=body, status="ok", how="browser", last_seen_at=at
            - timedelta(days=1 - number),
            fields={
                "title": {"value": f"Startup guide ({body})", "step": "<title>"},
                "description": {"value": None, "reason": "no meta description"},
                "h2": {"value": ["Find your idea", "Build it"], "step": "visible h2"},
            },
        )  # fmt: skip
    for number, (term, score, priority) in enumerate(
        [("mvp development cost", 78.4, "high"), ("fractional cto", 61.0, "high"),
         ("discovery phase", 47.5, "medium"), ("nearshore portugal", 33.0, "low")]
    ):  # fmt: skip
        KeywordGap.objects.create(
            company=company, term=term, stem_key=term, score=score, priority=priority,
            kind="missing" if number < 2 else "untapped",
            components={"coverage": 0.8 - number / 10, "prominence": 0.9,
                        "freshness": 1.0, "fit": 0.55},
            titles=[f"{term.title()}: what it really takes"], rivals=["altar.io"],
            first_seen_at=at, last_seen_at=at,
        )  # fmt: skip


def posts(site: Site) -> None:
    company = site.company
    cluster = KeywordCluster.objects.create(company=company, name="ai agents")
    brief = Brief.objects.create(
        company=company, cluster=cluster, week="2026-W48", primary="ai agents shops",
        secondary=["shop chatbot"], why="Four of six rivals write about it.", score=71,
    )  # fmt: skip
    states = ["drafted", "awaiting_approval", "pushed", "announced", "rejected"]
    for number, state in enumerate(states):
        post = Post.objects.create(
            company=company, brief=brief, cluster=cluster, keyword=f"word {number}",
            slug=f"post-{number}",
            title=f"AI agents for small shops, part {number + 1}",
            state=state, url=f"https://us.example/blog/post-{number}",
            reasons=["Too close to “AI agents” (0.41)."] * (state == "rejected"),
        )  # fmt: skip
        gates = [{"rule": "structure", "passed": True, "said": ""},
                 {"rule": "near_duplicate", "passed": state != "rejected",
                  "said": "0.12 of 0.30"}]  # fmt: skip
        for version, source in ((1, SOURCE), (2, SOURCE.replace("today", "now"))):
            PostVersion.objects.create(
                company=company, post=post, number=version, document={}, source=source,
                gates=gates, by_name="CMO" if version == 1 else "ana",
            )  # fmt: skip


def ranks(site: Site) -> None:
    dice, today = random.Random(7), now().date()
    for word in WORDS:
        keyword, _is_new = Keyword.objects.enter(site.company, word, by=SYSTEM)
        position = dice.uniform(6, 24)
        for day in range(28, 0, -1):
            position = max(1.0, position + dice.uniform(-2, 1.6))
            there = dice.random() > 0.2
            RankReading.objects.create(
                company=site.company, keyword=keyword, engine="google", country="PT",
                device="desktop", metric="gsc_avg_position", provider="gsc",
                day=today - timedelta(days=day), url="https://us.example/agents",
                status="ranked" if there else "no_data",
                position=round(position, 1) if there else None,
            )  # fmt: skip
        RankAlert.objects.create(
            company=site.company, keyword=keyword, metric="gsc_avg_position", kind="up",
            said=f"{word}: up from 12 to 7.", day=today,
        )  # fmt: skip


def outreach(site: Site) -> None:
    company, at = site.company, now()
    box = Mailbox.objects.create(
        company=company, name="Ana of Digiton", address="ana@us.example", user="ana",
        smtp_host="mail.us.example", imap_host="mail.us.example",
        postal_address="Rua do Exemplo 1, Lisboa",
    )  # fmt: skip
    for number, state in enumerate(
        ["awaiting_approval", "accepted", "accepted", "unknown", "rejected"]
    ):
        contact = Contact.objects.create(
            company=company, name=f"Editor {number}", outlet=f"Tech Weekly {number}",
            email=f"editor{number}@press{number}.example", category="eu", country="PT",
            identity=f"editor{number}@press{number}.example", is_on=True,
        )  # fmt: skip
        row = Message.objects.create(
            company=company, mailbox=box, contact=contact, identity=contact.email,
            domain=f"press{number}.example", job="pr", state=state, to=contact.email,
            message_id=f"<{uuid4()}@us.example>", unsubscribe_token=uuid4().hex,
            subject="A shop run by agents, in numbers", body="Hello,\n\nyour piece…",
            article_url="https://press.example/a", article_title="Shops and robots",
            sent_at=at if state != "awaiting_approval" else None,
            found_at=at if number == 1 else None, smtp_reply="250 2.0.0 Ok: queued",
        )  # fmt: skip
        row.events.create(company=company, mailbox=box, kind="attempt", at=at)
    InboxMessage.objects.create(
        company=company, mailbox=box, answered=row, kind="reply", message_id="1",
        sender="editor1@press1.example", subject="Re: A shop run by agents",
        body="Tell me more.", arrived_at=at,
    )  # fmt: skip
    Directory.objects.create(
        company=company, name="Clutch", url="https://clutch.co/", state="packet"
    )


def told(site: Site) -> None:
    for number in range(8):
        url = f"https://us.example/blog/post-{number}"
        OwnPage.objects.create(company=site.company, url=url, status=200)
        IndexNowSubmission.objects.create(
            company=site.company, host="us.example", url=url, content_hash=str(number),
            state="accepted" if number % 3 else "accepted_key_pending",
            code=200 if number % 3 else 202, sent_at=now(),
        )  # fmt: skip


def company(**fields: Any) -> Site:
    site = scene.site(**fields)
    fill(site)
    return site
