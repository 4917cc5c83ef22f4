"""Competitor Spy end to end: six broken sites, a real Chromium, and what becomes of
it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from issues.models import Evidence
from marketing import conduct
from marketing.models import (
    Competitor,
    JobRun,
    PageSnapshot,
    Site,
)
from paperclip import browsers
from paperclip.actors import SYSTEM
from tests.marketing import rivals, scene
from tests.marketing.rivals import Rival

pytestmark = pytest.mark.django_db
Sites = dict[str, Rival]


@pytest.fixture(scope="module")
def chromium() -> str:
    found = browsers.find()
    assert found, "these tests need Chromium"
    return found


@pytest.fixture
def sites() -> Iterator[Sites]:
    with rivals.running() as found:
        yield found


def watching(sites: Sites, names: str = "", **fields: Any) -> Site:
    """Our site, with these competitors."""
    topics = ["AI agents for retail", "inventory forecasting"]
    ours = scene.site(topics=topics, brands=["Digiton"], **fields)
    for name in (names or "altair boreal cirrus dunaj eclipse fjord").split():
        Competitor.objects.add(
            ours.company, name.capitalize(), sites[name].url, by=SYSTEM
        )
    return ours


def run(site: Site, **fields: Any) -> JobRun:
    row = conduct.conduct(scene.work(site, "spy", **fields))
    row.refresh_from_db()
    return row


def static(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a browser: much quicker."""
    monkeypatch.setattr(browsers, "find", lambda: "")


def page_of(name: str, path: str = "/") -> PageSnapshot:
    rival = Competitor.objects.get(name=name.capitalize())
    return next(one for one in rival.pages_now() if one.url.endswith(path))


def simple(fields: dict[str, Any], name: str) -> list[Any]:
    told = fields[name]
    value = told["value"]
    if name == "tech" and value:
        value = [one["name"] for one in value]
    if name == "posts" and value:
        value = [[one["title"], one["url"]] for one in value]
    return [value, told["step"]]


def golden_of(rival: Rival, row: Competitor) -> list[tuple[str, Any, Any]]:
    """Each field with what it has to be, and what it is."""
    told = rival.golden()
    found: list[tuple[str, Any, Any]] = [("status", told["status"], row.status)]
    if told["status"] != "ok":
        return found
    pages = row.pages_now()
    home = next(one for one in pages if one.url == rival.url)
    for name, wanted in told["home"].items():
        found.append((name, wanted, simple(home.fields, name)))
    posts = [simple(p.fields, "posts") for p in pages if p.fields.get("posts")]
    best = told["posts"] if told["posts"] in posts else posts
    found.append(("posts", told["posts"], best))
    return found


def test_six_broken_sites_are_read_as_they_have_to_be(sites, chromium) -> None:
    ours = watching(sites)
    row = run(ours)
    wrong = [
        (rival.name, *one)
        for rival in Competitor.objects.order_by("name")
        for one in golden_of(sites[rival.name.lower()], rival)
        if one[1] != one[2]
    ]
    assert wrong == []
    assert row.status == "partial" and "Eclipse: blocked" in row.note
    assert "Fjord: skipped" in row.note
    assert "4 of 6 sites were read." in row.lines
    row.issue.refresh_from_db()
    assert row.issue.status == "done", row.issue.description
    looked = Evidence.objects.filter(issue=row.issue)
    assert [one.outcome for one in looked] == ["passed"] * 4
    politely(sites)


def politely(sites: Sites) -> None:
    """What the sites have seen of it."""
    for rival in sites.values():
        for hit in rival.hits:
            assert hit.agent == "PaperclipBot/1.0 (+http://127.0.0.1:1/)"
    assert sites["tracker"].hits == []
    assert sites["fjord"].paths == ["/robots.txt"]
    assert "/blog/inventory-forecasting" not in sites["altair"].paths
    assert "/logo.png" not in sites["altair"].paths
    assert "/worker.js" not in sites["altair"].paths
    assert sites["eclipse"].paths[:2] == ["/robots.txt", "/"]
    times = [hit.at for hit in sites["boreal"].hits if hit.path != "/robots.txt"]
    pauses = [b - a for a, b in pairwise(times)]
    assert pauses and min(pauses) > 0.28
