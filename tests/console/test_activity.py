"""The page of the log of acts: what it shows of it, and how its seals stand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localdate, now

from marketing.models import Competitor, Keyword
from paperclip import checkpoints, sealing, verification
from paperclip.activity import PER_PAGE
from paperclip.models import Activity, Chain, Company, Seal
from tests import make
from tests.console.conftest import seen_by
from tests.paperclip.tampering import arm, tamper

pytestmark = pytest.mark.django_db


def shown(console: Any, **asked: Any) -> list[str]:
    """What the acts that fit did."""
    context = console.get("/activity/", asked).context
    return [line.did for line in context["activity"]]


def test_every_filter_leaves_what_fits(console: Any, company: Company) -> None:
    ada, bob = make.agent(company, name="Ada"), make.agent(company, name="Bob")
    owner = make.by(make.owner_of(company))
    issue, other = make.issue(company, title="Ours"), make.issue(company)
    worker = make.working(ada, issue)
    issue.comment("Hello", by=worker)
    other.comment("Hello", by=owner)
    assert shown(console, issue=issue.identifier.lower()) == ["commented on", "filed"]
    assert shown(console, agent=ada.pk) == ["commented on"]
    assert shown(console, actor=f"agent {ada.pk}") == ["commented on"]
    assert shown(console, actor=f"user {owner.id}") == ["commented on"]
    assert shown(console, agent=bob.pk) == []
    assert shown(console, run=worker.run.pk) == ["commented on"]
    assert shown(console, action="agent.") == ["hired", "hired"]
    assert shown(console, action="agent.", actor=f"user {owner.id}") == []
    assert shown(console, kind="company") == ["founded the company"]
    seq = Activity.objects.get(action="company.created", company=company).seq
    assert shown(console, act=seq) == ["founded the company"]
    today = localdate()
    for since, until, there in ((0, 0, True), (1, 2, False), (-2, -1, False)):
        days = [today + timedelta(days=one) for one in (since, until)]
        assert bool(shown(console, since=days[0], until=days[1])) == there


def test_what_no_filter_can_mean_is_said(console: Any, company: Company) -> None:
    elsewhere = make.agent(make.company("Elsewhere"))
    foreign = make.issue(elsewhere.company)
    for name, value, said in (
        ("issue", foreign.identifier, f"There is no issue {foreign.identifier}."),
        ("agent", str(elsewhere.pk), "is not one of the available choices"),
        ("run", "7", "Enter a valid UUID."),
        ("since", "soon", "Enter a valid date."),
    ):
        page = console.get("/activity/", {name: value})
        assert said in page.content.decode() and not page.context["activity"]


def test_older_pages_keep_the_filter(console: Any, company: Company) -> None:
    for number in range(PER_PAGE + 2):
        make.label(company, name=f"Label {number}")
    asked = {"action": "label."}
    first = console.get("/activity/", asked)
    assert len(first.context["activity"]) == PER_PAGE
    second = console.get(f"/activity/?{first.context['older']}")
    assert len(second.context["activity"]) == 2
    text = second.content.decode()
    assert ">Newest</a>" in text and ">Older</a>" not in text


def test_it_tells_how_far_the_log_is_sealed(console: Any, company: Company) -> None:
    text = console.get("/activity/").content.decode()
    assert "Sealed up to entry 0." in text and "signed every hour" in text
    sealing.seal()
    checkpoints.sign_all()
    verification.verify_all()
    text = console.get("/activity/").content.decode()
    assert "Sealed up to entry 1." in text and ": 1 entries." in text
    assert "up to entry 1." in text and "verified every night" not in text
    chain = Chain.objects.get(pk=company.pk)
    assert chain.findings == []


def test_it_says_when_nobody_looks_any_more(console: Any, company: Company) -> None:
    sealing.seal()
    verification.verify_all()
    text = console.get("/activity/").content.decode()
    assert "has not run for two days" not in text and "dot good" in text
    Chain.objects.filter(pk=company.pk).update(verified_at=now() - timedelta(days=3))
    text = console.get("/activity/").content.decode()
    assert "has not run for two days" in text and "dot paused" in text
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE paperclip_activity DISABLE TRIGGER append_only")
    text = console.get("/activity/").content.decode()
    assert "The log can be changed" in text and "paperclip_activity" in text
    assert "dot good" not in text


def test_a_broken_chain_is_told_everywhere(console: Any, company: Company) -> None:
    make.agent(company)
    sealing.seal()
    with connection.cursor() as cursor:
        arm(cursor.execute, company.pk)
        tamper(cursor.execute, "edit actor_name", 2)
    verification.verify_all()
    seq = Seal.objects.get(company=company, number=2).seq
    said = f"Entry 2 (act {seq}) was edited."
    text = console.get("/activity/").content.decode()
    assert "The log is not as it was sealed" in text and said in text
    assert f'href="/activity/?act={seq}"' in text
    assert "found that sealed acts were changed" in text
    assert said in console.get("/").content.decode()
    other = seen_by(make.operator(make.company("Others")))
    for url in ("/", "/activity/"):
        assert said not in other.get(url).content.decode()


def test_acts_of_the_marketing_name_their_rows_in_as_many_questions(
    console: Any, company: Company, django_assert_num_queries: Any
) -> None:
    owner = make.by(make.owner_of(company))
    names = ["a “quoted” <script>", "shops", "shops 🛒"]

    def enter(name: str) -> None:
        row, _new = Keyword.objects.enter(company, name, by=owner)
        row.change(by=owner, is_tracked=False)
        Competitor.objects.add(
            company, f"Rival {len(name)}", f"https://{len(name)}.example", by=owner
        )

    enter(names[0])
    with CaptureQueriesContext(connection) as few:
        console.get("/activity/")
    for name in names[1:]:
        enter(name)
    with django_assert_num_queries(len(few)):
        page = console.get("/activity/")
    told = [line for line in page.context["activity"] if line.kind == "keyword"]
    assert [one.did for one in told[:2]] == [
        "changed the keyword",
        "entered the keyword",
    ]
    assert {one.what for one in told} == {name.lower() for name in names}
    assert all("/marketing/ranks/" in one.url for one in told)
    text = page.content.decode()
    assert "named a competitor:" in text and '<script>"' not in text
    Keyword.objects.get(text="shops").remove(by=owner)
    gone = console.get("/activity/").context["activity"][0]
    assert (gone.did, gone.what, gone.url) == ("removed the keyword", "shops", "")
