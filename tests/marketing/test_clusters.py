"""Keywords in groups that keep their names, and the briefs that are made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketing import conduct
from marketing.clusters import grouped, nearest, same_as_before
from marketing.models import (
    Brief,
    JobRun,
    Keyword,
    KeywordCluster,
    KeywordGap,
    OwnPage,
    Post,
    RankReading,
    Site,
)
from marketing.models.keyword import TRUSTED_AFTER
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Conflict, Invalid, NotAllowed
from tests import make
from tests.marketing import scene

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TEXTS = [
    "ai agents for business",
    "business ai agent",
    "software development company lisbon",
    "software development lisbon",
    "mvp development cost",
    "how much does an mvp cost",
    "chatbot for online shop",
    "online shop chatbots",
]
PAIRS = [{0, 1}, {2, 3}, {4, 5}, {6, 7}]


def test_what_means_the_same_is_one_group_in_any_order() -> None:
    assert [set(group) for group in sorted(grouped(TEXTS))] == PAIRS
    turned = list(reversed(TEXTS))
    told = {frozenset(turned[n] for n in group) for group in grouped(turned)}
    assert told == {frozenset(TEXTS[n] for n in pair) for pair in PAIRS}


def test_few_or_odd_texts_are_groups_as_well() -> None:
    assert grouped([]) == []
    assert grouped(["one"]) == [[0]]
    assert sorted(grouped(["?!", "the", "ai agents"])) == [[0], [1], [2]]
    assert nearest("ai agents", []) == (-1, 0.0)
    assert nearest("agents", ["cheap flights", "ai agents"])[0] == 1


@pytest.mark.parametrize(
    ("groups", "kept"),
    [
        ([{1, 2, 3, 4}], {0: "old"}),
        ([{1, 2, 8, 9}], {0: "old"}),  # half of it
        ([{1, 8, 9}], {}),  # less
        ([{1}, {2, 3, 4}], {1: "old"}),
        ([{1, 2}, {3, 4}], {0: "old"}),  # never two of them
    ],
)
def test_a_cluster_is_the_same_while_half_of_it_is_together(groups, kept) -> None:
    assert same_as_before(groups, {"old": {1, 2, 3, 4}}) == kept


# --- on rows --------------------------------------------------------------------------


@pytest.fixture
def site(db) -> Site:
    # Its sitemap is away: the briefs are written all the same.
    site = scene.site(
        facts=[
            {"id": "f1", "text": "Founded in 2019.", "source_url": "https://x.example"}
        ],
        languages=["en"],
    )
    for text in TEXTS:
        enter(site, text)
    return site


def enter(site: Site, text: str, **fields: Any) -> Keyword:
    return Keyword.objects.enter(site.company, text, by=SYSTEM, **fields)[0]


def gap(site: Site, term: str, score: float, **fields: Any) -> KeywordGap:
    values = {
        "kind": "missing",
        "priority": "high",
        "rivals": ["Altar", "Vume"],
        **fields,
    }
    return KeywordGap.objects.create(
        company=site.company, term=term, stem_key=term, score=score,
        first_seen_at=AT, last_seen_at=AT, **values,
    )  # fmt: skip


def seen(keyword: Keyword, position: float, times: int, url: str = "") -> None:
    for day in (17, 18):
        RankReading.objects.create(
            company=keyword.company, keyword=keyword, engine="google", country="PT",
            device="desktop", metric="gsc_avg_position", provider="gsc",
            day=datetime(2026, 11, day, tzinfo=UTC).date(), status="ranked",
            position=position, impressions=times // 2, url=url,
        )  # fmt: skip


def run(site: Site, at: datetime = AT) -> JobRun:
    row = conduct.conduct(scene.work(site, "content", clock=lambda: at))
    row.refresh_from_db()
    return row


def test_ids_stay_when_keywords_come_and_go(site) -> None:
    assert KeywordCluster.objects.regroup(site.company_id) == 4
    shop = Keyword.objects.get(text=TEXTS[6]).cluster
    Keyword.objects.get(text=TEXTS[7]).remove(by=SYSTEM)
    enter(site, "chatbots for online shops")
    enter(site, "chatbot online shop", country="DE")
    KeywordCluster.objects.regroup(site.company_id)
    members = set(shop.keywords.values_list("text", flat=True))
    assert members == {
        "chatbot for online shop", "chatbots for online shops", "chatbot online shop",
    }  # fmt: skip
    before = dict(Keyword.objects.values_list("pk", "cluster"))
    KeywordCluster.objects.regroup(site.company_id)
    assert dict(Keyword.objects.values_list("pk", "cluster")) == before


def test_languages_never_mix_and_an_empty_cluster_goes(site) -> None:
    enter(site, "software development lisbon", language="pt")
    KeywordCluster.objects.regroup(site.company_id)
    rows = Keyword.objects.filter(text="software development lisbon")
    assert len({row.cluster_id for row in rows}) == 2
    for row in rows:
        row.remove(by=SYSTEM)
    KeywordCluster.objects.regroup(site.company_id)
    assert KeywordCluster.objects.count() == 4


def test_nothing_to_write_about_is_a_run_without_briefs(site) -> None:
    row = run(site)
    assert row.status == "partial" and "sitemap" in row.note
    assert not Brief.objects.exists()


def test_a_gap_becomes_a_brief_and_a_keyword_of_ours(site) -> None:
    post = Post.objects.create(
        company=site.company, keyword="ai agents", slug="ai-agents", state="live",
        title="AI agents at work",
    )  # fmt: skip
    gap(site, "agent orchestration platform", 72)
    run(site)
    brief = Brief.objects.get()
    assert (brief.kind, brief.state, brief.week) == ("new", "approved", "2026-W47")
    assert (brief.score, brief.intent) == (72, "informational")
    assert "Altar, Vume" in brief.why
    assert brief.facts == site.facts and brief.links == [str(post.pk)]
    keyword = Keyword.objects.get(text="agent orchestration platform")
    assert (keyword.source, keyword.is_tracked) == ("gap", False)
    assert keyword.cluster == brief.cluster
    run(site, AT + timedelta(hours=1))
    assert Brief.objects.count() == 1


def test_a_gap_near_our_keywords_joins_their_cluster(site) -> None:
    gap(site, "cost of mvp development", 50)
    run(site)
    brief = Brief.objects.get()
    assert set(brief.secondary) == {TEXTS[4], TEXTS[5]}
    assert brief.cluster == Keyword.objects.get(text=TEXTS[4]).cluster
    assert brief.intent == "commercial"


def test_almost_found_means_the_page_is_made_better_by_a_person(site) -> None:
    url = "https://us.example/mvp"
    seen(Keyword.objects.get(text=TEXTS[4]), 9.0, 400, url)
    seen(Keyword.objects.get(text=TEXTS[0]), 3.0, 400, url)  # good enough
    seen(Keyword.objects.get(text=TEXTS[2]), 30.0, 400, url)  # too far
    seen(Keyword.objects.get(text=TEXTS[6]), 9.0, 40, url)  # too seldom
    row = run(site)
    brief = Brief.objects.get()
    assert (brief.primary, brief.kind) == (TEXTS[4], "update")
    assert (brief.state, brief.target_url) == ("proposed", url)
    assert url in row.waiting[0]["text"]
    assert "400 times" in brief.why and "9.0" in brief.why


def test_a_page_of_ours_about_it_is_changed_and_not_rivalled(site) -> None:
    page = OwnPage.objects.create(
        company=site.company, url="https://us.example/o", status=200, by_hand=False,
        title="Our agent orchestration platform for shops", text="About it.",
    )  # fmt: skip
    gap(site, "agent orchestration platform", 72)
    run(site)
    brief = Brief.objects.get()
    # The blog publisher wrote it, so nobody has to be asked.
    assert (brief.kind, brief.target_url, brief.state) == (
        "update", page.url, "approved",
    )  # fmt: skip


def test_the_best_three_and_one_of_a_cluster(site) -> None:
    for number, term in enumerate(
        ["zero trust audits", "vector databases", "green hosting", "legacy migration"]
    ):
        gap(site, term, 50 + number)
    gap(site, "online shops chatbot", 90)
    gap(site, "chatbots online shop", 89)
    run(site)
    told = list(Brief.objects.values_list("primary", flat=True))
    assert told == ["online shops chatbot", "legacy migration", "green hosting"]


def test_a_cluster_rests_after_a_brief(site) -> None:
    gap(site, "online shops chatbot", 90)
    run(site)
    Brief.objects.get().drop(by=SYSTEM)
    run(site, AT + timedelta(days=7))
    assert Brief.objects.count() == 1
    Brief.objects.update(created_at=AT)
    run(site, AT + timedelta(days=29))
    assert [b.week for b in Brief.objects.order_by("created_at")] == [
        "2026-W47", "2026-W51",
    ]  # fmt: skip


def test_what_waits_is_not_heaped_up(site) -> None:
    cluster = KeywordCluster.objects.create(company=site.company, name="x")
    for week in range(10):
        Brief.objects.create(
            company=site.company, cluster=cluster, week=f"2025-W{week:02}", primary="x"
        )
    gap(site, "online shops chatbot", 90)
    run(site)
    assert Brief.objects.count() == 10


def test_a_dismissed_gap_is_no_opportunity(site) -> None:
    gap(site, "online shops chatbot", 90, is_dismissed=True)
    run(site)
    assert not Brief.objects.exists()


# --- verbs ----------------------------------------------------------------------------


def test_a_keyword_is_there_once_and_has_words(site) -> None:
    row, made = Keyword.objects.enter(
        site.company, "  AI Agents for  Business", by=SYSTEM
    )
    assert not made and row.text == TEXTS[0]
    for text in ("", "?!", "x" * 201):
        with pytest.raises(Invalid, match="1 to 200"):
            enter(site, text)
    with pytest.raises(Invalid, match="device"):
        enter(site, "ai", device="fridge")
    with pytest.raises(Invalid, match="text cannot be changed"):
        row.change(by=SYSTEM, text="y")
    row.change(by=SYSTEM, is_tracked=False)
    assert not Keyword.objects.get(pk=row.pk).is_tracked


def test_who_may_not_change_keywords(site) -> None:
    viewer = Actor.of_user(make.operator(site.company, "viewer"))
    stranger = Actor.of_user(make.operator())
    row = Keyword.objects.first()
    for actor in (viewer, stranger):
        with pytest.raises(NotAllowed):
            Keyword.objects.enter(site.company, "new one", by=actor)
        with pytest.raises(NotAllowed):
            row.remove(by=actor)


def test_a_proposed_brief_is_for_people_to_decide(site) -> None:
    cluster = KeywordCluster.objects.create(company=site.company, name="x")
    brief = Brief.objects.create(
        company=site.company, cluster=cluster, week="2026-W47", primary="x"
    )
    with pytest.raises(NotAllowed):
        brief.approve(by=Actor.of_agent(site.agent))
    brief.approve(by=Actor.of_user(make.operator(site.company, "operator")))
    brief.approve(by=SYSTEM)  # the same again
    assert brief.state == "approved"
    Brief.objects.update(state="used")
    with pytest.raises(Conflict, match="used already"):
        brief.drop(by=SYSTEM)


def test_posts_go_out_unasked_only_after_ten_approvals(site) -> None:
    cluster = KeywordCluster.objects.create(company=site.company, name="x")
    with pytest.raises(Conflict, match="takes 10"):
        cluster.publish_unasked(True, by=SYSTEM)
    KeywordCluster.objects.filter(pk=cluster.pk).update(approvals=TRUSTED_AFTER)
    cluster.publish_unasked(True, by=SYSTEM)
    assert KeywordCluster.objects.get(pk=cluster.pk).auto_approve
