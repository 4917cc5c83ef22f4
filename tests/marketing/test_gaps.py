"""Gaps: terms, the score part by part, classes, caps, titles."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now
from pytest_httpserver import HTTPServer

from marketing import gaps, terms, titles
from marketing.gaps import freshness, priority, score
from marketing.models import (
    Competitor,
    Keyword,
    KeywordGap,
    ObservedTerm,
    PageSnapshot,
    RankReading,
    Site,
)
from marketing.writer import Writer
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import NotAllowed
from tests import make
from tests.marketing import scene

pytestmark = pytest.mark.django_db
AT = now()


def rival(site: Site, name: str) -> Competitor:
    url = f"https://{name.lower()}.example/"
    row: Competitor = Competitor.objects.add(site.company, name, url, by=SYSTEM)
    return row


def page(of: Competitor, text: str = "", **fields: Any) -> PageSnapshot:
    told = {name: {"value": value, "step": "x"} for name, value in fields.items()}
    return PageSnapshot(
        company_id=of.company_id, competitor=of, url=of.base_url, fields=told, text=text
    )


def found(site: Site, pages: list[PageSnapshot], **how: Any) -> dict[str, KeywordGap]:
    read: dict[Competitor, list[PageSnapshot]] = {}
    for one in pages:
        read.setdefault(one.competitor, []).append(one)
    rows = gaps.find(site, read, how.get("at", AT), keep=how.get("keep", True))
    return {one.term: one for one in rows}


def ours(**fields: Any) -> Site:
    return scene.site(**{"topics": ["inventory forecasting software"], **fields})


def test_the_score_is_the_sum_that_is_written_down() -> None:
    parts = {"coverage": 0.5, "prominence": 0.9, "freshness": 1.0, "fit": 0.4}
    assert score(parts) == 62.0  # 100 * (0.175 + 0.225 + 0.1 + 0.12)
    full = dict.fromkeys(parts, 1.0)
    assert score(full) == 100.0 and score({**full, "demand": 1.0}) == 100.0
    assert score({**full, "demand": 0.0}) == pytest.approx(100 / 1.2, abs=0.01)


@pytest.mark.parametrize(
    ("days", "wanted"), [(0, 1), (14, 1), (52, 0.5), (90, 0), (400, 0)]
)
def test_freshness_lasts_two_weeks_and_is_gone_after_ninety_days(
    days: int, wanted: float
) -> None:
    assert freshness(timedelta(days=days)) == pytest.approx(wanted)


def test_priorities_and_their_cap() -> None:
    told = [priority(value, 2) for value in (60, 59.99, 40, 39.99)]
    assert told == ["high", "medium", "medium", "low"]
    assert priority(99, 1) == "medium"


def test_terms_are_one_to_four_words_that_could_be_searched_for() -> None:
    text = "The inventory forecasting of 24 shops. For retail, by Digiton"
    told = set(terms.grams(text, frozenset({"digiton"})))
    assert {"inventory", "inventory forecasting", "retail", "shops"} <= told
    for no in (
        "the inventory",
        "forecasting of",
        "24 shops",
        "shops retail",
        "digiton",
    ):
        assert no not in told


@pytest.mark.parametrize(
    ("language", "text", "good", "bad"),
    [
        ("de", "Die Lagerverwaltung mit Robotern", "lagerverwaltung", "mit robotern"),
        ("pt", "Aquela gestão de stock", "gestão de stock", "aquela gestão"),
        ("fr", "Les entrepôts avec robots", "entrepôts", "avec robots"),
        # No dictionary: only the words that are empty everywhere.
        ("ja", "The storage with robots", "storage", "with robots"),
    ],
)
def test_empty_words_of_the_language_make_no_terms(language, text, good, bad) -> None:
    pages = [page(rival(ours(), "Altair"), title=text)]
    told = {one.text for one in terms.terms(pages, language, frozenset()).values()}
    assert good in told and bad not in told


def test_a_term_has_the_weight_of_its_best_place() -> None:
    one = rival(ours(), "Altair")
    pages = [
        page(one, "Demand planning. " * 3, h2=["Demand planning"]),
        page(one, "Once only here.", posts=[{"title": "Stock levels", "url": ""}]),
        page(one, title="Stock level", keywords=["shelf space"]),
    ]
    told = terms.terms(pages, "en", frozenset())
    places = {term.text: term.place for term in told.values()}
    assert places["demand planning"] == "h2"
    assert places["shelf space"] == "keywords"
    # Two spellings are one.
    (stock,) = [t for t in told.values() if t.text.startswith("stock level")]
    assert (stock.place, stock.count) == ("title", 2)
    assert not any("once" in term for term in places)


def test_a_gap_says_how_its_score_came_about() -> None:
    site = ours()
    a, b, c = (rival(site, name) for name in ("Altair", "Boreal", "Cirrus"))
    told = found(
        site,
        [
            page(a, title="Inventory forecasting"),
            page(b, h1="Inventory forecasting"),
            page(c, h2=["Cake recipes"]),
        ],
    )
    gap = told["inventory forecasting"]
    parts = gap.components
    assert parts["coverage"] == pytest.approx(2 / 3, abs=1e-4)
    assert (parts["prominence"], parts["freshness"]) == (1.0, 1.0)
    assert 0.7 < parts["fit"] < 1
    assert gap.score == score(parts)
    assert (gap.kind, gap.priority) == ("missing", "high")
    assert gap.rivals == ["Altair", "Boreal"]
    cake = told["cake recipes"]
    assert (cake.kind, cake.components["fit"]) == ("untapped", 0)
    # A single word that has nothing to do with us is none.
    assert "cake" not in told


def test_of_one_site_nothing_is_high_and_the_class_is_by_coverage() -> None:
    site = ours()
    told = found(site, [page(rival(site, "Altair"), title="Inventory forecasting")])
    gap = told["inventory forecasting"]
    assert (gap.kind, gap.priority) == ("missing", "medium") and gap.score > 60


def test_what_we_have_is_no_gap_unless_nobody_finds_it() -> None:
    site = ours()
    pages = [
        page(rival(site, name), title="Inventory forecasting") for name in ("Al", "Bo")
    ]
    assert "inventory forecasting" in found(site, pages)
    mine, _made = Keyword.objects.enter(
        site.company, "forecasting inventories", by=SYSTEM, language="en"
    )
    assert "inventory forecasting" not in found(site, pages)
    assert not KeywordGap.objects.filter(term="inventory forecasting").exists()
    place(mine, 8.0)
    assert "inventory forecasting" not in found(site, pages)
    place(mine, 14.0, days=1)
    weak = found(site, pages)["inventory forecasting"]
    assert weak.kind == "weak"
    assert weak.components["update"] == "https://us.example/stock"
    assert weak.is_for_the_site


def place(keyword: Keyword, position: float, days: int = 0) -> None:
    RankReading.objects.create(
        company_id=keyword.company_id,
        keyword=keyword,
        engine="google",
        country="PT",
        device="desktop",
        metric="gsc_avg_position",
        day=AT.date() + timedelta(days=days),
        status="ranked",
        position=position,
        url="https://us.example/stock",
        provider="gsc",
    )


def test_what_is_nearly_ours_is_dropped_too() -> None:
    site = ours()
    Keyword.objects.enter(
        site.company, "best inventory forecasting", by=SYSTEM, language="en"
    )
    pages = [page(rival(site, name), title="Inventory forecasting") for name in "XY"]
    assert "inventory forecasting" not in found(site, pages)


def test_a_term_is_fresh_by_when_it_was_first_seen() -> None:
    site = ours()
    pages = [page(rival(site, name), title="Inventory forecasting") for name in "XY"]
    first = found(site, pages)["inventory forecasting"]
    later = found(site, pages, at=AT + timedelta(days=52))["inventory forecasting"]
    assert (first.pk, first.first_seen_at) == (later.pk, later.first_seen_at)
    assert later.components["freshness"] == 0.5
    assert first.score - later.score == pytest.approx(5, abs=0.01)
    seen = ObservedTerm.objects.filter(term="inventory forecasting")
    assert {one.first_seen_at for one in seen} == {AT}


def test_parts_of_a_longer_term_are_not_gaps_of_their_own() -> None:
    site = ours()
    a, b = rival(site, "Altair"), rival(site, "Boreal")
    told = found(
        site,
        [
            page(a, title="Inventory forecasting software"),
            page(
                b, title="Inventory forecasting software", h2=["Forecasting software"]
            ),
        ],
    )
    assert "inventory forecasting software" in told
    assert "inventory forecasting" not in told
    assert "forecasting software" in told


def test_suggested_titles_are_nobodys() -> None:
    site = ours()
    a, b = rival(site, "Altair"), rival(site, "Boreal")
    taken = "Inventory forecasting: what it costs and what it brings"
    pages = [page(a, title="Inventory forecasting"), page(b, title=taken)]
    work = scene.work(site, "spy")
    rows = list(found(site, pages).values())
    titles.suggest(work, rows, {a: pages[:1], b: pages[1:]})
    (gap,) = [one for one in rows if one.term == "inventory forecasting"]
    assert len(gap.titles) == 3
    for one in gap.titles:
        assert len(one) <= 60 and not titles.alike(one, taken)
    kept = list(gap.titles)
    titles.suggest(work, rows, {})
    assert gap.titles == kept


@pytest.mark.parametrize("answers", [True, False])
def test_the_model_is_asked_once_for_the_high_ones(
    httpserver: HTTPServer, answers: bool
) -> None:
    """Without its answer there are those by template."""
    idea = "Inventory forecasting without tears"
    told = {"suggestions": [{"keyword": "inventory forecasting", "titles": [idea]}]}
    content = json.dumps(told) if answers else "I would rather not."
    choice = {"message": {"role": "assistant", "content": content}}
    httpserver.expect_request("/v1/chat/completions").respond_with_json(
        {"choices": [choice]}
    )
    site = ours()
    pages = [page(rival(site, name), title="Inventory forecasting") for name in "XY"]
    url = httpserver.url_for("").rstrip("/")
    work = scene.work(site, "spy", writer=Writer(url, "token", "openai/test"))
    rows = list(found(site, pages).values())
    titles.suggest(work, rows, {})
    gap = next(one for one in rows if one.term == "inventory forecasting")
    assert (gap.titles[0] == idea) is answers and len(gap.titles) == 3
    assert any("by template" in line for line in work.job_run.lines) is not answers
    asked = [request.get_json() for request, _answer in httpserver.log]
    assert len(asked) == (1 if answers else 2)
    # What is others' is fenced.
    assert "keywords from others' pages" in asked[0]["messages"][1]["content"]
    titles.suggest(work, rows, {})
    assert len(httpserver.log) == len(asked)


def test_a_models_titles_are_held_to_the_same() -> None:
    site = ours()
    gap = KeywordGap(term="inventory forecasting")
    ideas = [
        "Inventory forecasting without tears",
        "Inventory forecasting, without tears!",
        "Ten ways to bake a cake",
        "Inventory forecasting " * 5,
        "Already there: inventory forecasting",
    ]
    known = ["Already there - Inventory Forecasting"]
    assert titles.good(gap, ideas, known, site.languages or "en") == ideas[:1]


def test_a_dismissed_gap_stays_so() -> None:
    site = ours()
    pages = [page(rival(site, name), title="Inventory forecasting") for name in "XY"]
    gap = found(site, pages)["inventory forecasting"]
    viewer = Actor.of_user(make.operator(site.company, "viewer"))
    with pytest.raises(NotAllowed):
        gap.dismiss(by=viewer)
    gap.dismiss(by=Actor.of_user(make.operator(site.company)))
    assert "inventory forecasting" not in found(site, pages)
    gap.refresh_from_db()
    assert gap.is_dismissed and gap.hand_over(site, by=SYSTEM) is None
    gap.dismiss(by=SYSTEM, again=True)
    assert "inventory forecasting" in found(site, pages)
