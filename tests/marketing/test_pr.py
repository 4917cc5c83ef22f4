"""PR Outreach from a piece of theirs to a mail that is seen in Sent, on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils.timezone import now
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from agents.models import Approval
from issues.models import Evidence
from marketing import conduct
from marketing.jobs.base import Work
from marketing.models import (
    Contact,
    CountryPolicy,
    InboxMessage,
    JobRun,
    Mailbox,
    Message,
    Site,
    Suppression,
    Template,
)
from marketing.outreach import articles, checks
from marketing.writer import Writer
from paperclip.actors import SYSTEM
from tests import make
from tests.marketing import mailworld, scene
from tests.marketing.mailworld import Post, Script

pytestmark = pytest.mark.django_db

FACTS = [
    {"id": "f1", "text": "Digiton runs 7 agents on one shop.", "source_url": ""},
    {"id": "f2", "text": "Every claim of an agent is checked.", "source_url": ""},
]
PIECE = "Robots write the newspaper. " * 20
# So different are the mails of a model that does what it is told.
PITCHES = [
    "We run 7 agents on one shop, and write down whatever they get wrong.",
    "Nothing that our agents claim is believed before a checker looked.",
    "A shop kept by machines sounds like fiction; a human is in charge here.",
]


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    with mailworld.post() as one:
        yield one


@pytest.fixture
def smtp() -> Iterator[tuple[Script, int]]:
    with mailworld.scripted() as server:
        yield server


class Model:
    """What the model says to each mail, in turn; and what it was asked."""

    def __init__(self, server: HTTPServer) -> None:
        self.asked: list[str] = []
        self.says: list[dict[str, object]] = []
        server.expect_request("/v1/chat/completions").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        self.asked.append(request.get_data(as_text=True))
        number = len(self.asked) - 1
        words = {
            "opening": "Your piece on robots who write a newspaper stayed with me.",
            "pitch": PITCHES[number % len(PITCHES)],
            "facts": ["f1"] if number % 3 != 1 else ["f2"],
        }
        words |= self.says.pop(0) if self.says else {}
        content = {"message": {"role": "assistant", "content": json.dumps(words)}}
        body = {"choices": [content], "usage": {}}
        return Response(json.dumps(body), content_type="application/json")


@pytest.fixture
def model(httpserver: HTTPServer) -> Model:
    return Model(httpserver)


def newsroom(server: HTTPServer, number: int, days: int = 3) -> str:
    """A feed with one piece of so many days ago; its address."""
    at = now() - timedelta(days=days)
    link = server.url_for(f"/piece{number}")
    feed = (
        '<rss version="2.0"><channel><title>P</title><item>'
        f"<title>Robots {number}</title><link>{link}</link>"
        f"<pubDate>{at:%a, %d %b %Y %H:%M:%S} GMT</pubDate></item></channel></rss>"
    )
    server.expect_request(f"/feed{number}").respond_with_data(feed)
    server.expect_request(f"/piece{number}").respond_with_data(
        f"<title>Robots {number}</title><article><p>{PIECE}</p></article>",
        content_type="text/html",
    )
    return server.url_for(f"/feed{number}")


def scenery(server: HTTPServer, smtp: int, imap: int, contacts: int = 1) -> Site:
    site = scene.site(facts=FACTS)
    server.expect_request("/robots.txt").respond_with_data("", status=404)
    Template.objects.create(
        company=site.company,
        category="pt_tech",
        subject="For {outlet}: agents",
        body="Hello {name},\n\nI read {article}.\n\n{pitch}\n\nA word is enough.",
    )
    mailworld.mailbox(site, smtp, imap, sent_copy="append")
    for n in range(contacts):
        mailworld.contact(site, n, feed_url=newsroom(server, n))
    return site


def run(site: Site, server: HTTPServer):
    work = scene.work(site, "pr", writer=Writer(server.url_for("").rstrip("/"), "t"))
    row = conduct.conduct(work)
    row.refresh_from_db()
    row.issue.refresh_from_db()
    return row


def approve_all(site: Site) -> None:
    person = make.by(make.owner_of(site.company))
    for one in Approval.objects.filter(company=site.company).open():
        one.decide("approved", by=person)


def test_from_a_piece_of_theirs_to_a_mail_that_is_seen_in_sent(
    httpserver: HTTPServer, smtp, post: Post, model: Model
) -> None:
    site = scenery(httpserver, smtp[1], post.imap, contacts=2)
    row = run(site, httpserver)
    assert row.status == "ok" and row.counters == {"written": 2}, row.note
    one = Message.objects.get(contact__outlet="Paper 0")
    assert one.state == "awaiting_approval" and smtp[0].letters == []
    assert (one.article_title, one.facts) == ("Robots 0", ["f1"])
    assert "“Robots 0”" in one.body and PITCHES[0] in one.body
    for told in ("Rua das Flores 1", "paper0.example/team", "unsubscribe", "Ana Silva"):
        assert told in one.body.partition("\n-- \n")[2]
    assert PIECE[:50] in json.loads(model.asked[0])["messages"][1]["content"]
    card = one.approval
    assert card.payload["sha256"] == one.sha256 and one.to not in str(card.payload)

    row = run(site, httpserver)
    assert row.counters == {} and len(model.asked) == 2
    assert len(row.waiting) == 2 and smtp[0].letters == []

    approve_all(site)
    row = run(site, httpserver)
    assert row.status == "ok" and row.issue.status == "done", row.note
    assert len(smtp[0].letters) == 2
    assert [e.outcome for e in Evidence.objects.filter(issue=row.issue)] == [
        "passed",
        "passed",
    ]
    one.refresh_from_db()
    assert one.state == "accepted" and one.found_at is not None

    run(site, httpserver)
    assert len(smtp[0].letters) == 2


def test_taken_and_not_in_sent_is_never_verified(
    httpserver: HTTPServer, smtp, post: Post, model: Model
) -> None:
    site = scenery(httpserver, smtp[1], post.imap)
    Mailbox.objects.update(sent_copy="server")
    run(site, httpserver)
    approve_all(site)
    row = run(site, httpserver)
    assert Message.objects.get().state == "accepted"
    assert row.issue.status == "in_review"
    assert Evidence.objects.get(issue=row.issue).outcome == "unable"
    # Found there in the end, and looked at by the next run.
    post.put("Sent", smtp[0].letters[0])
    run(site, httpserver)
    row.issue.refresh_from_db()
    assert row.issue.status == "done"


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ({"facts": ["f9"]}, "no facts f9"),
        ({"pitch": "We have 4000 customers in all the countries of it."}, "4000"),
        ({"opening": "We are the leading company of its kind today."}, "not about"),
        ({"pitch": "See https://elsewhere.example for what agents do."}, "a link"),
        ({"opening": "Robots: “nobody ever said this sentence there”."}, "quote"),
    ],
)
def test_what_is_not_true_or_not_about_them_is_not_written(
    httpserver: HTTPServer, post: Post, model: Model, says, why
) -> None:
    site = scenery(httpserver, 1, post.imap)
    model.says = [says, says]
    row = run(site, httpserver)
    assert not Message.objects.exists() and why in row.lines[-1]
    assert "refused" in model.asked[1]


def test_the_same_mail_to_another_is_refused_and_written_again(
    httpserver: HTTPServer, post: Post, model: Model
) -> None:
    site = scenery(httpserver, 1, post.imap, contacts=2)
    model.says = [{"pitch": PITCHES[0]}, {"pitch": PITCHES[0], "facts": ["f1"]}]
    run(site, httpserver)
    assert Message.objects.count() == 2 and "the same as" in model.asked[2]


def test_without_a_recent_piece_nothing_is_written(
    httpserver: HTTPServer, post: Post, model: Model
) -> None:
    site = scenery(httpserver, 1, post.imap, contacts=0)
    mailworld.contact(site, 1, feed_url=newsroom(httpserver, 1, days=200))
    mailworld.contact(site, 2, outlet_url="", source_url="https://paper2.example/")
    row = run(site, httpserver)
    assert not Message.objects.exists() and model.asked == []
    assert row.counters == {"not written to": 2}


def test_a_newsroom_without_a_feed_is_read_by_its_links(
    httpserver: HTTPServer, post: Post, model: Model
) -> None:
    site = scenery(httpserver, 1, post.imap, contacts=0)
    day = f"{now() - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"
    httpserver.expect_request("/news").respond_with_data(
        "<article><h2><a href='/old'>Old</a></h2></article>"
        "<article><h2><a href='/new#top'>New</a></h2></article>",
        content_type="text/html",
    )
    httpserver.expect_request("/old").respond_with_data(
        f"<title>Old</title><p>{PIECE}</p>", content_type="text/html"
    )
    httpserver.expect_request("/new").respond_with_data(
        f"<title>New</title><meta property=article:published_time content={day}>"
        f"<p>{PIECE}</p>",
        content_type="text/html",
    )
    who = mailworld.contact(site, 1, outlet_url=httpserver.url_for("/news"))
    assert articles.recent(site, who, now()).title == "New"


def test_who_may_not_be_written_to_is_not(
    httpserver: HTTPServer, post: Post, model: Model
) -> None:
    site = scenery(httpserver, 1, post.imap, contacts=4)
    zero, one, two, _three = Contact.objects.order_by("outlet")
    zero.switch(False, by=SYSTEM)
    Contact.objects.filter(pk=one.pk).update(country="DE")
    Suppression.objects.add(site.company, two.email, "manual", by=SYSTEM)
    row = run(site, httpserver)
    assert Message.objects.get().contact.outlet == "Paper 3"
    assert row.counters["not allowed by country"] == row.counters["suppressed"] == 1
    assert CountryPolicy.objects.rule(site.company_id, "DE") == "deny"


def test_what_is_missing_is_named(httpserver: HTTPServer, post: Post) -> None:
    site = scene.site()
    assert "mailbox" in run(site, httpserver).note
    box = mailworld.mailbox(site, 1, post.imap, postal_address=" ")
    row = run(site, httpserver)
    assert row.status == "blocked" and "Postal address" in row.note
    Mailbox.objects.update(postal_address="Rua 1")
    mailworld.contact(site)
    assert "Facts" in run(site, httpserver).note
    box.refresh_from_db()


def test_a_dry_run_touches_nothing(
    httpserver: HTTPServer, post: Post, model: Model
) -> None:
    site = scenery(httpserver, 1, post.imap)
    post.put("INBOX", b"From: eva@paper0.example\r\nSubject: unsubscribe\r\n\r\n.")
    row = JobRun.objects.start(site.company, "pr", by=SYSTEM, dry=True)
    conduct.conduct(Work(row, site))
    assert not Message.objects.exists() and not InboxMessage.objects.exists()
    assert model.asked == [] and not Suppression.objects.exists()


def test_nothing_is_offered_for_a_link() -> None:
    for text in ("We pay 50 € for it", "a dofollow link", "a link exchange"):
        assert checks.TRADE.search(text), text
    assert not checks.TRADE.search("It may fit your page on agents.")
