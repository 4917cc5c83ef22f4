"""The records of a domain, asked of a name server; not to know is not to miss."""

from __future__ import annotations

import time
from collections.abc import Iterator

import dns.resolver
import pytest

from marketing.jobs.base import Blocked
from marketing.models import Mailbox
from marketing.outreach import dns as records
from tests import make
from tests.marketing import mailworld, scene
from tests.nameserver import NameServer, nameserver

pytestmark = pytest.mark.django_db
SPF, KEY, POLICY = "us.example", "google._domainkey.us.example", "_dmarc.us.example"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    monkeypatch.setattr(records, "SECONDS", 2.0)

    with nameserver() as one:
        monkeypatch.setattr(dns.resolver, "default_resolver", one.resolver())
        one.zone = {
            SPF: ['TXT "google-site-verification=x"', 'TXT "v=spf1 mx -all"'],
            KEY: ['TXT "v=DKIM1; k=rsa; p=MIIB"'],
            POLICY: ['TXT "v=DMARC1; p=none"'],
        }
        yield one


@pytest.fixture
def box() -> Mailbox:
    return mailworld.mailbox(scene.site(make.company()))


def lacks(box: Mailbox) -> str:
    return " ".join(records.missing(box))


def test_a_domain_with_all_of_them_is_believed(server, box) -> None:
    records.must_be_believed(box)
    assert {how for how, _name in server.asked} == {"udp"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (SPF, "us.example has no SPF record"),
        (KEY, "There is no DKIM key at google or selector1"),
        (POLICY, "_dmarc.us.example has no DMARC record"),
    ],
)
def test_each_that_is_missing_is_named(server, box, name, said) -> None:
    """Whether the name is not there at all, or has other records."""
    for rest in ([], ["TXT other"], ["A 127.0.0.1"]):
        server.zone.pop(name)
        if rest:
            server.zone[name] = rest
        with pytest.raises(Blocked) as no:
            records.must_be_believed(box)
        assert said in str(no.value)
        assert len(records.missing(box)) == 1
        server.zone.setdefault(name, [])


def test_a_text_in_several_strings_is_one(server, box) -> None:
    server.zone[SPF] = ['TXT "v=sp" "f1 include:_spf.a.example" " -all"']
    server.zone[KEY] = ['TXT "v=DKIM1; k=rsa; " "p" "=MIIB"']
    server.zone[POLICY] = ['TXT "v=DMARC1" "; p=none"']
    assert lacks(box) == ""


def test_a_name_that_is_another_ones_is_followed(server, box) -> None:
    server.zone["keys.provider.example"] = server.zone[KEY]
    server.zone["hop.provider.example"] = ["CNAME keys.provider.example."]
    server.zone[KEY] = ["CNAME hop.provider.example."]
    assert lacks(box) == ""
    del server.zone["keys.provider.example"]
    assert "no DKIM key" in lacks(box)


def test_two_of_what_there_may_be_one_are_told(server, box) -> None:
    server.zone[SPF].append('TXT "v=spf1 include:other.example ~all"')
    assert "more than one SPF record" in lacks(box)
    server.zone[SPF] = ['TXT "v=spf1 -all"', 'TXT "v=spf10 of tomorrow"']
    assert lacks(box) == ""
    server.zone[POLICY].append('TXT "v=DMARC1; p=reject"')
    assert "more than one DMARC record" in lacks(box)


@pytest.mark.parametrize("name", [SPF, KEY, POLICY])
def test_a_broken_name_server_says_nothing_about_the_record(server, box, name) -> None:
    server.broken = {name}
    with pytest.raises(Blocked, match="Nobody can say now") as no:
        records.must_be_believed(box)
    assert "SERVFAIL" in str(no.value) and "has no" not in str(no.value)


@pytest.mark.parametrize("name", [SPF, KEY, POLICY])
def test_a_silent_name_server_neither(server, box, name, monkeypatch) -> None:
    monkeypatch.setattr(records, "SECONDS", 0.5)
    server.silent, began = {name}, time.monotonic()
    with pytest.raises(Blocked, match="looked up again at the next run"):
        records.must_be_believed(box)
    assert time.monotonic() - began < 5


def test_a_key_is_found_beside_a_name_that_nobody_answers_for(server, box) -> None:
    server.broken = {KEY}
    server.zone["s1._domainkey.us.example"] = ['TXT "p=MIIB"']
    assert lacks(box) == ""
    box.dkim_selector = "google"
    with pytest.raises(records.Unanswered):
        records.missing(box)


def test_a_long_answer_is_asked_for_again_over_tcp(server, box) -> None:
    half = "A" * 250
    server.zone[KEY] = [f'TXT "v=DKIM1; p={half[:240]}" "{half}" "{half}"']
    assert lacks(box) == "" and ("tcp", KEY) in server.asked
    server.zone[SPF] += [f'TXT "token-{n}={half[:200]}"' for n in range(5)]
    assert lacks(box) == "" and ("tcp", SPF) in server.asked


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("v=DKIM1; p=MIIB", True),
        ("k=ed25519;p=11qY", True),
        ("v=DKIM1; p=", False),
        ("v=DKIM1; p=;", False),
        ("v=DKIM1; k=rsa; p= ; t=s", False),
        ("v=DMARC1; p=none", False),
        ("v=spf1 -all", False),
        ("sp=none", False),
    ],
)
def test_what_a_key_is(server, box, text, is_one) -> None:
    server.zone[KEY] = [f'TXT "{text}"']
    assert (lacks(box) == "") is is_one


def test_the_policy_of_a_domain_holds_for_those_beneath(server, box) -> None:
    box.address = "press@news.us.example"
    server.zone["news.us.example"] = server.zone[SPF]
    server.zone["google._domainkey.news.us.example"] = server.zone[KEY]
    assert lacks(box) == ""
    server.broken = {"_dmarc.news.us.example"}
    with pytest.raises(records.Unanswered):
        records.missing(box)
    server.broken, server.zone[POLICY] = set(), []
    assert "_dmarc.news.us.example has no DMARC record" in lacks(box)
