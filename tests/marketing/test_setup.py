"""A site is set up: what it says of itself, what a person confirms, and the tables and
starters that come with it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from marketing import imports, setup, starters
from marketing.jobs import JOBS
from marketing.models import (
    Category,
    Competitor,
    Contact,
    CountryPolicy,
    Directory,
    JobSchedule,
    Keyword,
    Site,
    Suppression,
    Template,
)
from marketing.tables import read_table
from paperclip.actors import SYSTEM, Actor
from paperclip.exceptions import Invalid, NotAllowed
from tests import make

pytestmark = pytest.mark.django_db
HOME = """<!doctype html><html lang="en"><head>
<title>Custom AI agents for online shops | Acme Robots</title>
<meta name="description" content="We build customer support automation for shops.">
<meta property="og:site_name" content="Acme Robots">
<link rel="alternate" hreflang="pt" href="/pt"><link rel="alternate"
 type="application/rss+xml" href="/news.xml">
<script type="application/ld+json">{"@type": "Organization", "name": "Acme Robots",
 "foundingDate": "2019-03-01", "address": {"addressLocality": "Lisbon"}}</script>
</head><body><nav><a href="/about-us">About</a><a href="/private/x">x</a>
<a href="http://[broken">?</a>
<a href="http://elsewhere.example/">Else</a><a href="mailto:a@b.example">Mail</a></nav>
<main><article><h1>Custom AI agents for online shops</h1>
<h2>Customer support automation</h2><h2>AI agents for returns</h2>
<p>Your customers ask, and an agent answers. You see every answer, and you decide which
of them were good. We answered 24,000 questions in 2025. Nobody waits for an answer.</p>
</article></main></body></html>"""
ABOUT = """<html lang="en"><head><title>About us | Acme Robots</title></head><body>
<article><h1>Acme vs Robotron</h1><p>We are 12 people in Lisbon and Porto. We compare
ourselves with <a href="//[x">?</a>
<a href="https://www.robotron.example/x">Robotron</a> every year. You may
ask us whatever you like about it, and somebody will answer you within a day.</p>
</article></body></html>"""
FEED = """<rss version="2.0"><channel><title>News</title>
<item><title>Returns automation in practice</title></item>
<item><title>What an AI agent costs</title></item></channel></rss>"""


@pytest.fixture
def company() -> Any:
    return make.company(rehearsal=True)


@pytest.fixture
def own(httpserver: HTTPServer) -> HTTPServer:
    html = {"content_type": "text/html"}
    httpserver.expect_request("/").respond_with_data(HOME, **html)
    httpserver.expect_request("/about-us").respond_with_data(ABOUT, **html)
    httpserver.expect_request("/news.xml").respond_with_data(FEED)
    robots = (
        f"User-agent: *\nDisallow: /private\nSitemap: {httpserver.url_for('/s.xml')}"
    )
    httpserver.expect_request("/robots.txt").respond_with_data(robots)
    urls = "".join(
        f"<url><loc>{httpserver.url_for(at)}</loc></url>" for at in ("/", "/about-us")
    )
    httpserver.expect_request("/s.xml").respond_with_data(f"<urlset>{urls}</urlset>")
    return httpserver


def test_a_site_says_what_it_is(company, own) -> None:
    found = setup.propose(company, own.url_for("/"))
    assert found.fields["name"] == "Acme Robots"
    assert found.fields["languages"] == ["en", "pt"]
    assert found.fields["sitemap_url"] == own.url_for("/s.xml")
    assert found.fields["feed_url"] == own.url_for("/news.xml")
    told = {fact["text"]: fact["source_url"] for fact in found.fields["facts"]}
    assert told["Founded in 2019."] == own.url_for("/")
    assert told["Based in Lisbon."] == own.url_for("/")
    assert told["We answered 24,000 questions in 2025."] == own.url_for("/")
    assert told["We are 12 people in Lisbon and Porto."] == own.url_for("/about-us")
    assert "“you”" in found.fields["tone"] and "“we”" in found.fields["tone"]
    assert found.keywords[:2] == ["ai agents", "custom ai agents for online shops"]
    assert "customer support automation" in found.keywords[:5]
    assert not any("acme" in one or "robots" in one for one in found.keywords)
    rivals = {one["name"]: one["base_url"] for one in found.rivals}
    assert rivals["Robotron"] == "https://www.robotron.example/"
    assert len(set(rivals) & {one["name"] for one in starters.rivals()}) == 6
    # Nothing is stored, and only what it may read was read.
    assert not Site.objects.exists()
    paths = {request.path for request, _ in own.log}
    assert "/private/x" not in paths and found.problems == []


def test_what_was_proposed_can_be_confirmed_as_it_is(company, own) -> None:
    found = setup.propose(company, own.url_for("/"))
    rivals = [one for one in found.rivals if one["base_url"]]
    site = Site.objects.set_up(
        company, by=SYSTEM, keywords=found.keywords, rivals=rivals, **found.fields
    )
    assert Keyword.objects.count() == len(found.keywords)
    assert Competitor.objects.count() == 7
    assert [fact["id"] for fact in site.facts][:2] == ["f1", "f2"]


@pytest.mark.parametrize(
    "url",
    ["", "nowhere", "ftp://x.example", "http://", "http://a b.example", "http://[x"],
)
def test_what_is_no_address_is_refused(company, url) -> None:
    with pytest.raises(Invalid, match="is no address of a site"):
        setup.propose(company, url)


def test_a_site_that_cannot_be_read_says_why(company, httpserver) -> None:
    with pytest.raises(Invalid, match="answers 500"):
        setup.propose(company, httpserver.url_for("/"))
    with pytest.raises(Invalid, match="does not answer"):
        setup.propose(company, "http://127.0.0.1:1/")


def test_only_a_rehearsal_may_read_this_machine(own) -> None:
    with pytest.raises(Invalid, match="private network"):
        setup.propose(make.company(), own.url_for("/"))


def test_a_bare_page_is_enough(company, httpserver) -> None:
    httpserver.expect_request("/").respond_with_data("Hello", content_type="text/html")
    found = setup.propose(company, httpserver.url_for("/"))
    assert found.fields["name"] == "localhost" and found.keywords == []
    assert found.problems


# --- the verb -------------------------------------------------------------------------

GOOD: dict[str, Any] = {"name": "Acme", "base_url": "acme.example"}


def test_a_site_is_set_up_with_its_jobs_and_starters(company) -> None:
    cmo = make.agent(company, role="cmo")
    site = Site.objects.set_up(company, by=SYSTEM, **GOOD)
    assert site.base_url == "https://acme.example/"
    assert (site.agent, site.languages, len(site.indexnow_key)) == (cmo, ["en"], 32)
    assert JobSchedule.objects.filter(company=company).count() == len(JOBS)
    assert not Contact.objects.exclude(email="", is_on=False).exists()
    again = Site.objects.set_up(company, by=SYSTEM, tone="Plain.")
    assert (again.pk, again.name, again.indexnow_key) == (
        site.pk, "Acme", site.indexnow_key,
    )  # fmt: skip
    assert JobSchedule.objects.filter(company=company).count() == len(JOBS)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": " "}, "needs a name"),
        ({"base_url": "javascript:alert(1)"}, "no address"),
        ({"endpoints": {"gsc": "http://evil.example"}}, "has no endpoints"),
        ({"is_stopped": True}, "has no is_stopped"),
        ({"languages": "en"}, "a list of texts"),
        ({"facts": ["we are good"]}, "a list of {id"),
        ({"facts": [{"text": ""}]}, "says nothing"),
        ({"facts": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, "two with"),
        ({"max_posts_per_day": 12}, "max_posts_per_day"),
        ({"deploy_trigger": "wish"}, "deploy_trigger"),
        ({"indexnow_key": "../../x"}, "IndexNow key"),
        ({"sitemap_url": "nowhere"}, "sitemap_url"),
        ({"rivals": [{"name": "X", "base_url": ""}]}, "no address"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(company, fields, said) -> None:
    with pytest.raises(Invalid, match=said):
        Site.objects.set_up(company, by=SYSTEM, **{**GOOD, **fields})
    assert not Site.objects.exists() and not Contact.objects.exists()


def test_rows_of_others_are_refused(company) -> None:
    stranger = make.agent()
    with pytest.raises(Invalid, match="agent: there is none"):
        Site.objects.set_up(company, by=SYSTEM, agent=stranger, **GOOD)


def test_who_may_set_a_site_up(company) -> None:
    for actor in (
        Actor.of_user(make.operator(company, "operator")),
        Actor.of_user(make.operator()),
        Actor.of_agent(make.agent(company, role="cmo")),
    ):
        with pytest.raises(NotAllowed):
            Site.objects.set_up(company, by=actor, **GOOD)
    admin = Actor.of_user(make.operator(company))
    site = Site.objects.set_up(company, by=admin, **GOOD)
    site.switch(False, by=Actor.of_user(make.operator(company, "operator")))
    assert Site.objects.get().is_stopped


# --- starters -------------------------------------------------------------------------


def test_the_starters_are_whole(company) -> None:
    Site.objects.set_up(company, by=SYSTEM, **GOOD)
    hosts = {one["base_url"].split("/")[2].removeprefix("www.")
             for one in starters.rivals()}  # fmt: skip
    assert hosts == {
        "altar.io", "imaginarycloud.com", "twistag.com", "aisuperior.com", "vume.ai",
        "techrivo.com",
    }  # fmt: skip
    taken = imports.import_keywords(company, starters.keywords(), by=SYSTEM)
    assert taken.made >= 20 and not taken.problems and not taken.ignored
    contacts = Contact.objects.filter(company=company)
    assert contacts.count() >= 25
    assert set(contacts.values_list("category", flat=True)) == {
        "pt_tech", "eu", "ai", "agency",
    }  # fmt: skip
    assert Directory.objects.exclude(terms_url="").count() >= 10
    rules = dict(CountryPolicy.objects.values_list("country", "rule"))
    assert rules["DE"] == rules["AT"] == "deny" and "allow" not in rules.values()
    assert set(Template.objects.values_list("category", flat=True)) == set(
        Category.values
    )


def test_what_an_operator_changed_is_not_sown_again(company) -> None:
    site = Site.objects.set_up(company, by=SYSTEM, **GOOD)
    CountryPolicy.objects.filter(country="PT").update(rule="allow")
    Contact.objects.filter(outlet="Sifted").update(email="desk@sifted.example")
    Directory.objects.filter(name="Clutch").update(state="dropped")
    count = Contact.objects.count()
    made = starters.sow(site, by=SYSTEM)
    assert set(made.values()) == {0} and Contact.objects.count() == count
    assert CountryPolicy.objects.get(country="PT").rule == "allow"
    assert Directory.objects.get(name="Clutch").state == "dropped"


# --- tables ---------------------------------------------------------------------------


def test_keywords_from_a_table_or_a_list(company) -> None:
    text = (
        "\ufeffKeyword;Lang;Country;Search volume;Tracked\r\n"
        "ai agents;EN;pt;1.200;no\r\n;en;;;\r\nAI  agents;en;PT;;\r\n"
        "chatbots;en;Portugal;;\r\nagentes;pt;PT;many;\r\nmvp;en;PT;5;perhaps\r\n"
    )
    done = imports.import_keywords(company, text.encode("utf-16"), by=SYSTEM)
    assert (done.made, done.known) == (1, 1)
    row = Keyword.objects.get()
    assert (row.text, row.volume, row.is_tracked) == ("ai agents", 1200, False)
    assert [(one.line, one.said[:12]) for one in done.problems] == [
        (3, "A keyword is"), (5, "“Portugal” i"), (6, "“many” is no"),
        (7, "“perhaps” is"),
    ]  # fmt: skip
    done = imports.import_keywords(company, "one thing\nanother thing\n", by=SYSTEM)
    assert done.made == 2


def test_what_was_not_taken_can_be_corrected_and_imported(company) -> None:
    text = 'outlet,category,email\n"A, B",pt_tech,a@b\nC,press,c@c.example\n'
    done = imports.import_contacts(company, text, by=SYSTEM)
    assert (done.made, len(done.problems)) == (0, 2)
    rest = list(csv.reader(io.StringIO(done.rest)))
    assert rest[0] == ["outlet", "category", "email", "problem"]
    assert rest[1][:3] == ["A, B", "pt_tech", "a@b"]
    good = done.rest.replace("a@b,", "a@b.example,").replace("press", "eu")
    again = imports.import_contacts(company, good, by=SYSTEM)
    assert (again.made, again.problems, again.rest) == (2, [], "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",eu,a@b.example,PT,yes,https://x.example", "names no outlet"),
        ("X,eu,a@b.example,,yes,https://x.example", "needs country"),
        ("X,eu,,PT,yes,https://x.example", "needs email"),
        ("X,eu,a@b.example,PT,yes,", "needs source_url"),
        ("X,eu,a@b.example,PT,yes,nowhere", "source_url"),
        ("X,eu,a@b.example,PRT,yes,https://x.example", "two-letter"),
        ("X,eu,a@b.example,PT,maybe,https://x.example", "neither yes nor no"),
        ("X,eu,no+more@gone.example,PT,yes,https://x.example", "never written to"),
        ("X,eu,ana@news.shut.example,PT,yes,https://x.example", "never written to"),
        ("X,eu,a@b.example,PT,yes,https://x.example,more,cells", "8 cells"),
        (f"{'x' * 200},eu,a@b.example,PT,yes,https://x.example", "120 characters"),
    ],
)
def test_a_contact_that_does_not_fit_says_why(company, line, said) -> None:
    for value in ("no@gone.example", "@shut.example"):
        Suppression.objects.create(company=company, value=value, reason="unsubscribed")
    head = "outlet,category,email,country,active,source_url"
    done = imports.import_contacts(company, f"{head}\n{line}\n", by=SYSTEM)
    assert said in done.problems[0].said and not Contact.objects.exists()


def test_an_address_fills_in_the_outlet_of_the_starters(company) -> None:
    Site.objects.set_up(company, by=SYSTEM, **GOOD)
    count = Contact.objects.count()
    text = (
        "outlet,category,name,email,country,active,source,date\n"
        "Sifted,EU publications,Ana,Ana+pr@Sifted.example,GB,yes,"
        "https://sifted.example/team,2026-11-01\n"
        "Sifted,eu,Ana,ana@sifted.example,GB,yes,https://sifted.example/team,\n"
    )
    done = imports.import_contacts(company, text, by=SYSTEM)
    assert (done.filled, done.known, done.problems) == (1, 1, [])
    row = Contact.objects.get(outlet="Sifted")
    assert Contact.objects.count() == count
    assert (row.is_on, row.identity) == (True, "ana@sifted.example")
    assert row.outlet_url == "https://sifted.eu/"  # as it was


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "names no column"),
        (b'outlet,category\n"never closed,eu\n', "Line 2 is no line"),
        (b"x" * 2_000_001, "larger than 2 MB"),
        (b"outlet\n" + b"x\n" * 5_001, "5,001 lines, and 5,000"),
    ],
)
def test_what_is_no_table_is_refused(data, said) -> None:
    with pytest.raises(Invalid, match=said):
        read_table(data, imports.CONTACT)


def test_a_table_of_another_encoding_is_read() -> None:
    table = read_table(
        "meio\tcategoria\nPúblico\teu\n".encode("cp1252"), imports.CONTACT
    )
    assert table.lines == [
        (2, ["Público", "eu"], {"outlet": "Público", "category": "eu"})
    ]


def test_who_may_import(company) -> None:
    viewer = Actor.of_user(make.operator(company, "viewer"))
    operator = Actor.of_user(make.operator(company, "operator"))
    with pytest.raises(NotAllowed):
        imports.import_keywords(company, "ai agents", by=viewer)
    with pytest.raises(NotAllowed):
        imports.import_contacts(company, "outlet,category\nX,eu", by=operator)
