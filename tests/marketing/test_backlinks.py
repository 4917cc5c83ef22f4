"""Links as they really stand in pages, directories for people, and mails for links."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from agents.models import Approval
from issues.models import Evidence
from marketing import conduct, directories
from marketing.crawl.sight import Sight
from marketing.models import (
    Backlink,
    BacklinkLook,
    Competitor,
    Directory,
    JobRun,
    Message,
    Prospect,
    Site,
    SubmissionPacket,
    Template,
)
from marketing.writer import Writer
from paperclip.actors import SYSTEM
from paperclip.exceptions import Conflict, Invalid
from tests import make
from tests.marketing import mailworld, scene
from tests.marketing.mailworld import AT, Post

pytestmark = pytest.mark.django_db
US = "https://us.example/"
FACTS = [
    {"id": "f1", "text": "Digiton runs 7 agents on one shop.", "source_url": ""},
    {"id": "f2", "text": "Every claim of an agent is checked.", "source_url": ""},
]


@pytest.fixture
def server(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/robots.txt").respond_with_data("", status=404)
    return httpserver


@pytest.fixture
def site() -> Site:
    return scene.site(base_url=US, facts=FACTS)


def page(server: HTTPServer, path: str, html: str, **how: Any) -> str:
    server.expect_request(path).respond_with_data(
        f"<html><body>{html}</body></html>", content_type="text/html", **how
    )
    return server.url_for(path)


def run(site: Site, at: Any = AT, writer: Writer | None = None) -> JobRun:
    work = scene.work(site, "backlinks", clock=lambda: at, writer=writer)
    row = conduct.conduct(work)
    row.refresh_from_db()
    return row


def linked(site: Site, url: str, **fields: Any) -> Backlink:
    return Backlink.objects.create(
        company=site.company, source_url=url, target_url=US, **fields
    )


@pytest.mark.parametrize(
    ("html", "state"),
    [
        ('<p><a href="https://us.example/">Us</a>', "live"),
        ('<a href="//US.example/?utm_source=x" rel="noopener">Us</a>', "live"),
        ('<a href="https://us.example/" rel="NOFOLLOW">Us</a>', "nofollow"),
        ('<a href="https://us.example/" rel="ugc">Us</a>', "nofollow"),
        ('<a href="https://us.example/" rel="sponsored nofollow">Us</a>', "sponsored"),
        (f'<a href={US} rel=nofollow></a><a href="{US}">', "live"),
        (
            '<meta name=robots content=nofollow><a href="https://us.example/">',
            "nofollow",
        ),
        ('<base href="https://us.example/"><a href="/about">Us</a>', "live"),
        ('<!-- <a href="https://us.example/">Us</a> -->', "expected"),
        ("<script>'<a href=\"https://us.example/\">Us</a>'</script>", "expected"),
        ('<a data-href="https://us.example/">Us</a>', "expected"),
        ('<a href="/out?u=https%3A%2F%2Fus.example%2F">Us</a>', "expected"),
        ('<a href="https://us.example.evil.example/">Us</a>', "expected"),
        ("https://us.example/", "expected"),
    ],
)
def test_a_link_is_what_stands_in_the_document(
    server: HTTPServer, site: Site, html: str, state: str
) -> None:
    link = linked(site, page(server, "/list", html))
    row = run(site)
    link.refresh_from_db()
    assert link.state == state, row.note
    receipts = Evidence.objects.filter(issue=row.issue)
    assert [one.outcome for one in receipts] == (
        ["passed"] if state != "expected" else []
    )


def test_where_it_stands_is_kept_with_the_page(server: HTTPServer, site: Site) -> None:
    html = '<div></div><div><a href="https://us.example/"> Our\n friends </a></div>'
    link = linked(
        site, page(server, "/list", html, headers={"X-Robots-Tag": "noindex"})
    )
    run(site)
    link.refresh_from_db()
    assert link.dom_path == "html > body:1 > div:2 > a:1" or "div:2" in link.dom_path
    assert (link.anchor, link.is_noindex) == ("Our friends", True)
    assert b"Our" in BacklinkLook.objects.get().blob.body


def test_it_is_lost_after_two_looks_a_day_apart(server: HTTPServer, site: Site) -> None:
    said = ['<a href="https://us.example/">Us</a>']
    server.expect_request("/list").respond_with_handler(
        lambda request: Response(said[0], content_type="text/html")
    )
    link = linked(site, server.url_for("/list"))
    hours = [(0, "live"), (4, "missed"), (8, "missed"), (27, "missed"), (28, "lost")]
    for after, state in hours:
        run(site, AT + timedelta(hours=after))
        link.refresh_from_db()
        assert link.state == state, after
        said[0] = "<p>Nothing"
    said[0] = '<a href="https://us.example/">Us</a>'
    run(site, AT + timedelta(hours=32))
    link.refresh_from_db()
    assert (link.state, link.missed_at) == ("live", None)


def test_a_page_that_cannot_be_read_loses_no_link(
    server: HTTPServer, site: Site
) -> None:
    server.expect_request("/list").respond_with_data("no", status=503)
    link = linked(site, server.url_for("/list"), state="live", seen_at=AT)
    for day in (0, 2):
        run(site, AT + timedelta(days=day))
    link.refresh_from_db()
    assert link.state == "live" and BacklinkLook.objects.count() == 2


# --- directories -----------------------------------------------------------------


def directory(site: Site, name: str, **fields: Any) -> Directory:
    values = {"url": f"https://{name}.example/", "name": name, **fields}
    return Directory.objects.create(company=site.company, **values)


def test_the_best_directory_is_the_one_that_fits_and_is_read() -> None:
    best = Directory(fit=1, traffic=1, rivals_listed=["a", "b", "c"])
    assert directories.score(best) == 1.0
    dear = Directory(fit=0.5, traffic=0.5, cost_cents=100, link_rel="nofollow")
    assert directories.score(dear) == pytest.approx(0.3)


def test_a_rival_whose_page_links_there_is_listed_there(site: Site) -> None:
    rival = Competitor.objects.create(
        company=site.company, name="Acme", base_url="https://acme.example"
    )
    html = b"""<a href="https://clutch.co/profile/acme">Clutch</a>
        <!-- <a href="https://goodfirms.co/acme">GoodFirms</a> -->"""
    rows = [
        Directory.objects.create(company=site.company, name=host, url=f"https://{host}")
        for host in ("www.clutch.co", "goodfirms.co")
    ]
    for _ in range(2):
        directories.note_rival(rival, [Sight(html, rival.base_url)])
    for row in rows:
        row.refresh_from_db()
    assert [row.rivals_listed for row in rows] == [["Acme"], []]
    assert directories.score(rows[0]) > directories.score(rows[1])


def test_packets_wait_for_people_few_at_a_time_and_once(site: Site) -> None:
    for n in range(5):
        directory(site, f"d{n}", fit=n / 5)
    first, again = run(site), run(site)
    packets = SubmissionPacket.objects.select_related("directory")
    assert {one.directory.name for one in packets} == {"d4", "d3", "d2"}
    assert first.counters["packets made"] == 3 and "packets made" not in again.counters
    assert len(again.waiting) == 3
    texts = {one.body["descriptions"]["short"] for one in packets}
    assert len(texts) == 2 and all(one.body["name"] == "Digiton" for one in packets)


def test_a_person_submits_and_the_profile_is_looked_at(
    server: HTTPServer, site: Site
) -> None:
    profile = page(server, "/us", '<h1>Digiton</h1><a href="https://us.example/">x</a>')
    row = directory(site, "list", url=server.url_for("/"))
    run(site)
    packet, person = SubmissionPacket.objects.get(), make.owner_of(site.company)
    with pytest.raises(Conflict, match="approve"):
        packet.submit(profile, by=make.by(person))
    packet.approval.decide("approved", by=make.by(person))
    packet.refresh_from_db()
    with pytest.raises(Invalid, match="paste"):
        packet.submit("https://elsewhere.example/us", by=make.by(person))
    packet.submit(profile, by=make.by(person))
    done = run(site)
    row.refresh_from_db()
    packet.refresh_from_db()
    assert (row.state, packet.state) == ("listed", "listed")
    assert Evidence.objects.get(issue=done.issue).outcome == "passed"


def test_other_terms_freeze_a_directory_until_they_are_read(
    server: HTTPServer, site: Site
) -> None:
    terms = ["<p>Companies may be listed here. " + "Be honest. " * 20]
    server.expect_request("/terms").respond_with_handler(
        lambda request: Response(terms[0], content_type="text/html")
    )
    row = directory(site, "list", terms_url=server.url_for("/terms"))
    run(site)
    packet = SubmissionPacket.objects.get()
    packet.delete()
    Directory.objects.update(state="open")
    terms[0] = "<p>Every listing costs a thousand. " + "Pay first. " * 20
    told = run(site)
    row.refresh_from_db()
    assert row.state == "frozen" and not SubmissionPacket.objects.exists()
    assert "terms" in told.waiting[0]["text"]
    run(site)
    assert not SubmissionPacket.objects.exists()
    row.accept_terms(True, by=SYSTEM)
    run(site)
    assert SubmissionPacket.objects.exists()


# --- mails -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    with mailworld.post() as one:
        yield one


def model(server: HTTPServer, **words: str) -> Writer:
    def answer(request: Request) -> Response:
        told = {
            "opening": "Your list of robots who write newspapers is what I looked for.",
            "pitch": "We run 7 agents on one shop and show what they get wrong.",
            "facts": ["f1"],
        } | words
        message = {"role": "assistant", "content": json.dumps(told)}
        body = {"choices": [{"message": message}], "usage": {}}
        return Response(json.dumps(body), content_type="application/json")

    server.expect_request("/v1/chat/completions").respond_with_handler(answer)
    return Writer(server.url_for("").rstrip("/"), "t")


def prospect(server: HTTPServer, site: Site, **fields: Any) -> Prospect:
    Template.objects.create(
        company=site.company, category="link", subject="{article}", body="Hi\n\n{pitch}"
    )
    url = page(server, "/links", "<p>" + "Robots write newspapers. " * 20)
    who = mailworld.contact(site, category="link", **fields)
    return Prospect.objects.create(
        company=site.company, url=url, kind="resource", contact=who, title="Robots"
    )


def test_a_mail_for_a_link_waits_for_a_person_and_goes_once(
    server: HTTPServer, site: Site, post: Post
) -> None:
    with mailworld.scripted() as (script, port):
        mailworld.mailbox(site, port, post.imap, sent_copy="append")
        prospect(server, site)
        writer = model(server)
        run(site, writer=writer)
        one = Message.objects.get()
        assert (one.state, one.job) == ("awaiting_approval", "backlinks")
        one.approval.decide("approved", by=make.by(make.owner_of(site.company)))
        row = run(site, writer=writer)
        run(site, writer=writer)
        assert len(script.letters) == 1, row.lines
        assert Evidence.objects.get(issue=row.issue).outcome == "passed"


def test_whom_the_other_job_wrote_to_is_not_asked(
    server: HTTPServer, site: Site, post: Post
) -> None:
    box = mailworld.mailbox(site, 1, post.imap)
    one = prospect(server, site)
    mailworld.message(box, one.contact, state="accepted", sent_at=AT)
    run(site, writer=model(server))
    assert Message.objects.filter(job="backlinks").count() == 0


def test_nothing_is_offered_for_a_link(
    server: HTTPServer, site: Site, post: Post
) -> None:
    mailworld.mailbox(site, 1, post.imap)
    prospect(server, site)
    row = run(
        site, writer=model(server, pitch="We pay you well for a dofollow link of ours.")
    )
    assert not Message.objects.exists() and "nothing is offered" in row.lines[-1]
    assert not Approval.objects.filter(type="send").exists()
